// Our rows, with all that a host gets by default switched on: a deadline of 50 ms, outcomes of
// every agent, circuit breakers, cost measurement. A decision that was degraded (late, or with a
// default in an agent's place) is counted apart from wrong ones.
//   trusted  the agents run on the caller's thread; 64 in flight are shared among a caller per core
//   strict   workers run the agents, callers wait; 64 in flight are 64 waiting threads
//   async    workers run the agents, a callback brings the answer and, with 64 in flight, asks anew
#include <fmt/format.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "adagents/runtime/runtime.h"
#include "adagents_team.h"
#include "loops.h"

namespace adagents::bench {
namespace {

using TeamRuntime = Runtime<TeamRequest, TeamSignal>;

/// Where the callbacks of DecideAsync run: on the answer thread, or where the answer is found.
enum class CallbackPlace { kAnswerThread, kInPlace };

std::unique_ptr<TeamRuntime> MakeRuntime(const Team& team, unsigned cores, CallbackPlace place) {
  TeamRuntime::Builder builder(kTeamRequest, kTeamSignal<kExplain>);
  ForEachAgent([&]<int I>() { builder.Add<TeamAgent<I>>(&team); });
  RuntimeOptions options;
  options.workers = static_cast<int>(cores);
  builder.Options(std::move(options));
  if (place == CallbackPlace::kInPlace) {
    builder.Callbacks([](absl::AnyInvocable<void()> callback) { callback(); });
  }
  auto runtime = builder.Build();
  if (!runtime.ok()) {
    throw std::runtime_error(
        fmt::format("the team does not build: {}", std::string(runtime.status().message())));
  }
  return *std::move(runtime);
}

uint64_t ValueOf(const Answer<TeamSignal>& answer) {
  return answer.degraded() ? kDegraded : answer.value.value;
}

template <bool kTrusted>
struct Waiting {
  Waiting(const Team& team, unsigned cores)
      : runtime(MakeRuntime(team, cores, CallbackPlace::kAnswerThread)) {}
  struct Client {
    explicit Client(Waiting& of) : runtime(*of.runtime) {}
    uint64_t Decide(uint64_t request) {
      return ValueOf(runtime.Decide(TeamRequest{request}, {.trusted = kTrusted}));
    }
    TeamRuntime& runtime;
  };
  std::unique_ptr<TeamRuntime> runtime;
};

class Strict final : public Contestant {
 public:
  Strict() : Contestant("adagents, strict", true) {}
  Slice Run(const Team& team, const Script& script, Mode mode,
            const SliceOptions& options) override {
    Waiting<false> waiting(team, options.cores);
    return RunCallers(waiting, script, mode, options, kInFlightRequests);
  }
};

class Async {
 public:
  Async(const Team& team, unsigned cores, Mode, uint32_t, Answered answered, void* who)
      : answered_(answered),
        who_(who),
        runtime_(MakeRuntime(team, cores, CallbackPlace::kInPlace)) {}
  void Submit(uint32_t slot, uint64_t request) {
    runtime_->DecideAsync(TeamRequest{request}, {}, [this, slot](const Answer<TeamSignal>& answer) {
      answered_(who_, slot, ValueOf(answer));
    });
  }

 private:
  Answered answered_;
  void* who_;
  std::unique_ptr<TeamRuntime> runtime_;
};

}  // namespace

void AddAdagents(Contestants& to) {
  to.push_back(std::make_unique<Caller<Waiting<true>>>("adagents, trusted", true));
  to.push_back(std::make_unique<Strict>());
  to.push_back(std::make_unique<Callback<Async>>("adagents, async", true));
}

}  // namespace adagents::bench
