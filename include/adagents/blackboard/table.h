// Many small values by key, in fixed memory, with a time to live: sessions, frequency caps.
//
//   Table<uint64_t, Session> sessions({.capacity = 1'000'000, .ttl = absl::Minutes(30)});
//   sessions.Upsert(id, [&](Session& s, bool existed) { ++s.requests; });
//   Session s;
//   if (sessions.Find(id, &s)) ...
//
// How it differs from a hash map: it never grows or rehashes, so it can live in a Region and an
// operation touches one set: a cache line of header, one of expiry if entries expire, the entry.
// What does not fit is either evicted (sessions: the entry that expires first goes) or refused
// (caps: what has not expired stays, and "full" means "no").
//
// Layout: sets of kSlots slots, of which kSlots - 1 can be live. A set's header is one line with
// the state word = version (48 bits) | live mask (16), 16 bits of the hash per slot, the writer
// word and the away count, then the slots' expiry times; entries follow apart. A key has a home
// set; when that one is full it goes to one of the overflow sets, of which there is one for six
// homes and which are nobody's home. A home's away count says how many of its keys are there, so
// that only those who look for a key of such a home look twice. Invariants: a key is written only
// by the holder of its home's writer word, a set only by the holder of its own, so a key is in at
// most one live slot; between two states a live slot changes by one word of its value at most: an
// update that changes more fills a slot that is not live and then swaps the two in the live mask,
// with one store; at least one slot is always not live; a key stays in its set until it is erased
// or replaced; an away count is never lower than the number of keys that are away. Progress: Find()
// is lock-free and repeats only after a full publish in its set. Writers of one set wait for each
// other, of different sets do not; who holds a home may wait for an overflow set and nobody waits
// for a home meanwhile, so there are no deadlocks. A writer that dies midway has changed nothing
// that readers see, or one word, and with it all that it wanted to. Its writer word carries the
// owner's epoch, so that the next process (a higher epoch) takes the set over as it is; Recover()
// clears it before that, and counts anew who is away.
// Memory orders, by site:
//   kLock    acquire, kUnlock release: a writer sees all that earlier writers of the set did.
//   kPublish release: whoever reads the new state finds the slot filled, and the away count raised.
//   kRead    acquire: the other half.
//   kSlot    fingerprints, expiries and words are stored release and loaded acquire
//            (internal/words.h): a reader that meets anything of a slot's later life has also seen
//            the state in which the slot was no longer live, so its second, relaxed look differs;
//            one that meets a word of a live slot's later state has also seen the states before it,
//            so a copy is what was before or after one update, and never mixes two.
//   The away count is relaxed: it is raised before its key is published and lowered after its key
//   has gone, so whoever knows of the key (by a lock, or by having been told) finds it raised. Who
//   misses a key in its home and then away was looking when it was in neither, for keys never move.
// How full: a home holds 13 keys on average when `capacity` random keys are live, and an overflow
// set 4. Of ten million keys one on average then finds both full (Poisson); beyond `capacity`,
// evictions begin.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>

#include "absl/time/time.h"
#include "adagents/base/atomics.h"
#include "adagents/base/clock.h"
#include "adagents/base/deadline.h"
#include "adagents/base/ids.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/internal/lanes.h"
#include "adagents/blackboard/internal/words.h"
#include "adagents/blackboard/internal/writer_lock.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/region_object.h"

