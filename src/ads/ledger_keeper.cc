#include "ads/ledger_keeper.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "adagents/base/status.h"

namespace adagents::ads::internal {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
/// All accounts are visited in turn, once in so long: for days that end, and for idle ones.
constexpr int64_t kRound = 10 * kSecond;
/// An account whose budget is used up asks again after so long, for what others returned.
constexpr int64_t kAskAgain = 1 * kSecond;
/// A source that fails is tried again after so long, doubled up to a second.
constexpr int64_t kFirstRetry = 10'000'000;
constexpr int64_t kLastRetry = kSecond;

/// Between a late win's arrival and its being applied.
constexpr int64_t kSlack = 60 * kSecond;

absl::Status OtherCurrency(Currency has) {
  return FailedPrecondition("the account's currency is " + std::string(has.code()) +
                            " and cannot change");
}

int64_t Share(double share, int64_t of) {
  const double part = share * static_cast<double>(of);
  return part < 9e18 ? std::min(of, static_cast<int64_t>(part)) : of;
}

}  // namespace

LedgerKeeper::LedgerKeeper(LeaseSource* source, const LedgerOptions& options, LedgerBoard* board)
    : source_(source), options_(options), board_(board) {
  LookAtClocks();
  visited_at_ = swept_at_ = now_;
  batch_.spends.reserve(kMostWins);
  due_.reserve(kSetsAtOnce * 16);
}

LedgerKeeper::~LedgerKeeper() { (void)Shutdown(); }

void LedgerKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "adagents-ledger");
}

void LedgerKeeper::Run() {
  const auto pause = std::chrono::nanoseconds(absl::ToInt64Nanoseconds(options_.tick));
  for (;;) {
    (void)Tick();
    std::unique_lock lock(wake_mutex_);
    wake_.wait_for(lock, pause, [this] { return stop_ || hurry_; });
    if (stop_) return;
    hurry_ = false;
  }
}

absl::Status LedgerKeeper::Tick() {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return shutdown_status_;
  return TickLocked();
}

absl::Status LedgerKeeper::TickLocked() {
  uint64_t round = 0;
  {
    const std::lock_guard lock(wake_mutex_);
    round = ++rounds_begun_;
  }
  const WinLog<LoggedWin>& log = board_->log;
  const uint64_t pushed = log.pushed();
  LookAtClocks();
  absl::Status status;
  for (int waits = 0;;) {
    const uint64_t before = log.popped();
    more_to_return_ = false;
    DrainLog();
    Expire();
    if (retry_after_ > 0 && now_ < next_try_ && !shutting_down_) return health().status;
    SettleOwed();
    VisitThoseWhoCalled();
    status = Flush();
    if (!status.ok()) return status;
    if (shutting_down_ && more_to_return_) continue;
    // The next tick goes on with what comes meanwhile: its clocks are later.
    if (!owed_.empty() && (shutting_down_ || ++waits < kMostWaits)) continue;
    if (log.popped() >= pushed) break;
    if (log.popped() == before) return status;  // a thread is in the middle of its TryPush()
  }
  const std::lock_guard lock(wake_mutex_);
  rounds_done_ = round;
  wake_.notify_all();
  return status;
}

void LedgerKeeper::LookAtClocks() {
  now_ = board_->clock.Now();
  wall_ = absl::ToUnixNanos(board_->clock.WallNow());
  board_->wall_minus_now.store(wall_ - now_, std::memory_order_relaxed);
}

/// Reads wins as long as they fit into one group.
void LedgerKeeper::DrainLog() {
  LoggedWin win;
  while (batch_.spends.size() + batch_.lates.size() + owed_.size() < kMostWins &&
         board_->log.TryPop(&win)) {
    if (win.owed) {
      owed_.push_back({win, board_->log.popped()});
      continue;
    }
    if (win.foreign) {
      batch_.lates.push_back(
          {win.decision, win.imp, win.campaign, win.currency, win.amount, {}, 0, 0});
      late_accounts_.push_back(win.account);
      continue;
    }
    PoolBook& pool = books_[win.account].pools[win.pool];
    pool.drained += win.amount;
    batch_.spends.push_back({win.decision, win.imp, win.campaign, pool.day, win.amount, win.late});
    spend_places_.push_back({win.account, win.pool});
  }
}

