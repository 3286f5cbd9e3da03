// One agent decides one request, with nothing but adagents::runtime.
#include <cstdio>

#include "adagents/runtime/runtime.h"
#include "adagents/version.h"

namespace {

struct Listener {
  int hour = 0;
};
struct Calm {
  double score = 0;
};
constexpr adagents::Key<Listener> kListener{"listener"};
constexpr adagents::Key<Calm> kCalm{"calm"};

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context& ctx) override {
    ctx[calm_].score = ctx[listener_].hour >= 22 ? 1 : 0;
    return absl::OkStatus();
  }

 private:
  adagents::In<Listener> listener_{this, kListener};
  adagents::Out<Calm> calm_{this, kCalm};
};

}  // namespace

int main() {
  auto runtime = adagents::Runtime<Listener, Calm>::Builder(kListener, kCalm).Add<Bedtime>().Build();
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.status().ToString().c_str());
    return 1;
  }
  const auto answer = (*runtime)->Decide(Listener{.hour = 23});
  std::printf("adagents %s: calm is %.0f\n", adagents::kVersion.data(), answer.value.score);
  return answer.verdict == adagents::Verdict::kDecided && answer.value.score == 1 ? 0 : 1;
}
