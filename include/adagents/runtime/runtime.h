// Runtime: a team of agents that decides requests of type Req with results of type Res.
//
//   auto runtime = Runtime<Request, Bid>::Builder(kRequest, kBid)
//                      .Add<Intent>()
//                      .Add<Pricing>(0.7)
//                      .Share(kSessions, SessionTable::Options{.capacity = 1'000'000})
//                      .Fallback([](const Request&, const Board&) { return HouseAd(); })
//                      .Build();
//   if (!runtime.ok()) ...                               // says exactly what is wrong
//   Answer<Bid> answer = (*runtime)->Decide(request);    // within 50 ms, whatever agents do
//
// Three ways to decide:
//   strict   Decide(request): a worker runs the agents, the caller waits no longer than the
//            deadline.
//   async    DecideAsync(request, options, callback): the same without a waiting thread; the
//            callback comes exactly once, on the answer thread or the host's executor.
//   trusted  Decide(request, {.trusted = true}): the agents run on the caller's thread, fastest,
//            and bounded only by the agents' own behaviour.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "adagents/base/status.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/board.h"
#include "adagents/runtime/context.h"
#include "adagents/runtime/internal/core.h"
#include "adagents/runtime/internal/ticket.h"
#include "adagents/runtime/key.h"
#include "adagents/runtime/options.h"

namespace adagents {

namespace internal {

/// Which agents to add and what they share: the common part of building and changing.
class AgentList {
 public:
  template <class A, class... Args>
  void Add(Args... args) {
    static_assert(std::is_base_of_v<Agent, A>, "an agent is a subclass of adagents::Agent");
    factories_.push_back([packed = std::tuple<Args...>(std::move(args)...)]() {
      return std::apply([](const auto&... each) { return std::unique_ptr<Agent>(new A(each...)); },
                        packed);
    });
  }
  void AddFactory(AgentSpec::Factory factory) { factories_.push_back(std::move(factory)); }
  std::vector<AgentSpec::Factory> Release() { return std::move(factories_); }

 private:
  std::vector<AgentSpec::Factory> factories_;
};

}  // namespace internal

/// Thread-safe, except that destruction must not overlap other calls; trusted callers that are
/// stuck in an agent are the exception to the exception.
///
/// Req is copied into the decision (strict, async, and trusted when idle workers help) or referred
/// to (trusted). It may be a handle,
/// any type with element_type and operator* (shared_ptr, an intrusive pointer): agents then see
/// what it points to, and the handle keeps that alive until the last straggler has left. Req and
/// Res must be default-constructible; Res is moved out, and copied when a decision expires after
/// its result.
template <class Req, class Res>
class Runtime {
 public:
  using Request = typename internal::RequestTraits<Req>::Value;
  using FallbackFunction = std::function<Res(const Request&, const Board&)>;
  using Callback = absl::AnyInvocable<void(Answer<Res>)>;

  class Builder {
   public:
    /// `request` is what agents read the request by, `result` the output that is the answer.
    Builder(Key<Request> request, Key<Res> result) : request_(request), result_(result) {}

    /// Adds an agent; each replica is constructed from copies of `args`.
    template <class A, class... Args>
    Builder& Add(Args... args) {
      agents_.template Add<A>(std::move(args)...);
      return *this;
    }
    /// The same for agents that take more than copies: called once per replica.
    Builder& AddFactory(std::function<std::unique_ptr<Agent>()> factory) {
      agents_.AddFactory(std::move(factory));
      return *this;
    }
    /// Makes state that agents reach through State<S> ports, constructed from `args`.
    template <class S, class... Args>
    Builder& Share(StateKey<S> key, Args&&... args) {
      return ShareObject(key, std::make_shared<S>(std::forward<Args>(args)...));
    }
    /// The same for an object that the host keeps using.
    template <class S>
    Builder& ShareObject(StateKey<S> key, std::shared_ptr<S> object) {
      const auto [at, fresh] =
          states_.emplace(std::string(key.name), internal::SharedState{object, &typeid(S)});
      (void)at;
      if (!fresh) problem_ = "state '" + std::string(key.name) + "' is shared twice";
      if (object == nullptr) problem_ = "state '" + std::string(key.name) + "' is null";
      return *this;
    }
    /// Lets agents negotiate: those that `carried`'s writer waits for and that wait for it, which
    /// without this would be a circle, run in rounds. In the first, an In of `carried` has its
    /// absent value, later the value of the round before; all else is new in each round. Ends when
    /// a round brings the same value as the one before (by ==), after `max_rounds`, when the writer
    /// did not run, or when the time left may not suffice for another round. Those outside see the
    /// last round only. When T's == or = throws, `carried`'s writer has failed. An example is
    /// examples/07_negotiation.cc.
    template <class T>
    Builder& Loop(Key<T> carried, int max_rounds) {
      static_assert(std::is_copy_assignable_v<T> && std::equality_comparable<T>,
                    "what a loop carries over is copied and compared");
      const auto equal = [](const void* a, const void* b) {
        return *static_cast<const T*>(a) == *static_cast<const T*>(b);
      };
      loops_.push_back({std::string(carried.name), &internal::OpsOf<T>(), equal, max_rounds});
      return *this;
    }
    /// Decides when the agents cannot: from what they published before the deadline. Must be quick
    /// and must not throw. Without one the answer is Res().
    Builder& Fallback(FallbackFunction fallback) {
      shared_->fallback = std::move(fallback);
      return *this;
    }
    /// Says which holds (see Context::Take) a result keeps; the others are undone. Without it a
    /// decided result keeps all and any other none.
    Builder& Keeps(std::function<bool(const Res&, const Hold&)> keeps) {
      shared_->keeps = std::move(keeps);
      return *this;
    }
    /// Runs the callbacks of DecideAsync; without it they run on the answer thread, one at a time.
    /// It is called on the thread that found the answer, a worker as a rule, which it should not
    /// keep: an executor that calls in place makes the callback part of the worker's decision. When
    /// a callback makes a strict decision there and no other worker is free, the answer comes at
    /// its deadline, from the fallback.
    Builder& Callbacks(std::function<void(absl::AnyInvocable<void()>)> executor) {
      callbacks_ = std::move(executor);
      return *this;
    }
    Builder& Options(RuntimeOptions options) {
      options_ = std::move(options);
      return *this;
    }