/// Late wins for which nothing was leased: paid from what is by now, or more is asked for. As one
/// account may have more of them than it may have open at once, it goes on while any are paid.
void LedgerKeeper::SettleOwed() {
  constexpr int kMostTries = 3;
  const size_t before = owed_.size();
  std::erase_if(owed_, [this](const Owed& owed) { return Pay(owed.win); });
  for (Owed& owed : owed_) owed.tries = owed_.size() < before ? 0 : owed.tries + 1;
  std::erase_if(owed_, [this](const Owed& owed) {
    if (owed.tries > kMostTries) {
      NotPaid(owed.win);
      return true;
    }
    board_->account(owed.win.account).Want(owed.win.amount);
    board_->Call(owed.win.account);
    return false;
  });
}

/// From the pool of today. False when that has not so much, or no day.
bool LedgerKeeper::Pay(const LoggedWin& win) {
  Account& account = board_->account(win.account);
  const int today = account.PoolAt(wall_);
  if (today < 0) return false;
  const auto which = static_cast<size_t>(today);
  if (!account.pools[which].used.TryAdd(win.amount)) return false;
  account.pools[which].spent.fetch_add(win.amount, std::memory_order_relaxed);
  account.late.Add(win.amount);
  carried_over_[win.campaign] += win.amount;
  PoolBook& pool = books_[win.account].pools[which];
  pool.drained += win.amount;
  batch_.spends.push_back({win.decision, win.imp, win.campaign, pool.day, win.amount, true});
  spend_places_.push_back({win.account, which});
  board_->events.Add({CommitOutcome::kLate,
                      win.decision,
                      win.imp,
                      win.campaign,
                      {win.amount},
                      {win.amount},
                      absl::FromUnixNanos(wall_)});
  return true;
}

void LedgerKeeper::NotPaid(const LoggedWin& win) {
  board_->account(win.account).late_uncharged.Add(win.amount);
  board_->events.Add({CommitOutcome::kLateUncharged,
                      win.decision,
                      win.imp,
                      win.campaign,
                      {win.amount},
                      {},
                      absl::FromUnixNanos(wall_)});
}

/// Up to where in the log everything is settled, once what was read of it is on the disk.
uint64_t LedgerKeeper::DurableTo() const {
  return owed_.empty() ? board_->log.popped() : owed_.front().ticket - 1;
}

/// Gives up the reservations whose time is over and forgets those that were settled long ago.
/// A part of all records at a time, so that each is looked at once in ttl / 16.
void LedgerKeeper::Expire() {
  const size_t sets = board_->records.sets();
  const double share =
      static_cast<double>(now_ - swept_at_) * 16 / static_cast<double>(board_->ttl);
  auto quota = static_cast<size_t>(std::min(share, 1.0) * static_cast<double>(sets));
  if (quota == 0) return;
  swept_at_ = now_;
  for (quota = std::min(quota, sets); quota > 0;) {
    due_.clear();
    const size_t part = std::min(quota, kSetsAtOnce);
    board_->records.ForEachIn(next_set_, part, [this](uint64_t id, const Record& record) {
      if (record.IsOver(now_)) due_.push_back(id);
    });
    for (const uint64_t id : due_) (void)board_->GiveUp(id, now_);
    next_set_ = next_set_ + part < sets ? next_set_ + part : 0;
    quota -= part;
  }
}

void LedgerKeeper::VisitThoseWhoCalled() {
  const uint32_t accounts = board_->accounts();
  if (shutting_down_) {
    for (uint32_t i = 0; i < accounts; ++i) Visit(i);
    return;
  }
  board_->TakeCalls([this](uint32_t index) { Visit(index); });
  // As many of the others as the time since their last turn is worth.
  const double share = static_cast<double>(now_ - visited_at_) / static_cast<double>(kRound);
  const auto quota = std::min<int64_t>(accounts, static_cast<int64_t>(share * accounts));
  if (quota <= 0) return;
  visited_at_ = now_;
  for (int64_t i = 0; i < quota; ++i) {
    if (next_visit_ >= accounts) next_visit_ = 0;
    Visit(next_visit_++);
  }
}