namespace adagents {

/// What happens when a new key meets a full set.
enum class WhenFull : uint8_t {
  kEvict,   // the entry that expires first makes room; of several, about the oldest
  kRefuse,  // only expired entries make room: what is capped stays capped
};

/// When an entry expires.
enum class Expiry : uint8_t {
  kAfterWrite,     // ttl after the last write
  kAfterCreation,  // ttl after the first write: a cap's window
};

struct TableOptions {
  /// Entries to make room for; at least 1. Memory: capacity * 1.44 * (key + value + 12 bytes), with
  /// key and value rounded up to 8.
  size_t capacity = 1024;
  absl::Duration ttl = absl::InfiniteDuration();
  WhenFull when_full = WhenFull::kEvict;
  Expiry expiry = Expiry::kAfterWrite;
  /// Of time; must outlive the table. Null: the region's or, without one, the system's.
  const Clock* clock = nullptr;
  /// Of memory; must outlive the table. Null, or without room: memory of the table's own.
  Region* region = nullptr;
  /// By which the next process finds it in a region over a file; there it must have one. If it
  /// cannot be there, Region::status() says why, and the table has memory of its own.
  std::string_view name = {};
};

enum class Upserted : uint8_t { kInserted, kUpdated, kFull };

/// Hashes a key the same way in every process. Integers and enums are mixed; other keys must have
/// no padding and are hashed by their bytes.
template <class K>
struct StableHash {
  uint64_t operator()(const K& key) const {
    if constexpr (std::is_integral_v<K> || std::is_enum_v<K>) {
      return Mix64(static_cast<uint64_t>(key) + 0x9e3779b97f4a7c15ULL);
    } else {
      static_assert(std::has_unique_object_representations_v<K>,
                    "a key with padding or floats needs a hash of its own");
      return StableHash64({reinterpret_cast<const char*>(&key), sizeof(K)});
    }
  }
};

/// Thread-safe. K and V are trivially copyable and default-constructible, K has ==. Throws
/// std::bad_alloc when made without memory; otherwise every option is brought into range.
template <class K, class V, class Atomics = StdAtomics, class Hash = StableHash<K>>
class Table {
 public:
  enum Site : int { kLock, kUnlock, kPublish, kRead, kSlotStore, kSlotLoad };
  static constexpr uint32_t kSlots = internal::TableLayout::kSlots;
  static constexpr uint32_t kWays = kSlots - 1;

