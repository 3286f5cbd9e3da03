#include "ads/campaign_books.h"

#include <vector>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::ads::internal {
namespace {

const Campaign* FindIn(const Catalog* catalog, const std::string& id) {
  if (catalog == nullptr) return nullptr;
  const auto index = catalog->Find(id);
  return index ? &catalog->campaign(*index) : nullptr;
}

}  // namespace

absl::Status CampaignBooks::SetGoal(const Campaign& c, const Campaign* before) const {
  if (pacer == nullptr) return absl::OkStatus();
  const PacingGoal goal = GoalOf(c);
  if (before != nullptr && GoalOf(*before) == goal) return absl::OkStatus();  // its plan goes on
  const BudgetUse used = ledger->Used(c.key);
  // Without a daily budget the whole flight is one period.
  if (goal.daily.value > 0) {
    return pacer->Set(c.key, goal, used.today, used.before, used.as_of);
  }
  return pacer->Set(c.key, goal, used.today + used.before, {}, used.as_of);
}

absl::Status CampaignBooks::OpenOne(const Campaign& c, const Campaign* before) const {
  AccountConfig config{.campaign = c.key,
                       .currency = c.currency,
                       .daily = c.budget.daily,
                       .lifetime = c.budget.lifetime};
  if (!c.budget.time_zone.empty()) {  // the catalog has seen to it that there is such a zone
    (void)absl::LoadTimeZone(c.budget.time_zone, &config.time_zone);
  }
  absl::Status status = ledger->SetAccount(config);
  if (status.ok()) status = SetGoal(c, before);
  if (status.ok()) return status;
  return MakeStatus(status.code(), fmt::format("the budget of campaign '{}': {}", c.id,
                                               std::string(status.message())));
}

absl::Status CampaignBooks::OpenAll(const Catalog* before, const Catalog& next,
                                    std::span<const uint32_t> indices) const {
  for (size_t i = 0; i < indices.size(); ++i) {
    const Campaign& c = next.campaign(indices[i]);
    absl::Status status = OpenOne(c, FindIn(before, c.id));
    if (status.ok()) continue;
    for (size_t k = 0; k <= i; ++k) {
      const Campaign& changed = next.campaign(indices[k]);
      const Campaign* old = FindIn(before, changed.id);
      if (old != nullptr) {
        (void)OpenOne(*old, k < i ? &changed : nullptr);
      } else {
        CloseOne(changed.key);
      }
    }
    return status;
  }
  LeaseAheadForNew(before, next, indices);
  return absl::OkStatus();
}

/// So that they bid from the beginning. When the source fails, its health tells, and leases come
/// with the first bids after it has recovered.
void CampaignBooks::LeaseAheadForNew(const Catalog* before, const Catalog& next,
                                     std::span<const uint32_t> indices) const {
  std::vector<uint64_t> fresh;
  for (const uint32_t index : indices) {
    const Campaign& c = next.campaign(index);
    if (FindIn(before, c.id) == nullptr) fresh.push_back(c.key);
  }
  (void)ledger->LeaseAhead(fresh);
}

absl::Status CampaignBooks::Open(const Catalog* before, const Catalog& next) const {
  if (ledger == nullptr) return absl::OkStatus();
  std::vector<uint32_t> indices;
  indices.reserve(next.size());
  for (uint32_t i = 0; i < next.index_end(); ++i) {
    if (next.Has(i)) indices.push_back(i);
  }
  return OpenAll(before, next, indices);
}

absl::Status CampaignBooks::Open(const Catalog* before, const Catalog& next,
                                 std::span<const std::string> ids) const {
  if (ledger == nullptr) return absl::OkStatus();
  std::vector<uint32_t> indices;
  for (const std::string& id : ids) {
    if (const auto index = next.Find(id)) indices.push_back(*index);
  }
  return OpenAll(before, next, indices);
}

void CampaignBooks::CloseOne(uint64_t key) const {
  (void)ledger->CloseAccount(key);
  if (pacer != nullptr) (void)pacer->Remove(key);
}

void CampaignBooks::Close(const Catalog& before, const Catalog& now) const {
  if (ledger == nullptr) return;
  for (uint32_t i = 0; i < before.index_end(); ++i) {
    if (!before.Has(i)) continue;
    const Campaign& c = before.campaign(i);
    if (!now.Find(c.id)) CloseOne(c.key);
  }
}

void CampaignBooks::Close(const Catalog& now, std::span<const std::string> ids) const {
  if (ledger == nullptr) return;
  for (const std::string& id : ids) {
    if (!now.Find(id)) CloseOne(StableHash64(id));
  }
}

}  // namespace adagents::ads::internal