void LedgerKeeper::Visit(uint32_t index) {
  Account& account = board_->account(index);
  Book& book = books_[index];
  TakeUnlisted(index);
  if (book.closed || shutting_down_) {
    GiveBack(index, 0);
    GiveBack(index, 1);
    return;
  }
  // A bid that is lost before anybody looks leaves `used` as it was, but it was released.
  const int64_t seen = account.pools[0].used.value() + account.pools[1].used.value() +
                       account.released.count.load(std::memory_order_relaxed);
  const bool wanted = account.wanted.load(std::memory_order_relaxed) > 0;
  if (seen != book.seen || wanted) book.busy_at = now_;
  book.seen = seen;
  const bool busy = now_ - book.busy_at < absl::ToInt64Nanoseconds(options_.idle_return);

  const BudgetDay today = BudgetDayOf(absl::FromUnixNanos(wall_), book.config.time_zone);
  const bool near_midnight = today.end - absl::FromUnixNanos(wall_) <= options_.lease_ahead;
  const auto pool = static_cast<size_t>(today.day & 1);
  const size_t other = pool ^ 1;
  // Yesterday's, or tomorrow's if the clocks were put back.
  if (!near_midnight || book.pools[other].day != today.day + 1) GiveBack(index, other);
  // Of an even number of days ago, after a machine has slept or its clock was set.
  if (book.pools[pool].day != today.day) GiveBack(index, pool);
  if (!Prepare(index, today)) return;  // someone still holds the day before yesterday's money
  if (!busy) {
    GiveBack(index, pool);
    return;
  }
  Ask(index, pool);
  if (near_midnight && busy && Prepare(index, BudgetDayOf(today.end, book.config.time_zone))) {
    Ask(index, other);
  }
}

/// Lets the pool of `day` serve it. False while it has money of another day.
bool LedgerKeeper::Prepare(uint32_t index, const BudgetDay& day) {
  const auto which = static_cast<size_t>(day.day & 1);
  PoolBook& book = books_[index].pools[which];
  Pool& pool = board_->account(index).pools[which];
  if (book.day != day.day) {
    if (book.leased != book.drained + book.returned) return false;
    book.day = day.day;
    book.next_ask = 0;
    pool.low_water.store(books_[index].block / 2, std::memory_order_relaxed);
  }
  pool.begin.store(absl::ToUnixNanos(day.begin), std::memory_order_relaxed);
  pool.end.store(absl::ToUnixNanos(day.end), std::memory_order_relaxed);
  return true;
}

void LedgerKeeper::TakeUnlisted(uint32_t index) {
  for (size_t p = 0; p < 2; ++p) {
    std::atomic<int64_t>& unlisted = board_->account(index).pools[p].unlisted;
    if (unlisted.load(std::memory_order_relaxed) == 0) continue;
    const int64_t amount = unlisted.exchange(0, std::memory_order_relaxed);
    PoolBook& book = books_[index].pools[p];
    book.drained += amount;
    batch_.unlisted.push_back({board_->account(index).campaign, book.day, amount});
    unlisted_places_.push_back({index, p});
  }
}

/// Takes what is free out of the pool and returns it with the next group.
void LedgerKeeper::GiveBack(uint32_t index, size_t which) {
  Pool& pool = board_->account(index).pools[which];
  const int64_t free = pool.used.left();
  if (free == 0) return;
  if (batch_.returns.size() >= kMostAsks) {  // they stay where they are until the next group
    more_to_return_ = true;
    return;
  }
  if (!pool.used.TryAdd(free)) return;
  Book& book = books_[index];
  book.pools[which].returned += free;
  book.seen += free;
  pool.returned.store(book.pools[which].returned, std::memory_order_relaxed);
  batch_.returns.push_back({board_->account(index).campaign, book.pools[which].day, free});
}

