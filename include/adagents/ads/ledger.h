// Money: what campaigns may spend, have reserved and have spent.
//
//   auto ledger = ads::Ledger::Create(source.get(), {});     // source: see lease_source.h
//   (*ledger)->SetAccount({.campaign = key, .currency = eur, .daily = Micros{50'000'000},
//                          .time_zone = berlin});
//   ...                                                      // deciding, on any thread
//   const ads::Reservation r =
//       (*ledger)->Reserve({decision, imp, key, CostOfImpression(price), eur});
//   if (r.ok()) ctx.Take((*ledger)->HoldOf(r));              // undone unless the decision keeps it
//   bid.reservation = r.id;
//   ...                                                      // a notice came, and is verified
//   const ads::CommitResult c = (*ledger)->Commit(
//       {n.decision, n.imp, StableHash64(n.campaign),
//        CostOfImpression(n.auction_price.value_or(n.price)), n.cur, n.issued});
//   if ((*ledger)->Durable(c.ticket)) ...                    // survives whatever happens
//
// A reservation holds budget from the decision until the impression (Commit), the loss (Release) or
// the end of its time (`ttl`). All three happen once, however often they are reported: a record of
// each decision's reservation is kept for `remember` after its end.
//
// Two stages of money. A *source* holds the budgets and leases them in blocks, durably before
// memory may spend them; the ledger's one background thread leases ahead of need, reports spend in
// groups and returns what is not needed. The decision path sees only memory: Reserve(), Commit()
// and Release() take no lock that is held during I/O and allocate nothing. When the source fails,
// leasing stops, health() says so, what has been leased can still be spent, and nobody waits.
//
// What a crash can cost. Nothing is overspent: what a process could spend was gone from the budget
// before it could. What it had leased for an account and not yet reported as spent stays charged:
//   at most MaxOpen(account) = max(min_block, max_open_share * budget), or all of a smaller budget,
// per account and day (two days at once only around midnight), `budget` being the smaller of the
// two bounds that are set. That counts reservations in flight, so max_open_share must leave room
// for them. Wins of the dead process that come within `ttl` of their decision are charged to it and
// listed; the rest is the cost of the crash. A spend is acknowledged when its ticket is durable,
// and then never lost. Shutdown() leaves open only what is reserved, and that is given back in
// time.
//
// Days are the advertiser's (budget_day.h). A reservation belongs to the day of its decision, also
// if the win comes after midnight.
//
// Invariants, per account and day: every micro leased is in one of four places,
//   leased = spent + reserved + free + returned,
// where `used` = spent + reserved + returned is a BoundedCounter whose limit is what was leased and
// only grows. So no interleaving reserves more than was leased. A record changes its state under
// the writer word of its set in a Table (blackboard/table.h), so exactly one of commit, release and
// expiry sees it reserved, and only that one moves its money.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/campaign.h"
#include "adagents/ads/lease_source.h"
#include "adagents/base/clock.h"
#include "adagents/base/money.h"
#include "adagents/runtime/hold.h"

namespace adagents::ads {

struct LedgerOptions {
  /// Accounts in the process's life; 600 bytes each once opened. Closed ones count.
  size_t max_accounts = size_t{1} << 16;
  /// Reservations at one time, those that are only remembered included; 100 bytes each. More are
  /// refused, so it must hold (reservations a second) * ttl + (settled a second) * remember.
  size_t max_reservations = size_t{1} << 18;
  /// Wins that wait to become durable. Beyond it their sum is kept and their names are not.
  size_t max_waiting_wins = size_t{1} << 16;

  /// How long a reservation holds; at most 20 hours. Given up within ttl * 17/16 + 2 * tick.
  absl::Duration ttl = absl::Minutes(30);
  /// How long after its end a reservation is recognised, so that a second win is a duplicate.
  absl::Duration remember = absl::Hours(1);

  /// A block leased at a time, as a share of the account's budget, but not less than min_block.
  double block_share = 0.01;
  /// See above: what a crash can cost. At least one block.
  double max_open_share = 0.1;
  Micros min_block{Micros::kUnit};

  /// An account without a reservation for so long returns what it has leased.
  absl::Duration idle_return = absl::Minutes(10);
  /// How long before midnight the next day's first block is leased.
  absl::Duration lease_ahead = absl::Minutes(1);

