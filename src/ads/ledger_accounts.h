// Keeps the accounts of a ledger those of a catalog. A null ledger has none.
#pragma once

#include <span>
#include <string>

#include "absl/status/status.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/ledger.h"

namespace adagents::ads::internal {

/// Opens the accounts of all campaigns of `next`, or of those named, or changes their bounds. Call
/// it before `next` decides. On an error, which names the campaign, accounts are those of `before`
/// again.
absl::Status OpenAccounts(Ledger* ledger, const Catalog* before, const Catalog& next);
absl::Status OpenAccounts(Ledger* ledger, const Catalog* before, const Catalog& next,
                          std::span<const std::string> ids);

/// Closes the accounts of campaigns of `before`, or of those named, that are not in `now`.
void CloseAccounts(Ledger* ledger, const Catalog& before, const Catalog& now);
void CloseAccounts(Ledger* ledger, const Catalog& now, std::span<const std::string> ids);

}  // namespace adagents::ads::internal