/// Asks for a block when little is left, as far as the bound on open leases allows.
void LedgerKeeper::Ask(uint32_t index, size_t which) {
  Account& account = board_->account(index);
  Pool& pool = account.pools[which];
  Book& book = books_[index];
  const int64_t free = pool.used.left();
  const int64_t wanted = account.wanted.load(std::memory_order_relaxed);
  if (free >= pool.low_water.load(std::memory_order_relaxed) && free >= wanted) {
    account.wanted.store(0, std::memory_order_relaxed);
    return;
  }
  PoolBook& known = book.pools[which];
  if (now_ < known.next_ask || known.asked) return;
  if (batch_.asks.size() >= kMostAsks) {
    board_->Call(index);
    return;
  }
  const int64_t open = known.leased - known.durable - known.returned;
  const int64_t want = std::min(std::max(book.block, wanted - free), book.max_open - open);
  if (want <= 0) return;
  batch_.asks.push_back({.account = account.campaign,
                         .currency = account.currency,
                         .day = known.day,
                         .want = want,
                         .daily = book.config.daily.value,
                         .lifetime = book.config.lifetime.value});
  ask_places_.push_back({index, which});
  known.asked = true;
}

absl::Status LedgerKeeper::Flush() {
  const uint64_t durable_to = DurableTo();
  if (batch_.empty() && now_ < next_idle_apply_ && !shutting_down_) {
    board_->durable.store(durable_to, std::memory_order_relaxed);
    return absl::OkStatus();
  }
  next_idle_apply_ = now_ + kRound;
  batch_.wall_nanos = wall_;
  batch_.forget_nanos = wall_ - board_->ttl - kSlack;
  const absl::Status status = source_->Apply(&batch_);
  SetHealth(status);
  if (!status.ok()) {
    // All but the asks is tried again as it is.
    for (const Place& place : ask_places_) {
      books_[place.account].pools[place.pool].asked = false;
      board_->Call(place.account);
    }
    for (Owed& owed : owed_) owed.tries = 0;
    batch_.asks.clear();
    ask_places_.clear();
    retry_after_ = std::clamp(2 * retry_after_, kFirstRetry, kLastRetry);
    next_try_ = now_ + retry_after_;
    return status;
  }
  retry_after_ = 0;
  SpentDurably();
  NoteLates();
  Granted();
  batch_.clear();
  board_->durable.store(durable_to, std::memory_order_relaxed);
  return status;
}

void LedgerKeeper::SpentDurably() {
  for (size_t i = 0; i < spend_places_.size(); ++i) {
    books_[spend_places_[i].account].pools[spend_places_[i].pool].durable +=
        batch_.spends[i].amount;
  }
  for (size_t i = 0; i < unlisted_places_.size(); ++i) {
    books_[unlisted_places_[i].account].pools[unlisted_places_[i].pool].durable +=
        batch_.unlisted[i].amount;
  }
  spend_places_.clear();
  unlisted_places_.clear();
}

void LedgerKeeper::Granted() {
  for (size_t i = 0; i < ask_places_.size(); ++i) {
    const auto [index, which] = ask_places_[i];
    const LeaseAsk& ask = batch_.asks[i];
    PoolBook& book = books_[index].pools[which];
    Account& account = board_->account(index);
    Pool& pool = account.pools[which];
    book.asked = false;
    book.leased += ask.granted;
    pool.used.SetLimit(book.leased);
    const bool exhausted = ask.granted < ask.want;
    // What is wanted meanwhile, or still, is asked for by the next bid: without bids the account is
    // idle, whatever was refused.
    if (exhausted || pool.used.left() >= account.wanted.load(std::memory_order_relaxed)) {
      account.wanted.store(0, std::memory_order_relaxed);
    }
    pool.low_water.store(exhausted ? Pool::kExhausted : books_[index].block / 2,
                         std::memory_order_relaxed);
    if (exhausted) book.next_ask = now_ + kAskAgain;
  }
  ask_places_.clear();
}