  /// The background thread, named "adagents-ledger". Without it call Tick().
  bool background = true;
  /// How often it looks; the longest that a first lease or a group of spends waits to begin.
  absl::Duration tick = absl::Milliseconds(5);
  const Clock* clock = nullptr;  ///< must outlive the ledger; null: the system's
};

/// What a campaign may spend. At least one of the two bounds is set.
struct AccountConfig {
  uint64_t campaign = 0;  ///< Campaign::key
  Currency currency{};    ///< never changes
  Micros daily{};         ///< 0: no bound
  Micros lifetime{};      ///< 0: no bound
  absl::TimeZone time_zone = absl::UTCTimeZone();
};

/// What is gone of an account's budget, by all processes: spent and durably so, or lost with a
/// crash. Not what is leased or reserved and can still be returned: as it is spent, it is reported.
struct BudgetUse {
  Micros today{};                           ///< on the day of `as_of`
  Micros before{};                          ///< on all other days
  absl::Time as_of = absl::InfinitePast();  ///< when that was; InfinitePast: nothing is known
};

/// What late wins of earlier processes have cost one campaign.
struct CarriedSpend {
  uint64_t campaign = 0;
  Micros amount{};
};

/// What one impression costs at a CPM, to the nearest micro.
[[nodiscard]] constexpr Micros CostOfImpression(Micros cpm) {
  return {cpm.value / 1000 + (cpm.value % 1000 >= 500 ? 1 : 0)};
}

/// The upper 24 bits of a decision's id.
[[nodiscard]] constexpr uint32_t EpochOf(uint64_t decision) {
  return static_cast<uint32_t>(decision >> 40);
}

/// What is to be reserved.
struct ReserveAsk {
  uint64_t decision = 0;
  uint32_t imp = 0;  ///< or whatever tells the bids of a decision for one campaign apart
  uint64_t campaign = 0;
  Micros amount{};  ///< the most that it can cost
  Currency currency{};
};

enum class ReserveResult : uint8_t {
  kReserved,
  kDuplicate,        ///< was reserved before; `id` names it; there is nothing new to hold
  kBudgetSpent,      ///< the day's or the whole budget is used up or reserved
  kNoLease,          ///< there may be budget, but it is not leased yet: soon, if the source is well
  kFull,             ///< max_reservations
  kUnknownCampaign,  ///< no account, or a closed one
  kWrongCurrency,
  kBadAmount,        ///< negative, or more than MaxOpen()
  kForeignDecision,  ///< its id does not carry epoch(), so its win would be taken for another's
  kShutDown,
};
[[nodiscard]] std::string_view Name(ReserveResult result);

struct Reservation {
  ReserveResult result = ReserveResult::kUnknownCampaign;
  uint64_t id = 0;  ///< for Bid::reservation and Hold::subject; 0: nothing is reserved
  Micros amount{};
  [[nodiscard]] bool ok() const { return result == ReserveResult::kReserved; }
};

/// The id that a reservation has, so that both it and its decision find it. Never 0. Thread-safe.
[[nodiscard]] uint64_t ReservationId(uint64_t decision, uint32_t imp, uint64_t campaign);

/// A verified win: an impression, or what `burl` reports.
struct Win {
  uint64_t decision = 0;
  uint32_t imp = 0;
  uint64_t campaign = 0;
  Micros price{};  ///< what it costs, not per thousand; charged up to what was reserved
  Currency currency{};
  absl::Time issued{};  ///< of the decision; for decisions of earlier processes
};

enum class CommitOutcome : uint8_t {
  kCommitted,
  kDuplicate,      ///< was reported before; nothing changed
  kLate,           ///< its reservation was given up, but there was budget: charged and listed
  kLateUncharged,  ///< the same without budget: listed
  kPending,        ///< of an earlier process, or late with nothing leased: the next flush lists it
  kTooLate,        ///< of an earlier process and older than `ttl`: listed, not charged
  kUnknown,        ///< no such reservation is remembered: listed, not charged
  kWrongCurrency,  ///< nothing changed
  kBadPrice,       ///< negative; nothing changed
  kBusy,           ///< of an earlier process, and too many wait already: report it again
};
[[nodiscard]] std::string_view Name(CommitOutcome outcome);

struct CommitResult {
  CommitOutcome outcome = CommitOutcome::kUnknown;
  Micros charged{};
  bool capped = false;  ///< the price was more than was reserved; the difference is not charged
  uint64_t ticket = 0;  ///< for Durable(); 0: nothing was charged here
};

enum class ReleaseCause : uint8_t {
  kNotSent,   ///< the bid is not in the answer: nothing about it can come any more
  kLoss,      ///< lost the auction
  kNoRender,  ///< won, and was never shown
};
enum class ReleaseResult : uint8_t { kReleased, kAlreadySettled, kUnknown };

/// What the ledger knew of an action.
enum class ActionResult : uint8_t {
  kFirst,    ///< the first of its kind on what was reserved
  kAgain,    ///< was reported before, or is no action
  kUnknown,  ///< no such reservation of this process is remembered
};

/// A number of reservations and their money.
struct LedgerTally {
  int64_t count = 0;
  Micros amount{};
};

/// One account since the process began, all days. Exact while nobody reserves or settles; else
/// what is in between two places may be missing from both.
struct AccountReport {
  uint64_t campaign = 0;
  Currency currency{};
  Micros leased{}, spent{}, reserved{}, free{}, returned{};
  LedgerTally committed, released, expired;
  LedgerTally late;            ///< charged after its reservation was given up
  LedgerTally late_uncharged;  ///< came when nothing was left, or too late
  LedgerTally carried_over;    ///< charged to what an earlier process had leased
  LedgerTally duplicate;
  LedgerTally capped;  ///< charged less than the price; `amount` is the difference

