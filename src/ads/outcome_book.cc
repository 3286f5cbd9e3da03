#include "adagents/ads/outcome_book.h"

namespace adagents::ads {
namespace {

// Events settle some old impressions on their way, so that none has to settle very many.
constexpr size_t kSettledPerEvent = 8;

uint8_t BitOf(OutcomeKind kind) { return static_cast<uint8_t>(1u << static_cast<unsigned>(kind)); }

bool IsSuccess(OutcomeKind kind, Action target) {
  switch (kind) {
    case OutcomeKind::kImpression:
      return false;
    case OutcomeKind::kClick:
      return target == Action::kClick;
    case OutcomeKind::kCompletion:
      return target == Action::kCompletion;
    case OutcomeKind::kConversion:
      return target == Action::kConversion;
    case OutcomeKind::kLoss:
      return false;
  }
  return false;
}

}  // namespace

OutcomeBook::OutcomeBook(const OutcomeBookOptions& options)
    : window_(absl::ToInt64Nanoseconds(options.window)),
      capacity_(options.capacity),
      settled_(options.settled),
      bids_({.capacity = options.capacity,
             .ttl = options.window * 2 + absl::Minutes(1),
             .when_full = WhenFull::kEvict,
             .clock = options.clock}) {}

void OutcomeBook::Remember(uint64_t decision, uint32_t bid, const RememberedBid& what) {
  (void)bids_.Upsert(KeyOf(decision, bid), [&](RememberedBid& entry, bool) { entry = what; });
}

uint64_t OutcomeBook::CampaignOf(uint64_t decision, uint32_t bid) const {
  RememberedBid found;
  return bids_.Find(KeyOf(decision, bid), &found) ? found.campaign : 0;
}

bool OutcomeBook::Record(const OutcomeEvent& event, int64_t now, RelevanceModels* models) {
  if (event.kind == OutcomeKind::kLoss) return false;  // nobody saw it: nothing to learn
  const uint64_t key = KeyOf(event.decision, event.bid);
  const std::lock_guard<std::mutex> lock(mutex_);
  (void)SettleLocked(now, kSettledPerEvent, models);
  RememberedBid bid;
  if (!bids_.Find(key, &bid) || (bid.seen & BitOf(event.kind)) != 0) return false;
  const uint8_t before = bid.seen;
  bid.seen = static_cast<uint8_t>(bid.seen | BitOf(event.kind) | BitOf(OutcomeKind::kImpression));
  if (!bid.learnt && IsSuccess(event.kind, bid.target)) {
    Learn(key, bid, true, models);
    bid.learnt = true;
  } else if (before == 0 && !bid.learnt) {
    if (waiting_.size() >= capacity_) waiting_.pop_front();  // its bid has been evicted long since
    waiting_.push_back({key, now});
  }
  (void)bids_.Upsert(key, [&](RememberedBid& entry, bool) { entry = bid; });
  return true;
}

void OutcomeBook::Learn(uint64_t key, const RememberedBid& bid, bool happened,
                        RelevanceModels* models) const {
  models->Of(bid.target).Learn(bid.context, bid.creative, happened);
  if (settled_) settled_(key, happened);
}

size_t OutcomeBook::Settle(int64_t now, RelevanceModels* models) {
  const std::lock_guard<std::mutex> lock(mutex_);
  return SettleLocked(now, waiting_.size(), models);
}

size_t OutcomeBook::SettleLocked(int64_t now, size_t most, RelevanceModels* models) {
  size_t learnt = 0;
  for (; most > 0 && !waiting_.empty() && now - waiting_.front().since >= window_; --most) {
    const uint64_t key = waiting_.front().key;
    waiting_.pop_front();
    RememberedBid bid;
    if (!bids_.Find(key, &bid) || bid.learnt) continue;
    Learn(key, bid, false, models);
    ++learnt;
    bid.learnt = true;
    (void)bids_.Upsert(key, [&](RememberedBid& entry, bool) { entry = bid; });
  }
  return learnt;
}

size_t OutcomeBook::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return waiting_.size();
}

}  // namespace adagents::ads
