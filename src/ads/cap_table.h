// The counts behind FrequencyCaps: millions of capped windows in fixed memory, each one CapWord.
//
// Why not blackboard/table.h: an update there takes the set's writer word and moves the entry to
// another slot, three lines and two writes; with key, value and expiry an entry is 60 bytes, and
// its entries expire by one time to live. Here a window is 12 bytes with what it counts, and taking
// a place in it is done in one line.
//
// Layout: lines of 64 bytes: five words, five tags (24 bits of a hash of subject, target and
// window, and 8 bits of CapShape's code), two locks, and marks. A window has a first line and a
// second. It is opened in the first while that has two free slots, else in the emptier of the two
// (Azar, Broder, Karlin, Upfal: "Balanced allocations", 1994), and where both are full in one of
// the six lines beside them. At capacity nine windows in ten are in their first line, which is all
// that is read for them. Those that are not leave a mark there, one of 15 bits, chosen by the tag
// (Bloom: "Space/time trade-offs in hash coding", 1970), so that a window that is nowhere mostly
// costs one line too. Marks stay: where windows have come and gone for long, a look that finds
// nothing reads two lines. The second line follows from the first and the tag (Fan et al.: "Cuckoo
// filter", 2014), so two windows with one tag that could meet in a line have the same two lines,
// and may share one count: that only ever blocks more, and at ten slots and 24 bits concerns one
// window in more than a million. Lines come in groups of 512, and the windows of one subject lie in
// 16 groups: so asking for hundreds of candidates of one request stays in 512 KiB, and a subject
// with thousands of windows takes nobody else's room.
//
// Invariants: a window has at most one slot: slots are given to a window only under one opening
// lock that all windows with the same tag in these lines have in common, after a look at all of
// them that did not find it; what that look finds where no mark leads is marked. A mark is there
// before the slot that it leads to. Words and tags of a line change only under the line's own lock,
// of which nobody holds two; an opening lock is taken before it. A slot changes hands only when its
// word is over (CapWord::IsOver): word to kClaimed, then the tag, then the first word. A word that
// is not over is never taken, so full lines refuse.
//
// Progress: looking is wait-free but for windows that come and go meanwhile. Reserving and settling
// wait for whoever changes a window of the same line, which takes some ten instructions, and, where
// a window is new, for those who open windows under the same lock. Where a holder was preempted,
// those who wait give their core away; with real-time priorities above its, they may wait for long.
//
// Why not a compare-and-swap on the word, without a lock: where that is depends on the tags, and
// processors begin no later load before it is done, so a loop of reservations has one line on its
// way at a time. The lock is where the line is, which is known beforehand. For the same reason
// there is little to execute beside waiting: the less that is, the more of them are under way. Lock
// and tags that are compared at once took bench/caps_bench from 217-250 ns a window to 138-148.
//
// A process that is killed midway leaves a lock or a claimed slot, in which nothing was counted
// yet; Recover() frees both. Every count is one word, so it is there before or after, whole.
//
// Memory orders, by site:
//   kLock acquire, kUnlock release: whoever changes a line sees what the holders before it did.
//   kOpenLock acquire, kOpenUnlock release: whoever looks again under the opening lock sees what
//     earlier holders opened.
//   kTagStore release, kTagLoad acquire: whoever reads a slot's new tag does not read a word from
//     before the slot was claimed.
//   kPublish and kCount release, kRead acquire: whoever reads a slot's new word sees its new tag,
//     so a second, relaxed look at the tag tells whose word that was.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <typeinfo>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "adagents/base/atomics.h"
#include "adagents/base/ids.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/region_object.h"
#include "ads/cap_word.h"

namespace adagents::ads::internal {

/// Where a window is counted. Plain value; the same in every process that has the table.
struct CapPlace {
  uint32_t line[2] = {0, 0};
  uint32_t tag = 0;  // its low 8 bits: the code of the slices' width

