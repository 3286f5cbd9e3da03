#include "adagents/runtime/internal/sharing.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <thread>
#include <utility>

#include "adagents/runtime/internal/core.h"
#include "adagents/runtime/internal/entrance.h"
#include "adagents/runtime/internal/flow_run.h"
#include "adagents/runtime/internal/strand_claims.h"
#include "adagents/runtime/internal/tracer.h"

namespace adagents::internal {

// Where one shared decision runs; kept from one decision to the next. An owner enters, writes what
// follows and opens claims or flow; who has claimed a strand or entered, too, reads it.
struct Sharing::Place {
  Place(Sharing* sharing, int helpers)
      : flow(&entrance, helpers, [this, sharing](Crew& crew, uint32_t strand) {
          sharing->RunInFlow(*this, crew, strand);
        }) {}

  void RunStrand(Core& core, Crew& crew, uint32_t strand, StrandTime* time) const {
    const std::vector<uint32_t>& agents = strands->strands[strand].agents;
    Recording* const recording = state->recording;
    const int64_t began = recording != nullptr ? recording->Now() : 0;
    (void)core.executor().RunStrand(crew, *state, agents.data(),
                                    static_cast<uint32_t>(agents.size()), time);
    if (recording != nullptr) [[unlikely]]
      recording->Add(Timeline::Kind::kStrand, began);
  }

  Entrance<> entrance;
  std::shared_ptr<const Strands> strands;
  std::shared_ptr<const Plan> plan;
  uint64_t version = 0;
  bool claimed = false;  // by claims, else a flow graph
  const Crew* owner = nullptr;
  RequestState* state = nullptr;
  int64_t due = 0;
  int64_t offered_at = 0;  // ns; 0 when a helper was awake

  StrandClaims<> claims;
  FlowRun flow;
};

namespace {

// Looks of a helper at a decision in which it has nothing to do before it goes back to where it
// also looks for other work.
constexpr int kPatience = 64;
// Looks of an owner between two readings of the clock.
constexpr int kLooks = 64;

}  // namespace

Sharing::Sharing(Core* core, int workers, int64_t spin_nanos)
    : core_(core), spin_nanos_(spin_nanos), helpers_(std::clamp(workers - 1, 1, 7)) {
  for (int i = 0; i < kPlaces; ++i) places_.push_back(std::make_unique<Place>(this, helpers_));
}

Sharing::~Sharing() = default;

[[gnu::hot]] bool Sharing::Wants(Crew& crew, const RequestState& state) {
  if (gains_.load(std::memory_order_relaxed) != crew.team->plan.get()) return false;
  const int64_t last = crew.last_start.load(std::memory_order_relaxed);
  crew.last_start.store(state.arrival, std::memory_order_relaxed);
  crew.idle_nanos = state.arrival - last - total_.load(std::memory_order_relaxed);
  Record& record = records_[static_cast<size_t>(state.mode)];
  if (const int rest = record.rest.load(std::memory_order_relaxed); rest > 0) [[unlikely]] {
    record.rest.store(rest - 1, std::memory_order_relaxed);  // about: a lost step does no harm
    return false;
  }
  if (!Hot() && !FollowsClosely(crew) &&
      gain_.load(std::memory_order_relaxed) <= arrival_.load(std::memory_order_relaxed)) {
    return false;
  }
  // Who asked for the decision has a thread as well, which may be about to ask for the next; small
  // gains are not worth its core.
  constexpr int64_t kWorthACore = 50'000;
  const bool needs_core =
      state.mode != Mode::kTrusted && gain_.load(std::memory_order_relaxed) < kWorthACore;
  return core_->HasIdleWorker(state.arrival, needs_core ? 1 : 0);
}

// A helper that is on its way out of the decision before is as good as one that looks for work.
bool Sharing::Hot() const { return core_->HasHotHelper() || helping() > 0; }

// Waking a helper for one decision may cost more than it gains. When decisions follow each other so
// closely that the helper would still be awake for the next ones, it is woken all the same.
bool Sharing::FollowsClosely(Crew& crew) {
  constexpr int kInARow = 8;
  crew.close_starts = crew.idle_nanos > spin_nanos_ ? 0 : crew.close_starts + 1;
  if (crew.close_starts < kInARow) return false;
  crew.close_starts = 0;
  return true;
}

// A worker that looks idle may not have a core: the host's own threads run on them, too. Where
// shared decisions take no less time than the agents in a row, they rest, longer each time: in
// decisions, but for no more than a twentieth of a second of long ones, so that a moment in which
// the machine was taken away costs little more than itself. A few attempts in so many decisions
// cost less than a hundredth of them.
void Sharing::Judge(Mode mode, int64_t took) {
  constexpr int kFirstRest = 64, kLongestRest = 4096;
  constexpr int64_t kLongestRestNanos = 50'000'000;
  Record& record = records_[static_cast<size_t>(mode)];
  const int64_t total = total_.load(std::memory_order_relaxed);
  int64_t mean = record.mean_nanos.load(std::memory_order_relaxed);
  // One that was interrupted for long says little about the next, and the first of all, for which
  // a helper had to wake, nothing: as after a rest there are a few attempts.
  took = std::min(took, 4 * total);
  if (mean == 0) mean = total - total / 8;
  mean += (took - mean) / 16;
  if (mean < total - total / 20) {
    record.mean_nanos.store(mean, std::memory_order_relaxed);
    if (mean < total - total / 8) record.rest_next.store(kFirstRest, std::memory_order_relaxed);
    return;
  }
  const auto longest = static_cast<int>(
      std::clamp<int64_t>(kLongestRestNanos / (total + 1), kFirstRest, kLongestRest));
  const int rest = std::max(kFirstRest, record.rest_next.load(std::memory_order_relaxed));
  record.rest.store(rest, std::memory_order_relaxed);
  record.rest_next.store(std::min(2 * rest, longest), std::memory_order_relaxed);
  record.mean_nanos.store(total - total / 8, std::memory_order_relaxed);  // a few attempts
}

// Makes the place ready for the crew's plan; false while there are no strands for it.
bool Sharing::Prepare(Crew& crew, Place& place) {
  if (place.version == version_.load(std::memory_order_acquire)) {
    return place.plan == crew.team->plan;
  }
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (current_.plan != crew.team->plan || current_.strands == nullptr) return false;
    place.strands = current_.strands;
    place.plan = current_.plan;
    place.version = version_.load(std::memory_order_relaxed);
  }
  const auto& list = place.strands->strands;
  place.claimed = list.size() <= StrandClaims<>::kMaxStrands;
  std::vector<uint32_t> waits_for(place.claimed ? list.size() : 0, 0);
  for (size_t i = 0; i < waits_for.size(); ++i) {
    for (const uint32_t before : list[i].after) waits_for[i] |= uint32_t{1} << before;
  }
  place.claims.Prepare(place.plan.get(), waits_for);  // of a flow, too: helpers look at the plan
  if (!place.claimed) place.flow.Build(*place.strands);
  return true;
}