void LedgerKeeper::NoteLates() {
  for (size_t i = 0; i < batch_.lates.size(); ++i) {
    const LeaseLate& late = batch_.lates[i];
    CommitOutcome outcome = CommitOutcome::kUnknown;
    Account* account =
        late_accounts_[i] == kNoAccount ? nullptr : &board_->account(late_accounts_[i]);
    if (account != nullptr && late.newly_gone > 0) {
      carried_over_[late.account] += late.newly_gone;
    }
    switch (late.outcome) {
      case LateOutcome::kCharged:
        outcome = CommitOutcome::kLate;
        if (account != nullptr) account->carried_over.Add(late.charged);
        break;
      case LateOutcome::kDuplicate:
        outcome = CommitOutcome::kDuplicate;
        if (account != nullptr) account->duplicate.Add(late.amount);
        break;
      case LateOutcome::kShort:
        outcome = CommitOutcome::kLateUncharged;
        if (account != nullptr) {
          account->late_uncharged.Add(late.amount - late.charged);
          if (late.charged > 0) account->carried_over.Add(late.charged);
        }
        break;
      case LateOutcome::kUnknown:
        break;
    }
    board_->events.Add({outcome,
                        late.decision,
                        late.imp,
                        late.account,
                        {late.amount},
                        {late.charged},
                        absl::FromUnixNanos(wall_)});
  }
  late_accounts_.clear();
}

absl::Status LedgerKeeper::Sync(absl::Duration timeout) {
  if (!thread_.joinable()) return Tick();
  const auto until = std::chrono::steady_clock::now() + absl::ToChronoNanoseconds(timeout);
  std::unique_lock lock(wake_mutex_);
  // The round that runs may have looked already.
  const uint64_t round = rounds_begun_ + 1;
  hurry_ = true;
  wake_.notify_all();
  while (rounds_done_ < round) {
    if (wake_.wait_until(lock, until) == std::cv_status::timeout && rounds_done_ < round) {
      lock.unlock();
      return MakeStatus(absl::StatusCode::kDeadlineExceeded,
                        "not durable in time: " + health().status.ToString());
    }
    if (rounds_begun_ < round) hurry_ = true;
  }
  return absl::OkStatus();
}

absl::Status LedgerKeeper::Shutdown() {
  board_->closed.store(true, std::memory_order_relaxed);
  std::thread thread;
  {
    const std::lock_guard lock(wake_mutex_);
    stop_ = true;
    wake_.notify_all();
    thread.swap(thread_);  // of two who shut down one waits
  }
  if (thread.joinable()) thread.join();
  const std::lock_guard lock(mutex_);
  if (shut_down_) return shutdown_status_;
  shutting_down_ = true;
  shutdown_status_ = TickLocked();
  if (shutdown_status_.ok()) shutdown_status_ = source_->Close(wall_);
  shut_down_ = true;
  return shutdown_status_;
}

absl::Status LedgerKeeper::SetAccount(const AccountConfig& config) {
  if (config.daily.value < 0 || config.lifetime.value < 0) {
    return InvalidArgument("an account's daily and lifetime budgets cannot be negative");
  }
  if (config.daily.value == 0 && config.lifetime.value == 0) {
    return InvalidArgument("an account needs a daily or a lifetime budget");
  }
  const std::lock_guard lock(mutex_);
  if (shut_down_) return FailedPrecondition("the ledger was shut down");
  uint32_t index = kNoAccount;
  if (!board_->FindAccount(config.campaign, &index)) {
    const auto totals = source_->Totals(config.campaign);
    if (totals && totals->currency != config.currency) return OtherCurrency(totals->currency);
    books_.resize(board_->accounts() + 1);  // before anybody can find it
    index = board_->AddAccount(config.campaign, config.currency);
    if (index == kNoAccount) return ResourceExhausted("LedgerOptions::max_accounts is reached");
  }
  Account& account = board_->account(index);
  if (account.currency != config.currency) return OtherCurrency(account.currency);
  Book& book = books_[index];
  const auto lowered = [](Micros now, Micros before) {
    return now.value != 0 && (before.value == 0 || now < before);
  };
  if (lowered(config.daily, book.config.daily) || lowered(config.lifetime, book.config.lifetime)) {
    GiveBack(index, 0);
    GiveBack(index, 1);
  }
  if (config.time_zone != book.config.time_zone) {
    for (Pool& pool : account.pools) pool.end.store(0, std::memory_order_relaxed);
  }
  book.config = config;
  book.closed = false;
  for (PoolBook& pool : book.pools) pool.next_ask = 0;
  Measure(index);
  account.open.store(true, std::memory_order_relaxed);
  board_->Call(index);
  return absl::OkStatus();
}

