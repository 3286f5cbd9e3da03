// One decision in flight, without its types. Runtime<Req, Res> derives its ticket from this.
//
// Lifetime: a state is opened by the requester and given back when both its users have left: the
// requester's side (caller, timer or answer thread) and the executing side (a worker, or the lane
// queue in which it waits). Trusted decisions have one user, their caller; one that its caller
// leaves while a helper is stuck in it has two, and the last of them deletes it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adagents/base/clock.h"
#include "adagents/base/deadline.h"
#include "adagents/runtime/hold.h"
#include "adagents/runtime/internal/answer_latch.h"
#include "adagents/runtime/internal/settle_gate.h"
#include "adagents/runtime/outcome.h"
#include "adagents/runtime/trace.h"

namespace adagents {
class Board;
}

namespace adagents::internal {

class Plan;

/// The memory behind one decision's request scope. Slots are written by their agent before its
/// outcome is stored with release, and read after an acquire (or by the same thread), so a reader
/// never sees a half-written output.
class BoardMemory {
 public:
  explicit BoardMemory(std::shared_ptr<const Plan> plan);
  ~BoardMemory();
  BoardMemory(const BoardMemory&) = delete;
  BoardMemory& operator=(const BoardMemory&) = delete;

  /// What the request's ports see.
  void SetRequest(const void* request);
  /// As new, for the next decision: nothing of this one stays behind.
  void Clear();
  /// Restores the defaults of one agent's outputs after a failed call.
  void ResetOutputsOf(uint32_t agent);

  std::byte* data() const { return data_; }
  const Plan& plan() const { return *plan_; }

  /// Set in an outcome while its agent's loop goes on: seen within the loop, by its own thread, and
  /// not published, for the next round writes the outputs again.
  static constexpr uint8_t kInLoop = 0x80;

  std::atomic<uint8_t>& outcome(uint32_t agent) { return outcomes_[agent]; }
  const std::atomic<uint8_t>& outcome(uint32_t agent) const { return outcomes_[agent]; }
  /// The outcome as the agents that come after see it.
  uint8_t Seen(uint32_t agent) const {
    return outcomes_[agent].load(std::memory_order_acquire) & static_cast<uint8_t>(~kInLoop);
  }
  uint8_t& cause(uint32_t agent) { return causes_[agent]; }
  uint8_t cause(uint32_t agent) const { return causes_[agent]; }

 private:
  std::shared_ptr<const Plan> plan_;
  std::byte* data_ = nullptr;
  std::unique_ptr<std::atomic<uint8_t>[]> outcomes_;
  std::unique_ptr<uint8_t[]> causes_;  // written before the outcome, by the same thread
};

/// What is kept only for a decision that is to be explained.
struct Notes {
  static constexpr int kMaxReasons = 128;
  struct Entry {
    std::atomic<uint32_t> agent{0};  // plus 1, stored with release once `reason` is written
    Reason reason;
  };
  struct Timing {
    int64_t start = 0;
    int64_t duration = 0;
  };
  std::vector<Timing> timings;      // by agent, each written by its own agent's thread
  std::vector<std::string> errors;  // likewise
  std::atomic<int> reasons{0};
  Entry entries[kMaxReasons];
};

enum class Mode : uint8_t { kStrict, kTrusted, kAsync };

class Host;
struct RequestState;
class Recording;

/// What a std::stop_token of the caller calls: cuts that generation of the decision short.
struct StopCutter {
  Host* host;
  RequestState* state;
  uint32_t generation;
  void operator()() const;
};

/// How a decision ended. There are two: one prepared by whoever runs the agents before it tries to
/// settle as completed, one written by whoever settled it otherwise; the gate says which counts.
struct Ending {
  Verdict verdict = Verdict::kDecided;
  int defaulted = 0;
  int late = 0;
  const BoardMemory* board = nullptr;  // as of this ending; null when no agent had been reached
  std::vector<uint8_t> sealed;         // outcomes as of this ending, by agent of the board
  std::shared_ptr<const Trace> trace;
};

struct RequestState {
  static constexpr int kCompleted = 0;  // results and endings: by the agents
  static constexpr int kOtherwise = 1;  // by whoever cut the decision short

  RequestState() = default;
  virtual ~RequestState() = default;
  RequestState(const RequestState&) = delete;
  RequestState& operator=(const RequestState&) = delete;

  /// Takes result `which` from its slot; by move when nobody else can be reading the board. False
  /// when it may only be copied and cannot.
  virtual bool TakeResult(int which, void* slot, bool may_move) = 0;
  /// Lets the fallback make result `which` from what was published.
  virtual void MakeFallback(int which, const Board& board) = 0;
  /// The result of a decision without one.
  virtual void ClearResult(int which) = 0;
  /// Whether result `which` keeps this hold.
  virtual bool Keeps(int which, const Hold& hold) const = 0;
  /// Calls the caller's callback with result `which` (async only).
  virtual void Deliver(int which) = 0;
  /// Copies the request that it refers to (trusted only), so that it may outlive the call; false
  /// when the copy throws.
  virtual bool KeepRequest() = 0;
  /// Lets go of the request, the callback and the results after use.
  virtual void Recycle() = 0;

  SettleGate<> gate;
  uint32_t generation = 0;
  uint32_t index = 0;  // in the ticket table
  Mode mode = Mode::kStrict;
  Lane lane = Lane::kNormal;
  bool explain = false;
  bool timed = false;              // its agents are timed one by one
  Recording* recording = nullptr;  // of a sampled decision, until it is recycled

  uint64_t id = 0;
  int64_t arrival = 0;
  int64_t admitted = 0;  // when it was opened: later than `arrival` when that is the host's
  std::atomic<int64_t> deadline_nanos{0};  // read by the timer's sweep
  Deadline deadline;
  std::stop_token stop;
  // Set by the requester before it submits, reset by the last user: nobody in between touches it.
  std::optional<std::stop_callback<StopCutter>> on_stop;
  const void* request = nullptr;

  Ending endings[2];
  std::atomic<bool> unclean{false};  // some agent did not simply run
  std::atomic<bool> missing{false};  // some agent produced nothing

  std::unique_ptr<BoardMemory> board;
  std::atomic<BoardMemory*> running{nullptr};  // the board, once agents run on it
  std::unique_ptr<Notes> notes;
  uint32_t resume_at = 0;     // step at which a queued decision goes on
  bool has_must_run = false;  // the team has must-run agents: no answer before they ran
  bool saturated = false;     // no agent was run, for want of a worker
  // Result and ending kOtherwise are ready.
  std::atomic<bool> finished{false};

  uint32_t cut_holds = 0;  // registered when it was cut; by whoever cut it
  std::atomic<int> next_hold{0};
  Hold holds[kMaxHolds];

  AnswerLatch<> latch;  // a strict caller's
  std::atomic<int> users{0};
  uint64_t tidied = 0;  // the version of which a free ticket held nothing older; by Core::Tidy()
};

}  // namespace adagents::internal