Shared Sharing::Run(Crew& crew, RequestState& state, int64_t began) {
  const auto free = std::find_if(places_.begin(), places_.end(),
                                 [](const auto& each) { return each->entrance.EnterAsOwner(); });
  if (free == places_.end()) return Shared::kNot;
  Place& place = **free;
  const bool runs = Prepare(crew, place);
  if (runs) {
    shared_.fetch_add(1, std::memory_order_relaxed);
    place.owner = &crew;
    place.state = &state;
    place.due = state.deadline.nanos();
    place.offered_at = Hot() ? 0 : core_->clock().Now();
    if (!(place.claimed ? RunClaims(crew, place, began) : RunFlow(crew, place))) {
      return Shared::kLeft;
    }
    // Not of flow graphs: their helpers come so seldom that they would rest for ever.
    if (place.claimed) Judge(state.mode, core_->clock().Now() - began);
  }
  place.entrance.LeaveAsOwner();
  return runs ? Shared::kRan : Shared::kNot;
}

// False when helpers are still in it: the place is theirs, and the state's executing side.
bool Sharing::RunClaims(Crew& crew, Place& place, int64_t began) {
  StrandClaims<>& claims = place.claims;
  StrandTime time{began, began};
  auto view = claims.Open();
  if (!view.AllClaimed()) open_.fetch_add(1, std::memory_order_release);
  if (place.offered_at != 0) core_->NotifyWorkers();
  RunClaimed(crew, place, &view, 0, &time);
  int64_t sleep_at = 0;
  int looks = 0;
  Recording* const recording = place.state->recording;
  int64_t waits_since = 0;  // of a recorded decision
  const auto end_wait = [&] {
    if (waits_since != 0) recording->Add(Timeline::Kind::kHelper, waits_since);
    waits_since = 0;
  };
  while (!view.Complete()) {
    const int ready = claims.NextReady(view);
    if (ready != StrandClaims<>::kNone) {
      if (!claims.Claim(&view, ready)) continue;
      if (view.AllClaimed()) open_.fetch_sub(1, std::memory_order_relaxed);
      end_wait();
      time.now = time.predicted = core_->clock().Now();
      RunClaimed(crew, place, &view, ready, &time);
      looks = 0;
      continue;
    }
    if (recording != nullptr && waits_since == 0) waits_since = recording->Now();
    // To look on costs as much as to sleep, when it lasts as long as waking up would (Karlin et
    // al., "Competitive randomized algorithms for nonuniform problems", 1994).
    StdAtomics::Pause();
    if (++looks % kLooks == 0) {
      const int64_t now = core_->clock().Now();
      if (looks == kLooks) {
        sleep_at = now + arrival_.load(std::memory_order_relaxed);
      }
      const bool overdue = now >= place.due;
      if (overdue && MayLeave(*place.state)) {
        left_.fetch_add(1, std::memory_order_relaxed);
        const bool trusted = place.state->mode == Mode::kTrusted;
        end_wait();  // while the recording is still this thread's, too
        if (recording != nullptr) recording->EndRun();
        if (claims.Leave(&view)) {
          if (trusted) core_->LeaveBehind(crew);
          return false;
        }
        left_.fetch_sub(1, std::memory_order_relaxed);
        continue;
      }
      if (now >= sleep_at) {
        claims.Sleep(view, overdue ? Deadline::Infinite() : Deadline::At(place.due));
      }
    }
    view = claims.Look();
  }
  end_wait();
  return true;
}

