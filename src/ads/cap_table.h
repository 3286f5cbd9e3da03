// The counts behind FrequencyCaps: millions of capped windows in fixed memory, each one CapWord.
//
// Why not blackboard/table.h: an update there takes the set's writer word and moves the entry to
// another slot, three lines and two writes; with key, value and expiry an entry is 60 bytes, and
// its entries expire by one time to live. Here a window is 12 bytes with what it counts, and taking
// a place in it is one compare-and-swap on one line.
//
// Layout: lines of 64 bytes: five words, five tags (24 bits of a hash of subject, target and
// window, and 8 bits of CapShape's code), and a word with the line's lock and marks. A window has a
// first line and a second. It is opened in the first while that has two free slots, else in the
// emptier of the two (Azar, Broder, Karlin, Upfal: "Balanced allocations", 1994), and where both
// are full in one of the six lines beside them. At capacity nine windows in ten are in their first
// line, which is all that is read for them: of 50 million windows a random one is reserved in in
// 114 ns, and took 218 when both lines were read. Those that are not leave a mark there, one of 30
// bits, chosen by the tag (Bloom: "Space/time trade-offs in hash coding", 1970), so that a window
// that is nowhere mostly costs one line too. Marks stay: where windows have come and gone for long,
// a look that finds nothing reads two lines. The second line follows from the first and the tag
// (Fan et al.: "Cuckoo filter", 2014), so two windows with one tag that could meet in a line have
// the same two lines, and may share one count: that only ever blocks more, and at ten slots and 24
// bits concerns one window in more than a million. All windows of one listener lie in one group of
// 512 lines, so asking for hundreds of candidates of one request stays in 32 KiB.
//
// Invariants: a window has at most one slot: slots are given to a window only under one lock that
// all windows with the same tag in these lines have in common, after a look at all of them that did
// not find it; what that look finds where no mark leads is marked. A mark is there before the slot
// that it leads to. A slot changes hands only when its word is over (CapWord::IsOver): word to
// kClaimed by compare-and-swap, then the tag, then the first word. A word that is not over is never
// taken, so full lines refuse.
// Progress: looking, reserving and settling in windows that have a slot are lock-free. The first
// reservation of a window waits for those who open windows under the same lock.
// What that costs: a compare-and-swap waits for its line, and processors begin no later load before
// it is done, so a loop of single reservations has one line under way at a time. Under one of 256
// mutexes, whose words are in the cache, the next one's load begins meanwhile: 188 ns in place of
// 271, of 50 million windows on a busy machine. But whoever waits for a thread that was preempted
// there waits for milliseconds. A decision prefetches all its windows; then either takes as long.
// A process that is killed midway leaves a lock or a claimed slot, in which nothing was counted
// yet; Recover() frees both.
// Memory orders, by site:
//   kLock acquire, kUnlock release: whoever looks again under the lock sees what earlier holders
//     opened.
//   kTagStore release, kTagLoad acquire: whoever reads a slot's new tag does not read a word from
//     before the slot was claimed.
//   kPublish release, kRead acquire: whoever reads a slot's new word sees its new tag, so a second,
//     relaxed look at the tag tells whose word that was. Later compare-and-swaps are relaxed: they
//     continue the release sequence, the word is all there is to see, and they fail if the slot has
//     changed hands, for its bits differ then.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <typeinfo>

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
  enum Site : int { kLock, kUnlock, kPublish, kRead, kTagStore, kTagLoad };
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
    const uint64_t group = (subject * kSubjectSpread >> 32) * groups_ >> 32;
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
  /// when the reservation has expired. False when there is no room to count it.
  bool Settle(const CapPlace& place, uint32_t reserved_at, bool played, uint32_t now) {
    if (!played && Find(place).at == nullptr) return true;
    return Change(place, WidthOf(place.tag), now, [&](CapWord& w) {
             w.Unreserve(reserved_at, ttl_);
             if (played) w.Count();
             return true;
           }) == CapTaken::kYes;
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
      const uint32_t marks = line.lock.load(std::memory_order_relaxed);
      if ((marks & kLocked) != 0) line.lock.store(marks & ~kLocked, std::memory_order_relaxed);
      for (Word& word : line.words) {
        if (word.load(std::memory_order_relaxed) == CapWord::kClaimed) {
          word.store(CapWord::kFree, std::memory_order_relaxed);
        }
      }
    }
  }

 private:
  using Word = typename Atomics::template Atomic<uint64_t>;
  using Half = typename Atomics::template Atomic<uint32_t>;
  struct alignas(kLineBytes) Line {
    Word words[kSlots];
    Half tags[kSlots];
    Half lock;  // kLocked while a window is opened whose LockOf() this is; and marks
  };
  static_assert(std::has_single_bit(kGroup) && kGroup > 1);
  // A line and those that are beside it.
  static constexpr uint32_t kBlock = std::min(kGroup, 4u);
  // A window comes into its first line while that has so many free slots. With one, 95 % instead of
  // 90 % would be there at capacity, and ten times as many find room nowhere.
  static constexpr uint32_t kRoomy = 2;
  // Odd, with ones and zeros in no order (Steele, Vigna: "Computationally easy, spectrally good
  // multipliers for congruential pseudorandom number generators", 2021).
  static constexpr uint64_t kSubjectSpread = 0xd1342543de82ef95, kTargetSpread = 0xaf251af3b0f025b5;
  static constexpr uint32_t kTagSpread = 0x915f77f5;
  static constexpr uint32_t kLocked = 1;
  // Some window of this line was opened beside its two lines, both being full. The mark is on both,
  // since either may be the first of a window with the same tag. It stays: a look at six more lines
  // is all that it costs, and one window in a thousand leaves one.
  static constexpr uint32_t kOverflowed = 2;
  // All higher bits: that a window whose first line this is may be in its second.
  static constexpr uint32_t AwayMark(uint32_t tag) { return 4u << ((tag >> 8) * 30 >> 24); }
  struct Slot {
    Line* line = nullptr;
    uint32_t free = 0;  // of the line's
    uint32_t at = 0;    // the first of those
    uint64_t word = 0;  // what was in it
  };

  class OpenLock {
   public:
    explicit OpenLock(Half& lock) : lock_(lock) {
      while ((lock_.fetch_or(kLocked, Atomics::At(kLock, std::memory_order_acquire)) & kLocked) !=
             0) {
        Atomics::Pause();
      }
    }
    ~OpenLock() { lock_.fetch_and(~kLocked, Atomics::At(kUnlock, std::memory_order_release)); }
    OpenLock(const OpenLock&) = delete;
    OpenLock& operator=(const OpenLock&) = delete;

   private:
    Half& lock_;
  };

  /// The times to live tell which generation a reservation is of, so a region whose counts were
  /// made with another one is refused.
  static RegionObject Describe(std::string_view name, size_t lines, uint32_t ttl) {
    using Layout = ::adagents::internal::WindowsLayout;
    static_assert(Atomics::kModelled ||
                  (sizeof(Line) == Layout::kLineBytes && kSlots == Layout::kSlots &&
                   offsetof(Line, lock) == Layout::kLockOffset && kLocked == Layout::kLockedBit));
    const std::string terms = "ttl_s=" + std::to_string(ttl * kCapUnitSeconds);
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
    const uint32_t tag = line.tags[slot].load(std::memory_order_relaxed);
    return CapWord::IsOver(word, now, WidthOf(tag), ttl_);
  }

  /// Where a window is counted, and what was there; null when it has no slot. Travels in registers:
  /// by way of memory, processors that guess what is read back from the stack guess wrong, and find
  /// out only when the word has come from memory: then no two windows are under way at one time.
  struct Found {
    Word* at = nullptr;
    uint64_t word = 0;
  };
  [[gnu::always_inline]] Found Find(const CapPlace& place) const {
    const Found found = FindIn(place.line[0], place.tag);
    if (found.at != nullptr) [[likely]] {
      return found;
    }
    // Relaxed: whoever opens windows looks again under the lock, where it sees the marks.
    const uint32_t marks = lines_[place.line[0]].lock.load(std::memory_order_relaxed);
    if ((marks & (AwayMark(place.tag) | kOverflowed)) == 0) return {};
    return FindAway(place, (marks & kOverflowed) != 0);
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
        return {&line.words[k], word};
      }
    }
    return {};
  }
  /// Whether `word`, which was there, is of the window with the tag.
  [[gnu::always_inline]] static bool IsOf(const Line& line, uint32_t k, uint32_t tag,
                                          uint64_t word) {
    return word != CapWord::kFree && word != CapWord::kClaimed &&
           line.tags[k].load(std::memory_order_relaxed) == tag;
  }
  /// As bits. In sums: a choice of one of them is made a branch by compilers.
  [[gnu::always_inline]] static uint32_t SlotsWith(const Line& line, uint32_t tag) {
    const auto has = [&](uint32_t k) {
      return uint32_t{line.tags[k].load(Atomics::At(kTagLoad, std::memory_order_acquire)) == tag};
    };
    static_assert(kSlots == 5);
    return (((has(4) * 2 + has(3)) * 2 + has(2)) * 2 + has(1)) * 2 + has(0);
  }
  /// The same for all windows that can have a slot in any of the place's lines or beside them under
  /// one tag.
  Half& LockOf(const CapPlace& place) const {
    const uint32_t block = std::min(place.line[0], place.line[1]) & ~(kBlock - 1);
    return const_cast<Half&>(lines_[block].lock);
  }

  /// Lets `change` alter the window's counts at `now`; kCapped, and nothing altered, when it
  /// returns false.
  template <class F>
  [[gnu::always_inline]] CapTaken Change(const CapPlace& place, const CapPeriod& width,
                                         uint32_t now, F change) {
    for (;;) {
      Found found = Find(place);
      if (found.at == nullptr) [[unlikely]] {
        CapWord first{now, 0, 0, 0};
        if (!change(first)) return CapTaken::kCapped;
        const Opened opened = Open(place, first.Packed(), now);
        if (opened == Opened::kFull) return CapTaken::kFull;
        if (opened == Opened::kYes) return CapTaken::kYes;
        continue;  // somebody else did
      }
      CapWord w = CapWord::At(found.word, now, width, ttl_);
      if (!change(w)) return CapTaken::kCapped;
      if (found.at->compare_exchange_strong(found.word, w.Packed(), std::memory_order_relaxed,
                                            std::memory_order_relaxed)) {
        return CapTaken::kYes;
      }
    }
  }

  enum class Opened : uint8_t { kYes, kThere, kFull };
  /// Gives the window a slot with `word` in it.
  [[gnu::noinline]] Opened Open(const CapPlace& place, uint64_t word, uint32_t now) {
    const OpenLock lock(LockOf(place));
    if (Find(place).at != nullptr) return Opened::kThere;
    Half& marks = lines_[place.line[0]].lock;
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
          lines_[index].lock.fetch_or(kOverflowed, std::memory_order_relaxed);
        }
        if (FindBeside(place).at != nullptr) return Opened::kThere;
        for (uint32_t by = 1; by < kBlock; ++by) {
          for (const uint32_t index : place.line) slot = Emptier(slot, FreeIn(index ^ by, now));
        }
        if (slot.free == 0) return Opened::kFull;
      } else if (slot.line != &lines_[place.line[0]]) {
        marks.fetch_or(AwayMark(place.tag), std::memory_order_relaxed);
      }
      Word& there = slot.line->words[slot.at];
      if (!there.compare_exchange_strong(slot.word, CapWord::kClaimed, std::memory_order_relaxed,
                                         std::memory_order_relaxed)) {
        continue;  // taken from under another line's lock, or its window lives again
      }
      slot.line->tags[slot.at].store(place.tag, Atomics::At(kTagStore, std::memory_order_release));
      there.store(word, Atomics::At(kPublish, std::memory_order_release));
      return Opened::kYes;
    }
  }
  /// The first slot of the line that is over, and how many there are.
  Slot FreeIn(uint32_t index, uint32_t now) {
    Slot slot{.line = &lines_[index]};
    for (uint32_t k = 0; k < kSlots; ++k) {
      const uint64_t word = slot.line->words[k].load(Atomics::At(kRead, std::memory_order_acquire));
      const uint32_t tag = slot.line->tags[k].load(std::memory_order_relaxed);
      if (!CapWord::IsOver(word, now, WidthOf(tag), ttl_)) continue;
      if (slot.free++ > 0) continue;
      slot.at = k;
      slot.word = word;
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
