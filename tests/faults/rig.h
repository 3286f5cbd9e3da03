// A team with one suspect in it, clients that ask it in every way, and a judge of every answer.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
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

/// What the clients saw; for what is late see Lateness.
struct Seen {
  std::array<uint64_t, kVerdicts> verdicts{};
  uint64_t wrong = 0, late = 0;
  // Past the deadline; negative when all were early.
  int64_t worst_nanos = std::numeric_limits<int64_t>::min();

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
  static constexpr int kInFlight = 8;  // per asynchronous client

  Clients(FaultyTeam& team, Sentinel& sentinel) : team_(team), sentinel_(sentinel) {}
  ~Clients() {
    Stop();
    Join();
    while (in_flight_.load() > 0) std::this_thread::yield();
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;

  /// `clients` threads ask until each has made `calls` calls or Stop() comes.
  void Start(Way way, int clients, int calls, absl::Duration tmax = absl::Milliseconds(50)) {
    for (int c = 0; c < clients; ++c) {
      ++running_;
      clients_.push_back(std::make_unique<Client>());
      Client& client = *clients_.back();
      const auto first = static_cast<uint64_t>(clients_.size()) << 32;
      threads_.emplace_back([this, way, calls, first, tmax, &client] {
        for (int i = 0; i < calls && !stop_.load(std::memory_order_relaxed); ++i) {
          AskOnce(client, way, first + static_cast<uint64_t>(i) + 1, tmax);
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
    Seen all;
    for (const auto& client : clients_) {
      const std::lock_guard<std::mutex> lock(client->mutex);
      for (size_t v = 0; v < all.verdicts.size(); ++v) all.verdicts[v] += client->seen.verdicts[v];
      all.wrong += client->seen.wrong;
      all.late += client->lateness.Count(sentinel_);
      all.worst_nanos = std::max(all.worst_nanos, client->lateness.worst());
    }
    return all;
  }

 private:
  // Each has its own, lest one that loses its core makes the answers of others look late.
  struct Client {
    std::counting_semaphore<kInFlight> room{kInFlight};
    std::mutex mutex;  // guards what follows
    Seen seen;
    Lateness lateness;
  };

  void AskOnce(Client& client, Way way, uint64_t question, absl::Duration tmax) {
    CallOptions call;
    call.tmax = tmax;
    if (way == Way::kAsync) {
      client.room.acquire();
      ++in_flight_;
      const int64_t due = Sentinel::Now() + absl::ToInt64Nanoseconds(tmax);
      team_.DecideAsync(question, call, [this, question, due, &client](Answer<Numbers> answer) {
        Judge(client, question, due, answer, true);
        client.room.release();
        --in_flight_;
      });
      return;
    }
    call.trusted = way == Way::kTrusted;
    const int64_t due = Sentinel::Now() + absl::ToInt64Nanoseconds(tmax);
    Judge(client, question, due, team_.Decide(question, call), way == Way::kStrict);
  }

  void Judge(Client& client, uint64_t question, int64_t due, const Answer<Numbers>& answer,
             bool bounded) {
    const int64_t at = Sentinel::Now();
    const bool right = Right(question, answer);
    const std::lock_guard<std::mutex> lock(client.mutex);
    ++client.seen.verdicts[static_cast<size_t>(answer.verdict)];
    client.seen.wrong += !right;
    if (bounded) client.lateness.Note(due, at);
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
  std::vector<std::unique_ptr<Client>> clients_;
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