// As RunClaims().
bool Sharing::RunFlow(Crew& crew, Place& place) {
  const bool ran = place.flow.Run(crew, place.due, [&] {
    open_.fetch_add(1, std::memory_order_release);
    if (place.offered_at != 0) core_->NotifyWorkers();
    // It is the timer that lets this thread go at the deadline, should a helper hang.
    if (core_->SleepsBeyond(place.due)) core_->RingTimer();
  });
  open_.fetch_sub(1, std::memory_order_relaxed);
  if (ran) return true;
  while (!MayLeave(*place.state)) std::this_thread::yield();
  left_.fetch_add(1, std::memory_order_relaxed);
  const bool trusted = place.state->mode == Mode::kTrusted;
  if (Recording* const recording = place.state->recording) recording->EndRun();
  if (place.flow.Leave()) {
    if (trusted) core_->LeaveBehind(crew);
    return false;
  }
  left_.fetch_sub(1, std::memory_order_relaxed);
  place.flow.Finish(crew);
  return true;
}

// The owner has run out of time and waits for helpers: settles the decision. False while it is
// settled by a helper that still makes the answer.
bool Sharing::MayLeave(RequestState& state) {
  if (Executor::Cut(state, state.generation, End::kExpired)) core_->OnCut(state);
  if (state.mode != Mode::kTrusted) return true;  // whoever asked waits for its answer elsewhere
  state.users.store(2, std::memory_order_relaxed);
  return state.finished.load(std::memory_order_acquire);
}

// By the last helper in a decision whose owner has left.
void Sharing::TakeOver(Place& place) {
  RequestState& state = *place.state;
  place.entrance.LeaveAsOwner();
  left_.fetch_sub(1, std::memory_order_relaxed);
  core_->Leave(state);
}

// Runs a strand that the caller has claimed, and what it claims after it, until there is none.
void Sharing::RunClaimed(Crew& crew, Place& place, StrandClaims<>::View* view, int strand,
                         StrandTime* time) {
  while (strand != StrandClaims<>::kNone) {
    place.RunStrand(*core_, crew, static_cast<uint32_t>(strand), time);
    strand = place.claims.Finish(view, strand);
    if (strand == StrandClaims<>::kNone) {  // the place may be another decision's by now
      if (view->Inherited()) [[unlikely]]
        TakeOver(place);
      return;
    }
    if (view->AllClaimed()) {
      open_.fetch_sub(1, std::memory_order_relaxed);
    } else if (!Hot()) [[unlikely]] {
      // Helpers that found nothing may sleep by now: is what has become ready worth waking one?
      const int other = place.claims.NextReady(*view);
      if (other != StrandClaims<>::kNone &&
          place.strands->strands[static_cast<size_t>(other)].nanos >
              arrival_.load(std::memory_order_relaxed)) {
        core_->NotifyWorkers();
      }
    }
  }
}

