// One decision on several threads: its strands are divided between its own thread and idle workers.
//
// Worth it only when few decisions are in flight and a helper is awake, or the gain exceeds the
// time one takes to wake; whether it is follows from measured costs. The threads claim strands, the
// one with the longest remaining path first, through one word (StrandClaims); plans that are cut
// into more strands than it has room for run as a oneTBB flow graph (FlowRun).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "adagents/runtime/internal/crew.h"
#include "adagents/runtime/internal/executor.h"
#include "adagents/runtime/internal/request_state.h"
#include "adagents/runtime/internal/strand_claims.h"
#include "adagents/runtime/internal/strands.h"

namespace adagents::internal {

class Core;

/// How a decision was shared.
enum class Shared : uint8_t {
  kNot,   // there was no free place, or no strands of its plan: run it alone
  kRan,   // no agent is running any more
  kLeft,  // it is settled and answered, but an agent still runs: its thread leaves last
};

/// Thread-safe.
class Sharing {
 public:
  Sharing(Core* core, int workers, int64_t spin_nanos);
  ~Sharing();

  /// Whether this decision, about to start on `crew`, is to be shared now.
  [[nodiscard]] bool Wants(Crew& crew, const RequestState& state);
  /// Runs all agents of the decision. When helpers are still at it at its deadline, it is cut short
  /// and left to them, with the place in which it ran.
  /// `began`, in ns: when it was decided to share it.
  Shared Run(Crew& crew, RequestState& state, int64_t began);

  /// Whether a helper with a team of this plan has something to do at this moment.
  [[nodiscard]] bool Offers(const Plan* plan) const;
  /// Takes part in a decision that is shared right now, if there is one. True if it did.
  bool Help(Crew& crew);
  /// Workers that are at it now, but for those that are stuck.
  [[nodiscard]] int helping() const { return helping_.load(std::memory_order_relaxed); }
  /// The watchdog has found a helper stuck.
  void LoseHelper() { helping_.fetch_sub(1, std::memory_order_relaxed); }
  /// Lets helpers go that only wait in decisions that are overdue at `now`.
  void LetGo(int64_t now);

  /// How much longer than others a worker that has helped looks for work, in ns: for as long as the
  /// plan leaves it without a strand between two decisions, unless that costs more than it gains.
  [[nodiscard]] int64_t Patience() const { return patience_.load(std::memory_order_relaxed); }

  /// Whether something may hold an old plan, for Tidy() to let go of it.
  [[nodiscard]] bool untidy() const { return untidy_.load(std::memory_order_relaxed); }
  /// By a thread that has nothing else to do.
  void Tidy();

  /// Recomputes the strands of `plan` when costs have drifted; called now and then, by one thread.
  void Refresh(const std::shared_ptr<const Plan>& plan);

  /// How `plan` is cut now; null while it is not, or not worth sharing.
  [[nodiscard]] std::shared_ptr<const Strands> StrandsOf(const Plan& plan);
  /// How often a plan was cut.
  [[nodiscard]] uint64_t recuts() const { return recuts_.load(std::memory_order_relaxed); }

  [[nodiscard]] uint64_t shared() const { return shared_.load(std::memory_order_relaxed); }
  /// Decisions that were left to helpers which have not come back yet.
  [[nodiscard]] int left() const { return left_.load(std::memory_order_relaxed); }

 private:
  struct Place;

  bool Hot() const;
  bool FollowsClosely(Crew& crew);
  bool Prepare(Crew& crew, Place& place);
  bool RunClaims(Crew& crew, Place& place, int64_t began);
  bool RunFlow(Crew& crew, Place& place);
  bool MayLeave(RequestState& state);
  void TakeOver(Place& place);
  void Judge(Mode mode, int64_t took);
  void RunClaimed(Crew& crew, Place& place, StrandClaims<>::View* view, int strand,
                  StrandTime* time);
  bool HelpClaims(Crew& crew, Place& place);
  bool HelpFlow(Crew& crew, Place& place);
  void RunInFlow(const Place& place, Crew& crew, uint32_t strand);
  void BeginHelp(Crew& crew, const Place& place);
  bool EndHelp(Crew& crew);
  void FadeArrival();
  void Forget();
  bool UpdateStrands(const std::shared_ptr<const Plan>& plan);
  void Arrived(const Place& place);

  static constexpr int kPlaces = 4;           // decisions shared at one time
  static constexpr size_t kMaxAgents = 512;   // larger plans run as a loop
  static constexpr int64_t kMinGain = 3'000;  // ns; below, sharing costs what it saves
  static constexpr double kMinShare = 0.12;   // of the plan's total
  static constexpr int kLastingDrift = 4;     // looks until a plan is cut anew

  Core* core_;
  const int64_t spin_nanos_;
  const int helpers_;  // per decision
  std::vector<std::unique_ptr<Place>> places_;
  std::atomic<int> open_{0};  // places with strands that nobody has claimed
  std::atomic<int> helping_{0};
  std::atomic<uint64_t> shared_{0};
  std::atomic<int> left_{0};
  std::atomic<int64_t> arrival_{400'000};  // ns a parked helper takes to arrive, measured

  std::mutex mutex_;  // guards current_ and retired_; held briefly
  struct Current {
    std::shared_ptr<const Plan> plan;
    std::shared_ptr<const Strands> strands;
    bool worth = false;  // sharing it
  };
  Current current_;  // changed by Refresh() alone
  std::vector<Current> retired_;
  std::atomic<bool> untidy_{false};
  int64_t faded_at_ = 0;                     // Refresh's own, as is what follows
  std::vector<int64_t> costs_;               // of each agent now,
  std::vector<int64_t> costs_then_;          // and when the strands were cut
  int drifted_ = 0;                          // looks in a row that found them far apart
  uint64_t shared_then_ = 0;                 // shared_ at the last look
  std::atomic<const Plan*> gains_{nullptr};  // the plan whose strands are worth sharing
  std::atomic<int64_t> gain_{0};
  std::atomic<int64_t> total_{0};  // of the plan's agents in a row
  std::atomic<int64_t> patience_{0};

  // What sharing has brought of late, for each way to decide: their callers wait differently.
  struct alignas(kCacheLine) Record {
    std::atomic<int64_t> mean_nanos{0};  // of shared decisions; 0: none yet
    std::atomic<int> rest{0};            // decisions to run alone before the next attempt
    std::atomic<int> rest_next{0};
  };
  std::array<Record, 3> records_;  // by Mode
  std::atomic<uint64_t> version_{0};
  std::atomic<uint64_t> recuts_{0};
};

}  // namespace adagents::internal
