#include "world.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/base/random.h"
#include "adagents/testing/listening_world.h"
#include "adagents/testing/virtual_clock.h"

namespace train {
namespace {

using namespace adagents;  // NOLINT: an application
using testing::ListeningEvent;
using testing::ListeningWorld;

/// Uniformly: campaigns have equally many creatives, of which those fit that the slot can play.
ads::Bid AnyBid(const ads::Catalog& catalog, const ads::Imp& imp, Random* random) {
  ads::Bid bid;
  do {
    bid.campaign = &catalog.campaign(static_cast<uint32_t>(random->Below(catalog.size())));
    bid.creative = &bid.campaign->creatives[random->Below(bid.campaign->creatives.size())];
    bid.mtype = bid.creative->format;
  } while (!(bid.mtype == ads::MarkupType::kAudio && imp.audio != nullptr) &&
           !(bid.mtype == ads::MarkupType::kVideo && imp.video != nullptr));
  bid.price = Micros{1000 * Micros::kUnit};
  return bid;
}

}  // namespace

absl::StatusOr<ads_models::TeamExamples> Listen(const WorldOptions& options) {
  auto settings = testing::ListeningOptionsOf(options.world);
  if (!settings.ok()) return settings.status();
  settings->seed = options.seed;
  settings->sessions = options.sessions;
  testing::VirtualClock clock;
  auto world = ListeningWorld::Create(*settings, &clock);
  if (!world.ok()) return world.status();
  auto log = ads_models::TeamLog::Create(
      {.hash_key = {3, 4}, .session_sources = {std::string(ListeningWorld::kSessionSource)}},
      &clock, options.seed);
  if (!log.ok()) return log.status();
  const auto catalog = (*world)->MakeCatalog();
  Random random(options.seed, 17);
  uint64_t decisions = 0;
  ListeningEvent event;
  while ((*world)->Next(&event)) {
    absl::Status status;
    switch (event.kind) {
      case ListeningEvent::Kind::kPlayback:
        status = (*log)->Play(event.playback);
        break;
      case ListeningEvent::Kind::kOutcome:
        (*log)->Record(event.outcome);
        break;
      case ListeningEvent::Kind::kRequest: {
        ads::Decision decision;
        decision.id = ++decisions;
        decision.bids.push_back(AnyBid(*catalog, event.request->imps[0], &random));
        (*log)->Decided(*event.request, decision);
        status = (*world)->Answer(decision).status();
        break;
      }
    }
    if (!status.ok()) return status;
  }
  return std::move(**log).Take();
}

Periods PeriodsOf(const ads_models::TeamExamples& examples, const Splits& splits) {
  std::vector<int64_t> times;
  for (const auto& window : examples.windows) times.push_back(window.at_ms);
  if (times.empty()) return {};
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) {
    return times[static_cast<size_t>(share * static_cast<double>(times.size() - 1))];
  };
  const int64_t first = at(splits.training), second = at(splits.training + splits.validation);
  return {{{times.front(), first}, {first, second}, {second, times.back() + 1}}};
}

Dataset DatasetOf(const ads_models::TeamExamples& examples, ads_models::Task task,
                  const Periods& periods, size_t most) {
  Dataset data;
  data.tokens = ads_models::Tokens();
  data.facts = ads_models::Facts(task);
  for (size_t p = 0; p < periods.size(); ++p) {
    ads_models::TaskOutcomes of = OutcomesOf(examples, task, periods[p], p == 0 ? most : most / 2);
    data.part[p].outcomes = std::move(of.outcomes);
    data.part[p].windows = std::move(of.windows);
  }
  return data;
}

}  // namespace train