bool Sharing::Offers(const Plan* plan) const {
  if (open_.load(std::memory_order_relaxed) == 0) return false;
  for (const auto& place : places_) {
    const auto view = place->claims.Look();
    if (place->claims.key() != plan) continue;
    if (!view.AllClaimed() && place->claims.NextReady(view) != StrandClaims<>::kNone) return true;
    if (place->entrance.HasRoom(helpers_)) return true;
  }
  return false;
}

void Sharing::Arrived(const Place& place) {
  if (place.offered_at == 0) return;
  const int64_t before = arrival_.load(std::memory_order_relaxed);
  // Not at face value when the machine had no core for it, or nobody would be woken any more.
  const int64_t took = std::min(core_->clock().Now() - place.offered_at, 4 * before);
  arrival_.store(before + (took - before) / 8, std::memory_order_relaxed);
}

bool Sharing::Help(Crew& crew) {
  for (const auto& place : places_) {
    if (HelpClaims(crew, *place) || HelpFlow(crew, *place)) return true;
  }
  return false;
}

bool Sharing::HelpClaims(Crew& crew, Place& place) {
  StrandClaims<>& claims = place.claims;
  auto view = claims.Look();
  bool helped = false;
  for (int looks = 0; looks < kPatience && !view.AllClaimed(); ++looks) {
    if (claims.key() != crew.team->plan.get()) break;
    const int strand = claims.NextReady(view);
    if (strand == StrandClaims<>::kNone) {
      if (!helped) break;
      StdAtomics::Pause();
      view = claims.Look();
      continue;
    }
    if (!claims.Claim(&view, strand)) continue;
    if (view.AllClaimed()) open_.fetch_sub(1, std::memory_order_relaxed);
    if (!helped) {
      helped = true;
      helping_.fetch_add(1, std::memory_order_relaxed);
      Arrived(place);
    }
    BeginHelp(crew, place);
    StrandTime time;
    time.now = time.predicted = core_->clock().Now();
    RunClaimed(crew, place, &view, strand, &time);
    if (EndHelp(crew)) return true;
    if (core_->HasWork()) break;
    looks = 0;
  }
  if (helped) helping_.fetch_sub(1, std::memory_order_relaxed);
  return helped;
}

bool Sharing::HelpFlow(Crew& crew, Place& place) {
  const int number = place.entrance.EnterAsHelper(helpers_);
  if (number == Entrance<>::kNone) return false;
  const bool helps = place.plan == crew.team->plan;
  bool inherits = false;
  if (helps) {
    Arrived(place);
    inherits = place.flow.Help(crew, number);
  }
  place.entrance.LeaveAsHelper(number);
  if (inherits) TakeOver(place);
  return helps;
}

// The owner is watched in any case; a helper while it is in a strand, until it has been stuck in
// one: it has lost its permit then, and whoever replaces it is at work.
void Sharing::RunInFlow(const Place& place, Crew& crew, uint32_t strand) {
  const bool helps = &crew != place.owner && crew.holds_permit;
  if (helps) {
    helping_.fetch_add(1, std::memory_order_relaxed);
    BeginHelp(crew, place);
  }
  const int64_t now = core_->clock().Now();
  StrandTime time{now, now};
  place.RunStrand(*core_, crew, strand, &time);
  if (helps && !EndHelp(crew)) helping_.fetch_sub(1, std::memory_order_relaxed);
}

void Sharing::BeginHelp(Crew& crew, const Place& place) {
  crew.helped = true;
  crew.helps.store(true, std::memory_order_relaxed);
  core_->BeginWatch(crew, place.due);
}

// True when it was stuck: LoseHelper() has taken it out of helping_ then.
bool Sharing::EndHelp(Crew& crew) {
  const bool was_stuck = core_->EndWatch(crew);
  crew.helps.store(false, std::memory_order_relaxed);
  return was_stuck;
}

void Sharing::LetGo(int64_t now) {
  for (const auto& place : places_) place->flow.LetGo(now);
}

void Sharing::Tidy() {
  if (!untidy() || !untidy_.exchange(false, std::memory_order_relaxed)) return;
  std::vector<Current> retired;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    retired.swap(retired_);
  }
  for (const auto& place : places_) {
    if (!place->entrance.EnterAsOwner()) {
      untidy_.store(true, std::memory_order_relaxed);
      continue;
    }
    if (place->version != version_.load(std::memory_order_acquire)) {
      retired.push_back({std::move(place->plan), std::move(place->strands)});
    }
    place->entrance.LeaveAsOwner();
  }
}

