// The runtime without its types: tickets, threads, lanes, events, plans.
//
// Threads: `workers` + `spares` worker threads, one timer (deadlines of asynchronous decisions and
// the watchdog) and one answer thread (callbacks and the fallbacks of expired asynchronous
// decisions). With an inline scheduler there are none.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <typeindex>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "adagents/base/status.h"
#include "adagents/runtime/internal/answer_latch.h"
#include "adagents/runtime/internal/crew.h"
#include "adagents/runtime/internal/executor.h"
#include "adagents/runtime/internal/futex.h"
#include "adagents/runtime/internal/health.h"
#include "adagents/runtime/internal/index_stack.h"
#include "adagents/runtime/internal/mpmc_ring.h"
#include "adagents/runtime/internal/parker.h"
#include "adagents/runtime/internal/plan.h"
#include "adagents/runtime/internal/tracer.h"
#include "adagents/runtime/internal/worker_bell.h"
#include "adagents/runtime/options.h"

namespace adagents::internal {

class Events;
class Sharing;

/// An event on its way to its listeners.
struct EventNode {
  explicit EventNode(std::type_index event_type) : type(event_type) {}
  virtual ~EventNode() = default;
  virtual const void* event() const = 0;
  const std::type_index type;
  int64_t published = 0;  // ns of the runtime's clock
};

using HostExecutor = std::function<void(absl::AnyInvocable<void()>)>;

struct CoreSetup {
  RuntimeOptions options;
  PlanSignature signature;
  StateStore states;
  std::vector<AgentSpec::Factory> agents;
  std::function<std::unique_ptr<RequestState>()> make_state;
  HostExecutor callbacks;
};

/// Thread-safe.
class Core final : public Host {
 public:
  static absl::StatusOr<std::shared_ptr<Core>> Create(CoreSetup setup);
  ~Core() override;
  /// Starts the threads, each of which keeps `self` alive.
  absl::Status Start(std::shared_ptr<Core> self);

  // Trusted decisions, on the caller's thread.
  /// A crew for the calling thread; null when all are in use, or plans need the workers. The
  /// inline scheduler has one: null only when this thread has it already.
  Crew* TakeCrew();
  /// kDecided when it may run; else why it is refused.
  Verdict OpenTrusted(Crew& crew, const CallOptions& options);
  void RunTrusted(Crew& crew);
  void ReturnCrew(Crew& crew, RequestState& state);
  /// The same when nothing was opened.
  static void AbandonCrew(Crew& crew) { crew.busy.store(0, std::memory_order_release); }
  /// Keeps what tickets point to alive as long as they are.
  void Keep(std::shared_ptr<const void> shared) { kept_ = std::move(shared); }
  /// Calls `function` exactly once, on the answer thread or the host's executor; here only when
  /// there is no such thread any more: after a shutdown, or in a forked child.
  void Later(absl::AnyInvocable<void()> function);

  // Strict and asynchronous decisions, on the workers.
  /// A ticket, for the caller to fill in; null when the call is refused.
  RequestState* Open(const CallOptions& options, Verdict* refused);
  /// One that is not to be submitted after all.
  void GiveBack(RequestState& state) { free_tickets_.Push(state.index); }
  /// Starts the decision: from now on it may end at any moment.
  void Submit(RequestState& state, const CallOptions& options, Mode mode);
  /// Waits until the strict decision is answered; never beyond its deadline but to finish it.
  void Await(RequestState& state);
  /// The requester leaves, with its answer.
  void LeaveAnswered(RequestState& state);
  /// The ending that counts; counts it in the statistics, so once per decision that was cut short.
  const Ending& EndingOf(const RequestState& state);
  /// Refused before it was opened; counted.
  void CountRefusal(Verdict verdict);
  /// Which of results and endings counts.
  static int Which(const RequestState& state) {
    return state.gate.Read(state.generation) == End::kCompleted ? RequestState::kCompleted
                                                                : RequestState::kOtherwise;
  }

  absl::Status Publish(std::unique_ptr<EventNode> node, uint64_t order_by);

  // Changes while serving.
  absl::Status Change(const std::vector<std::string>& remove, std::vector<AgentSpec::Factory> add);
  absl::Status SetSwitchedOff(std::string_view agent, bool off);

