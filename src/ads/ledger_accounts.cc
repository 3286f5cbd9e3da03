#include "ads/ledger_accounts.h"

#include <vector>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::ads::internal {
namespace {

absl::Status Open(Ledger& ledger, const Campaign& c) {
  AccountConfig config{.campaign = c.key,
                       .currency = c.currency,
                       .daily = c.budget.daily,
                       .lifetime = c.budget.lifetime};
  if (!c.budget.time_zone.empty()) {  // the catalog has seen to it that there is such a zone
    (void)absl::LoadTimeZone(c.budget.time_zone, &config.time_zone);
  }
  const absl::Status status = ledger.SetAccount(config);
  if (status.ok()) return status;
  return MakeStatus(status.code(), fmt::format("the budget of campaign '{}': {}", c.id,
                                               std::string(status.message())));
}

/// Opens those at `indices`; on an error, the accounts are those of `before` again.
absl::Status OpenAll(Ledger& ledger, const Catalog* before, const Catalog& next,
                     const std::vector<uint32_t>& indices) {
  for (size_t i = 0; i < indices.size(); ++i) {
    absl::Status status = Open(ledger, next.campaign(indices[i]));
    if (status.ok()) continue;
    for (size_t k = 0; k < i; ++k) {
      const Campaign& c = next.campaign(indices[k]);
      const auto old = before != nullptr ? before->Find(c.id) : std::nullopt;
      if (old) {
        (void)Open(ledger, before->campaign(*old));
      } else {
        (void)ledger.CloseAccount(c.key);
      }
    }
    return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status OpenAccounts(Ledger* ledger, const Catalog* before, const Catalog& next) {
  if (ledger == nullptr) return absl::OkStatus();
  std::vector<uint32_t> indices;
  indices.reserve(next.size());
  for (uint32_t i = 0; i < next.index_end(); ++i) {
    if (next.Has(i)) indices.push_back(i);
  }
  return OpenAll(*ledger, before, next, indices);
}

absl::Status OpenAccounts(Ledger* ledger, const Catalog* before, const Catalog& next,
                          std::span<const std::string> ids) {
  if (ledger == nullptr) return absl::OkStatus();
  std::vector<uint32_t> indices;
  for (const std::string& id : ids) {
    if (const auto index = next.Find(id)) indices.push_back(*index);
  }
  return OpenAll(*ledger, before, next, indices);
}

void CloseAccounts(Ledger* ledger, const Catalog& before, const Catalog& now) {
  if (ledger == nullptr) return;
  for (uint32_t i = 0; i < before.index_end(); ++i) {
    if (!before.Has(i)) continue;
    const Campaign& c = before.campaign(i);
    if (!now.Find(c.id)) (void)ledger->CloseAccount(c.key);
  }
}

void CloseAccounts(Ledger* ledger, const Catalog& now, std::span<const std::string> ids) {
  if (ledger == nullptr) return;
  for (const std::string& id : ids) {
    if (!now.Find(id)) (void)ledger->CloseAccount(StableHash64(id));
  }
}

}  // namespace adagents::ads::internal