// At once when the plan has changed, and not when there are strands for the new one: there may
// never be any, and the old plan keeps its agents alive. They are freed by Tidy(), not here by the
// timer.
void Sharing::Forget() {
  gains_.store(nullptr, std::memory_order_relaxed);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    retired_.push_back(std::exchange(current_, {}));
    version_.fetch_add(1, std::memory_order_release);
  }
  untidy_.store(true, std::memory_order_relaxed);
}

void Sharing::Refresh(const std::shared_ptr<const Plan>& plan) {
  FadeArrival();
  if (current_.plan != nullptr && current_.plan != plan) Forget();
  // An agent that hangs in a shared decision keeps its place, and there are few. So none is shared
  // while one may do it again.
  const bool may_hang =
      std::any_of(plan->order().begin(), plan->order().end(), [&](uint32_t agent) {
        const AgentRecord& record = *plan->agents()[agent].spec->record;
        return record.stuck.load(std::memory_order_relaxed) > 0 &&
               record.breaker.load(std::memory_order_relaxed) == AgentRecord::kClosed;
      });
  const bool worth = plan->order().size() <= kMaxAgents && !plan->has_bounded() && !may_hang &&
                     UpdateStrands(plan);
  gains_.store(worth ? plan.get() : nullptr, std::memory_order_relaxed);
}

std::shared_ptr<const Strands> Sharing::StrandsOf(const Plan& plan) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return current_.plan.get() == &plan && current_.worth ? current_.strands : nullptr;
}

// Helpers that took long to wake are not woken any more, and so not measured: what was measured
// halves in some four seconds, and is then tried again.
void Sharing::FadeArrival() {
  constexpr int64_t kEvery = 20'000'000, kShare = 256;
  constexpr int64_t kLeast = 20'000;  // no thread wakes sooner
  const int64_t now = core_->clock().Now();
  if (now - faded_at_ < kEvery) return;
  faded_at_ = now;
  const int64_t arrival = arrival_.load(std::memory_order_relaxed);
  arrival_.store(std::max(kLeast, arrival - arrival / kShare), std::memory_order_relaxed);
}

// Whether it is worth sharing.
bool Sharing::UpdateStrands(const std::shared_ptr<const Plan>& plan) {
  std::vector<int64_t>& costs = costs_;
  costs.assign(plan->agents().size(), 0);
  for (const uint32_t agent : plan->order()) {
    const AgentRecord& record = *plan->agents()[agent].spec->record;
    if (record.cost.count() < 8) return current_.worth;  // too early to tell
    costs[agent] = std::max<int64_t>(record.cost.Typical(), 20);
  }
  // No cut gains more than all there is.
  if (std::accumulate(costs.begin(), costs.end(), int64_t{0}) < kMinGain) {
    const std::lock_guard<std::mutex> lock(mutex_);
    current_.strands = nullptr;  // to be cut anew when there is more again
    return current_.worth = false;
  }
  if (current_.plan == plan && current_.strands != nullptr) {
    // Under load nothing is shared, and costs are others: the cut will be looked at when it is
    // used.
    const uint64_t shared = shared_.load(std::memory_order_relaxed);
    const bool in_use = shared != std::exchange(shared_then_, shared);
    if (current_.worth && !in_use) return true;
    int64_t drift = 0, total = 0;
    for (const uint32_t agent : plan->order()) {
      drift += std::abs(costs[agent] - costs_then_[agent]);
      total += costs_then_[agent];
    }
    drifted_ = drift * 5 < total ? 0 : drifted_ + 1;
    if (drifted_ < kLastingDrift) return current_.worth;
  }
  drifted_ = 0;
  auto strands = std::make_shared<const Strands>(MakeStrands(*plan, costs, helpers_ + 1));
  const bool worth =
      strands->gain() >= kMinGain &&
      static_cast<double>(strands->gain()) >= kMinShare * static_cast<double>(strands->total_nanos);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    current_ = {plan, strands, worth};
    version_.fetch_add(1, std::memory_order_release);
  }
  costs_then_ = costs;
  recuts_.fetch_add(1, std::memory_order_relaxed);
  gain_.store(strands->gain(), std::memory_order_relaxed);
  total_.store(strands->total_nanos, std::memory_order_relaxed);
  // Of two processors; where there are more, only one helper looks on (see Core::Idle), the
  // busiest.
  const int64_t without_strand = 2 * strands->makespan_nanos - strands->total_nanos;
  patience_.store(std::clamp<int64_t>(without_strand, 0, strands->gain()),
                  std::memory_order_relaxed);
  return worth;
}

}  // namespace adagents::internal