    /// InvalidArgument that names what is wrong: a cycle with its path, two writers, no writer,
    /// types that differ, a name twice, state that nobody shares, a loop that is none;
    /// FailedPrecondition when an agent's constructor throws; ResourceExhausted when threads cannot
    /// be started. Call it once.
    absl::StatusOr<std::unique_ptr<Runtime>> Build() {
      if (!problem_.empty()) return InvalidArgument(problem_);
      internal::CoreSetup setup;
      setup.options = std::move(options_);
      setup.signature = {request_.name, &typeid(Request), result_.name, &typeid(Res),
                         std::move(loops_)};
      setup.states = std::move(states_);
      setup.agents = agents_.Release();
      setup.callbacks = std::move(callbacks_);
      setup.make_state = [shared = shared_] {
        return std::make_unique<internal::Ticket<Req, Res>>(shared.get());
      };
      auto core = internal::Core::Create(std::move(setup));
      if (!core.ok()) return core.status();
      (*core)->Keep(shared_);
      if (absl::Status status = (*core)->Start(*core); !status.ok()) return status;
      return std::unique_ptr<Runtime>(new Runtime(*std::move(core)));
    }

   private:
    const Key<Request> request_;
    const Key<Res> result_;
    internal::AgentList agents_;
    internal::StateStore states_;
    std::vector<internal::LoopSpec> loops_;
    std::shared_ptr<internal::TicketShared<Req, Res>> shared_ =
        std::make_shared<internal::TicketShared<Req, Res>>();
    std::function<void(absl::AnyInvocable<void()>)> callbacks_;
    RuntimeOptions options_;
    std::string problem_;
  };

  /// A change of the team while it serves. Decisions in flight end with the team they began with;
  /// those that wait for a bounded agent's replica at that moment with what there is by then, as if
  /// their time were up (kExpired).
  class Change {
   public:
    template <class A, class... Args>
    Change& Add(Args... args) {
      agents_.template Add<A>(std::move(args)...);
      return *this;
    }
    Change& Remove(std::string_view name) {
      remove_.emplace_back(name);
      return *this;
    }
    /// Add and Remove in one: the new agent, which must have the same name, takes the old one's
    /// place in the order.
    template <class A, class... Args>
    Change& Replace(std::string_view name, Args... args) {
      return Remove(name).template Add<A>(std::move(args)...);
    }
    /// All or nothing: on an error the old team serves on. Slow (it makes all replicas), and meant
    /// to be; decisions do not wait for it.
    absl::Status Commit() { return core_->Change(remove_, agents_.Release()); }

   private:
    friend class Runtime;
    explicit Change(internal::Core* core) : core_(core) {}
    internal::Core* core_;
    internal::AgentList agents_;
    std::vector<std::string> remove_;
  };

  /// Shuts down with a grace of one second if that has not been done.
  ~Runtime() {
    (void)Shutdown(absl::Seconds(1));
    // What stuck threads and callers still use lives on; see ShutdownReport.
    if (!clean_) internal::Core::KeepForEver(std::move(core_));
  }
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  /// Decides; returns by the deadline whatever agents do (strict), or when those have returned that
  /// run on this thread (trusted).
  /// Never fails: what went wrong is in the answer's verdict. No heap allocation in steady state
  /// beyond what copying Req and Res needs.
  Answer<Res> Decide(const Req& request, const CallOptions& options = {}) {
    if (options.trusted || core_->inline_mode()) {
      if (internal::Crew* crew = core_->TakeCrew()) return DecideOn(*crew, request, options);
      // An agent that decides from within: there is nobody else to do it.
      if (core_->inline_mode()) return Refused(Verdict::kOverloaded);
    }
    Verdict refused = Verdict::kDecided;
    internal::RequestState* state = core_->Open(options, &refused);
    if (state == nullptr) return Refused(refused);
    auto& ticket = static_cast<Ticket&>(*state);
    if (!ticket.SetRequest(request)) {
      core_->GiveBack(*state);
      return Refused(Verdict::kOverloaded);
    }
    core_->Submit(*state, options, internal::Mode::kStrict);
    core_->Await(*state);
    Answer<Res> answer = ticket.TakeAnswer(core_->Which(*state), core_->EndingOf(*state));
    core_->LeaveAnswered(*state);
    return answer;
  }