  explicit Table(const TableOptions& options = {})
      : ttl_(options.ttl >= absl::Nanoseconds(kNever) ? kNever
                                                      : absl::ToInt64Nanoseconds(options.ttl)),
        when_full_(options.when_full),
        expiry_(options.expiry),
        clock_(ClockOf(options)),
        owner_(options.region != nullptr ? options.region->header().owner_epoch : 1),
        time_offset_(options.region != nullptr ? options.region->time_offset() : 0),
        homes_(HomesFor(options.capacity)),
        set_count_(Layout::Sets(homes_)),
        block_(options.region, Describe(options.name, homes_), Atomics::kModelled),
        sets_(block_, 0, set_count_),
        entries_(block_, Layout::EntriesOffset(homes_), set_count_ * kSlots) {
    if (block_.reopened()) Recover();
    block_.Commit();
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  /// Copies the value of `key`. False, and *value untouched, when there is none or it has expired.
  [[nodiscard]] bool Find(const K& key, V* value) const {
    return ttl_ == kNever ? FindAt<false>(key, value, 0) : FindAt<true>(key, value, Now());
  }
  /// The same, when the caller knows the time (`now` of the table's clock) already.
  [[nodiscard]] bool Find(const K& key, V* value, int64_t now) const {
    return ttl_ == kNever ? FindAt<false>(key, value, 0)
                          : FindAt<true>(key, value, now + time_offset_);
  }
  [[nodiscard]] bool Contains(const K& key) const {
    V ignored;
    return Find(key, &ignored);
  }

  /// Calls modify(V& value, bool existed) on the value of `key`, or on a V{} if there is none or it
  /// has expired, and stores what it leaves. kFull, without a call, when there is no room. Other
  /// writers of the set wait meanwhile: `modify` is short and does not use this table. If it
  /// throws, nothing changes.
  template <class F>
  Upserted Upsert(const K& key, F&& modify) {
    const Place place = PlaceOf(key);
    const int64_t now = Now();
    const WriterLock home_lock(sets_[place.home].writer, owner_);
    std::optional<WriterLock> away_lock;
    const Target target = TargetFor(place, key, now, away_lock);
    if (target.set == kNowhere) {
      refused_.Add(1);
      return Upserted::kFull;
    }
    Set& set = sets_[target.set];
    const uint32_t old = target.replaced;
    const bool alive = old != kSlots && ExpiryOf(set, old) > now;
    const bool existed = target.own && alive;
    V before{};
    int64_t expires = Deadline::After(now, ttl_).nanos();
    if (existed) {
      ValueWords::Load(entries_[target.set * kSlots + old].value, &before, kSlotLoad);
      if (expiry_ == Expiry::kAfterCreation) expires = ExpiryOf(set, old);
    }
    V value = before;
    std::forward<F>(modify)(value, existed);
    if (existed) {
      Change(target.set, old, place.fingerprint, key, before, value, expires);
      return Upserted::kUpdated;
    }

    const uint64_t filled = Fill(target.set, place.fingerprint, key, value, expires);
    const bool moves_in = target.set >= homes_ && !target.own;
    if (moves_in) sets_[place.home].away.fetch_add(1, std::memory_order_relaxed);
    PublishLive(set, (LiveOf(set) | filled) & ~SlotBit(old));
    if (moves_in && old != kSlots) ReturnHome(target.set, old);
    if (!target.own && alive) evicted_.Add(1);
    return Upserted::kInserted;
  }
  /// Stores `value` under `key`.
  Upserted Put(const K& key, const V& value) {
    return Upsert(key, [&value](V& v, bool) { v = value; });
  }

  /// Calls modify(V& value) on the value of `key`, if there is one that has not expired, and stores
  /// what it leaves; false, without a call, if not. Makes no room and needs none.
  template <class F>
  bool Update(const K& key, F&& modify) {
    const Place place = PlaceOf(key);
    const int64_t now = Now();
    const WriterLock home_lock(sets_[place.home].writer, owner_);
    std::optional<WriterLock> away_lock;
    const Target target = OwnSlot(place, key, away_lock);
    if (!target.own) return false;
    const Set& set = sets_[target.set];
    const uint32_t old = target.replaced;
    int64_t expires = ExpiryOf(set, old);
    if (expires <= now) return false;
    V before;
    ValueWords::Load(entries_[target.set * kSlots + old].value, &before, kSlotLoad);
    V value = before;
    std::forward<F>(modify)(value);
    if (expiry_ == Expiry::kAfterWrite) expires = Deadline::After(now, ttl_).nanos();
    Change(target.set, old, place.fingerprint, key, before, value, expires);
    return true;
  }

  /// False when there was nothing, or only something expired.
  bool Erase(const K& key) {
    return EraseIf(key, [](const V&) { return true; });
  }
  /// The same, but only if condition(const V&) holds of the value; no other writer comes between.
  template <class F>
  bool EraseIf(const K& key, F&& condition) {
    const Place place = PlaceOf(key);
    const WriterLock home_lock(sets_[place.home].writer, owner_);
    std::optional<WriterLock> away_lock;
    const Target target = OwnSlot(place, key, away_lock);
    if (!target.own) return false;
    Set& set = sets_[target.set];
    const bool expired = ExpiryOf(set, target.replaced) <= Now();
    if (!expired) {
      V value;
      ValueWords::Load(entries_[target.set * kSlots + target.replaced].value, &value, kSlotLoad);
      if (!std::forward<F>(condition)(value)) return false;
    }
    PublishLive(set, LiveOf(set) & ~SlotBit(target.replaced));
    if (target.set >= homes_) ReturnHome(target.set, target.replaced);
    return !expired;
  }

  /// Erases all entries of which condition(const K&, const V&) holds and those that have expired,
  /// and overwrites what nobody can read any more, copies that updates left behind included: no
  /// byte of it stays in memory or in a region's file. Returns how many living ones it erased. For
  /// what must be forgotten and not only not be found: reads the whole table; the writers of a set
  /// wait while that set has its turn.
  template <class F>
  size_t Purge(F&& condition) {
    return PurgeIn(0, set_count_, std::forward<F>(condition));
  }
  /// The same for a part, as of ForEachIn().
  template <class F>
  size_t PurgeIn(size_t first, size_t count, F&& condition) {
    const int64_t now = Now();
    const size_t end = first < set_count_ ? set_count_ - first : 0;
    const size_t last = first + (count < end ? count : end);
    size_t erased = 0;
    for (size_t s = first; s < last; ++s) {
      Set& set = sets_[s];
      const WriterLock lock(set.writer, owner_);
      uint64_t gone = 0;
      for (uint64_t live = LiveOf(set); live != 0; live &= live - 1) {
        const auto slot = static_cast<uint32_t>(std::countr_zero(live));
        const bool expired = ExpiryOf(set, slot) <= now;
        V value;
        ValueWords::Load(entries_[s * kSlots + slot].value, &value, kSlotLoad);
        if (!expired && !condition(KeyAt(s, slot), std::as_const(value))) continue;
        gone |= SlotBit(slot);
        if (!expired) ++erased;
      }
      if (gone != 0) PublishLive(set, LiveOf(set) & ~gone);
      for (uint64_t rest = s < homes_ ? 0 : gone; rest != 0; rest &= rest - 1) {
        ReturnHome(s, static_cast<uint32_t>(std::countr_zero(rest)));
      }
      Overwrite(s);
    }
    return erased;
  }

  /// The same for one key: erases it and overwrites what cannot be read in the sets where it may
  /// have been. False when there was nothing, or only something expired.
  bool PurgeKey(const K& key) {
    const Place place = PlaceOf(key);
    const WriterLock home_lock(sets_[place.home].writer, owner_);
    std::optional<WriterLock> away_lock;
    const Target target = OwnSlot(place, key, away_lock);
    bool erased = false;
    if (target.own) {
      Set& set = sets_[target.set];
      erased = ExpiryOf(set, target.replaced) > Now();
      PublishLive(set, LiveOf(set) & ~SlotBit(target.replaced));
      if (target.set >= homes_) ReturnHome(target.set, target.replaced);
    }
    Overwrite(place.home);
    if (HasOverflow()) {
      const size_t overflow = OverflowOf(place);
      if (!away_lock) away_lock.emplace(sets_[overflow].writer, owner_);
      Overwrite(overflow);
    }
    return erased;
  }

  /// Calls visit(const K&, const V&) for every entry that has not expired, once; one that is erased
  /// and inserted again meanwhile may come twice or not at all. Those of a set are of one moment,
  /// all together are not. For inspection: reads the whole table.
  template <class F>
  void ForEach(F&& visit) const {
    ForEachIn(0, set_count_, std::forward<F>(visit));
  }
  /// The same for a part: set `first` and what follows it, `count` sets in all or as many as there
  /// are of sets().
  template <class F>
  void ForEachIn(size_t first, size_t count, F&& visit) const {
    const int64_t now = Now();
    const size_t end = first < set_count_ ? set_count_ - first : 0;
    const size_t last = first + (count < end ? count : end);
    SetCopy copy;
    for (size_t s = first; s < last; ++s) {
      CopySet(s, now, &copy);
      for (uint32_t i = 0; i < copy.count; ++i) {
        visit(std::as_const(copy.keys[i]), std::as_const(copy.values[i]));
      }
    }
  }

  /// The same for those whose room `key` would need: of the sets that it can be in.
  template <class F>
  void ForEachBeside(const K& key, F&& visit) const {
    const Place place = PlaceOf(key);
    ForEachIn(place.home, 1, visit);
    if (HasOverflow()) ForEachIn(OverflowOf(place), 1, visit);
  }

  /// Starts loading the set of `key` into the cache, and the slot where the key is or goes if that
  /// one was free when it came, for a Find() or Upsert() some 100 ns later.
  void Prefetch(const K& key) const {
    const Place place = PlaceOf(key);
    PrefetchSlot<true>(place.home, place.fingerprint);
    __builtin_prefetch(&sets_[place.home]);
  }

  /// Entries, expired ones that were not yet replaced included. Reads every set.
  [[nodiscard]] size_t SizeGuess() const {
    size_t live = 0;
    for (size_t s = 0; s < set_count_; ++s) {
      live +=
          static_cast<size_t>(std::popcount(Live(sets_[s].state.load(std::memory_order_relaxed))));
    }
    return live;
  }
  [[nodiscard]] size_t sets() const { return set_count_; }
  /// Entries that were replaced before they expired.
  [[nodiscard]] int64_t evicted() const { return evicted_.Sum(); }
  /// Upserts that found no room.
  [[nodiscard]] int64_t refused() const { return refused_.Sum(); }
  [[nodiscard]] size_t bytes() const { return set_count_ * (sizeof(Set) + kSlots * sizeof(Entry)); }

  /// Lets go of the sets whose writers died, and counts who is away. Only while nobody writes.
  void Recover() {
    for (size_t s = 0; s < set_count_; ++s) {
      if (ttl_ == kNever) {  // then what is there never expires either, whatever comes later
        for (auto& expires : sets_[s].expires) {
          if (expires.load(std::memory_order_relaxed) != 0) {
            expires.store(0, std::memory_order_relaxed);
          }
        }
      }
      // The word that a dead writer stored counts as published.
      if (sets_[s].writer.load(std::memory_order_relaxed) != 0) {
        PublishLive(sets_[s], LiveOf(sets_[s]));
      }
      for (Word* word : {&sets_[s].writer, &sets_[s].away}) {
        if (word->load(std::memory_order_relaxed) != 0) word->store(0, std::memory_order_relaxed);
      }
    }
    for (size_t s = homes_; s < set_count_; ++s) {
      for (uint32_t live = Live(sets_[s].state.load(std::memory_order_relaxed)); live != 0;
           live &= live - 1) {
        const K key = KeyAt(s, static_cast<uint32_t>(std::countr_zero(live)));
        sets_[PlaceOf(key).home].away.fetch_add(1, std::memory_order_relaxed);
      }
    }
  }

 private:
  using Layout = internal::TableLayout;
  using KeyWords = internal::Words<K, Atomics>;
  using ValueWords = internal::Words<V, Atomics>;
  using Word = typename Atomics::template Atomic<uint64_t>;
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
  static constexpr uint64_t kLiveMask = Layout::kLiveMask;

  struct alignas(kCacheLine) Set {
    Word state;
    Word fingerprints[internal::Lanes::kWords];
    Word writer;  // 0, or the epoch of the process whose thread is writing
    Word away;    // keys of this home that are in overflow sets
    alignas(kCacheLine) typename Atomics::template Atomic<int64_t> expires[kSlots];
  };
  struct Entry {
    Word key[KeyWords::kCount];
    Word value[ValueWords::kCount];
  };
  struct Place {
    size_t home;
    uint64_t rest;  // of the hash, that chose the home: chooses the overflow set
    uint16_t fingerprint;
  };
  /// Where a key is or is to go, of sets that are locked.
  struct Target {
    size_t set;
    uint32_t replaced;  // slot, or kSlots when nothing goes
    bool own;           // what is replaced is the key's own
  };
  static constexpr size_t kNowhere = std::numeric_limits<size_t>::max();
  using WriterLock = internal::WriterLock<Atomics, kLock, kUnlock>;

  static const Clock* ClockOf(const TableOptions& options) {
    if (options.clock != nullptr) return options.clock;
    return options.region != nullptr ? &options.region->clock() : &SystemClock::Get();
  }
  static RegionObject Describe(std::string_view name, size_t homes) {
    static_assert(Atomics::kModelled || (sizeof(Set) == Layout::kSetBytes &&
                                         offsetof(Set, state) == Layout::kStateOffset &&
                                         offsetof(Set, writer) == Layout::kWriterOffset &&
                                         offsetof(Set, away) == Layout::kAwayOffset &&
                                         offsetof(Set, expires) == Layout::kExpiresOffset));
    static_assert(internal::FieldsOf<K>().size() < RegionObject::kKeyFieldsBytes,
                  "too long to be kept");
    auto key = internal::FactsOf<K>();
    if constexpr (!std::is_same_v<Hash, StableHash<K>>) key.hash = &typeid(Hash);
    return internal::DescribeObject(ObjectKind::kTable, name, homes, internal::FactsOf<V>(), key);
  }
  static size_t HomesFor(size_t capacity) { return (capacity < 1 ? 1 : capacity) / 13 + 1; }
  Place PlaceOf(const K& key) const {
    const uint64_t hash = Hash{}(key);
    const auto product = static_cast<unsigned __int128>(hash) * homes_;
    return {static_cast<size_t>(product >> 64), static_cast<uint64_t>(product),
            static_cast<uint16_t>(hash)};
  }
  /// Only when there are overflow sets: HasOverflow().
  size_t OverflowOf(const Place& place) const {
    const auto product = static_cast<unsigned __int128>(place.rest) * (set_count_ - homes_);
    return homes_ + static_cast<size_t>(product >> 64);
  }
  bool HasOverflow() const { return set_count_ != homes_; }
  static uint32_t Live(uint64_t state) { return static_cast<uint32_t>(state & kLiveMask); }
  /// The region's time. Without a time to live nothing expires, and the clock is not asked.
  int64_t Now() const { return ttl_ == kNever ? 0 : clock_->Now() + time_offset_; }
  /// The slot where the key is or goes if that one was free when it came: see Fill().
  template <bool kExpires>
  void PrefetchSlot(size_t index, uint16_t fingerprint) const {
    const uint32_t slot = fingerprint % kSlots;
    if (kExpires && ttl_ != kNever) __builtin_prefetch(&sets_[index].expires[slot]);
    const Entry* entry = &entries_[index * kSlots + slot];
    __builtin_prefetch(entry);
    __builtin_prefetch(reinterpret_cast<const char*>(entry + 1) - 1);
  }
  /// The entries of a set that have not expired.
  struct SetCopy {
    uint32_t count = 0;
    K keys[kSlots];
    V values[kSlots];
  };
  /// All of one moment: an update moves its entry to another slot, where a look at one slot after
  /// the other would meet it again, or not at all. A set that changes all the while is locked.
  void CopySet(size_t s, int64_t now, SetCopy* out) const {
    constexpr int kTries = 8;
    const Set& set = sets_[s];
    const auto copied = [&] {
      const uint64_t state = set.state.load(Atomics::At(kRead, std::memory_order_acquire));
      out->count = 0;
      for (uint32_t live = Live(state); live != 0; live &= live - 1) {
        const auto slot = static_cast<uint32_t>(std::countr_zero(live));
        if (ExpiryOf(set, slot) <= now) continue;
        out->keys[out->count] = KeyAt(s, slot);
        ValueWords::Load(entries_[s * kSlots + slot].value, &out->values[out->count], kSlotLoad);
        ++out->count;
      }
      return set.state.load(std::memory_order_relaxed) == state;
    };
    for (int i = 0; i < kTries; ++i) {
      if (copied()) return;
    }
    const WriterLock lock(const_cast<Set&>(set).writer, owner_);  // tables are never const objects
    copied();
  }
  enum class Look : uint8_t { kMissing, kExpired, kFound, kChanged };
  /// Without kExpires nothing is asked, or loaded, that only a time to live needs.
  template <bool kExpires>
  bool FindAt(const K& key, V* value, int64_t now) const {
    const Place place = PlaceOf(key);
    // Else the slot would be waited for after the header that tells of it.
    PrefetchSlot<kExpires>(place.home, place.fingerprint);
    const Look look = LookIn<kExpires>(place.home, place.fingerprint, key, value, now);
    if (look == Look::kFound) [[likely]] {
      return true;
    }
    if (look == Look::kExpired || (look == Look::kMissing && !IsAway(place))) return false;
    return FindAnywhere(key, value, now);
  }
  /// Apart, and from the start, so that it costs those nothing who find their key at the first
  /// look.
  [[gnu::noinline]] bool FindAnywhere(const K& key, V* value, int64_t now) const {
    const Place place = PlaceOf(key);
    if (HasOverflow()) PrefetchSlot<true>(OverflowOf(place), place.fingerprint);
    Look look = LookUntilWhole(place.home, place.fingerprint, key, value, now);
    if (look == Look::kMissing && IsAway(place)) {
      look = LookUntilWhole(OverflowOf(place), place.fingerprint, key, value, now);
    }
    return look == Look::kFound;
  }
  Look LookUntilWhole(size_t index, uint16_t fingerprint, const K& key, V* value,
                      int64_t now) const {
    for (;;) {
      const Look look = LookIn<true>(index, fingerprint, key, value, now);
      if (look != Look::kChanged) return look;
    }
  }
  template <bool kExpires>
  Look LookIn(size_t index, uint16_t fingerprint, const K& key, V* value, int64_t now) const {
    const Set& set = sets_[index];
    const uint64_t state = set.state.load(Atomics::At(kRead, std::memory_order_acquire));
    const auto unchanged = [&] { return set.state.load(std::memory_order_relaxed) == state; };
    for (uint32_t hits = Matches(set, fingerprint) & Live(state); hits != 0; hits &= hits - 1) {
      const auto slot = static_cast<uint32_t>(std::countr_zero(hits));
      const Entry& entry = entries_[index * kSlots + slot];
      if (!HoldsKey(entry, key)) [[unlikely]] {
        continue;
      }
      const int64_t expires = kExpires ? ExpiryOf(set, slot) : kNever;
      V copy;
      ValueWords::Load(entry.value, &copy, kSlotLoad);
      if (!unchanged()) [[unlikely]] {
        return Look::kChanged;
      }
      if (expires <= now) return Look::kExpired;
      *value = copy;
      return Look::kFound;
    }
    return unchanged() ? Look::kMissing : Look::kChanged;
  }
  /// Whether some key of this home is not at home.
  bool IsAway(const Place& place) const {
    return HasOverflow() && sets_[place.home].away.load(std::memory_order_relaxed) != 0;
  }
  /// Without a time to live the expiries' cache lines stay untouched.
  int64_t ExpiryOf(const Set& set, uint32_t slot) const {
    if (ttl_ == kNever) return kNever;
    return Layout::StoredExpiry(
        set.expires[slot].load(Atomics::At(kSlotLoad, std::memory_order_acquire)));
  }
  void StoreExpiry(Set& set, uint32_t slot, int64_t expires) {
    if (ttl_ == kNever) return;
    set.expires[slot].store(Layout::StoredExpiry(expires),
                            Atomics::At(kSlotStore, std::memory_order_release));
  }

  /// Slots whose fingerprint is `fingerprint`, as bits.
  static uint32_t Matches(const Set& set, uint16_t fingerprint) {
    const auto word = [&set](uint32_t i) {
      return set.fingerprints[i].load(Atomics::At(kSlotLoad, std::memory_order_acquire));
    };
    // One by one: a loop would go by way of memory, where wide loads wait for narrow stores.
    return internal::Lanes{{word(0), word(1), word(2), word(3)}}.EqualTo(fingerprint);
  }
  /// Neighbours keep their value; the holder of the writer word is the only one to store.
  static void StoreFingerprint(Set& set, uint32_t slot, uint16_t fingerprint) {
    Word& word = set.fingerprints[slot / internal::Lanes::kPerWord];
    const uint64_t others = word.load(std::memory_order_relaxed);
    word.store(internal::Lanes::With(others, slot, fingerprint),
               Atomics::At(kSlotStore, std::memory_order_release));
  }

  K KeyAt(size_t set, uint32_t slot) const {
    K held;
    KeyWords::Load(entries_[set * kSlots + slot].key, &held, kSlotLoad);
    return held;
  }
  static bool HoldsKey(const Entry& entry, const K& key) {
    K held;
    KeyWords::Load(entry.key, &held, kSlotLoad);
    return held == key;
  }

  // All that follows is done under the writer words of the sets that it looks at.

  /// kSlots when there is none.
  uint32_t LiveSlotOf(size_t index, uint16_t fingerprint, const K& key) const {
    const Set& set = sets_[index];
    const uint64_t state = set.state.load(std::memory_order_relaxed);
    for (uint32_t hits = Matches(set, fingerprint) & Live(state); hits != 0; hits &= hits - 1) {
      const auto slot = static_cast<uint32_t>(std::countr_zero(hits));
      if (HoldsKey(entries_[index * kSlots + slot], key)) return slot;
    }
    return kSlots;
  }
  /// The key's own slot, expired or not. Locks the overflow set if the key may be there.
  Target OwnSlot(const Place& place, const K& key, std::optional<WriterLock>& away_lock) {
    uint32_t slot = LiveSlotOf(place.home, place.fingerprint, key);
    if (slot != kSlots) return {place.home, slot, true};
    if (!IsAway(place)) return {kNowhere, kSlots, false};
    const size_t overflow = OverflowOf(place);
    away_lock.emplace(sets_[overflow].writer, owner_);
    slot = LiveSlotOf(overflow, place.fingerprint, key);
    if (slot != kSlots) return {overflow, slot, true};
    return {kNowhere, kSlots, false};
  }
  /// Where an upsert of the key writes: over its own slot; else at home, and away if home is full;
  /// kNowhere when both are.
  Target TargetFor(const Place& place, const K& key, int64_t now,
                   std::optional<WriterLock>& away_lock) {
    const Target own = OwnSlot(place, key, away_lock);
    if (own.own) return own;
    if (HasFreeSlot(place.home)) return {place.home, kSlots, false};
    const Set& home = sets_[place.home];
    const uint32_t at_home = SoonestToExpire(home);
    if (ExpiryOf(home, at_home) <= now) return {place.home, at_home, false};
    if (HasOverflow()) {
      const size_t index = OverflowOf(place);
      const Set& overflow = sets_[index];
      if (!away_lock) away_lock.emplace(sets_[index].writer, owner_);
      if (HasFreeSlot(index)) return {index, kSlots, false};
      const uint32_t away = SoonestToExpire(overflow);
      if (ExpiryOf(overflow, away) <= now) return {index, away, false};
    }
    if (when_full_ == WhenFull::kEvict) return {place.home, at_home, false};
    return {kNowhere, kSlots, false};
  }
  bool HasFreeSlot(size_t index) const {
    const uint64_t state = sets_[index].state.load(std::memory_order_relaxed);
    return std::popcount(Live(state)) < static_cast<int>(kWays);
  }
  /// Of a full set.
  uint32_t SoonestToExpire(const Set& set) const {
    const uint64_t state = set.state.load(std::memory_order_relaxed);
    uint32_t first = kSlots;
    int64_t soonest = kNever;
    // Starts behind the free slot. In a full set that one is the last to have been vacated, so
    // among equals the slots take turns.
    const auto start = static_cast<uint32_t>(std::countr_one(Live(state))) + 1;
    for (uint32_t i = 0; i < kSlots; ++i) {
      const uint32_t slot = (start + i) % kSlots;
      if ((Live(state) >> slot & 1) == 0) continue;
      const int64_t expires = ExpiryOf(set, slot);
      if (first == kSlots || expires < soonest) {
        first = slot;
        soonest = expires;
      }
    }
    return first;
  }
  /// What was in this slot of an overflow set is away no longer.
  void ReturnHome(size_t overflow, uint32_t slot) {
    sets_[PlaceOf(KeyAt(overflow, slot)).home].away.fetch_sub(1, std::memory_order_relaxed);
  }

  /// Fills a slot of the set that is not live, and returns its bit: the first from the one on where
  /// PrefetchSlot() expects the key.
  uint64_t Fill(size_t index, uint16_t fingerprint, const K& key, const V& value, int64_t expires) {
    Set& set = sets_[index];
    const uint32_t first = fingerprint % kSlots;
    const auto live = std::rotr(static_cast<uint16_t>(LiveOf(set)), static_cast<int>(first));
    const uint32_t slot = (first + static_cast<uint32_t>(std::countr_one(live))) % kSlots;
    Entry& entry = entries_[index * kSlots + slot];
    StoreFingerprint(set, slot, fingerprint);
    StoreExpiry(set, slot, expires);
    KeyWords::Store(entry.key, key, kSlotStore);
    ValueWords::Store(entry.value, value, kSlotStore);
    return SlotBit(slot);
  }
  /// The value of the live slot `old`, which holds `key`, becomes `value`.
  void Change(size_t index, uint32_t old, uint16_t fingerprint, const K& key, const V& before,
              const V& value, int64_t expires) {
    Set& set = sets_[index];
    const size_t word = ValueWords::OnlyDifference(before, value);
    if (expires == ExpiryOf(set, old) && word <= ValueWords::kCount) {
      if (word == ValueWords::kCount) return;
      ValueWords::StoreOne(entries_[index * kSlots + old].value, value, word, kSlotStore);
      PublishLive(set, LiveOf(set));
    } else {
      const uint64_t filled = Fill(index, fingerprint, key, value, expires);
      PublishLive(set, (LiveOf(set) | filled) & ~SlotBit(old));
    }
  }

  /// Zeros in the slots that are not live: to readers the later life of a slot, as any other is.
  void Overwrite(size_t index) {
    Set& set = sets_[index];
    const uint64_t live = LiveOf(set);
    const auto clear = [](Word& word) {
      if (word.load(std::memory_order_relaxed) == 0) return;  // so that clean pages stay clean
      word.store(0, Atomics::At(kSlotStore, std::memory_order_release));
    };
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
      if ((live >> slot & 1) != 0) continue;
      StoreFingerprint(set, slot, 0);
      for (Word& word : entries_[index * kSlots + slot].key) clear(word);
      for (Word& word : entries_[index * kSlots + slot].value) clear(word);
    }
  }

  /// Nothing for kSlots.
  static uint64_t SlotBit(uint32_t slot) { return uint64_t{slot < kSlots} << slot; }
  static uint64_t LiveOf(const Set& set) {
    return set.state.load(std::memory_order_relaxed) & kLiveMask;
  }
  static void PublishLive(Set& set, uint64_t live) {
    const uint64_t version = set.state.load(std::memory_order_relaxed) & ~kLiveMask;
    set.state.store((version + kLiveMask + 1) | live,
                    Atomics::At(kPublish, std::memory_order_release));
  }

  const int64_t ttl_;
  const WhenFull when_full_;
  const Expiry expiry_;
  const Clock* const clock_;
  const uint64_t owner_;
  const int64_t time_offset_;
  const size_t homes_;      // sets [0, homes_)
  const size_t set_count_;  // with the overflow sets behind them
  internal::RegionBlock block_;
  internal::RegionArray<Set, Atomics> sets_;
  internal::RegionArray<Entry, Atomics> entries_;
  BasicCounter<Atomics> evicted_, refused_;
};

}  // namespace adagents
