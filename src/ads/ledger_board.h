// What the decision path and the background thread of a ledger share. All of it is atomics, Tables
// and a WinLog: neither side ever waits for the other's I/O.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <vector>

#include "adagents/ads/ledger.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/table.h"
#include "ads/win_log.h"

namespace adagents::ads::internal {

/// Count and sum; each alone is exact, both together are not of one moment.
struct AtomicTally {
  std::atomic<int64_t> count{0}, amount{0};

  void Add(int64_t what) {
    count.fetch_add(1, std::memory_order_relaxed);
    amount.fetch_add(what, std::memory_order_relaxed);
  }
  [[nodiscard]] LedgerTally Read() const {
    return {count.load(std::memory_order_relaxed), {amount.load(std::memory_order_relaxed)}};
  }
};

/// What was leased of one account for the days that this pool had so far, one at a time. Relaxed
/// throughout: each word is a fact by itself. The keeper moves a pool to another day only when
/// every micro that was leased has been spent and drained, or returned; then nothing can be taken
/// from it until the new day's lease raises the limit, so who takes something takes the new day's.
struct alignas(kCacheLine) Pool {
  BoundedCounter used{0};  // spent + reserved + returned; its limit: leased
  std::atomic<int64_t> spent{0};
  std::atomic<int64_t> unlisted{0};       // part of spent that did not fit into the log
  std::atomic<int64_t> returned{0};       // written by the keeper
  std::atomic<int64_t> begin{0}, end{0};  // Unix nanoseconds between which it is drawn upon
  std::atomic<int64_t> low_water{0};      // below it the keeper leases more; kExhausted: no more

  /// Until asked again, the source has no more for this day.
  static constexpr int64_t kExhausted = -1;
  [[nodiscard]] bool exhausted() const {
    return low_water.load(std::memory_order_relaxed) == kExhausted;
  }
};

struct Account {
  // Written before the account is published.
  uint64_t campaign = 0;
  Currency currency{};

  std::atomic<bool> open{true};
  std::atomic<int64_t> max_open{0};
  std::atomic<int64_t> wanted{0};  // the most that was asked for and was not there
  std::array<Pool, 2> pools;       // of even and odd days, so that yesterday's can be settled today
  AtomicTally committed, released, expired, late, late_uncharged, carried_over, duplicate, capped;

  /// Tells the keeper what a block must at least hold.
  void Want(int64_t amount) {
    const int64_t least = std::max<int64_t>(amount, 1);
    int64_t seen = wanted.load(std::memory_order_relaxed);
    while (seen < least && !wanted.compare_exchange_weak(seen, least, std::memory_order_relaxed)) {
    }
  }

  /// The pool that is drawn upon at `wall`; -1: neither.
  [[nodiscard]] int PoolAt(int64_t wall) const {
    for (int p = 0; p < 2; ++p) {
      const Pool& pool = pools[static_cast<size_t>(p)];
      if (wall >= pool.begin.load(std::memory_order_relaxed) &&
          wall < pool.end.load(std::memory_order_relaxed)) {
        return p;
      }
    }
    return -1;
  }
};

enum class RecordState : uint8_t { kNone, kReserved, kCommitted, kReleased, kExpired };

inline constexpr uint32_t kNoAccount = std::numeric_limits<uint32_t>::max();

/// One reservation, from its beginning to `remember` after its end. What settling changes is all in
/// the last word, so that the table changes it where it is.
struct Record {
  uint64_t decision = 0;
  int64_t amount = 0;
  uint32_t imp = 0;
  uint32_t account = kNoAccount;
  uint64_t expires_us : 48 = 0;  // steady; reserved: given up then, else: forgotten then
  uint8_t pool : 1 = 0;
  uint8_t actions : 7 = 0;  // a bit for each kind that was reported
  RecordState state = RecordState::kNone;

