#include "adagents/ads_models/team_log.h"

#include <algorithm>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/agents/user_profile.h"

namespace adagents::ads_models {
namespace {

using ads::PlaybackKind;

// Neighbours tell little that is new.
constexpr uint64_t kOneOfStarts = 3, kOneOfEvents = 8;
// Calls of Play() between looks for sessions that ended without a word.
constexpr uint64_t kSweepEvery = 4'096;

/// Which intent, drawn from its probabilities.
size_t Draw(const ads::Intents& intents, Random* random) {
  double left = random->Uniform();
  for (size_t i = 0; i + 1 < ads::kIntentCount; ++i) {
    left -= static_cast<double>(intents.p[i]);
    if (left < 0) return i;
  }
  return ads::kIntentCount - 1;
}

/// Of so many, every which to take so that it is at most so many.
size_t StepFor(size_t there, size_t most) {
  return std::max<size_t>(1, there / most + (there % most != 0 ? 1 : 0));
}

}  // namespace

TaskOutcomes OutcomesOf(const TeamExamples& examples, Task task, Period period, size_t most) {
  const TeamExamples::Of& from = examples.of[static_cast<size_t>(task)];
  const size_t each = FactCount(task), together = task == Task::kIntent ? ads::kIntentCount : 1;
  std::vector<size_t> some;
  for (size_t i = 0; i < from.examples.size(); ++i) {
    const TeamExamples::Example& example = from.examples[i];
    if (example.settled != 0 && example.at_ms >= period.from_ms && example.at_ms < period.to_ms) {
      some.push_back(i);
    }
  }
  const size_t step = StepFor(some.size(), std::max(together, most));
  TaskOutcomes out;
  out.outcomes.per_candidate = each;
  for (size_t k = 0; k < some.size(); ++k) {
    if (k / together % step != 0) continue;
    const size_t i = some[k];
    const TeamExamples::Example& example = from.examples[i];
    const auto entry = from.entries.begin() + static_cast<std::ptrdiff_t>(i * each);
    out.outcomes.entries.insert(out.outcomes.entries.end(), entry,
                                entry + static_cast<std::ptrdiff_t>(each));
    out.outcomes.happened.push_back(example.happened);
    out.windows.push_back(examples.windows[example.window].tokens);
  }
  return out;
}

model::Sequences SequencesOf(const TeamExamples& examples, Period period, size_t most) {
  std::vector<size_t> some;
  for (size_t i = 0; i < examples.windows.size(); ++i) {
    const TeamExamples::Window& window = examples.windows[i];
    if (window.has_next && window.tokens.count > 0 && window.at_ms >= period.from_ms &&
        window.at_ms < period.to_ms) {
      some.push_back(i);
    }
  }
  model::Sequences out;
  const size_t step = StepFor(some.size(), std::max<size_t>(1, most));
  for (size_t i = 0; i < some.size(); i += step) {
    out.windows.push_back(examples.windows[some[i]].tokens);
    out.next.push_back(examples.windows[some[i]].next);
  }
  return out;
}

TeamLog::TeamLog(std::unique_ptr<ads::Sessions> sessions, const Clock* clock, uint64_t seed)
    : sessions_(std::move(sessions)), clock_(clock), random_(seed, 17), of_intents_(seed, 18) {}

absl::StatusOr<std::unique_ptr<TeamLog>> TeamLog::Create(const ads::SessionsOptions& sessions,
                                                         const Clock* clock, uint64_t seed) {
  ads::SessionsOptions own = sessions;
  own.region = nullptr;  // the engine's table is there
  auto made = ads::Sessions::Create(own, clock);
  if (!made.ok()) return made.status();
  return std::unique_ptr<TeamLog>(new TeamLog(*std::move(made), clock, seed));
}

absl::Status TeamLog::Play(const ads::PlaybackEvent& playback) {
  ads::ListenEvent event;
  auto kept = sessions_->Admit(playback, &event);
  if (!kept.ok()) return kept.status();
  for (const uint64_t key : sessions_->TakeWithdrawn()) memories_.erase(key);
  if (!*kept) return absl::OkStatus();
  ads::SessionState state;
  (void)sessions_->Update(event.session, [&](ads::SessionState& s) {
    ads::ApplyToSession(event, &s);
    ads::ApplyToProfile(event, &s);
    ads::ApplyToIntents(event, &s);
    state = s;
  });
  Memory& m = memories_[event.session];
  if (m.began_ms != state.began_ms) {  // the one before was forgotten meanwhile
    LookBack(&m);
    m = Memory();
    m.began_ms = state.began_ms;
  }
  const model::Token token = TokenOf(event, state);
  if (m.last_window >= 0) {
    TeamExamples::Window& last = examples_.windows[static_cast<size_t>(m.last_window)];
    last.next = token;
    last.has_next = true;
    m.last_window = -1;
  }
  m.window.Push(token);
  m.events.push_back(event);
  m.intents.push_back(
      ads::IntentsOf(state, event.at_ms, ads::HourAt(event.at_ms, state.utcoffset)));
  if (IsAct(event)) {
    for (const auto& [at, example] : m.asked) {
      if (at <= event.at_ms && event.at_ms - at <= kAttentionWindowMs) {
        Of(Task::kAttention).examples[example].happened = 1;
      }
    }
    std::erase_if(m.asked, [&](const auto& asked) { return asked.first <= event.at_ms; });
  }
  if (event.kind == PlaybackKind::kSkip && m.started >= 0) {
    Of(Task::kSkip).examples[static_cast<size_t>(m.started)].happened = 1;
  }
  if (event.kind == PlaybackKind::kSkip || event.kind == PlaybackKind::kEnd ||
      event.kind == PlaybackKind::kStart) {
    m.started = -1;
  }
  const MomentView view{state, m.window, event.at_ms};
  if (event.kind == PlaybackKind::kStart && random_.Below(kOneOfStarts) == 0) {
    m.started = static_cast<int64_t>(Of(Task::kSkip).examples.size());
    (void)Note(Task::kSkip, &m, view, /*settled=*/true);
  }
  if (event.kind != PlaybackKind::kSessionEnd && of_intents_.Below(kOneOfEvents) == 0) {
    NoteIntents(view, &m);
  }
  if (event.kind == PlaybackKind::kSessionEnd) {
    LookBack(&m);
    memories_.erase(event.session);
    sessions_->End(event.session);
  }
  if (++played_ % kSweepEvery == 0) Sweep();
  return absl::OkStatus();
}

/// Sessions that the table has forgotten are over, whether somebody said so or not.
void TeamLog::Sweep() {
  for (auto at = memories_.begin(); at != memories_.end();) {
    if (sessions_->Contains(at->first)) {
      ++at;
      continue;
    }
    LookBack(&at->second);
    at = memories_.erase(at);
  }
}

TeamExamples TeamLog::Take() && {
  for (auto& [session, memory] : memories_) LookBack(&memory);
  return std::move(examples_);
}

void TeamLog::Decided(const ads::Request& request, const ads::Decision& decision) {
  ads::Listener listener;
  if (!sessions_->Find(request, &listener)) return;
  const int64_t now = NowMs();
  Memory& m = memories_[listener.session];
  for (uint32_t b = 0; b < decision.bids.size(); ++b) {
    const ads::Bid& bid = decision.bids[b];
    const MomentView view{listener.state, m.window, now, WhereOf(request.imps[bid.imp])};
    shown_[ads::Moments::KeyOf(decision.id, b)] = {listener.session,
                                                   Of(Task::kClick).examples.size()};
    for (const Task task : {Task::kClick, Task::kCompletion}) {
      model::HeadEntry* entries = Note(task, &m, view, /*settled=*/false);
      OfferFactsOf(*bid.campaign, *bid.creative, {entries + kMomentFacts, kOfferFacts});
    }
  }
  std::erase_if(m.asked, [&](const auto& asked) { return now - asked.first > kAttentionWindowMs; });
  m.asked.emplace_back(now, Of(Task::kAttention).examples.size());
  const ads_models::Where where = request.imps.empty() ? Where::kUnknown : WhereOf(request.imps[0]);
  (void)Note(Task::kAttention, &m, {listener.state, m.window, now, where}, /*settled=*/true);
}

void TeamLog::Record(const ads::OutcomeEvent& event) {
  const auto found = shown_.find(ads::Moments::KeyOf(event.decision, event.bid));
  if (found == shown_.end()) return;
  const auto& [session, example] = found->second;
  TeamExamples::Example& click = Of(Task::kClick).examples[example];
  TeamExamples::Example& completion = Of(Task::kCompletion).examples[example];
  const int64_t now = NowMs();
  switch (event.kind) {
    case ads::OutcomeKind::kImpression:
      if (click.settled != 0) return;
      click.settled = completion.settled = 1;
      (void)sessions_->Update(session, [&](ads::SessionState& s) {
        ads::DecayCounts(now, &s);
        s.ads += 1;
        s.ad_ms = std::max(s.ad_ms, now);
      });
      break;
    case ads::OutcomeKind::kClick:
      click.happened = 1;
      break;
    case ads::OutcomeKind::kCompletion:
      completion.happened = 1;
      break;
    case ads::OutcomeKind::kConversion:
    case ads::OutcomeKind::kLoss:
      break;
  }
}

/// The session's window among the examples'; the last one again when nothing has happened since.
uint32_t TeamLog::WindowOf(int64_t at_ms, Memory* m) {
  if (m->last_window < 0) {
    m->last_window = static_cast<int64_t>(examples_.windows.size());
    examples_.windows.push_back({.at_ms = at_ms, .tokens = m->window});
  }
  return static_cast<uint32_t>(m->last_window);
}

model::HeadEntry* TeamLog::Note(Task task, Memory* m, const MomentView& view, bool settled) {
  TeamExamples::Of& to = Of(task);
  to.examples.push_back(
      {view.now_ms, WindowOf(view.now_ms, m), 0, settled ? uint8_t{1} : uint8_t{0}});
  const size_t from = to.entries.size();
  to.entries.resize(from + FactCount(task));
  MomentFactsOf(view, {&to.entries[from], kMomentFacts});
  return &to.entries[from];
}

void TeamLog::NoteIntents(const MomentView& view, Memory* m) {
  m->moments.emplace_back(m->events.size() - 1, Of(Task::kIntent).examples.size());
  for (size_t i = 0; i < ads::kIntentCount; ++i) {
    model::HeadEntry* entries = Note(Task::kIntent, m, view, /*settled=*/false);
    IntentFactsOf({entries, kMomentFacts}, static_cast<ads::Intent>(i),
                  {entries, FactCount(Task::kIntent)});
  }
}

/// The session is over: what were its moments about?
void TeamLog::LookBack(Memory* m) {
  ads::AddHindsight(m->events, m->intents);
  for (const auto& [event, first] : m->moments) {
    if (!m->intents[event].known) continue;
    const size_t about = Draw(m->intents[event], &random_);
    for (size_t i = 0; i < ads::kIntentCount; ++i) {
      TeamExamples::Example& example = Of(Task::kIntent).examples[first + i];
      example.settled = 1;
      example.happened = i == about ? 1 : 0;
    }
  }
}

}  // namespace adagents::ads_models
