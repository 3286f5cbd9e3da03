#include "adagents/ads/lease_source.h"

#include <map>
#include <tuple>
#include <utility>

#include "ads/lease_book.h"

namespace adagents::ads {

namespace {
constexpr size_t kMostLates = 1 << 16;
}  // namespace

struct MemoryLeaseSource::State {
  using WinKey = std::tuple<uint64_t, uint32_t, uint64_t>;  // decision, imp, account

  mutable std::mutex mutex;
  internal::LeaseBook book;
  std::map<WinKey, int64_t> wins;  // when they were charged
  std::map<WinKey, LateWin> lates;

  void Note(const LeaseBatch& batch) {
    for (const LeaseSpend& win : batch.spends) {
      const WinKey key{win.decision, win.imp, win.account};
      wins[key] = batch.wall_nanos;
      if (win.late) {
        lates[key] = {win.decision,          win.imp,         win.account, win.amount, win.amount,
                      LateOutcome::kCharged, batch.wall_nanos};
      }
    }
    for (const LeaseLate& win : batch.lates) {
      if (win.outcome == LateOutcome::kDuplicate) continue;
      const WinKey key{win.decision, win.imp, win.account};
      wins[key] = batch.wall_nanos;
      lates[key] = {win.decision, win.imp,     win.account,     win.amount,
                    win.charged,  win.outcome, batch.wall_nanos};
    }
    while (!wins.empty() && wins.begin()->second < batch.forget_nanos) wins.erase(wins.begin());
    while (lates.size() > kMostLates) lates.erase(lates.begin());
  }
};

MemoryLeaseSource::MemoryLeaseSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
MemoryLeaseSource::~MemoryLeaseSource() = default;

std::unique_ptr<MemoryLeaseSource> MemoryLeaseSource::Create(uint32_t epoch) {
  auto state = std::make_unique<State>();
  state->book.Load(internal::EpochRow{.epoch = epoch});
  return std::unique_ptr<MemoryLeaseSource>(new MemoryLeaseSource(std::move(state)));
}

uint32_t MemoryLeaseSource::epoch() const {
  const std::lock_guard lock(state_->mutex);
  return state_->book.epoch();
}

absl::Status MemoryLeaseSource::Apply(LeaseBatch* batch) {
  const std::lock_guard lock(state_->mutex);
  const absl::Status status = state_->book.Apply(batch, [this](const LeaseLate& late) {
    return state_->wins.count({late.decision, late.imp, late.account}) != 0;
  });
  if (!status.ok()) {
    state_->book.TakeBack();
    return status;
  }
  state_->book.Keep();
  state_->Note(*batch);
  return absl::OkStatus();
}

absl::Status MemoryLeaseSource::Close(int64_t wall_nanos) {
  const std::lock_guard lock(state_->mutex);
  state_->book.EndWell(wall_nanos);
  return absl::OkStatus();
}

std::optional<LeaseTotals> MemoryLeaseSource::Totals(uint64_t account) const {
  const std::lock_guard lock(state_->mutex);
  return state_->book.Totals(account);
}

int64_t MemoryLeaseSource::Gone(uint64_t account, int64_t day) const {
  const std::lock_guard lock(state_->mutex);
  return state_->book.Gone(account, day);
}

absl::StatusOr<std::vector<LateWin>> MemoryLeaseSource::LateWins() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<LateWin> out;
  for (const auto& [key, win] : state_->lates) out.push_back(win);
  return out;
}

void MemoryLeaseSource::Restart(int64_t wall_nanos) {
  const std::lock_guard lock(state_->mutex);
  std::vector<internal::EpochRow> crashed;
  state_->book.Start(wall_nanos, &crashed);
}

}  // namespace adagents::ads
