#include "adagents/ads/ledger.h"

#include <string>
#include <unordered_map>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "ads/ledger_board.h"
#include "ads/ledger_keeper.h"

namespace adagents::ads {
namespace internal {
namespace {

// Keys fall into a table's sets by chance, so some find theirs full before the table is: with room
// for an eighth more than is promised, practically none.
size_t WithSlack(size_t entries) { return entries + entries / 8 + 16; }

}  // namespace

LedgerBoard::LedgerBoard(const LedgerOptions& options, const Clock& clock_used, uint32_t epoch_used)
    : clock(clock_used),
      epoch(epoch_used),
      ttl(absl::ToInt64Nanoseconds(options.ttl)),
      remember(absl::ToInt64Nanoseconds(options.remember)),
      records({.capacity = WithSlack(options.max_reservations), .when_full = WhenFull::kRefuse}),
      log(options.max_waiting_wins),
      max_accounts_(options.max_accounts),
      index_({.capacity = WithSlack(options.max_accounts), .when_full = WhenFull::kRefuse}),
      chunks_(std::make_unique<std::unique_ptr<Account[]>[]>(options.max_accounts / kChunk + 1)),
      calls_(std::make_unique<std::atomic<uint64_t>[]>(options.max_accounts / 64 + 1)) {
  wall_minus_now.store(absl::ToUnixNanos(clock.WallNow()) - clock.Now(), std::memory_order_relaxed);
  TouchRecords();
}

/// Makes the kernel find the memory of the records now: else the first decisions would wait for it,
/// for milliseconds where it comes in huge pages. Two random keys a set reach nearly every page.
void LedgerBoard::TouchRecords() {
  for (uint64_t key = 0; key < 2 * records.sets(); ++key) {
    records.Put(key, {});
    records.Erase(key);
  }
}

bool LedgerBoard::GiveUp(uint64_t id, int64_t now) {
  const bool forgotten = records.EraseIf(id, [now](const Record& record) {
    return record.state != RecordState::kReserved && record.IsOver(now);
  });
  if (forgotten) return true;
  Record before;
  records.Update(id, [&](Record& record) {
    if (record.state != RecordState::kReserved || !record.IsOver(now)) return;  // settled meanwhile
    before = record;
    record.state = RecordState::kExpired;
    record.ExpireAt(now + remember);
  });
  if (before.state != RecordState::kReserved) return false;
  Account& owner = account(before.account);
  owner.pools[before.pool].used.Release(before.amount);
  owner.expired.Add(before.amount);
  return false;
}

bool LedgerBoard::MakeRoomFor(uint64_t id, int64_t now) {
  std::array<uint64_t, 2 * decltype(records)::kSlots> due;
  size_t count = 0;
  records.ForEachBeside(id, [&](uint64_t other, const Record& record) {
    if (record.IsOver(now) && count < due.size()) due[count++] = other;
  });
  bool room = false;
  for (size_t i = 0; i < count; ++i) room = GiveUp(due[i], now) || room;
  return room;
}

uint32_t LedgerBoard::AddAccount(uint64_t campaign, Currency currency) {
  const uint32_t index = count_.load(std::memory_order_relaxed);
  if (index >= max_accounts_) return kNoAccount;
  auto& chunk = chunks_[index / kChunk];
  if (chunk == nullptr) chunk = std::make_unique<Account[]>(kChunk);
  chunk[index % kChunk].campaign = campaign;
  chunk[index % kChunk].currency = currency;
  if (index_.Put(campaign, index) == Upserted::kFull) return kNoAccount;
  // Release: whoever counts it sees what it is. Whoever finds it in the index sees it too.
  count_.store(index + 1, std::memory_order_release);
  return index;
}

}  // namespace internal

using internal::Account;
using internal::kNoAccount;
using internal::LoggedWin;
using internal::Pool;
using internal::Record;
using internal::RecordState;

std::string_view Name(ReserveResult result) {
  switch (result) {
    case ReserveResult::kReserved:
      return "reserved";
    case ReserveResult::kDuplicate:
      return "duplicate";
    case ReserveResult::kBudgetSpent:
      return "budget spent";
    case ReserveResult::kNoLease:
      return "no lease";
    case ReserveResult::kFull:
      return "full";
    case ReserveResult::kUnknownCampaign:
      return "unknown campaign";
    case ReserveResult::kWrongCurrency:
      return "wrong currency";
    case ReserveResult::kBadAmount:
      return "bad amount";
    case ReserveResult::kForeignDecision:
      return "foreign decision";
    case ReserveResult::kShutDown:
      return "shut down";
  }
  return "unknown";
}

std::string_view Name(CommitOutcome outcome) {
  switch (outcome) {
    case CommitOutcome::kCommitted:
      return "committed";
    case CommitOutcome::kDuplicate:
      return "duplicate";
    case CommitOutcome::kLate:
      return "late";
    case CommitOutcome::kLateUncharged:
      return "late, uncharged";
    case CommitOutcome::kPending:
      return "pending";
    case CommitOutcome::kTooLate:
      return "too late";
    case CommitOutcome::kUnknown:
      return "unknown reservation";
    case CommitOutcome::kWrongCurrency:
      return "wrong currency";
    case CommitOutcome::kBadPrice:
      return "bad price";
    case CommitOutcome::kBusy:
      return "busy";
  }
  return "unknown";
}

uint64_t ReservationId(uint64_t decision, uint32_t imp, uint64_t campaign) {
  const uint64_t id = CombineHash(CombineHash(decision, imp), campaign);
  return id == 0 ? 1 : id;
}

struct Ledger::State {
  State(LeaseSource* source, const LedgerOptions& options, const Clock& clock)
      : board(options, clock, source->epoch()), keeper(source, options, &board) {}

