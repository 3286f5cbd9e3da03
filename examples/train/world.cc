#include "world.h"

#include <algorithm>
#include <memory>
#include <unordered_map>
#include <utility>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/agents/user_profile.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/sessions.h"
#include "adagents/base/random.h"
#include "adagents/testing/listening_world.h"
#include "adagents/testing/virtual_clock.h"

namespace train {
namespace {

using namespace adagents;  // NOLINT: an application
using ads_models::Task;
using testing::ListeningEvent;
using testing::ListeningWorld;

/// Listens to a world, and notes what a server sees.
class Listening {
 public:
  absl::StatusOr<WorldLog> Do(const WorldOptions& options) {
    auto world = testing::ListeningOptionsOf(options.world);
    if (!world.ok()) return world.status();
    world->seed = options.seed;
    world->sessions = options.sessions;
    auto made = ListeningWorld::Create(*world, &clock_);
    if (!made.ok()) return made.status();
    world_ = *std::move(made);
    catalog_ = world_->MakeCatalog();
    random_ = Random(options.seed, 17);
    auto sessions = ads::Sessions::Create(
        {.hash_key = {3, 4}, .session_sources = {std::string(ListeningWorld::kSessionSource)}},
        &clock_);
    if (!sessions.ok()) return sessions.status();
    sessions_ = *std::move(sessions);
    ListeningEvent event;
    while (world_->Next(&event)) {
      now_ms_ = absl::ToUnixMillis(event.at);
      absl::Status status;
      switch (event.kind) {
        case ListeningEvent::Kind::kPlayback:
          status = Play(event.playback);
          break;
        case ListeningEvent::Kind::kOutcome:
          Learn(event.outcome);
          break;
        case ListeningEvent::Kind::kRequest:
          status = Decide(event);
          break;
      }
      if (!status.ok()) return status;
    }
    return std::move(log_);
  }

 private:
  /// What is kept of a session beside SessionState.
  struct Memory {
    model::TokenWindow window;
    int64_t last_window = -1;  ///< the newest of the log's that has no next token yet
    int64_t started = -1;      ///< example of kIntent of what plays
    std::vector<std::pair<int64_t, size_t>> asked;  ///< when, and the example of kAttention
  };
  struct Shown {
    size_t example;  ///< of kClick and kCompletion
    uint64_t session;
  };

  absl::Status Play(const ads::PlaybackEvent& playback) {
    ads::ListenEvent event;
    auto kept = sessions_->Admit(playback, &event);
    if (!kept.ok()) return kept.status();
    if (!*kept) return absl::OkStatus();
    ads::SessionState state;
    (void)sessions_->Update(event.session, [&](ads::SessionState& s) {
      ads::ApplyToSession(event, &s);
      ads::ApplyToProfile(event, &s);
      ads::ApplyToIntents(event, &s);
      state = s;
    });
    Memory& m = memories_[event.session];
    const model::Token token = ads_models::TokenOf(event, state);
    if (m.last_window >= 0) {
      log_.next[static_cast<size_t>(m.last_window)] = token;
      log_.has_next[static_cast<size_t>(m.last_window)] = 1;
      m.last_window = -1;
    }
    m.window.Push(token);
    if (ads_models::IsAct(event)) {
      for (const auto& [at, example] : m.asked) {
        if (event.at_ms - at <= ads_models::kAttentionWindowMs) {
          Of(Task::kAttention).examples[example].happened = 1;
        }
      }
      m.asked.clear();
    }
    if (event.kind == ads::PlaybackKind::kSkip && m.started >= 0) {
      Of(Task::kIntent).examples[static_cast<size_t>(m.started)].happened = 1;
    }
    if (event.kind == ads::PlaybackKind::kSkip || event.kind == ads::PlaybackKind::kEnd) {
      m.started = -1;
    }
    // One in three: neighbours tell little that is new.
    if (event.kind == ads::PlaybackKind::kStart && random_.Below(3) == 0) {
      m.started = static_cast<int64_t>(Of(Task::kIntent).examples.size());
      Note(Task::kIntent, WindowOf(&m), {state, m.window, event.at_ms}, nullptr, nullptr);
    }
    if (event.kind == ads::PlaybackKind::kSessionEnd) {
      memories_.erase(event.session);
      sessions_->End(event.session);
    }
    return absl::OkStatus();
  }

  absl::Status Decide(const ListeningEvent& event) {
    const ads::Request& request = *event.request;
    const ads::Imp& imp = request.imps[0];
    // Uniformly: campaigns have equally many creatives, of which those fit that the slot can play.
    const ads::Campaign* campaign = nullptr;
    const ads::Creative* creative = nullptr;
    ads::MarkupType type{};
    do {
      campaign = &catalog_->campaign(static_cast<uint32_t>(random_.Below(catalog_->size())));
      creative = &campaign->creatives[random_.Below(campaign->creatives.size())];
      type = creative->format;
    } while (!(type == ads::MarkupType::kAudio && imp.audio != nullptr) &&
             !(type == ads::MarkupType::kVideo && imp.video != nullptr));
    ads::Decision decision;
    decision.id = ++decisions_;
    ads::Bid bid;
    bid.campaign = campaign;
    bid.creative = creative;
    bid.price = Micros{1000 * Micros::kUnit};
    bid.mtype = type;
    decision.bids.push_back(bid);
    ads::Listener listener;
    if (sessions_->Find(request, &listener)) {
      Memory& m = memories_[listener.session];
      const ads_models::MomentView view{listener.state, m.window, now_ms_,
                                        ads_models::WhereOf(imp)};
      const uint32_t window = WindowOf(&m);
      shown_[decision.id] = {Of(Task::kClick).examples.size(), listener.session};
      Note(Task::kClick, window, view, campaign, creative);
      Note(Task::kCompletion, window, view, campaign, creative);
      std::erase_if(m.asked, [&](const auto& asked) {
        return now_ms_ - asked.first > ads_models::kAttentionWindowMs;
      });
      m.asked.emplace_back(now_ms_, Of(Task::kAttention).examples.size());
      Note(Task::kAttention, window, view, nullptr, nullptr);
    }
    return world_->Answer(decision).status();
  }