  [[nodiscard]] bool Balanced() const { return leased == spent + reserved + free + returned; }
};

/// Something out of the ordinary.
struct LedgerEvent {
  CommitOutcome outcome = CommitOutcome::kUnknown;  ///< kCommitted: it was capped
  uint64_t decision = 0;
  uint32_t imp = 0;
  uint64_t campaign = 0;
  Micros price{}, charged{};
  absl::Time at;
};

struct LedgerHealth {
  bool leasing = true;  ///< false: the source fails, and budget runs out unless it recovers
  absl::Status status;  ///< of the source's last call
  absl::Time failing_since = absl::InfiniteFuture();
  size_t waiting_wins = 0;  ///< not durable yet, about
  int64_t unlisted = 0;     ///< wins that were durable by their sum alone
  int64_t full = 0;         ///< reservations refused because of max_reservations
};

/// Thread-safe. Look(), Reserve(), Commit(), Release(), NoteAction(), HoldOf() and Durable() belong
/// on the decision path; the others may wait for the source.
class Ledger {
 public:
  /// InvalidArgument naming the option that is wrong. `source` must outlive the ledger.
  [[nodiscard]] static absl::StatusOr<std::unique_ptr<Ledger>> Create(LeaseSource* source,
                                                                      const LedgerOptions& options);
  /// Shutdown(), if it was not called; its error is lost.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  /// The upper 24 bits that this process's decisions must have (EngineOptions::epoch).
  [[nodiscard]] uint32_t epoch() const;
  [[nodiscard]] const LedgerOptions& options() const;

  /// Opens an account or changes its bounds; money is leased when it is first asked for, or by
  /// LeaseAhead(). A bound
  /// that is lowered below what is spent stops it. InvalidArgument for negative or absent bounds,
  /// FailedPrecondition when it has another currency, ResourceExhausted beyond max_accounts.
  absl::Status SetAccount(const AccountConfig& config);
  /// Nothing more is reserved; what is reserved is settled as always, the rest is returned.
  /// SetAccount() opens it again. False when there is none.
  bool CloseAccount(uint64_t campaign);
  /// Leases a first block for those of `campaigns` that have none, so that they can bid at once;
  /// else the first bid of each is what asks for it, and is lost. Waits for the source; its error,
  /// after which leases are asked for as always.
  absl::Status LeaseAhead(std::span<const uint64_t> campaigns);
  /// For those who plan how to spend the rest. Nothing for an account that there is not.
  [[nodiscard]] BudgetUse Used(uint64_t campaign) const;
  /// What was charged for kPending wins since the last call, and was no part of Used() before: all
  /// but what a crash had cost already. For those who plan; an engine asks before its pacer's
  /// ticks.
  [[nodiscard]] std::vector<CarriedSpend> TakeCarriedOver();

  /// Whether there is budget for `amount` now; kReserved: there is, and nothing is reserved. Asks
  /// for a lease where one is missing, as Reserve() does.
  [[nodiscard]] ReserveResult Look(uint64_t campaign, Micros amount, Currency currency);
  [[nodiscard]] Reservation Reserve(const ReserveAsk& ask);
  /// For Context::Take(): releases (kNotSent) what the decision does not keep. Only for what is
  /// ok().
  [[nodiscard]] Hold HoldOf(const Reservation& reservation);
  CommitResult Commit(const Win& win);
  ReleaseResult Release(uint64_t reservation, ReleaseCause cause);
  /// Notes what a listener did about a bid, as long as its reservation is remembered: an hour
  /// (`remember`) after its impression. Nothing is forgotten for want of room, as then nothing more
  /// is reserved. Of decisions of this process only, whose spend its pacer knows. Changes no money.
  ActionResult NoteAction(uint64_t decision, uint32_t imp, uint64_t campaign, Action action);

  /// Whether the spend with this ticket survives a crash of process and machine.
  [[nodiscard]] bool Durable(uint64_t ticket) const;
  /// Waits until all that was committed before this call is durable. DeadlineExceeded, with the
  /// source's error, when that takes longer than `timeout` (of real time).
  absl::Status Sync(absl::Duration timeout = absl::Seconds(10));

  [[nodiscard]] LedgerHealth health() const;
  /// Reads all reservations.
  [[nodiscard]] std::vector<AccountReport> Report() const;
  /// The last 1,024 wins that did not come as they should.
  [[nodiscard]] std::vector<LedgerEvent> Recent() const;
  /// Of the account, also when it was closed; nullopt: there never was one.
  [[nodiscard]] std::optional<Currency> CurrencyOf(uint64_t campaign) const;
  /// The most that a crash can cost this account on one day. 0: unknown.
  [[nodiscard]] Micros MaxOpen(uint64_t campaign) const;

  /// One round of what the background thread does: expiry, leases, returns, durable spend. The
  /// source's error.
  absl::Status Tick();
  /// Refuses new reservations, makes all spend durable, returns what is free and closes the source.
  /// Call it when no Commit() runs any more. On an error the source counts this process as crashed.
  /// Again is fine.
  absl::Status Shutdown();

 private:
  struct State;
  explicit Ledger(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace adagents::ads
