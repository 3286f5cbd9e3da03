// Hello: one agent, one decision.
//
// An agent is a class with ports (typed members that are bound to keys) and a Run. The runtime
// calls it with a context, through which the ports read and write the blackboard.
//
// Output:
//   at 14:00: play the upbeat spot
//   at 23:00: play the calm spot
#include <cstdio>
#include <string>

#include "adagents/runtime/runtime.h"

namespace {

struct Request {
  int hour = 0;
};
struct Spot {
  std::string tone;
};

constexpr adagents::Key<Request> kRequest{"request"};
constexpr adagents::Key<Spot> kSpot{"spot"};

class Bedtime final : public adagents::Agent {
  adagents::In<Request> request_{this, kRequest};
  adagents::Out<Spot> spot_{this, kSpot};

 public:
  Bedtime() : Agent({.name = "bedtime"}) {}

  absl::Status Run(adagents::Context& ctx) override {
    ctx[spot_].tone = ctx[request_].hour >= 22 ? "calm" : "upbeat";
    return absl::OkStatus();
  }
};

}  // namespace

int main() {
  auto runtime = adagents::Runtime<Request, Spot>::Builder(kRequest, kSpot)
                     .Add<Bedtime>()
                     .Options({.deadline = absl::Seconds(1)})  // 50 ms unless said otherwise
                     .Build();
  if (!runtime.ok()) {
    std::printf("%s\n", runtime.status().ToString().c_str());
    return 1;
  }
  for (const int hour : {14, 23}) {
    const adagents::Answer<Spot> answer = (*runtime)->Decide({.hour = hour});
    std::printf("at %d:00: play the %s spot\n", hour, answer.value.tone.c_str());
  }
}
