// Keeps the accounts of a ledger and the goals of a pacer those of a catalog.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/ledger.h"
#include "adagents/ads/pacer.h"

namespace adagents::ads::internal {

/// Thread-compatible: one change at a time. Plain value; without a ledger there is nothing to keep.
struct CampaignBooks {
  Ledger* ledger = nullptr;
  Pacer* pacer = nullptr;  ///< null: nobody is paced

  /// Opens the accounts of all campaigns of `next`, or of those named, or changes their bounds, and
  /// sets their goals; those that are new get a first lease. Call it before `next` decides. On an
  /// error, which names the campaign, all is as `before` has it again.
  absl::Status Open(const Catalog* before, const Catalog& next) const;
  absl::Status Open(const Catalog* before, const Catalog& next,
                    std::span<const std::string> ids) const;

  /// Closes those of campaigns of `before`, or of those named, that are not in `now`.
  void Close(const Catalog& before, const Catalog& now) const;
  void Close(const Catalog& now, std::span<const std::string> ids) const;

 private:
  absl::Status OpenOne(const Campaign& c, const Campaign* before) const;
  absl::Status SetGoal(const Campaign& c, const Campaign* before) const;
  absl::Status OpenAll(const Catalog* before, const Catalog& next,
                       std::span<const uint32_t> indices) const;
  void LeaseAheadForNew(const Catalog* before, const Catalog& next,
                        std::span<const uint32_t> indices) const;
  void CloseOne(uint64_t key) const;
};

}  // namespace adagents::ads::internal