  bool operator==(const CapPlace&) const = default;
};

enum class CapTaken : uint8_t { kYes, kCapped, kFull };

/// Thread-safe. Times are units of kCapUnitSeconds and may come from clocks that differ a little.
template <class Atomics = StdAtomics, uint32_t kGroup = 512>
class CapTable {
 public:
  enum Site : int {
    kLock,
    kUnlock,
    kOpenLock,
    kOpenUnlock,
    kPublish,
    kCount,
    kRead,
    kTagStore,
    kTagLoad
  };
  static constexpr uint32_t kSlots = 5;
  static constexpr size_t kLineBytes = 64;
  // Of the slots, so many are used at capacity: then one window in about a million finds no room.
  static constexpr double kLoad = 0.62;
  static constexpr size_t kMostLines = size_t{1} << 28;  // 16 GiB

  /// Lines for so many windows.
  static constexpr size_t LinesFor(size_t windows) {
    const double lines = static_cast<double>(windows) / (kSlots * kLoad);
    const size_t groups = static_cast<size_t>(lines / kGroup) + 1;
    return groups * kGroup < kMostLines ? groups * kGroup : kMostLines;
  }
  static constexpr size_t BytesFor(size_t windows) { return LinesFor(windows) * kLineBytes; }

  /// `ttl`: of a reservation, units, at least 1. Throws std::bad_alloc without memory.
  CapTable(size_t lines, uint32_t ttl, Region* region = nullptr, std::string_view name = {})
      : ttl_(ttl),
        groups_(static_cast<uint32_t>(lines / kGroup < 1 ? 1 : lines / kGroup)),
        block_(region, Describe(name, size_t{groups_} * kGroup, ttl_.units), Atomics::kModelled),
        lines_(block_, 0, size_t{groups_} * kGroup) {
    if (block_.reopened()) Recover();
    block_.Commit();
  }
  CapTable(const CapTable&) = delete;
  CapTable& operator=(const CapTable&) = delete;

  /// `subject`: whose impressions, a hash; `target`: of what, a hash.
  [[nodiscard]] CapPlace PlaceOf(uint64_t subject, uint64_t target, const CapShape& shape) const {
    // Subject and target are hashes; that small numbers spread as well is for tests.
    const uint64_t what = CombineHash(subject, target * kTargetSpread + shape.span);
    const uint64_t share = subject + (what >> 16 & (kGroupsEach - 1));
    const uint64_t group = (share * kSubjectSpread >> 32) * groups_ >> 32;
    CapPlace place;
    place.tag = static_cast<uint32_t>(what >> 40) << 8 | shape.code;
    place.line[0] = static_cast<uint32_t>(group * kGroup + (what & (kGroup - 1)));
    const uint32_t apart = (place.tag * kTagSpread) >> (32 - std::countr_zero(kGroup));
    place.line[1] = place.line[0] ^ (apart == 0 ? 1 : apart);
    return place;
  }
  /// Starts loading into the cache the line where it most likely is.
  void Prefetch(const CapPlace& place) const { __builtin_prefetch(&lines_[place.line[0]], 1); }

  /// Takes one of `limit` places in the window, which has `shape`, if there is one.
  CapTaken Reserve(const CapPlace& place, uint32_t limit, const CapShape& shape, uint32_t now) {
    return Change(place, shape.width, now, [&](CapWord& w) {
      if (!w.HasRoom(limit, shape)) return false;
      w.Reserve();
      return true;
    });
  }
  /// Ends a reservation of the moment `reserved_at`: `played` counts an impression instead, also
  /// when the reservation has expired. False when there is no room to count it, which there always
  /// is for one that has not.
  bool Settle(const CapPlace& place, uint32_t reserved_at, bool played, uint32_t now) {
    if (!played && Find(place).at == nullptr) return true;
    bool counted = true;
    const CapTaken taken = Change(place, WidthOf(place.tag), now, [&](CapWord& w) {
      w.Unreserve(reserved_at, ttl_);
      if (played) counted = w.Count();
      return true;
    });
    return counted && taken == CapTaken::kYes;
  }
  /// The counts at `now`. Lock-free.
  [[nodiscard]] CapWord Look(const CapPlace& place, uint32_t now) const {
    const Found found = Find(place);
    if (found.at == nullptr) return CapWord{now, 0, 0, 0};
    return CapWord::At(found.word, now, WidthOf(place.tag), ttl_);
  }