  /// Inline scheduler only: runs what is queued; how many decisions and events that was.
  int RunPending();
  [[nodiscard]] bool inline_mode() const { return options_.inline_scheduler.has_value(); }
  [[nodiscard]] const RuntimeOptions& options() const { return options_; }

  [[nodiscard]] Stats GetStats();
  [[nodiscard]] std::string PlanDot();
  ShutdownReport Shutdown(absl::Duration grace);
  /// For what stuck threads and callers still use: never destroyed, and no leak to a checker.
  static void KeepForEver(std::shared_ptr<Core> core);

  // Host.
  void Resume(RequestState& state) override;
  void OnCut(RequestState& state) override;

  // For the parts of the core.
  void Adopt(Crew& crew);
  void BeginWatch(Crew& crew, int64_t due);
  /// True when the watchdog had marked the run.
  bool EndWatch(Crew& crew);
  void NotifyWorkers() { worker_bell_.Ring(); }
  /// A worker that is awake and looks for work.
  bool HasHotHelper() const { return worker_bell_.Looking(); }
  /// A worker and a core have nothing to do, as far as can be seen; `others` cores are taken.
  bool HasIdleWorker(int64_t now, int others) const;
  /// Whether the timer may next look later than `due`.
  [[nodiscard]] bool SleepsBeyond(int64_t due) const;
  void RingTimer();
  /// By who has just found work, before it does it: lets another have what else there is.
  void WakeNext() {
    worker_bell_.WakeNext([this] { return HasWork(); });
  }
  /// Decisions wait for a worker.
  bool HasTickets() const;
  /// Decisions or events do.
  bool HasWork() const;
  /// One of the state's two users leaves.
  void Leave(RequestState& state);
  /// Of a trusted decision whose caller leaves before it is over: the crew gets another state.
  void LeaveBehind(Crew& crew);
  Executor& executor() { return executor_; }
  const Clock& clock() const { return *options_.clock; }

 private:
  explicit Core(CoreSetup setup);

  absl::Status Install(std::vector<std::shared_ptr<AgentSpec>> specs);
  absl::StatusOr<std::unique_ptr<Team>> MakeTeam(const std::shared_ptr<const Plan>& plan,
                                                 uint32_t crew);
  AgentRecord* NewRecord(const std::string& name);
  void LetGo();
  /// Makes idle callers and free tickets let go of old plans; untidy_ when some were not idle.
  /// Under config_.
  void Tidy();
  void TidyWhenIdle();
  void FreeRetired();
  std::unique_ptr<BoardMemory> TakeStaleBoard(RequestState& state);

  Verdict Admit(const CallOptions& options, RequestState& state);
  void OpenState(RequestState& state, const CallOptions& options, Mode mode, uint64_t id);
  /// The first of so many ids of decisions.
  uint64_t NextId(uint32_t count) {
    return epoch_ + next_id_.fetch_add(count, std::memory_order_relaxed);
  }
  uint64_t NextId(Crew& crew);
  void Recycle(RequestState& state);
  void RunOn(Crew& crew, RequestState& state);
  void EndRun(Crew& crew, RequestState& state, RunEnd end);
  void Answered(RequestState& state);
  void PushAnswer(RequestState& state);
  void DeliverNow(RequestState& state);
  void Push(RequestState& state);

  // Threads.
  struct ThreadSlot {
    std::thread thread;
    std::atomic<uint32_t> exited{0};
  };
  void Exited(ThreadSlot& slot);
  void WorkerMain(Crew& crew);
  bool RunOne(Crew& crew);
  Crew* TakeInlineCrew();
  uint32_t TakeTicket();
  RequestState* PopTicket(Crew& crew);
  void RunTicket(Crew& crew, RequestState& state);
  void Idle(Crew& crew);
  bool Offers(const Crew& crew) const;
  int Active(int64_t now) const;
  AnswerLatch<>::State LookForAnswer(RequestState& state);
  void RefreshPredictions();
  bool TakePermit();
  bool Saturated() const;
  bool Forked() const;
  void DrainSaturated();
  bool AnswerNow(RequestState& state, uint32_t generation);
  int AnswerAll();
  bool Join(ThreadSlot& slot, Deadline by);
  void FlushAnswers(Crew& crew, bool now);
  void AnswerMain();
  bool CloseAnswers();
  void TraceMain();
  void DrainTraces();
  /// A sampled decision is over.
  void FinishRecording(RequestState& state);
  bool RunLater();
  void TimerMain();
  int64_t SweepTickets(int64_t now);
  int64_t SweepCrews(int64_t now);

