#include "adagents/ads/outcome_book.h"

namespace adagents::ads {
namespace {

// Events settle some old impressions on their way, so that none has to settle very many.
constexpr size_t kSettledPerEvent = 8;

constexpr std::array kActions = {Action::kClick, Action::kCompletion, Action::kConversion};

uint8_t BitOf(OutcomeKind kind) { return static_cast<uint8_t>(1u << static_cast<unsigned>(kind)); }
uint8_t BitOf(Action action) { return static_cast<uint8_t>(1u << static_cast<unsigned>(action)); }

/// kNone: the event is no action.
Action ActionOf(OutcomeKind kind) {
  switch (kind) {
    case OutcomeKind::kClick:
      return Action::kClick;
    case OutcomeKind::kCompletion:
      return Action::kCompletion;
    case OutcomeKind::kConversion:
      return Action::kConversion;
    case OutcomeKind::kImpression:
    case OutcomeKind::kLoss:
      return Action::kNone;
  }
  return Action::kNone;
}

}  // namespace

OutcomeBook::OutcomeBook(const OutcomeBookOptions& options)
    : options_(options),
      window_(absl::ToInt64Nanoseconds(options.window)),
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
  const uint8_t learnable = LearnableOf(bid);
  const Action action = ActionOf(event.kind);
  if ((learnable & ~bid.learnt & BitOf(action)) != 0) Learn(key, &bid, action, true, models);
  if (before == 0 && (learnable & ~bid.learnt) != 0) {
    // When it is full, the bid of the oldest has been evicted long since.
    if (waiting_.size() >= options_.capacity) waiting_.pop_front();
    waiting_.push_back({key, now});
  }
  (void)bids_.Upsert(key, [&](RememberedBid& entry, bool) { entry = bid; });
  return true;
}

/// The actions that can be told of a bid, as bits.
uint8_t OutcomeBook::LearnableOf(const RememberedBid& bid) const {
  unsigned actions = BitOf(bid.target);
  if (options_.every_action) {
    actions |= BitOf(Action::kClick);
    if (bid.timed) actions |= BitOf(Action::kCompletion);
  }
  return static_cast<uint8_t>(actions);
}

void OutcomeBook::Learn(uint64_t key, RememberedBid* bid, Action action, bool happened,
                        RelevanceModels* models) const {
  bid->learnt = static_cast<uint8_t>(bid->learnt | BitOf(action));
  RelevanceModel& model = models->Of(action);
  const float log_odds = options_.learns ? model.LogOdds(bid->context, bid->creative) : 0.0f;
  model.Learn(bid->context, bid->creative, happened, 1.0,
              options_.shift ? options_.shift(key, action) : 0.0f);
  if (options_.learns) options_.learns(key, action, log_odds, happened);
  if (options_.settled && action == bid->target) options_.settled(key, happened);
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
    if (!bids_.Find(key, &bid)) continue;
    const unsigned left = LearnableOf(bid) & ~bid.learnt;
    if (left == 0) continue;
    for (const Action action : kActions) {
      if ((left & BitOf(action)) != 0) Learn(key, &bid, action, false, models);
    }
    ++learnt;
    (void)bids_.Upsert(key, [&](RememberedBid& entry, bool) { entry = bid; });
  }
  return learnt;
}

size_t OutcomeBook::waiting() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return waiting_.size();
}

}  // namespace adagents::ads
