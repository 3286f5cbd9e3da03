// What became of a bid, as notices and player events report it. Engine::Record() takes them.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/time/time.h"
#include "adagents/base/money.h"

namespace adagents::ads {

/// kLoss: the bid lost its auction, or won and was never shown; nothing else follows.
enum class OutcomeKind : uint8_t { kImpression, kClick, kCompletion, kConversion, kLoss };

constexpr std::string_view Name(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kImpression:
      return "impression";
    case OutcomeKind::kClick:
      return "click";
    case OutcomeKind::kCompletion:
      return "completion";
    case OutcomeKind::kConversion:
      return "conversion";
    case OutcomeKind::kLoss:
      return "loss";
  }
  return "unknown";
}

/// One event about one bid. Each kind counts once per bid, however often it is reported. An
/// impression comes before the others: those without one are taken to imply it. A plain value,
/// which any thread may make.
///
/// Where a ledger bounds budgets, impressions and losses also say what the bid was about, as its
/// signed notice does. Actions should name the campaign: a target cost then hears of each while the
/// ledger remembers the bid; without a name, as long as the relevance memory does.
struct OutcomeEvent {
  uint64_t decision = 0;  ///< Decision::id
  uint32_t bid = 0;       ///< index into Decision::bids
  OutcomeKind kind = OutcomeKind::kImpression;

  uint64_t campaign = 0;  ///< Campaign::key, StableHash64 of its id
  Micros price{};         ///< of an impression: CPM that is charged, at most Bid::price
  Currency cur{};         ///< of `price`
  absl::Time issued{};    ///< when it was decided; for decisions of earlier processes
};

}  // namespace adagents::ads
