// What the models of the ad team read, the same where they are trained and where they serve: tokens
// of playback events for the trunk, facts of the moment and of what is on offer for the heads.
//
//   window.Push(TokenOf(event, state));                       // once per ListenEvent
//   MomentFactsOf({state, window, now_ms, where}, entries);   // once per request
//   OfferFactsOf(campaign, creative, rest);                   // once per candidate: kOfferFacts
//   IntentFactsOf(moment_facts, intent, all);                 // once per intent
//
// The numbers of a moment are those that an engineer makes by hand of a session, cut into steps;
// none of them identifies a person. Categories are hashed as StableHash64 does, so that no
// dictionary has to travel with a model.
//
// Thread safety: functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "adagents/ads/campaign.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/request.h"
#include "adagents/ads/session.h"
#include "adagents/model/head.h"
#include "adagents/model/session.h"

namespace adagents::ads_models {

/// What the heads predict.
enum class Task : uint8_t {
  kClick,       ///< of a candidate
  kCompletion,  ///< of a candidate: it is heard to its end
  kAttention,   ///< of the moment: the listener does something within kAttentionWindowMs
  kSkip,        ///< of the moment: what plays, or played last, is skipped
  kIntent,      ///< of the moment and each ads::Intent: it is what the listener is about
};
inline constexpr size_t kTasks = 5;
/// "click" and so on: the heads' names in model files.
std::string_view Name(Task task);
/// For how long after a request an act of the listener counts as attention: what a server can see
/// of it.
inline constexpr int64_t kAttentionWindowMs = 3 * 60'000;
/// Whether an event is something that the listener did.
bool IsAct(const ads::ListenEvent& event);

/// Kind, content, genre, mood, energy, hour, device, volume, screen and position.
const model::TokenSchema& Tokens();
/// `state`: of the session, with `event` in it.
model::Token TokenOf(const ads::ListenEvent& event, const ads::SessionState& state);

/// Where in what plays an ad would be.
enum class Where : uint8_t { kUnknown, kBetween, kWithin, kTransition };
/// As the imp's startdelay and content say.
Where WhereOf(const ads::Imp& imp);

struct MomentView {
  const ads::SessionState& state;
  const model::TokenWindow& window;
  int64_t now_ms;  ///< Unix milliseconds
  Where where = Where::kUnknown;
};

inline constexpr size_t kMomentFacts = 21, kOfferFacts = 10;
/// Of kAttention and kSkip: the moment's facts. Of the others: these, then the offer's, or which
/// intent it is.
const model::HeadSchema& Facts(Task task);
/// Facts of a candidate of `task`.
constexpr size_t FactCount(Task task) {
  switch (task) {
    case Task::kClick:
    case Task::kCompletion:
      return kMomentFacts + kOfferFacts;
    case Task::kIntent:
      return kMomentFacts + 1;
    case Task::kAttention:
    case Task::kSkip:
      break;
  }
  return kMomentFacts;
}
/// Writes kMomentFacts entries; the same rows for every task.
void MomentFactsOf(const MomentView& moment, std::span<model::HeadEntry> out);
/// Writes FactCount(Task::kIntent) entries: the moment's but for what the tables of user_intent.h
/// make of it, whose errors are in the labels, too; and which intent it is.
void IntentFactsOf(std::span<const model::HeadEntry> moment, ads::Intent intent,
                   std::span<model::HeadEntry> out);
/// Writes kOfferFacts entries, rows of the schema of kClick and kCompletion.
void OfferFactsOf(const ads::Campaign& campaign, const ads::Creative& creative,
                  std::span<model::HeadEntry> out);

}  // namespace adagents::ads_models