  /// Changes the record of `id` from kReserved to `to` and copies it to *record as it was. Its
  /// state then says whether this call did it: kNone when there is no such record, or when it is
  /// not that of `win` (which may be null: any).
  void Settle(uint64_t id, const Win* win, RecordState to, Record* record);
  ReserveResult FindBudget(uint64_t campaign, int64_t amount, Currency currency, int64_t now,
                           bool take, uint32_t* index, int* which);
  CommitResult CommitOwn(const Win& win);
  CommitResult CommitForeign(const Win& win);
  CommitResult CommitLate(const Win& win, const Record& record);
  uint64_t Charge(const Win& win, uint32_t index, uint8_t pool, int64_t amount, bool late);
  void Note(const Win& win, CommitOutcome outcome, int64_t charged);

  internal::LedgerBoard board;
  internal::LedgerKeeper keeper;
};

Ledger::Ledger(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ledger::~Ledger() { (void)Shutdown(); }

absl::StatusOr<std::unique_ptr<Ledger>> Ledger::Create(LeaseSource* source,
                                                       const LedgerOptions& options) {
  if (source == nullptr) return InvalidArgument("a ledger needs a lease source");
  const auto check = [](bool good, std::string_view what) {
    return good ? absl::OkStatus() : InvalidArgument("LedgerOptions::" + std::string(what));
  };
  absl::Status wrong;
  wrong.Update(check(options.max_accounts >= 1 && options.max_accounts < kNoAccount,
                     "max_accounts must be 1 to 2^32 - 2"));
  wrong.Update(check(options.max_reservations >= 1, "max_reservations must be at least 1"));
  wrong.Update(check(options.max_waiting_wins >= 1, "max_waiting_wins must be at least 1"));
  wrong.Update(check(options.ttl > absl::ZeroDuration() && options.ttl <= absl::Hours(20),
                     "ttl must be above 0 and at most 20 hours"));
  wrong.Update(
      check(options.remember >= absl::ZeroDuration() && options.remember <= absl::Hours(24 * 366),
            "remember must be 0 to a year"));
  wrong.Update(check(options.block_share > 0 && options.block_share <= 1,
                     "block_share must be above 0 and at most 1"));
  wrong.Update(check(options.max_open_share >= options.block_share && options.max_open_share <= 1,
                     "max_open_share must be block_share to 1"));
  wrong.Update(check(options.min_block.value >= 1, "min_block must be at least 1 micro"));
  wrong.Update(check(options.idle_return > absl::ZeroDuration(), "idle_return must be above 0"));
  wrong.Update(
      check(options.lease_ahead >= absl::ZeroDuration() && options.lease_ahead <= absl::Hours(1),
            "lease_ahead must be 0 to an hour"));
  wrong.Update(check(options.tick >= absl::Microseconds(10) && options.tick <= absl::Minutes(1),
                     "tick must be 10 microseconds to a minute"));
  if (!wrong.ok()) return wrong;
  const Clock& clock = options.clock == nullptr ? SystemClock::Get() : *options.clock;
  auto state = std::make_unique<State>(source, options, clock);
  if (options.background) state->keeper.Start();
  return std::unique_ptr<Ledger>(new Ledger(std::move(state)));
}

uint32_t Ledger::epoch() const { return state_->board.epoch; }
absl::Status Ledger::SetAccount(const AccountConfig& config) {
  return state_->keeper.SetAccount(config);
}
bool Ledger::CloseAccount(uint64_t campaign) { return state_->keeper.CloseAccount(campaign); }
absl::Status Ledger::LeaseAhead(std::span<const uint64_t> campaigns) {
  return state_->keeper.LeaseAhead(campaigns);
}
BudgetUse Ledger::Used(uint64_t campaign) const { return state_->keeper.Used(campaign); }
std::vector<CarriedSpend> Ledger::TakeCarriedOver() { return state_->keeper.TakeCarriedOver(); }
const LedgerOptions& Ledger::options() const { return state_->keeper.options(); }
absl::Status Ledger::Tick() { return state_->keeper.Tick(); }
absl::Status Ledger::Sync(absl::Duration timeout) { return state_->keeper.Sync(timeout); }
absl::Status Ledger::Shutdown() { return state_->keeper.Shutdown(); }
LedgerHealth Ledger::health() const { return state_->keeper.health(); }
std::vector<LedgerEvent> Ledger::Recent() const { return state_->board.events.Read(); }

/// The account and the pool that `amount` may be taken from; kReserved when there are such. `take`:
/// takes it.
ReserveResult Ledger::State::FindBudget(uint64_t campaign, int64_t amount, Currency currency,
                                        int64_t now, bool take, uint32_t* index, int* which) {
  if (board.closed.load(std::memory_order_relaxed)) return ReserveResult::kShutDown;
  if (!board.FindAccount(campaign, index)) return ReserveResult::kUnknownCampaign;
  Account& account = board.account(*index);
  if (!account.open.load(std::memory_order_relaxed)) return ReserveResult::kUnknownCampaign;
  if (currency != account.currency) return ReserveResult::kWrongCurrency;
  if (amount < 0 || amount > account.max_open.load(std::memory_order_relaxed)) {
    return ReserveResult::kBadAmount;
  }
  *which = account.PoolAt(board.WallAt(now));
  if (*which < 0) {
    account.Want(amount);
    board.Call(*index);
    return ReserveResult::kNoLease;
  }
  Pool& pool = account.pools[static_cast<size_t>(*which)];
  if (take ? pool.used.TryAdd(amount) : pool.used.left() >= amount) {
    return ReserveResult::kReserved;
  }
  account.Want(amount);
  if (pool.exhausted()) return ReserveResult::kBudgetSpent;
  board.Call(*index);
  return ReserveResult::kNoLease;
}

ReserveResult Ledger::Look(uint64_t campaign, Micros amount, Currency currency) {
  uint32_t index = 0;
  int which = -1;
  return state_->FindBudget(campaign, amount.value, currency, state_->board.clock.Now(),
                            /*take=*/false, &index, &which);
}

Reservation Ledger::Reserve(const ReserveAsk& ask) {
  internal::LedgerBoard& board = state_->board;
  const uint64_t id = ReservationId(ask.decision, ask.imp, ask.campaign);
  board.records.Prefetch(id);
  const int64_t now = board.clock.Now();
  if (EpochOf(ask.decision) != board.epoch) {
    return {board.closed.load(std::memory_order_relaxed) ? ReserveResult::kShutDown
                                                         : ReserveResult::kForeignDecision};
  }
  const int64_t amount = ask.amount.value;
  uint32_t index = 0;
  int which = -1;
  const ReserveResult found = state_->FindBudget(ask.campaign, amount, ask.currency, now,
                                                 /*take=*/true, &index, &which);
  if (found != ReserveResult::kReserved) return {found};
  Pool& pool = board.account(index).pools[static_cast<size_t>(which)];
  if (pool.used.left() < pool.low_water.load(std::memory_order_relaxed)) board.Call(index);

  Record mine{.decision = ask.decision,
              .amount = amount,
              .imp = ask.imp,
              .account = index,
              .pool = which == 1,
              .state = RecordState::kReserved};
  mine.ExpireAt(now + board.ttl);
  int64_t held = 0;
  const auto insert = [&] {
    return board.records.Upsert(id, [&](Record& record, bool existed) {
      if (!existed) record = mine;
      held = record.amount;
    });
  };
  Upserted upserted = insert();
  // The keeper is behind, as where many more threads than cores reserve: it has a thread's share.
  if (upserted == Upserted::kFull && board.MakeRoomFor(id, now)) upserted = insert();
  if (upserted == Upserted::kInserted) return {ReserveResult::kReserved, id, ask.amount};
  pool.used.Release(amount);
  if (upserted == Upserted::kFull) {
    board.full.Add(1);
    return {ReserveResult::kFull};
  }
  return {ReserveResult::kDuplicate, id, {held}};
}

Hold Ledger::HoldOf(const Reservation& reservation) {
  return {.settle =
              [](const Hold& hold, bool kept) {
                if (!kept) {
                  static_cast<Ledger*>(hold.object)->Release(hold.subject, ReleaseCause::kNotSent);
                }
              },
          .object = this,
          .subject = reservation.id,
          .amount = reservation.amount.value};
}

ReleaseResult Ledger::Release(uint64_t reservation, ReleaseCause cause) {
  internal::LedgerBoard& board = state_->board;
  Record record;
  const auto mine = [&record](const Record& there) {
    record = there;
    return there.state == RecordState::kReserved;
  };
  if (cause != ReleaseCause::kNotSent || !board.records.EraseIf(reservation, mine)) {
    state_->Settle(reservation, nullptr, RecordState::kReleased, &record);
  }
  if (record.state == RecordState::kNone) return ReleaseResult::kUnknown;
  if (record.state != RecordState::kReserved) return ReleaseResult::kAlreadySettled;
  Account& account = board.account(record.account);
  account.pools[record.pool].used.Release(record.amount);
  account.released.Add(record.amount);
  return ReleaseResult::kReleased;
}

ActionResult Ledger::NoteAction(uint64_t decision, uint32_t imp, uint64_t campaign, Action action) {
  internal::LedgerBoard& board = state_->board;
  if (action == Action::kNone) return ActionResult::kAgain;
  if (EpochOf(decision) != board.epoch) return ActionResult::kUnknown;
  constexpr unsigned kAll = 0x7f;
  const unsigned bit = 1u << (static_cast<unsigned>(action) - 1) & kAll;
  ActionResult result = ActionResult::kUnknown;
  board.records.Update(ReservationId(decision, imp, campaign), [&](Record& there) {
    if (there.decision != decision || there.imp != imp) return;
    result = (there.actions & bit) == 0 ? ActionResult::kFirst : ActionResult::kAgain;
    there.actions = static_cast<uint8_t>(there.actions | bit) & kAll;
  });
  return result;
}

CommitResult Ledger::Commit(const Win& win) {
  if (win.price.value < 0) return {CommitOutcome::kBadPrice};
  const internal::LedgerBoard& board = state_->board;
  board.records.Prefetch(ReservationId(win.decision, win.imp, win.campaign));
  uint32_t index = 0;
  if (board.FindAccount(win.campaign, &index) && board.account(index).currency != win.currency) {
    return {CommitOutcome::kWrongCurrency};
  }
  return EpochOf(win.decision) == board.epoch ? state_->CommitOwn(win) : state_->CommitForeign(win);
}

void Ledger::State::Settle(uint64_t id, const Win* win, RecordState to, Record* record) {
  *record = {};
  const int64_t forget = board.clock.Now() + board.remember;
  board.records.Update(id, [&](Record& there) {
    if (win != nullptr && (there.decision != win->decision || there.imp != win->imp)) return;
    *record = there;
    if (there.state != RecordState::kReserved) return;
    there.state = to;
    there.ExpireAt(forget);
  });
}

CommitResult Ledger::State::CommitOwn(const Win& win) {
  Record record;
  Settle(ReservationId(win.decision, win.imp, win.campaign), &win, RecordState::kCommitted,
         &record);
  if (record.state == RecordState::kNone) {
    Note(win, CommitOutcome::kUnknown, 0);
    return {CommitOutcome::kUnknown};
  }
  Account& account = board.account(record.account);
  if (record.state == RecordState::kCommitted) {
    account.duplicate.Add(win.price.value);
    Note(win, CommitOutcome::kDuplicate, 0);
    return {CommitOutcome::kDuplicate};
  }
  if (record.state != RecordState::kReserved) return CommitLate(win, record);

  const int64_t charged = std::min(win.price.value, record.amount);
  account.pools[record.pool].used.Release(record.amount - charged);
  account.committed.Add(charged);
  CommitResult result{CommitOutcome::kCommitted, {charged}};
  if (charged < win.price.value) {
    result.capped = true;
    account.capped.Add(win.price.value - charged);
    Note(win, CommitOutcome::kCommitted, charged);
  }
  result.ticket = Charge(win, record.account, record.pool, charged, false);
  return result;
}

/// Its money was given up; whatever is free now pays.
CommitResult Ledger::State::CommitLate(const Win& win, const Record& record) {
  Account& account = board.account(record.account);
  const int64_t forget = board.clock.Now() + board.remember;
  bool first = false;
  board.records.Upsert(ReservationId(win.decision, win.imp, win.campaign),
                       [&](Record& there, bool existed) {
                         if (!existed) there = record;  // erased just now, but known here
                         first = there.state == record.state;
                         if (!first) return;
                         there.state = RecordState::kCommitted;
                         there.ExpireAt(forget);
                       });
  if (!first) {  // another thread has reported it meanwhile
    account.duplicate.Add(win.price.value);
    Note(win, CommitOutcome::kDuplicate, 0);
    return {CommitOutcome::kDuplicate};
  }
  const int64_t price = std::min(win.price.value, record.amount);
  const int today = account.PoolAt(board.WallAt(board.clock.Now()));
  if (today >= 0 && account.pools[static_cast<size_t>(today)].used.TryAdd(price)) {
    account.late.Add(price);
    Note(win, CommitOutcome::kLate, price);
    CommitResult result{CommitOutcome::kLate, {price}, price < win.price.value};
    result.ticket = Charge(win, record.account, static_cast<uint8_t>(today), price, true);
    return result;
  }
  // Nothing is leased just now, which does not say that nothing is left.
  if (!board.closed.load(std::memory_order_relaxed)) {
    const uint64_t ticket = board.log.TryPush({.decision = win.decision,
                                               .campaign = win.campaign,
                                               .amount = price,
                                               .imp = win.imp,
                                               .account = record.account,
                                               .currency = win.currency,
                                               .late = true,
                                               .owed = true});
    if (ticket != 0) return {CommitOutcome::kPending, {}, price < win.price.value, ticket};
  }
  account.late_uncharged.Add(win.price.value);
  Note(win, CommitOutcome::kLateUncharged, 0);
  return {CommitOutcome::kLateUncharged};
}

CommitResult Ledger::State::CommitForeign(const Win& win) {
  const uint32_t epoch = EpochOf(win.decision);
  const int64_t now = board.clock.Now();
  if (epoch == 0 || epoch > board.epoch) {
    Note(win, CommitOutcome::kUnknown, 0);
    return {CommitOutcome::kUnknown};
  }
  uint32_t index = kNoAccount;
  const bool known = board.FindAccount(win.campaign, &index);
  if (win.issued < absl::FromUnixNanos(board.WallAt(now)) - absl::Nanoseconds(board.ttl)) {
    if (known) board.account(index).late_uncharged.Add(win.price.value);
    Note(win, CommitOutcome::kTooLate, 0);
    return {CommitOutcome::kTooLate};
  }
  const uint64_t id = ReservationId(win.decision, win.imp, win.campaign);
  bool before = false;
  board.records.Upsert(id, [&](Record& record, bool existed) {
    before = existed;
    if (before) return;
    record = {.decision = win.decision,
              .amount = win.price.value,
              .imp = win.imp,
              .account = known ? index : kNoAccount,
              .state = RecordState::kCommitted};
    record.ExpireAt(now + board.remember);
  });  // when full, the source finds duplicates
  if (before) {
    if (known) board.account(index).duplicate.Add(win.price.value);
    Note(win, CommitOutcome::kDuplicate, 0);
    return {CommitOutcome::kDuplicate};
  }
  const uint64_t ticket = board.log.TryPush({.decision = win.decision,
                                             .campaign = win.campaign,
                                             .amount = win.price.value,
                                             .imp = win.imp,
                                             .account = known ? index : kNoAccount,
                                             .currency = win.currency,
                                             .foreign = true});
  if (ticket == 0) {
    board.records.Erase(id);
    return {CommitOutcome::kBusy};
  }
  return {CommitOutcome::kPending, {}, false, ticket};
}

/// Counts what was taken from the pool as spent, and tells the keeper.
uint64_t Ledger::State::Charge(const Win& win, uint32_t index, uint8_t pool, int64_t amount,
                               bool late) {
  Pool& from = board.account(index).pools[pool];
  const uint64_t ticket = board.log.TryPush({.decision = win.decision,
                                             .campaign = win.campaign,
                                             .amount = amount,
                                             .imp = win.imp,
                                             .account = index,
                                             .currency = win.currency,
                                             .pool = pool,
                                             .late = late});
  from.spent.fetch_add(amount, std::memory_order_relaxed);
  if (ticket == 0) {
    board.unlisted_wins.Add(1);
    from.unlisted.fetch_add(amount, std::memory_order_relaxed);
    board.Call(index);
  }
  return ticket;
}

void Ledger::State::Note(const Win& win, CommitOutcome outcome, int64_t charged) {
  board.events.Add({outcome,
                    win.decision,
                    win.imp,
                    win.campaign,
                    win.price,
                    {charged},
                    absl::FromUnixNanos(board.WallAt(board.clock.Now()))});
}

bool Ledger::Durable(uint64_t ticket) const {
  // Relaxed: it speaks of the disk and guards no memory.
  return ticket != 0 && state_->board.durable.load(std::memory_order_relaxed) >= ticket;
}

std::optional<Currency> Ledger::CurrencyOf(uint64_t campaign) const {
  uint32_t index = 0;
  if (!state_->board.FindAccount(campaign, &index)) return std::nullopt;
  return state_->board.account(index).currency;
}

Micros Ledger::MaxOpen(uint64_t campaign) const {
  uint32_t index = 0;
  if (!state_->board.FindAccount(campaign, &index)) return {};
  return {state_->board.account(index).max_open.load(std::memory_order_relaxed)};
}

std::vector<AccountReport> Ledger::Report() const {
  const internal::LedgerBoard& board = state_->board;
  const uint32_t accounts = board.accounts();
  std::vector<int64_t> reserved(accounts, 0);
  board.records.ForEach([&](uint64_t, const Record& record) {
    if (record.state == RecordState::kReserved && record.account < accounts) {
      reserved[record.account] += record.amount;
    }
  });
  std::vector<AccountReport> out(accounts);
  for (uint32_t i = 0; i < accounts; ++i) {
    const Account& account = board.account(i);
    AccountReport& report = out[i];
    report.campaign = account.campaign;
    report.currency = account.currency;
    report.reserved = {reserved[i]};
    for (const Pool& pool : account.pools) {
      report.leased.value += pool.used.limit();
      report.free.value += pool.used.left();
      report.spent.value += pool.spent.load(std::memory_order_relaxed);
      report.returned.value += pool.returned.load(std::memory_order_relaxed);
    }
    report.committed = account.committed.Read();
    report.released = account.released.Read();
    report.expired = account.expired.Read();
    report.late = account.late.Read();
    report.late_uncharged = account.late_uncharged.Read();
    report.carried_over = account.carried_over.Read();
    report.duplicate = account.duplicate.Read();
    report.capped = account.capped.Read();
  }
  return out;
}

}  // namespace adagents::ads
