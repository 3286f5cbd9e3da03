// One small value that everybody reads: a floor price, a health state, a forecast.
//
// A Table holds many values by key, a Snapshot one big immutable object; a Cell holds one value of
// a few words and is read by copying it. There is always a last value: reads never wait.
//
//   Cell<Forecast> forecast(Forecast{});
//   forecast.Write({.requests_per_s = 1200});
//   Forecast now = forecast.Read();
//   auto kept = region.Place<Cell<Forecast>>("forecast", Forecast{});  // outlives the process
//
// Layout: kSlots copies of the value and one state word = version (48 bits) | slots in use (8) |
// current slot (8). A writer takes a free slot, fills it, and makes it the current one with a
// single compare-and-swap, which also frees the previous one.
// Invariants: the current slot is in use; a slot in use that is not current belongs to exactly one
// writer; a slot is written only after a compare-and-swap that found it free; the version grows by
// one with each publish.
// Progress: reads are lock-free and retry only after a full publish. Writes are lock-free for up to
// kSlots - 1 writers at once; one more waits for a slot. A writer that dies midway keeps its slot
// and blocks nobody; only kSlots - 1 dead writers would stop writers, and readers never.
// Memory orders, by site:
//   kPublish  release: whoever reads the new state finds the words of its slot.
//   kRead     acquire: the other half of kPublish.
//   kClaim    acquire: the slot's previous owner's words come before mine in each word's order.
//   kWord     words are stored release and loaded acquire (internal/words.h): a reader that meets a
//             word of a later writer has also seen the publish that freed the slot, so its second,
//             relaxed look at the state differs.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include "adagents/base/atomics.h"
#include "adagents/blackboard/internal/words.h"
#include "adagents/blackboard/region_object.h"

namespace adagents {

/// Thread-safe: any number of readers and writers. T is trivially copyable and
/// default-constructible. Holds no pointers: Region::Place() puts it into a region.
template <class T, class Atomics = StdAtomics>
class alignas(kCacheLine) Cell {
 public:
  enum Site : int { kPublish, kRead, kClaim, kWordStore, kWordLoad };
  static constexpr int kSlots = internal::CellLayout::kSlots;

  explicit Cell(const T& initial = T{}) { Payload::Store(slots_[0].words, initial, kWordStore); }
  Cell(const Cell&) = delete;
  Cell& operator=(const Cell&) = delete;

  /// The value of the last Write() that has returned, or of one that is returning now.
  [[nodiscard]] T Read() const {
    T value;
    for (;;) {
      const uint64_t state = state_.load(Atomics::At(kRead, std::memory_order_acquire));
      Payload::Load(slots_[Current(state)].words, &value, kWordLoad);
      if (SameValue(state, state_.load(std::memory_order_relaxed))) return value;
    }
  }

  /// The last of several concurrent writes wins; each was current for a moment.
  void Write(const T& value) {
    const uint64_t mine = Claim();
    Payload::Store(slots_[mine].words, value, kWordStore);
    uint64_t state = state_.load(std::memory_order_relaxed);
    while (!Publish(state, mine)) {
    }
  }

  /// Replaces the value by `modify(value)`, atomically: no other write is lost. `modify` may be
  /// called several times. Returns what was written. If it throws, nothing changes.
  template <class F>
  T Update(F&& modify) {
    const uint64_t mine = Claim();
    T before;
    for (;;) {
      uint64_t state = state_.load(Atomics::At(kRead, std::memory_order_acquire));
      Payload::Load(slots_[Current(state)].words, &before, kWordLoad);
      if (!SameValue(state, state_.load(std::memory_order_relaxed))) continue;
      const T after = [&] {
        try {
          return modify(std::as_const(before));
        } catch (...) {
          GiveBack(mine);
          throw;
        }
      }();
      Payload::Store(slots_[mine].words, after, kWordStore);
      for (const uint64_t read = state; SameValue(read, state);) {
        if (Publish(state, mine)) return after;
      }
    }
  }

  /// How many writes there were (modulo 2^48).
  [[nodiscard]] uint64_t version() const {
    return state_.load(std::memory_order_relaxed) >> kVersionShift;
  }

  /// Frees the slots of writers that died. Only while nobody writes.
  void Recover() {
    const uint64_t state = state_.load(std::memory_order_relaxed);
    state_.store(state >> kVersionShift << kVersionShift | Bit(Current(state)) | Current(state),
                 std::memory_order_relaxed);
  }
  /// For Region.
  static RegionObject Describe(std::string_view name) {
    static_assert(Atomics::kModelled ||
                  sizeof(Cell) == internal::ToLine(Layout::kSlotsOffset + sizeof(Slot) * kSlots));
    return internal::DescribeObject(ObjectKind::kCell, name, 1, internal::FactsOf<T>());
  }

 private:
  using Layout = internal::CellLayout;
  using Payload = internal::Words<T, Atomics>;
  static constexpr int kVersionShift = Layout::kVersionShift;
  static constexpr int kUsedShift = Layout::kUsedShift;
  static constexpr uint64_t kSlotMask = Layout::kSlotMask;

  struct Slot {
    typename Payload::Word words[Payload::kCount];
  };

  static uint64_t Current(uint64_t state) { return state & kSlotMask; }
  static uint64_t Bit(uint64_t slot) { return uint64_t{1} << (kUsedShift + slot); }
  /// Claims of other writers change the state, but not the value.
  static bool SameValue(uint64_t a, uint64_t b) { return a >> kVersionShift == b >> kVersionShift; }

  uint64_t Claim() {
    uint64_t state = state_.load(std::memory_order_relaxed);
    for (;;) {
      uint64_t slot = 0;
      while (slot < kSlots && (state & Bit(slot)) != 0) ++slot;
      if (slot == kSlots) {
        Atomics::Pause();
        state = state_.load(std::memory_order_relaxed);
      } else if (state_.compare_exchange_weak(state, state | Bit(slot),
                                              Atomics::At(kClaim, std::memory_order_acquire),
                                              std::memory_order_relaxed)) {
        return slot;
      }
    }
  }

  /// Released as a publish is: to whoever claims it next, it was mine before.
  void GiveBack(uint64_t mine) {
    uint64_t state = state_.load(std::memory_order_relaxed);
    while (!state_.compare_exchange_weak(state, state & ~Bit(mine),
                                         Atomics::At(kPublish, std::memory_order_release),
                                         std::memory_order_relaxed)) {
    }
  }

  bool Publish(uint64_t& state, uint64_t mine) {
    const uint64_t others = state & (((uint64_t{1} << kSlots) - 1) << kUsedShift);
    const uint64_t next =
        (((state >> kVersionShift) + 1) << kVersionShift) | (others & ~Bit(Current(state))) | mine;
    return state_.compare_exchange_weak(
        state, next, Atomics::At(kPublish, std::memory_order_release), std::memory_order_relaxed);
  }

  typename Atomics::template Atomic<uint64_t> state_{Bit(0)};
  Slot slots_[kSlots];
};

}  // namespace adagents
