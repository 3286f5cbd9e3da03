#include "adagents/ads_models/team_models.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/prior_rates.h"
#include "adagents/base/status.h"
#include "adagents/runtime/context.h"

namespace adagents::ads_models {
namespace {

model::ModelStoreOptions StoreOptions(const Clock* clock) {
  model::ModelStoreOptions options;
  options.token_schema = Tokens().Hash();
  options.clock = clock;
  for (size_t t = 0; t < kTasks; ++t) {
    const auto task = static_cast<Task>(t);
    options.heads.push_back({std::string(Name(task)), Facts(task).Hash(), /*optional=*/true});
  }
  return options;
}

/// What the session is about, as the model sees it; unknown where it does not say.
ads::Intents IntentsOf(const model::ModelStore::Use& use, const MomentView& moment,
                       const model::SessionVector& vector, std::vector<model::HeadEntry>* entries) {
  constexpr auto kHead = static_cast<size_t>(Task::kIntent);
  constexpr size_t kFacts = FactCount(Task::kIntent);
  ads::Intents out;
  if (!use.Has(kHead)) return out;
  entries->resize(ads::kIntentCount * kFacts);
  std::array<model::HeadEntry, kMomentFacts> facts;
  MomentFactsOf(moment, facts);
  for (size_t i = 0; i < ads::kIntentCount; ++i) {
    IntentFactsOf(facts, static_cast<ads::Intent>(i), {&(*entries)[i * kFacts], kFacts});
  }
  if (!use.Score(kHead, vector, *entries, kFacts, Deadline(), out.p).ok()) return out;
  const float sum = std::accumulate(out.p.begin(), out.p.end(), 0.0f);
  out.known = sum > 0;
  for (float& p : out.p) p /= sum;
  return out;
}

}  // namespace

TeamModels::TeamModels(const ads::EngineOptions& options, std::unique_ptr<model::ModelStore> store)
    : store_(std::move(store)),
      memories_({.capacity = options.listener->sessions.sessions,
                 .ttl = options.listener->sessions.ttl,
                 .clock = options.runtime.clock}) {}

absl::StatusOr<std::shared_ptr<TeamModels>> TeamModels::AddTo(ads::EngineOptions* options,
                                                              const std::string& path) {
  if (!options->listener) return FailedPrecondition("models: EngineOptions::listener is not set");
  auto store = model::ModelStore::Create(StoreOptions(options->runtime.clock));
  if (!store.ok()) return store.status();
  std::shared_ptr<TeamModels> models(new TeamModels(*options, *std::move(store)));
  if (!path.empty()) {
    if (absl::Status status = models->Load(path); !status.ok()) return status;
  }
  options->customize = [models,
                        host = std::move(options->customize)](ads::AdRuntime::Builder& builder) {
    builder.ShareObject(kTeamModels, models).Add<Heads>().Add<SessionTrunk>();
    if (host) host(builder);
  };
  options->forget = [models,
                     host = std::move(options->forget)](const std::function<bool(uint64_t)>& gone) {
    (void)models->memories_.Purge(
        [&](uint64_t session, const SessionMemory&) { return gone(session); });
    if (host) host(gone);
  };
  return models;
}

absl::Status SessionTrunk::Run(Context& ctx) {
  const ads::ListenEvent& event = ctx[event_];
  ads::SessionState state;
  // Not there: it has ended, or was erased meanwhile, and nothing of the event is to be kept.
  const auto read = [&](const ads::SessionState& s) { state = s; };
  if (!sessions_->Update(event.session, read)) {
    models_->Forget(event.session);
    return absl::OkStatus();
  }
  // Events of one session come one after the other, so nobody else changes its memory meanwhile.
  SessionMemory memory;
  if (!models_->Find(event.session, &memory)) memory = SessionMemory();
  memory.window.Push(TokenOf(event, state));
  const model::ModelStore::Use use = models_->store().Pin();
  if (!use.Encode(memory.window, Deadline(), &scratch_, &memory.vector).ok()) {
    memory.vector = model::SessionVector();  // no model yet: the first request makes up for it
  }
  const ads::Intents intents =
      IntentsOf(use, {state, memory.window, event.at_ms}, memory.vector, &entries_);
  (void)sessions_->Update(event.session, [&](ads::SessionState& s) {
    if (s.began_ms == state.began_ms) ads::SetForeseen(intents, &s);  // else it is another one
  });
  models_->Change(event.session, [&](SessionMemory& m) { m = memory; });
  // Who erased the session in between has not seen what was just stored.
  if (!sessions_->Contains(event.session)) models_->Forget(event.session);
  return absl::OkStatus();
}

absl::Status Heads::Run(Context& ctx) {
  const ads::Listener& listener = ctx[listener_];
  if (!listener.known) return absl::OkStatus();
  const model::ModelStore::Use use = models_->store().Pin();
  SessionMemory memory;
  const bool any = use.Has(static_cast<size_t>(Task::kClick)) ||
                   use.Has(static_cast<size_t>(Task::kCompletion)) ||
                   use.Has(static_cast<size_t>(Task::kAttention)) ||
                   use.Has(static_cast<size_t>(Task::kSkip));
  if (!any || !models_->Find(listener.session, &memory)) return absl::OkStatus();
  // Of an older model where there is a new one since the session's last event.
  if (!use.Refresh(memory.window, ctx.deadline(), &scratch_, &memory.vector).ok()) {
    return absl::OkStatus();
  }
  const ads::Request& request = ctx[request_];
  const ads::Candidates& candidates = ctx[candidates_];
  MomentView moment{listener.state, memory.window, listener.now_ms};
  ads::ModelRates& rates = ctx[rates_];
  for (const Task task : {Task::kClick, Task::kCompletion}) {
    if (!use.Has(static_cast<size_t>(task))) continue;
    // Too late for one of them: what there is stands.
    if (!ScoreOffers(request, candidates, moment, memory, use, task, ctx.deadline(), &rates).ok()) {
      break;
    }
  }
  if (!request.imps.empty()) moment.where = WhereOf(request.imps[0]);
  std::array<model::HeadEntry, kMomentFacts> facts;
  MomentFactsOf(moment, facts);
  Foresight foresight;
  const auto ask = [&](Task task, float* p) {
    if (!use.Has(static_cast<size_t>(task))) return;
    const absl::Status status = use.Score(static_cast<size_t>(task), memory.vector, facts,
                                          kMomentFacts, ctx.deadline(), {p, 1});
    foresight.known = foresight.known || status.ok();
  };
  ask(Task::kAttention, &foresight.act);
  ask(Task::kSkip, &foresight.skip);
  if (foresight.known) ctx[foresight_] = foresight;
  return absl::OkStatus();
}

absl::Status Heads::ScoreOffers(const ads::Request& request, const ads::Candidates& candidates,
                                const MomentView& moment, const SessionMemory& memory,
                                const model::ModelStore::Use& use, Task task, Deadline deadline,
                                ads::ModelRates* out) {
  constexpr size_t kFacts = kMomentFacts + kOfferFacts;
  const ads::Catalog* catalog = candidates.catalog ? &*candidates.catalog : nullptr;
  if (catalog == nullptr) return absl::OkStatus();
  const ads::Action action = task == Task::kClick ? ads::Action::kClick : ads::Action::kCompletion;
  items_.clear();
  entries_.clear();
  std::array<model::HeadEntry, kMomentFacts> facts;
  for (size_t i = 0; i < candidates.imps.size(); ++i) {
    MomentView here = moment;
    here.where = WhereOf(request.imps[i]);
    bool made = false;
    for (uint32_t k = candidates.imps[i].begin; k < candidates.imps[i].end; ++k) {
      const ads::Candidate& c = candidates.items[k];
      if (ads::TargetOf(catalog->facts(c.campaign), c.mtype) != action) continue;
      if (!made) MomentFactsOf(here, facts);
      made = true;
      items_.push_back(k);
      const size_t at = entries_.size();
      entries_.resize(at + kFacts);
      std::copy(facts.begin(), facts.end(), entries_.begin() + static_cast<std::ptrdiff_t>(at));
      const ads::Campaign& campaign = catalog->campaign(c.campaign);
      OfferFactsOf(campaign, campaign.creatives[c.creative],
                   {&entries_[at + kMomentFacts], kOfferFacts});
    }
  }
  if (items_.empty()) return absl::OkStatus();
  scored_.resize(items_.size());
  absl::Status status =
      use.Score(static_cast<size_t>(task), memory.vector, entries_, kFacts, deadline, scored_);
  if (!status.ok()) return status;
  if (out->rate.empty()) out->rate.assign(candidates.items.size(), ads::ModelRates::kNone);
  for (size_t j = 0; j < items_.size(); ++j) out->rate[items_[j]] = scored_[j];
  return absl::OkStatus();
}

}  // namespace adagents::ads_models