  [[nodiscard]] const CapPeriod& ttl() const { return ttl_; }
  [[nodiscard]] size_t lines() const { return size_t{groups_} * kGroup; }
  [[nodiscard]] size_t bytes() const { return lines() * kLineBytes; }

  /// Slots that count something at `now`. Reads the whole table.
  [[nodiscard]] size_t SlotsInUse(uint32_t now) const {
    size_t used = 0;
    for (size_t i = 0; i < lines(); ++i) {
      for (uint32_t k = 0; k < kSlots; ++k) used += IsOver(lines_[i], k, now) ? 0 : 1;
    }
    return used;
  }
  /// Lets go of what a writer that died had begun. Only while nobody writes.
  void Recover() {
    for (size_t i = 0; i < lines(); ++i) {
      Line& line = lines_[i];
      for (Byte* lock : {&line.lock, &line.opening}) {
        if (lock->load(std::memory_order_relaxed) != 0) lock->store(0, std::memory_order_relaxed);
      }
      for (Word& word : line.words) {
        if (word.load(std::memory_order_relaxed) == CapWord::kClaimed) {
          word.store(CapWord::kFree, std::memory_order_relaxed);
        }
      }
    }
  }

 private:
  using Word = typename Atomics::template Atomic<uint64_t>;
  using Tag = typename Atomics::template Atomic<uint32_t>;
  using Byte = typename Atomics::template Atomic<uint8_t>;
  using Marks = typename Atomics::template Atomic<uint16_t>;
  struct alignas(kLineBytes) Line {
    Word words[kSlots];
    Word tags[2];  // of the first four slots, the lower halves first
    Tag last_tag;
    Byte opening;  // 1 while a window is opened whose OpeningLockOf() this is
    Byte lock;     // 1 while a word or tag of this line changes
    Marks marks;
  };
  static_assert(std::has_single_bit(kGroup) && kGroup > 1);
  // A line and those that are beside it.
  static constexpr uint32_t kBlock = std::min(kGroup, 4u);
  // A window comes into its first line while that has so many free slots. With one, 95 % instead of
  // 90 % would be there at capacity, and ten times as many find room nowhere.
  static constexpr uint32_t kRoomy = 2;
  static constexpr uint64_t kGroupsEach = 16;  // in which a subject's windows are
  // Odd, with ones and zeros in no order (Steele, Vigna: "Computationally easy, spectrally good
  // multipliers for congruential pseudorandom number generators", 2021).
  static constexpr uint64_t kSubjectSpread = 0xd1342543de82ef95, kTargetSpread = 0xaf251af3b0f025b5;
  static constexpr uint32_t kTagSpread = 0x915f77f5;
  // Some window of this line was opened beside its two lines, both being full. The mark is on both,
  // since either may be the first of a window with the same tag. It stays: a look at six more lines
  // is all that it costs, and one window in a thousand leaves one.
  static constexpr uint16_t kOverflowed = 1;
  // All higher bits: that a window whose first line this is may be in its second.
  static constexpr uint16_t AwayMark(uint32_t tag) {
    return static_cast<uint16_t>(2u << ((tag >> 8) * 15 >> 24));
  }
  static constexpr uint64_t kHalf = 0xffff'ffff;  // of a word
  struct Slot {
    uint32_t line = 0;
    uint32_t free = 0;  // of the line's
    uint32_t at = 0;    // the first of those
  };

