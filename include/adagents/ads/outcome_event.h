// What became of a bid, as notices and player events report it. Engine::Record() takes them.
#pragma once

#include <cstdint>
#include <string_view>

namespace adagents::ads {

enum class OutcomeKind : uint8_t { kImpression, kClick, kCompletion, kConversion };

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
  }
  return "unknown";
}

/// One event about one bid. Each kind counts once per bid, however often it is reported. An
/// impression comes before the others: those without one are taken to imply it. Plain value.
struct OutcomeEvent {
  uint64_t decision = 0;  ///< Decision::id
  uint32_t bid = 0;       ///< index into Decision::bids
  OutcomeKind kind = OutcomeKind::kImpression;
};

}  // namespace adagents::ads
