// A team with one suspect in it, clients that ask it in every way, and a judge of every answer.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adagents/base/ids.h"
#include "faults/sentinel.h"
#include "runtime/support.h"

namespace adagents::testing {

/// What the team decides: numbers that follow from the question, so that any mixture of two
/// decisions, or of an answer and what came after it, shows.
using Numbers = std::vector<uint32_t>;
using FaultyTeam = Runtime<uint64_t, Numbers>;

inline constexpr Key<uint64_t> kQuestion{"question"};
inline constexpr Key<uint64_t> kMixed{"mixed"};
inline constexpr Key<uint64_t> kSpice{"spice"};
inline constexpr Key<Numbers> kNumbers{"numbers"};

inline Numbers NumbersOf(uint64_t seed, size_t count) {
  Numbers numbers;
  for (size_t i = 0; i < count; ++i) numbers.push_back(static_cast<uint32_t>(Mix64(seed + i)));
  return numbers;
}
inline constexpr size_t kDecidedSize = 16, kFallbackSize = 19;

class First final : public Agent {
  In<uint64_t> in_{this, kQuestion};
  Out<uint64_t> out_{this, kMixed};

 public:
  First() : Agent({.name = "first"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[out_] = Mix64(ctx[in_]);
    return absl::OkStatus();
  }
};

/// Its output is the mixed question plus 1, its default 0.
class Suspect final : public Agent {
 public:
  using Body = std::function<absl::Status(Context&, uint64_t question)>;
  Suspect(AgentOptions options, bool optional, Body body) : Agent(options), body_(std::move(body)) {
    if (optional) {
      out_.emplace(this, kSpice, 0);
    } else {
      out_.emplace(this, kSpice);
    }
  }
  absl::Status Run(Context& ctx) override {
    ctx[*out_] = 12345;  // never to be seen
    const absl::Status status = body_(ctx, ctx[question_]);
    ctx[*out_] = ctx[mixed_] + 1;
    return status;
  }

 private:
  In<uint64_t> question_{this, kQuestion};
  In<uint64_t> mixed_{this, kMixed};
  std::optional<Out<uint64_t>> out_;
  Body body_;
};

class Says final : public Agent {
  In<uint64_t> mixed_{this, kMixed};
  In<uint64_t> spice_{this, kSpice};
  Out<Numbers> out_{this, kNumbers};

 public:
  Says() : Agent({.name = "says"}) {}
  absl::Status Run(Context& ctx) override {
    const Numbers numbers = NumbersOf(ctx[mixed_] ^ ctx[spice_], kDecidedSize);
    ctx[out_].assign(numbers.begin(), numbers.end());
    return absl::OkStatus();
  }
};

struct RigOptions {
  RuntimeOptions runtime = {};
  AgentOptions suspect = {};
  bool optional = true;
};

inline FaultyTeam::Builder RigOf(Suspect::Body body, RigOptions options = {}) {
  options.suspect.name = "suspect";
  FaultyTeam::Builder builder(kQuestion, kNumbers);
  builder.Add<First>()
      .Add<Suspect>(options.suspect, options.optional, std::move(body))
      .Add<Says>()
      .Fallback([](const uint64_t& question, const Board& board) {
        const uint64_t* spice = board.Find(kSpice);
        const bool odd = spice != nullptr && *spice != 0 && *spice != Mix64(question) + 1;
        return NumbersOf(question, odd ? 1 : kFallbackSize);
      })
      .Options(std::move(options.runtime));
  return builder;
}

inline std::unique_ptr<FaultyTeam> MakeRig(Suspect::Body body, RigOptions options = {}) {
  auto team = RigOf(std::move(body), std::move(options)).Build();
  INFO(team.status().ToString());
  REQUIRE(team.ok());
  return *std::move(team);
}

/// Whether an answer is one that this question can have.
inline bool Right(uint64_t question, const Answer<Numbers>& answer) {
  const uint64_t mixed = Mix64(question);
  switch (answer.verdict) {
    case Verdict::kDecided:
      return answer.value == NumbersOf(mixed, kDecidedSize) ||  // with the default
             answer.value == NumbersOf(mixed ^ (mixed + 1), kDecidedSize);
    case Verdict::kFallback:
    case Verdict::kExpired:
    case Verdict::kSaturated:
      return answer.value == NumbersOf(question, kFallbackSize);
    default:
      return answer.value.empty();
  }
}

/// What the clients saw. Late are answers more than 5 ms past their deadline by more than a
/// sentinel overslept in the same window.
struct Seen {
  std::array<uint64_t, kVerdicts> verdicts{};
  uint64_t wrong = 0, late = 0;
  int64_t worst_nanos = 0;  // past the deadline; negative when all were early