  template <Site kTake, Site kGiveBack>
  class Lock {
   public:
    [[gnu::always_inline]] explicit Lock(Byte& lock) : lock_(lock) {
      if (lock_.exchange(1, Atomics::At(kTake, std::memory_order_acquire)) != 0) [[unlikely]] {
        Wait();
      }
    }
    ~Lock() { lock_.store(0, Atomics::At(kGiveBack, std::memory_order_release)); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;

   private:
    /// Its holder needs some ten instructions, unless it was preempted: then it needs the core.
    [[gnu::noinline, gnu::cold]] void Wait() {
      constexpr int kPatience = 100;
      for (int tries = 0; lock_.exchange(1, Atomics::At(kTake, std::memory_order_acquire)) != 0;
           ++tries) {
        if (Atomics::kModelled || tries < kPatience) {
          Atomics::Pause();
        } else {
          std::this_thread::yield();
        }
      }
    }
    Byte& lock_;
  };
  using LineLock = Lock<kLock, kUnlock>;
  using OpeningLock = Lock<kOpenLock, kOpenUnlock>;

  /// The times to live tell which generation a reservation is of, so a region whose counts were
  /// made with another one is refused.
  static RegionObject Describe(std::string_view name, size_t lines, uint32_t ttl) {
    using Layout = ::adagents::internal::WindowsLayout;
    static_assert(Atomics::kModelled ||
                  (sizeof(Line) == Layout::kLineBytes && kSlots == Layout::kSlots &&
                   offsetof(Line, opening) == Layout::kLockOffset && Layout::kLockedBit == 1));
    const std::string terms = "lines=2 ttl_s=" + std::to_string(ttl * kCapUnitSeconds);
    ::adagents::internal::TypeFacts facts;
    facts.type = &typeid(CapWord);
    facts.fields = terms;
    facts.bytes = sizeof(CapWord);
    facts.align = alignof(CapWord);
    return ::adagents::internal::DescribeObject(ObjectKind::kWindows, name, lines, facts);
  }
  static const CapPeriod& WidthOf(uint32_t tag) { return kCapWidths[tag & 0xff]; }

  bool IsOver(const Line& line, uint32_t slot, uint32_t now) const {
    const uint64_t word = line.words[slot].load(Atomics::At(kRead, std::memory_order_acquire));
    return CapWord::IsOver(word, now, WidthOf(TagOf(line, slot)), ttl_);
  }

