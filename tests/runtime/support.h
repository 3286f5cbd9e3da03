// What the runtime's tests and the fault tests share: an agent whose ports and body the test
// chooses, three ways to ask, and waiting without sleeping.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "adagents/runtime/runtime.h"
#include "catch.h"
#include "fmt/format.h"

namespace adagents::testing {

using SteadyClock = std::chrono::steady_clock;

/// True with ADAGENTS_LONG=1: many more rounds.
inline bool LongRun() { return std::getenv("ADAGENTS_LONG") != nullptr; }

/// Waits for what other threads do; false after so long that they hang, on a busy machine too.
template <class Condition>
[[nodiscard]] bool Eventually(const Condition& condition) {
  const auto until = SteadyClock::now() + std::chrono::seconds(30);
  while (!condition()) {
    if (SteadyClock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A door that is opened once. Thread-safe.
class Door {
 public:
  void Open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  [[nodiscard]] bool WaitFor(std::chrono::milliseconds time) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, time, [this] { return open_; });
  }
  [[nodiscard]] bool open() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return open_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

/// Opens a door on the way out, so that what hangs behind it never outlives its test.
class OpenAtEnd {
 public:
  explicit OpenAtEnd(Door& door) : door_(door) {}
  ~OpenAtEnd() { door_.Open(); }
  OpenAtEnd(const OpenAtEnd&) = delete;
  OpenAtEnd& operator=(const OpenAtEnd&) = delete;

 private:
  Door& door_;
};

/// The text, alive for ever, as keys need it.
inline std::string_view Intern(const std::string& text) {
  static std::mutex mutex;
  static auto* const texts = new std::set<std::string>;
  const std::lock_guard<std::mutex> lock(mutex);
  return *texts->insert(text).first;
}

/// "n7". (g++ 12 warns, wrongly, of "n" + std::to_string(7).)
inline std::string Numbered(const char* prefix, int number) {
  std::string text = prefix;
  text += std::to_string(number);
  return text;
}

inline Key<int> IntKey(const std::string& name) { return Key<int>{Intern(name)}; }

inline constexpr Key<int> kAsk{"ask"};
inline constexpr Key<int> kSay{"say"};

class Node;

struct NodeSpec {
  std::string name;
  std::vector<std::string> in = {};                     // without an absent value
  std::vector<std::pair<std::string, int>> in_or = {};  // with one
  std::string out = {};
  std::optional<int> otherwise = {};                            // the output's default
  std::function<absl::Status(Context&, Node&)> body = nullptr;  // one more than the sum of inputs
  AgentOptions options = {};
};

/// An agent on ints: NodeSpec says which ports it has and what it does.
class Node final : public Agent {
 public:
  explicit Node(const NodeSpec& spec) : Agent(Options(spec)), spec_(spec) {
    for (const auto& key : spec.in) in_.emplace_back(this, IntKey(key));
    for (const auto& [key, absent] : spec.in_or) in_.emplace_back(this, IntKey(key), absent);
    if (spec.out.empty()) return;
    if (spec.otherwise) {
      out_.emplace(this, IntKey(spec.out), *spec.otherwise);
    } else {
      out_.emplace(this, IntKey(spec.out));
    }
  }

  absl::Status Run(Context& ctx) override {
    if (spec_.body) return spec_.body(ctx, *this);
    if (out_) ctx[*out_] = Sum(ctx) + 1;
    return absl::OkStatus();
  }
  int in(Context& ctx, size_t i) const { return ctx[in_[i]]; }
  int& out(Context& ctx) { return ctx[*out_]; }
  int Sum(Context& ctx) const {
    int sum = 0;
    for (const auto& port : in_) sum += ctx[port];
    return sum;
  }
  int calls = 0;  // of this replica, for bodies that count

 private:
  static AgentOptions Options(const NodeSpec& spec) {
    AgentOptions options = spec.options;
    options.name = spec.name;
    return options;
  }
  const NodeSpec spec_;
  std::deque<In<int>> in_;
  std::optional<Out<int>> out_;
};

/// Nodes that decide ints: "ask" in, "say" out.
using Team = Runtime<int, int>;

inline Team::Builder TeamOf(const std::vector<NodeSpec>& nodes, RuntimeOptions options = {}) {
  Team::Builder builder(kAsk, kSay);
  for (const NodeSpec& node : nodes) builder.Add<Node>(node);
  builder.Options(std::move(options));
  return builder;
}

inline std::unique_ptr<Team> MakeTeam(const std::vector<NodeSpec>& nodes,
                                      RuntimeOptions options = {}) {
  auto team = TeamOf(nodes, std::move(options)).Build();
  INFO(team.status().ToString());
  REQUIRE(team.ok());
  return *std::move(team);
}

/// What Build() said, "" when it succeeded.
inline std::string BuildError(Team::Builder builder) {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  const auto team = builder.Options(std::move(options)).Build();
  return team.ok() ? std::string() : std::string(Message(team.status()));
}
inline std::string BuildError(const std::vector<NodeSpec>& nodes) {
  return BuildError(TeamOf(nodes));
}

enum class Way { kStrict, kTrusted, kAsync };
inline constexpr std::array<Way, 3> kWays{Way::kStrict, Way::kTrusted, Way::kAsync};
inline const char* Name(Way way) {
  return way == Way::kStrict ? "strict" : way == Way::kTrusted ? "trusted" : "async";
}

/// One decision, whichever way; for the asynchronous one it waits for the callback.
template <class Req, class Res>
Answer<Res> Ask(Runtime<Req, Res>& runtime, Way way, const Req& request, CallOptions options = {}) {
  if (way != Way::kAsync) {
    options.trusted = way == Way::kTrusted;
    return runtime.Decide(request, options);
  }
  struct Arrived {
    Door door;
    Answer<Res> answer;
  };
  auto arrived = std::make_shared<Arrived>();
  runtime.DecideAsync(request, options, [arrived](Answer<Res> answer) {
    arrived->answer = std::move(answer);
    arrived->door.Open();
  });
  (void)runtime.RunPending();
  arrived->door.Wait();
  return std::move(arrived->answer);
}

/// Shuts down; "" when nothing was left behind, else what.
template <class Req, class Res>
std::string LeftBehind(Runtime<Req, Res>& runtime, absl::Duration grace = absl::Seconds(5)) {
  const ShutdownReport report = runtime.Shutdown(grace);
  if (report.clean()) return {};
  return fmt::format("{} decisions, {} threads, {} callers, {} events", report.decisions_left,
                     report.threads_left, report.callers_left, report.events_left);
}

/// The entry of the agent called `name`.
inline AgentStats StatsOf(const Stats& stats, std::string_view name) {
  for (const AgentStats& agent : stats.agents) {
    if (agent.name == name) return agent;
  }
  FAIL("no agent named " << name);
  return {};
}
inline uint64_t CountOf(const Stats& stats, std::string_view name, Outcome outcome) {
  return StatsOf(stats, name).outcomes[static_cast<size_t>(outcome)];
}
inline uint64_t CountOf(const Stats& stats, Verdict verdict) {
  return stats.verdicts[static_cast<size_t>(verdict)];
}

}  // namespace adagents::testing