  /// Steady nanoseconds, rounded up. 48 bits are nine years after boot.
  void ExpireAt(int64_t nanos) {
    constexpr uint64_t kMost = (uint64_t{1} << 48) - 1;
    const uint64_t us = (static_cast<uint64_t>(std::max<int64_t>(nanos, 0)) + 999) / 1000;
    expires_us = std::min(us, kMost) & kMost;
  }
  [[nodiscard]] bool IsOver(int64_t now) const {
    return static_cast<int64_t>(expires_us) * 1000 <= now;
  }
};
static_assert(sizeof(Record) == 32);

/// A win on its way to the source.
struct LoggedWin {
  uint64_t decision = 0;
  uint64_t campaign = 0;
  int64_t amount = 0;
  uint32_t imp = 0;
  uint32_t account = kNoAccount;
  Currency currency{};
  uint8_t pool = 0;
  bool late = false;
  bool foreign = false;  // of an earlier process
  bool owed = false;     // late, and in no pool yet
};

/// The last so many events. Its lock is held for a copy of one; only the unusual gets here.
class EventRing {
 public:
  EventRing() { events_.reserve(kMost); }

  void Add(const LedgerEvent& event) {
    const std::lock_guard lock(mutex_);
    if (events_.size() < kMost) {
      events_.push_back(event);
    } else {
      events_[next_++ % kMost] = event;
    }
  }
  [[nodiscard]] std::vector<LedgerEvent> Read() const {
    const std::lock_guard lock(mutex_);
    std::vector<LedgerEvent> out = events_;
    std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(next_ % kMost), out.end());
    return out;
  }

 private:
  static constexpr size_t kMost = 1024;
  mutable std::mutex mutex_;
  std::vector<LedgerEvent> events_;
  size_t next_ = 0;
};

/// Thread-safe, except for AddAccount(): one thread at a time.
class LedgerBoard {
 public:
  LedgerBoard(const LedgerOptions& options, const Clock& clock_used, uint32_t epoch_used);

  [[nodiscard]] Account& account(uint32_t index) const {
    return chunks_[index / kChunk][index % kChunk];
  }
  [[nodiscard]] uint32_t accounts() const { return count_.load(std::memory_order_acquire); }
  [[nodiscard]] bool FindAccount(uint64_t campaign, uint32_t* index) const {
    return index_.Find(campaign, index);
  }
  /// kNoAccount when there is no room.
  uint32_t AddAccount(uint64_t campaign, Currency currency);

  /// Asks the keeper to look at the account. A hint: the keeper visits all accounts now and then.
  void Call(uint32_t index) {
    std::atomic<uint64_t>& word = calls_[index / 64];
    const uint64_t bit = uint64_t{1} << (index % 64);
    if ((word.load(std::memory_order_relaxed) & bit) == 0) {
      word.fetch_or(bit, std::memory_order_relaxed);
    }
  }
  /// Calls visit(index) for every account that asked.
  template <class F>
  void TakeCalls(F&& visit) {
    const uint32_t words = (accounts() + 63) / 64;
    for (uint32_t w = 0; w < words; ++w) {
      if (calls_[w].load(std::memory_order_relaxed) == 0) continue;
      for (uint64_t bits = calls_[w].exchange(0, std::memory_order_relaxed); bits != 0;
           bits &= bits - 1) {
        visit(w * 64 + static_cast<uint32_t>(std::countr_zero(bits)));
      }
    }
  }

  /// Gives up the reservation, or forgets it, if its time is over. Whether it was forgotten.
  bool GiveUp(uint64_t id, int64_t now);
  /// Does so with those that leave no room for this one. Whether some were forgotten.
  bool MakeRoomFor(uint64_t id, int64_t now);

  /// Unix nanoseconds, as of the keeper's last look at the wall clock.
  [[nodiscard]] int64_t WallAt(int64_t now) const {
    return now + wall_minus_now.load(std::memory_order_relaxed);
  }

  const Clock& clock;
  const uint32_t epoch;
  const int64_t ttl, remember;  // nanoseconds
  std::atomic<int64_t> wall_minus_now{0};
  std::atomic<bool> closed{false};
  std::atomic<uint64_t> durable{0};  // place in the log up to which wins are durable
  Counter full, unlisted_wins;
  Table<uint64_t, Record> records;
  WinLog<LoggedWin> log;
  EventRing events;

 private:
  static constexpr uint32_t kChunk = 1024;

  void TouchRecords();

  const size_t max_accounts_;
  Table<uint64_t, uint32_t> index_;
  std::unique_ptr<std::unique_ptr<Account[]>[]> chunks_;  // each made before its accounts are found
  std::unique_ptr<std::atomic<uint64_t>[]> calls_;
  std::atomic<uint32_t> count_{0};
};

}  // namespace adagents::ads::internal