  const RuntimeOptions options_;
  const PlanSignature signature_;
  const StateStore states_;
  const HostExecutor callbacks_;
  const std::function<std::unique_ptr<RequestState>()> make_state_;
  const int64_t default_nanos_;
  const int64_t reserve_nanos_;
  const int64_t spin_nanos_;
  const int cores_;
  const uint32_t workers_;
  const uint32_t threads_;  // workers and spares
  const uint64_t epoch_;    // of this process, in generated decision ids
  std::atomic<uint64_t>& next_id_;
  const uint64_t fork_epoch_;

  Health health_;
  Executor executor_;
  std::vector<std::unique_ptr<Crew>> crews_;  // worker threads first, then callers
  std::vector<std::unique_ptr<RequestState>> tickets_;
  IndexStack<> free_tickets_;
  IndexStack<> tidied_tickets_;  // free, too: Tidy() has looked at them and puts them back
  std::vector<std::unique_ptr<MpmcRing<uint32_t>>> lanes_;
  MpmcRing<uint32_t> answers_;
  std::unique_ptr<Events> events_;
  std::unique_ptr<Sharing> sharing_;  // null when decisions are not shared
  std::unique_ptr<Tracer> tracer_;    // null when none is recorded

  alignas(kCacheLine) std::atomic<bool> closed_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> has_bounded_{false};
  std::atomic<bool> has_must_run_{false};
  std::atomic<uint64_t> own_next_id_{1};                     // with the inline scheduler
  alignas(kCacheLine) std::atomic<uint32_t> high_water_{0};  // tickets ever used
  alignas(kCacheLine) std::atomic<int> permits_{0};
  std::atomic<int> stuck_workers_{0};
  std::atomic<int> stuck_callers_{0};
  std::atomic<int> looking_callers_{0};     // strict callers that are awake
  std::atomic<int64_t> expected_nanos_{0};  // of a decision's agents in a row
  std::atomic<uint64_t> queued_decisions_{0};
  std::array<std::atomic<uint64_t>, kVerdicts> other_verdicts_{};

  WorkerBell<FutexAtomics> worker_bell_;
  Parker<FutexAtomics> spare_parker_;
  Parker<FutexAtomics> answer_parker_;
  std::atomic<int64_t> next_wake_{0};  // the timer's
  std::atomic<uint32_t> timer_bell_{0};

  std::mutex config_;  // one change of plan at a time; may be held long, never by a decision
  std::atomic<uint64_t> version_{0};
  std::atomic<bool> has_retired_{false};
  std::atomic<bool> untidy_{false};  // what Tidy() could not look at may hold an old plan
  std::mutex mutex_;  // guards what follows and every crew's `team` pointer; held briefly
  std::vector<std::shared_ptr<AgentSpec>> specs_;
  std::shared_ptr<const Plan> plan_;
  // Both by name, for ever: stuck threads use them.
  std::deque<AgentVitals> vitals_;
  std::vector<std::unique_ptr<AgentRecord>> records_;
  std::vector<std::unique_ptr<Team>> retired_;  // freed by idle threads, not by a decision

  std::vector<std::unique_ptr<ThreadSlot>> thread_slots_;
  ThreadSlot timer_slot_;
  ThreadSlot answer_slot_;
  ThreadSlot trace_slot_;
  std::atomic<uint32_t> trace_bell_{0};
  std::atomic<bool> no_more_traces_{false};
  std::shared_ptr<const void> kept_;
  std::atomic<bool> no_more_work_{false};    // all threads but the answer thread have ended
  std::atomic<uint32_t> answers_closed_{0};  // and it, too
  std::mutex later_mutex_;
  std::deque<absl::AnyInvocable<void()>> later_;  // callbacks of refused calls
  std::atomic<int> later_count_{0};
  std::atomic<bool> shut_{false};
};

}  // namespace adagents::internal
