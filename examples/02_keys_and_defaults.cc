// Keys and defaults: who reads what decides who runs when, and what happens to the rest when one
// agent fails.
//
// Agents never name each other. Pricing reads what Intent and Weather write, so it runs after them,
// though it is added first. Intent's output has a default, which makes Intent optional: when it
// fails, the default stands. Nobody writes "weather", so Pricing's absent value is read. And a team
// that cannot work is refused by Build(), which says why.
//
// Output:
//   workout playlist: intent 0.9, weather 0.5 -> price 1.40
//   unknown playlist: intent 0.3, weather 0.5 -> price 0.80, 1 default
//
//   without intent: agent 'pricing' reads 'intent', which nobody writes: add its writer or ...
//   with two:       key 'intent' has two writers: 'intent' and 'other_intent'
//   in a circle:    the agents wait for each other in a circle: pricing -> (price) -> intent -> ...
#include <cstdio>
#include <string>

#include "adagents/runtime/runtime.h"

namespace {

using namespace adagents;  // an example; in a header, name what you use

struct Request {
  std::string playlist;
};
struct Price {
  double amount = 0;
  double intent = 0;
  double weather = 0;
};

constexpr Key<Request> kRequest{"request"};
constexpr Key<double> kIntent{"intent"};
constexpr Key<double> kWeather{"weather"};
constexpr Key<Price> kPrice{"price"};

class Intent final : public Agent {
  In<Request> request_{this, kRequest};
  Out<double> intent_{this, kIntent, 0.3};  // the default: what to assume when we do not know

 public:
  explicit Intent(const char* name = "intent") : Agent({.name = name}) {}
  absl::Status Run(Context& ctx) override {
    if (ctx[request_].playlist != "workout") return NotFound("nothing is known of this playlist");
    ctx[intent_] = 0.9;
    return absl::OkStatus();
  }
};

class Pricing final : public Agent {
  In<double> intent_{this, kIntent};
  In<double> weather_{this, kWeather, 0.5};  // the absent value: nobody has to write it
  Out<Price> price_{this, kPrice};           // no default: no decision without pricing

 public:
  Pricing() : Agent({.name = "pricing"}) {}
  absl::Status Run(Context& ctx) override {
    const double intent = ctx[intent_], weather = ctx[weather_];
    ctx[price_] = {.amount = intent + weather, .intent = intent, .weather = weather};
    return absl::OkStatus();
  }
};

/// Intent, were it to depend on the price.
class Circular final : public Agent {
  In<Price> price_{this, kPrice};
  Out<double> intent_{this, kIntent};

 public:
  Circular() : Agent({.name = "intent"}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};

using Pricer = Runtime<Request, Price>;

void Explain(const char* what, Pricer::Builder& builder) {
  const auto built = builder.Build();
  std::printf("%s %s\n", what, built.ok() ? "works" : std::string(Message(built.status())).c_str());
}

}  // namespace

int main() {
  auto runtime = Pricer::Builder(kRequest, kPrice)
                     .Add<Pricing>()
                     .Add<Intent>()
                     .Options({.deadline = absl::Seconds(1)})
                     .Build();
  if (!runtime.ok()) return 1;
  for (const char* playlist : {"workout", "unknown"}) {
    const Answer<Price> answer = (*runtime)->Decide({.playlist = playlist});
    std::printf("%s playlist: intent %.1f, weather %.1f -> price %.2f", playlist,
                answer.value.intent, answer.value.weather, answer.value.amount);
    if (answer.defaulted > 0) std::printf(", %d default", answer.defaulted);
    std::printf("\n");
  }
  std::printf("\n");

  Explain("without intent:", Pricer::Builder(kRequest, kPrice).Add<Pricing>());
  Explain(
      "with two:      ",
      Pricer::Builder(kRequest, kPrice).Add<Pricing>().Add<Intent>().Add<Intent>("other_intent"));
  Explain("in a circle:   ", Pricer::Builder(kRequest, kPrice).Add<Pricing>().Add<Circular>());
}