  /// Decides without a waiting thread. `callback` is called exactly once, by the deadline whatever
  /// agents do, and never inside this call; when the call is refused, too, so while callbacks are
  /// held up, refused ones wait in memory without bound. (After Shutdown() and in a forked child
  /// there is no other thread to call it, so it is called here.)
  void DecideAsync(Req request, const CallOptions& options, Callback callback) {
    Verdict refused = Verdict::kDecided;
    internal::RequestState* state = core_->Open(options, &refused);
    if (state != nullptr && !static_cast<Ticket&>(*state).SetRequest(std::move(request))) {
      core_->GiveBack(*state);
      state = nullptr;
      refused = Verdict::kOverloaded;
    }
    if (state == nullptr) {
      core_->CountRefusal(refused);
      core_->Later([callback = std::move(callback), refused]() mutable {
        Answer<Res> answer;
        answer.verdict = refused;
        if (callback != nullptr) callback(std::move(answer));
      });
      return;
    }
    static_cast<Ticket&>(*state).callback = std::move(callback);
    core_->Submit(*state, options, internal::Mode::kAsync);
  }

  /// Hands an event to every agent with an On<E> port. Events of one `order_by` arrive in the order
  /// in which they were published; others in parallel. Decisions go first; once a worker finds that
  /// an event has waited for more than 5 ms, events get as much of its time as decisions, until
  /// none has. NotFound when nobody listens to E, ResourceExhausted when too many wait,
  /// FailedPrecondition after shutdown.
  template <class E>
  absl::Status Publish(E event, uint64_t order_by) {
    struct Node final : internal::EventNode {
      explicit Node(E e) : EventNode(typeid(E)), value(std::move(e)) {}
      const void* event() const override { return &value; }
      E value;
    };
    return core_->Publish(std::make_unique<Node>(std::move(event)), order_by);
  }

  /// Begins a change of the team.
  [[nodiscard]] Change Edit() { return Change(core_.get()); }
  /// The kill switch of one agent, effective with the next call: optional agents default, required
  /// ones are skipped. NotFound for an unknown name.
  absl::Status SetSwitchedOff(std::string_view agent, bool off) {
    return core_->SetSwitchedOff(agent, off);
  }

  [[nodiscard]] Stats GetStats() const { return core_->GetStats(); }
  /// The current plan as Graphviz DOT (`dot -Tsvg`): agents with the mean and 99th percentile that
  /// were measured, coloured by their share; edges by key, dashed when the value may be absent,
  /// dotted when it is a vote. Thick borders are required, double ones must-run, dashed ones
  /// optional agents; boxes around agents are loops and, while idle workers take part, the strands
  /// that the plan is cut into now. Grey agents run on events.
  [[nodiscard]] std::string PlanDot() const { return core_->PlanDot(); }

  /// Refuses new work, answers all that is in flight, ends the threads. Returns within `grace` plus
  /// a moment; threads that are stuck in an agent are left behind with what they use.
  ShutdownReport Shutdown(absl::Duration grace) {
    ShutdownReport report = core_->Shutdown(grace);
    if (!report.clean()) clean_ = false;
    return report;
  }

  /// Inline scheduler only: runs what is queued. Returns the number of decisions and events run.
  int RunPending() { return core_->RunPending(); }

 private:
  using Ticket = internal::Ticket<Req, Res>;

  explicit Runtime(std::shared_ptr<internal::Core> core) : core_(std::move(core)) {}

  Answer<Res> Refused(Verdict verdict) {
    core_->CountRefusal(verdict);
    Answer<Res> answer;
    answer.verdict = verdict;
    return answer;
  }

  Answer<Res> DecideOn(internal::Crew& crew, const Req& request, const CallOptions& options) {
    internal::Core& core = *core_;  // `this` may be gone when an agent hung
    auto& ticket = static_cast<Ticket&>(*crew.own);
    const Verdict verdict = core.OpenTrusted(crew, options);
    if (verdict != Verdict::kDecided) {
      core.AbandonCrew(crew);
      core.CountRefusal(verdict);
      Answer<Res> answer;
      answer.verdict = verdict;
      return answer;
    }
    ticket.ReferTo(request);
    core.RunTrusted(crew);
    Answer<Res> answer = ticket.TakeAnswer(core.Which(ticket), core.EndingOf(ticket));
    core.ReturnCrew(crew, ticket);
    return answer;
  }

  std::shared_ptr<internal::Core> core_;
  bool clean_ = true;
};

}  // namespace adagents