  /// Where a window is counted, and what was there; null when it has no slot.
  struct Found {
    Word* at = nullptr;
    uint64_t word = 0;
    uint32_t line = 0;
  };
  Found Find(const CapPlace& place) const {
    const Found found = FindIn(place.line[0], place.tag);
    if (found.at != nullptr) [[likely]] {
      return found;
    }
    const uint16_t marks = MarksOf(place);
    if (marks == 0) return {};
    return FindAway(place, (marks & kOverflowed) != 0);
  }
  /// Those that lead away from the first line of the window.
  [[nodiscard]] uint16_t MarksOf(const CapPlace& place) const {
    // Relaxed: whoever opens windows looks again under the lock, where it sees the marks.
    const uint16_t marks = lines_[place.line[0]].marks.load(std::memory_order_relaxed);
    return marks & (AwayMark(place.tag) | kOverflowed);
  }
  [[gnu::noinline]] Found FindAway(const CapPlace& place, bool overflowed) const {
    const Found found = FindIn(place.line[1], place.tag);
    if (found.at != nullptr || !overflowed) return found;
    return FindBeside(place);
  }
  Found FindBeside(const CapPlace& place) const {
    for (uint32_t by = 1; by < kBlock; ++by) {
      for (const uint32_t index : place.line) {
        const Found found = FindIn(index ^ by, place.tag);
        if (found.at != nullptr) return found;
      }
    }
    return {};
  }
  [[gnu::always_inline]] Found FindIn(uint32_t index, uint32_t tag) const {
    auto& line = const_cast<Line&>(lines_[index]);
    for (uint32_t hits = SlotsWith(line, tag); hits != 0; hits &= hits - 1) {
      const auto k = static_cast<uint32_t>(std::countr_zero(hits));
      const uint64_t word = line.words[k].load(Atomics::At(kRead, std::memory_order_acquire));
      // Else it is free, or changes hands.
      if (IsOf(line, k, tag, word)) [[likely]] {
        return {&line.words[k], word, index};
      }
    }
    return {};
  }
  /// Whether `word`, which was there, is of the window with the tag.
  [[gnu::always_inline]] static bool IsOf(const Line& line, uint32_t k, uint32_t tag,
                                          uint64_t word) {
    return word != CapWord::kFree && word != CapWord::kClaimed && TagOf(line, k) == tag;
  }
  static uint32_t TagOf(const Line& line, uint32_t k) {
    if (k == 4) return line.last_tag.load(std::memory_order_relaxed);
    return static_cast<uint32_t>(line.tags[k / 2].load(std::memory_order_relaxed) >> (k % 2 * 32));
  }
  /// Under the line's lock.
  static void StoreTag(Line& line, uint32_t k, uint32_t tag) {
    if (k == 4) {
      return line.last_tag.store(tag, Atomics::At(kTagStore, std::memory_order_release));
    }
    const uint32_t shift = k % 2 * 32;
    const uint64_t other = line.tags[k / 2].load(std::memory_order_relaxed) & ~(kHalf << shift);
    line.tags[k / 2].store(other | uint64_t{tag} << shift,
                           Atomics::At(kTagStore, std::memory_order_release));
  }
  /// As bits.
  [[gnu::always_inline]] static uint32_t SlotsWith(const Line& line, uint32_t tag) {
    static_assert(kSlots == 5);
    const auto tags = [](const auto& some) {
      return some.load(Atomics::At(kTagLoad, std::memory_order_acquire));
    };
    const uint64_t low = tags(line.tags[0]), high = tags(line.tags[1]);
    const uint32_t last = uint32_t{tags(line.last_tag) == tag};
#if defined(__SSE2__)
    const __m128i four = _mm_set_epi64x(static_cast<int64_t>(high), static_cast<int64_t>(low));
    const __m128i same = _mm_cmpeq_epi32(four, _mm_set1_epi32(static_cast<int32_t>(tag)));
    return last << 4 | static_cast<uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(same)));
#else
    // In sums: a choice of one of them is made a branch by compilers.
    const auto two = [tag](uint64_t tags) {
      return uint32_t{tags >> 32 == tag} * 2 + uint32_t{(tags & kHalf) == tag};
    };
    return (last * 4 + two(high)) * 4 + two(low);
#endif
  }
  /// The same for all windows that can have a slot in any of the place's lines or beside them under
  /// one tag.
  Byte& OpeningLockOf(const CapPlace& place) {
    return lines_[std::min(place.line[0], place.line[1]) & ~(kBlock - 1)].opening;
  }

  /// Lets `change` alter the window's counts at `now`; kCapped, and nothing altered, when it
  /// returns false.
  template <class F>
  [[gnu::always_inline]] CapTaken Change(const CapPlace& place, const CapPeriod& width,
                                         uint32_t now, F change) {
    Changed changed = ChangeIn(place.line[0], place.tag, width, now, change);
    if (changed != Changed::kNotThere) [[likely]] {
      return changed == Changed::kYes ? CapTaken::kYes : CapTaken::kCapped;
    }
    return ChangeElsewhere(place, width, now, change);
  }
  enum class Changed : uint8_t { kYes, kNo, kNotThere };
  template <class F>
  [[gnu::always_inline]] Changed ChangeIn(uint32_t index, uint32_t tag, const CapPeriod& width,
                                          uint32_t now, F change) {
    Line& line = lines_[index];
    const LineLock lock(line.lock);
    for (uint32_t hits = SlotsWith(line, tag); hits != 0; hits &= hits - 1) {
      Word& at = line.words[std::countr_zero(hits)];
      const uint64_t word = at.load(std::memory_order_relaxed);
      if (word == CapWord::kFree) [[unlikely]] {
        continue;
      }
      CapWord w = CapWord::At(word, now, width, ttl_);
      if (!change(w)) return Changed::kNo;
      at.store(w.Packed(), Atomics::At(kCount, std::memory_order_release));
      return Changed::kYes;
    }
    return Changed::kNotThere;
  }
  template <class F>
  [[gnu::noinline]] CapTaken ChangeElsewhere(const CapPlace& place, const CapPeriod& width,
                                             uint32_t now, F change) {
    for (;;) {
      const Found found = Find(place);
      if (found.at == nullptr) {
        CapWord first{now, 0, 0, 0};
        if (!change(first)) return CapTaken::kCapped;
        const Opened opened = Open(place, first.Packed(), now);
        if (opened == Opened::kFull) return CapTaken::kFull;
        if (opened == Opened::kYes) return CapTaken::kYes;
        continue;  // somebody else did
      }
      const Changed changed = ChangeIn(found.line, place.tag, width, now, change);
      // Else its slot was over, and was taken.
      if (changed != Changed::kNotThere) {
        return changed == Changed::kYes ? CapTaken::kYes : CapTaken::kCapped;
      }
    }
  }