  [[nodiscard]] uint64_t Of(Verdict verdict) const {
    return verdicts[static_cast<size_t>(verdict)];
  }
  [[nodiscard]] uint64_t answers() const {
    uint64_t sum = 0;
    for (const uint64_t count : verdicts) sum += count;
    return sum;
  }
};

/// Asks `team` from several threads and judges the answers. A client that is stuck in a trusted
/// call is left behind by Finish() only when the test has let it go. Not thread-safe.
class Clients {
 public:
  static constexpr int64_t kAllowance = 5'000'000;
  static constexpr int kInFlight = 8;  // per asynchronous client

  Clients(FaultyTeam& team, Sentinel& sentinel) : team_(team), sentinel_(sentinel) {}
  ~Clients() { Join(); }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// `clients` threads ask until each has made `calls` calls or Stop() comes.
  void Start(Way way, int clients, int calls, absl::Duration tmax = absl::Milliseconds(50)) {
    for (int c = 0; c < clients; ++c) {
      ++running_;
      const auto first = static_cast<uint64_t>(next_client_++) << 32;
      threads_.emplace_back([this, way, calls, first, tmax] {
        for (int i = 0; i < calls && !stop_.load(std::memory_order_relaxed); ++i) {
          AskOnce(way, first + static_cast<uint64_t>(i) + 1, tmax);
        }
        --running_;
      });
    }
  }
  void Stop() { stop_.store(true); }
  [[nodiscard]] int running() const { return running_.load(); }
  [[nodiscard]] uint64_t answered() const { return answered_.load(); }
  [[nodiscard]] int64_t in_flight() const { return in_flight_.load(); }

  /// Waits for all threads and answers.
  Seen Finish() {
    Join();
    while (in_flight_.load() > 0) std::this_thread::yield();
    const std::lock_guard<std::mutex> lock(mutex_);
    Seen seen = seen_;
    for (const Suspicion& each : suspicions_) {
      const int64_t overslept = sentinel_.WorstIn(each.due - 2'000'000, each.at);
      if (each.at - each.due - kAllowance > overslept) ++seen.late;
    }
    return seen;
  }

 private:
  struct Suspicion {
    int64_t due, at;
  };

  void AskOnce(Way way, uint64_t question, absl::Duration tmax) {
    CallOptions call;
    call.tmax = tmax;
    if (way == Way::kAsync) {
      while (in_flight_.load() >= kInFlight) std::this_thread::yield();
      ++in_flight_;
      const int64_t due = Sentinel::Now() + absl::ToInt64Nanoseconds(tmax);
      team_.DecideAsync(question, call, [this, question, due](Answer<Numbers> answer) {
        Judge(question, due, answer, true);
        --in_flight_;
      });
      return;
    }
    call.trusted = way == Way::kTrusted;
    const int64_t due = Sentinel::Now() + absl::ToInt64Nanoseconds(tmax);
    Judge(question, due, team_.Decide(question, call), way == Way::kStrict);
  }

  void Judge(uint64_t question, int64_t due, const Answer<Numbers>& answer, bool bounded) {
    const int64_t at = Sentinel::Now();
    const bool right = Right(question, answer);
    const std::lock_guard<std::mutex> lock(mutex_);
    ++seen_.verdicts[static_cast<size_t>(answer.verdict)];
    seen_.wrong += !right;
    if (bounded) {
      seen_.worst_nanos = seen_.answers() == 1 ? at - due : std::max(seen_.worst_nanos, at - due);
      if (at - due > kAllowance) suspicions_.push_back({due, at});
    }
    ++answered_;
  }

  void Join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  FaultyTeam& team_;
  Sentinel& sentinel_;
  std::atomic<bool> stop_{false};
  std::atomic<int> running_{0};
  std::atomic<int64_t> in_flight_{0};
  std::atomic<uint64_t> answered_{0};
  int next_client_ = 0;
  std::mutex mutex_;
  Seen seen_;
  std::vector<Suspicion> suspicions_;
  std::vector<std::thread> threads_;
};

/// With ADAGENTS_VERBOSE: how late the latest answer was.
inline void Report(const char* what, Way way, const Seen& seen) {
  if (std::getenv("ADAGENTS_VERBOSE") == nullptr) return;
  WARN(what << ", " << Name(way) << ": " << seen.answers() << " answers, worst "
            << static_cast<double>(seen.worst_nanos) / 1e6 << " ms past the deadline, late "
            << seen.late);
}

}  // namespace adagents::testing