  void Learn(const ads::OutcomeEvent& event) {
    const auto found = shown_.find(event.decision);
    if (found == shown_.end()) return;
    const auto& [example, session] = found->second;
    switch (event.kind) {
      case ads::OutcomeKind::kImpression:
        (void)sessions_->Update(session, [&](ads::SessionState& s) {
          ads::DecayCounts(now_ms_, &s);
          s.ads += 1;
          s.ad_ms = std::max(s.ad_ms, now_ms_);
        });
        break;
      case ads::OutcomeKind::kClick:
        Of(Task::kClick).examples[example].happened = 1;
        break;
      case ads::OutcomeKind::kCompletion:
        Of(Task::kCompletion).examples[example].happened = 1;
        break;
      case ads::OutcomeKind::kConversion:
      case ads::OutcomeKind::kLoss:
        break;
    }
  }

  WorldLog::Of& Of(Task task) { return log_.of[static_cast<size_t>(task)]; }

  /// The session's window in the log; the last one again when nothing has happened since.
  uint32_t WindowOf(Memory* m) {
    if (m->last_window < 0) {
      m->last_window = static_cast<int64_t>(log_.windows.size());
      log_.windows.push_back(m->window);
      log_.next.emplace_back();
      log_.has_next.push_back(0);
    }
    return static_cast<uint32_t>(m->last_window);
  }

  void Note(Task task, uint32_t window, const ads_models::MomentView& view,
            const ads::Campaign* campaign, const ads::Creative* creative) {
    WorldLog::Of& to = Of(task);
    to.examples.push_back({window, 0});
    const size_t from = to.entries.size();
    to.entries.resize(from + ads_models::FactCount(task));
    ads_models::MomentFactsOf(view, {&to.entries[from], ads_models::kMomentFacts});
    if (campaign != nullptr) {
      ads_models::OfferFactsOf(
          *campaign, *creative,
          {&to.entries[from + ads_models::kMomentFacts], ads_models::kOfferFacts});
    }
  }

  testing::VirtualClock clock_;
  std::unique_ptr<ListeningWorld> world_;
  std::unique_ptr<const ads::Catalog> catalog_;
  std::unique_ptr<ads::Sessions> sessions_;
  Random random_{1};
  std::unordered_map<uint64_t, Memory> memories_;
  std::unordered_map<uint64_t, Shown> shown_;
  uint64_t decisions_ = 0;
  int64_t now_ms_ = 0;
  WorldLog log_;
};

}  // namespace

absl::StatusOr<WorldLog> Listen(const WorldOptions& options) { return Listening().Do(options); }

Dataset DatasetOf(const WorldLog& log, Task task, const Splits& splits) {
  const WorldLog::Of& from = log.of[static_cast<size_t>(task)];
  const size_t each = ads_models::FactCount(task), n = from.examples.size();
  const double all = static_cast<double>(n);
  const size_t ends[] = {static_cast<size_t>(all * splits.training),
                         static_cast<size_t>(all * (splits.training + splits.validation)), n};
  Dataset data;
  data.tokens = ads_models::Tokens();
  data.facts = ads_models::Facts(task);
  size_t i = 0;
  for (size_t p = 0; p < 3; ++p) {
    Part& part = data.part[p];
    part.outcomes.per_candidate = each;
    part.outcomes.entries.assign(
        from.entries.begin() + static_cast<std::ptrdiff_t>(i * each),
        from.entries.begin() + static_cast<std::ptrdiff_t>(ends[p] * each));
    for (; i < ends[p]; ++i) {
      part.outcomes.happened.push_back(from.examples[i].happened);
      part.windows.push_back(log.windows[from.examples[i].window]);
    }
  }
  return data;
}

void SequencesOf(const WorldLog& log, const Splits& splits, size_t most, model::Sequences* training,
                 model::Sequences* validation) {
  const auto all = static_cast<double>(log.windows.size());
  const auto first = static_cast<size_t>(all * splits.training);
  const auto second = static_cast<size_t>(all * (splits.training + splits.validation));
  const auto take = [&](size_t begin, size_t end, size_t bound, model::Sequences* to) {
    const size_t step = std::max<size_t>(1, (end - begin) / std::max<size_t>(1, bound));
    for (size_t i = begin; i < end; i += step) {
      if (log.has_next[i] == 0 || log.windows[i].count == 0) continue;
      to->windows.push_back(log.windows[i]);
      to->next.push_back(log.next[i]);
    }
  };
  take(0, first, most, training);
  take(first, second, most / 4, validation);
}

}  // namespace train