  enum class Opened : uint8_t { kYes, kThere, kFull };
  /// Gives the window a slot with `word` in it.
  Opened Open(const CapPlace& place, uint64_t word, uint32_t now) {
    const OpeningLock lock(OpeningLockOf(place));
    if (Find(place).at != nullptr) return Opened::kThere;
    Marks& marks = lines_[place.line[0]].marks;
    if (FindIn(place.line[1], place.tag).at != nullptr) {
      // Of a window with the same tag whose first line that is.
      marks.fetch_or(AwayMark(place.tag), std::memory_order_relaxed);
      return Opened::kThere;
    }
    for (;;) {
      Slot slot = FreeIn(place.line[0], now);
      if (slot.free < kRoomy) slot = Emptier(slot, FreeIn(place.line[1], now));
      if (slot.free == 0) {
        // Marked first, or a window of the same tag that is there already would not be found.
        for (const uint32_t index : place.line) {
          lines_[index].marks.fetch_or(kOverflowed, std::memory_order_relaxed);
        }
        if (FindBeside(place).at != nullptr) return Opened::kThere;
        for (uint32_t by = 1; by < kBlock; ++by) {
          for (const uint32_t index : place.line) slot = Emptier(slot, FreeIn(index ^ by, now));
        }
        if (slot.free == 0) return Opened::kFull;
      } else if (slot.line != place.line[0]) {
        marks.fetch_or(AwayMark(place.tag), std::memory_order_relaxed);
      }
      if (Take(slot, place.tag, word, now)) return Opened::kYes;
      // Else taken from under another opening lock, or its window lives again.
    }
  }
  /// False when the slot is over no more.
  bool Take(const Slot& slot, uint32_t tag, uint64_t word, uint32_t now) {
    Line& line = lines_[slot.line];
    const LineLock lock(line.lock);
    if (!IsOver(line, slot.at, now)) return false;
    line.words[slot.at].store(CapWord::kClaimed, std::memory_order_relaxed);
    StoreTag(line, slot.at, tag);
    line.words[slot.at].store(word, Atomics::At(kPublish, std::memory_order_release));
    return true;
  }
  /// The first slot of the line that is over, and how many there are.
  Slot FreeIn(uint32_t index, uint32_t now) {
    Slot slot{.line = index};
    for (uint32_t k = 0; k < kSlots; ++k) {
      if (!IsOver(lines_[index], k, now)) continue;
      if (slot.free++ == 0) slot.at = k;
    }
    return slot;
  }
  static const Slot& Emptier(const Slot& a, const Slot& b) { return b.free > a.free ? b : a; }

  const CapPeriod ttl_;
  const uint32_t groups_;
  ::adagents::internal::RegionBlock block_;
  ::adagents::internal::RegionArray<Line, Atomics> lines_;
};

}  // namespace adagents::ads::internal
