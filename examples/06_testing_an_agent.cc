// Testing an agent of your own: alone, on inputs that the test chooses and a clock that it moves.
//
// AgentHarness runs the agent in a real runtime, between agents that write the chosen inputs and
// one that reads what it published, so its defaults, deadlines and failures are those of
// production. It links adagents::testing and works with any test framework; here Check() is all
// there is of one.
//
// Output:
//   ok: late at night the calm spot wins
//   ok: the agent says why
//   ok: an unknown mood counts as neutral
//   ok: a negative hour is an error, and the default stands
//   ok: with little time left it does not try the long way
//   ok: equal decision ids draw equal numbers
//   a forgotten input: agent 'tone' reads 'request' (Request), which the test does not set: ...
#include <cstdio>
#include <string>

#include "adagents/testing/agent_harness.h"

using namespace adagents;

struct Request {
  int hour = 0;
};
enum class Tone { kNeutral, kCalm, kUpbeat };

constexpr Key<Request> kRequest{"request"};
constexpr Key<double> kMood{"mood"};
constexpr Key<Tone> kTone{"tone"};
constexpr Key<int> kVariant{"variant"};
constexpr ReasonCode kNight{"night", "hour {subject} is night"};
constexpr ReasonCode kShort{"short_of_time", "only {score} ms were left"};

/// The agent under test.
class ToneAgent final : public Agent {
  In<Request> request_{this, kRequest};
  In<double> mood_{this, kMood, 0.5};
  Out<Tone> tone_{this, kTone, Tone::kNeutral};
  Out<int> variant_{this, kVariant, 0};

 public:
  ToneAgent() : Agent({.name = "tone"}) {}
  absl::Status Run(Context& ctx) override {
    const int hour = ctx[request_].hour;
    if (hour < 0 || hour > 23) return InvalidArgument("no such hour");
    ctx[variant_] = static_cast<int>(ctx.random().Below(1000));
    const absl::Duration left = ctx.deadline().Remaining(ctx.clock());
    if (left < absl::Milliseconds(5)) {
      ctx.Because({.code = &kShort, .score = absl::ToDoubleMilliseconds(left)});
      return absl::OkStatus();
    }
    const bool night = hour >= 22 || hour < 6;
    if (night) ctx.Because({.code = &kNight, .subject = static_cast<uint64_t>(hour)});
    ctx[tone_] = night ? Tone::kCalm : ctx[mood_] > 0.5 ? Tone::kUpbeat : Tone::kNeutral;
    return absl::OkStatus();
  }
};

void Check(bool ok, const char* sentence) {
  std::printf("%s: %s\n", ok ? "ok" : "FAILED", sentence);
}

int main() {
  using testing::AgentHarness;
  using testing::AgentRun;

  AgentHarness harness;
  harness.Set(kRequest, Request{.hour = 23}).Set(kMood, 0.9);
  const AgentRun night = harness.Run<ToneAgent>();
  Check(night.status.ok() && night.Get(kTone) == Tone::kCalm, "late at night the calm spot wins");
  Check(night.HasReason(kNight), "the agent says why");

  harness.Set(kRequest, Request{.hour = 12}).SetAbsent(kMood);  // as if mood's agent had failed
  Check(harness.Run<ToneAgent>().Get(kTone) == Tone::kNeutral, "an unknown mood counts as neutral");

  const AgentRun wrong = AgentHarness().Set(kRequest, Request{.hour = -1}).Run<ToneAgent>();
  Check(wrong.outcome == Outcome::kFailed && wrong.Get(kTone) == Tone::kNeutral,
        "a negative hour is an error, and the default stands");

  harness.SetDeadline(absl::Milliseconds(4));
  Check(harness.Run<ToneAgent>().HasReason(kShort),
        "with little time left it does not try the long way");

  harness.SetDeadline(absl::Milliseconds(50)).SetId(42);
  Check(harness.Run<ToneAgent>().Get(kVariant) == harness.Run<ToneAgent>().Get(kVariant),
        "equal decision ids draw equal numbers");

  const AgentRun forgotten = AgentHarness().Run<ToneAgent>();
  std::printf("a forgotten input: %s\n", std::string(Message(forgotten.status)).c_str());
}