/// The sizes that follow from the budget.
void LedgerKeeper::Measure(uint32_t index) {
  Book& book = books_[index];
  int64_t budget = std::numeric_limits<int64_t>::max();
  for (const Micros bound : {book.config.daily, book.config.lifetime}) {
    if (bound.value > 0) budget = std::min(budget, bound.value);
  }
  const int64_t least = options_.min_block.value;
  book.max_open = std::min(budget, std::max(least, Share(options_.max_open_share, budget)));
  book.block = std::min(book.max_open, std::max(least, Share(options_.block_share, budget)));
  Account& account = board_->account(index);
  account.max_open.store(book.max_open, std::memory_order_relaxed);
  for (Pool& pool : account.pools) {
    pool.low_water.store(book.block / 2, std::memory_order_relaxed);
  }
}

bool LedgerKeeper::CloseAccount(uint64_t campaign) {
  const std::lock_guard lock(mutex_);
  uint32_t index = kNoAccount;
  if (!board_->FindAccount(campaign, &index) || books_[index].closed) return false;
  board_->account(index).open.store(false, std::memory_order_relaxed);
  books_[index].closed = true;
  board_->Call(index);
  return true;
}

absl::Status LedgerKeeper::LeaseAhead(std::span<const uint64_t> campaigns) {
  const std::lock_guard lock(mutex_);
  if (shut_down_) return shutdown_status_;
  absl::Status status;
  while (!campaigns.empty() && status.ok()) {
    const auto group = campaigns.first(std::min(campaigns.size(), kMostAsks));
    LookAtClocks();
    for (const uint64_t campaign : group) {
      uint32_t index = kNoAccount;
      if (!board_->FindAccount(campaign, &index)) continue;
      books_[index].busy_at = now_;  // or it would be returned at the next visit
      board_->account(index).Want(1);
      board_->Call(index);
    }
    status = TickLocked();
    campaigns = campaigns.subspan(group.size());
  }
  return status;
}

BudgetUse LedgerKeeper::Used(uint64_t campaign) {
  const std::lock_guard lock(mutex_);
  uint32_t index = kNoAccount;
  if (!board_->FindAccount(campaign, &index)) return {};
  LookAtClocks();
  const auto totals = source_->Totals(campaign);
  if (!totals) return {};
  const BudgetDay today = BudgetDayOf(absl::FromUnixNanos(wall_), books_[index].config.time_zone);
  const int64_t gone = source_->Gone(campaign, today.day);
  const int64_t ever = totals->leased - totals->returned - totals->returnable;
  return {{gone}, {ever - gone}, absl::FromUnixNanos(wall_)};
}

std::vector<CarriedSpend> LedgerKeeper::TakeCarriedOver() {
  std::vector<CarriedSpend> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [campaign, amount] : carried_over_) out.push_back({campaign, {amount}});
  carried_over_.clear();
  return out;
}

LedgerHealth LedgerKeeper::health() const {
  LedgerHealth health;
  {
    const std::lock_guard lock(health_mutex_);
    health = health_;
  }
  const uint64_t durable = board_->durable.load(std::memory_order_relaxed);
  const uint64_t pushed = board_->log.pushed();
  health.waiting_wins = pushed > durable ? static_cast<size_t>(pushed - durable) : 0;
  health.unlisted = board_->unlisted_wins.Sum();
  health.full = board_->full.Sum();
  return health;
}

void LedgerKeeper::SetHealth(const absl::Status& status) {
  const std::lock_guard lock(health_mutex_);
  if (status.ok()) {
    health_.failing_since = absl::InfiniteFuture();
  } else if (health_.leasing) {
    health_.failing_since = absl::FromUnixNanos(wall_);
  }
  health_.leasing = status.ok();
  health_.status = status;
}

}  // namespace adagents::ads::internal
