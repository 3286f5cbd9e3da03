// One big immutable value, replaced as a whole while it is being read: a catalog, a model, a plan.
//
// Unlike a Cell it is not copied: a reader pins the current version and uses it in place for as
// long as it likes; old versions are freed when their last reader has left. One pin per request.
//
//   Snapshot<Catalog> catalog(std::make_unique<const Catalog>(...));
//   { auto pin = catalog.Pin();  Use(*pin);  }           // 10-20 ns, on any thread
//   catalog.Publish(std::make_unique<const Catalog>(...));  // any thread
//
// Who frees: Publish() and Collect() free what nobody pins any more, on the calling thread. An
// unpin never frees, so a request never pays for tearing down a catalog. Call Collect() from a
// housekeeping thread if publishes are rare and old versions big.
//
// Layout: kVersions version slots, and for each of kStripes stripes one cache line with a count of
// pins per slot. A thread pins on its own stripe, so that pinning threads do not share a line.
// current_ = version (56 bits) | slot (8).
// Invariants: a slot goes free -> claimed -> live -> retired -> collecting -> free or retired; its
// value is written only while claimed and freed only while collecting. Whoever has counted himself
// on a slot and then still found it current may read its value until he takes the count back. A
// copied pin counts on the stripe of its original, so one pass over the stripes misses nobody.
// Progress: Pin() is lock-free and repeats only after a publish; Unpin is wait-free. Publish() is
// lock-free and refuses when all slots are pinned.
// Memory orders, by site:
//   kPinCount, kRecheck, kExchange, kScan  seq_cst: the handshake "count, then look whether it is
//              still current" against "make it not current, then look at the counts". One of the
//              two must see the other, which acquire and release do not promise.
//   kUnpin     release: all reading of the value comes before its freeing. kScan acquires it.
//   kClaim     acquire, kFree release: the old value's freeing comes before the slot's next value.
//   kRetire    release, kCollect acquire: the exchange comes before the scan.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "adagents/base/atomics.h"
#include "adagents/base/status.h"

namespace adagents {

/// Thread-safe. Must outlive its pins.
template <class T, class Atomics = StdAtomics>
class Snapshot {
 public:
  enum Site : int {
    kPinCount,
    kRecheck,
    kUnpin,
    kExchange,
    kScan,
    kClaim,
    kFree,
    kRetire,
    kCollect
  };
  static constexpr uint32_t kVersions = 16;  // one cache line of counts
  static constexpr uint32_t kStripes = Atomics::kModelled ? 2 : 32;

  /// Keeps one version alive. Movable and copyable; each pin belongs to one thread at a time.
  class Pinned {
   public:
    Pinned() = default;
    Pinned(Pinned&& other) noexcept
        : value_(std::exchange(other.value_, nullptr)),
          count_(std::exchange(other.count_, nullptr)),
          version_(other.version_) {}
    Pinned(const Pinned& other) noexcept(!Atomics::kModelled)
        : value_(other.value_), count_(other.count_), version_(other.version_) {
      // Relaxed: the original's count already holds the version, on the same word.
      if (count_ != nullptr) count_->fetch_add(1, std::memory_order_relaxed);
    }
    Pinned& operator=(Pinned other) noexcept {
      std::swap(value_, other.value_);
      std::swap(count_, other.count_);
      std::swap(version_, other.version_);
      return *this;
    }
    ~Pinned() {
      if (count_ != nullptr) {
        count_->fetch_sub(1, Atomics::At(kUnpin, std::memory_order_release));
      }
    }

    /// Null only when default-made, moved from, or a null value was published.
    const T* get() const { return value_; }
    const T& operator*() const { return *value_; }
    const T* operator->() const { return value_; }
    explicit operator bool() const { return value_ != nullptr; }
    /// 1 for the first value, then growing by one with each publish.
    uint64_t version() const { return version_; }

   private:
    friend class Snapshot;
    using Count = typename Atomics::template Atomic<uint32_t>;
    Pinned(const T* value, Count* count, uint64_t version)
        : value_(value), count_(count), version_(version) {}
    const T* value_ = nullptr;
    Count* count_ = nullptr;
    uint64_t version_ = 0;
  };

  explicit Snapshot(std::unique_ptr<const T> first = nullptr) {
    slots_[0].value = first.release();
    slots_[0].state.store(kLive, std::memory_order_relaxed);
    current_.store(Word(1, 0), std::memory_order_relaxed);
  }
  ~Snapshot() {
    for (Slot& slot : slots_) {
      if (slot.state.load(std::memory_order_relaxed) != kUnused) Delete(slot);
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  /// The current value, kept until the handle dies.
  [[nodiscard]] Pinned Pin() const {
    auto& counts = stripes_[Atomics::ThreadIndex() % kStripes].counts;
    uint64_t word = current_.load(std::memory_order_relaxed);
    for (;;) {
      auto& count = counts[SlotOf(word)];
      count.fetch_add(1, Atomics::At(kPinCount, std::memory_order_seq_cst));
      const uint64_t now = current_.load(Atomics::At(kRecheck, std::memory_order_seq_cst));
      if (now == word) return Pinned(slots_[SlotOf(word)].value, &count, word >> 8);
      count.fetch_sub(1, std::memory_order_relaxed);  // nothing was read
      word = now;
    }
  }

  /// Makes `next` the current value and frees old ones that nobody pins. ResourceExhausted, and
  /// `next` freed, when kVersions - 1 older versions are all still pinned.
  [[nodiscard]] absl::Status Publish(std::unique_ptr<const T> next) {
    uint32_t mine = ClaimFree();
    if (mine == kVersions) {
      Collect();
      mine = ClaimFree();
      if (mine == kVersions) {
        return ResourceExhausted("Snapshot: every version slot is pinned by some reader");
      }
    }
    slots_[mine].value = next.release();
    slots_[mine].state.store(kLive, std::memory_order_relaxed);
    uint64_t word = current_.load(std::memory_order_relaxed);
    while (!current_.compare_exchange_weak(word, Word((word >> 8) + 1, mine),
                                           Atomics::At(kExchange, std::memory_order_seq_cst),
                                           std::memory_order_relaxed)) {
    }
    slots_[SlotOf(word)].state.store(kRetired, Atomics::At(kRetire, std::memory_order_release));
    Collect();
    return absl::OkStatus();
  }

  /// Frees the old versions that nobody pins; returns how many.
  int Collect() {
    int freed = 0;
    for (uint32_t s = 0; s < kVersions; ++s) {
      Slot& slot = slots_[s];
      uint32_t state = slot.state.load(std::memory_order_relaxed);
      if (state != kRetired ||
          !slot.state.compare_exchange_strong(state, kCollecting,
                                              Atomics::At(kCollect, std::memory_order_acquire),
                                              std::memory_order_relaxed)) {
        continue;
      }
      if (Pinners(s) == 0) {
        Delete(slot);
        ++freed;
        slot.state.store(kUnused, Atomics::At(kFree, std::memory_order_release));
      } else {
        slot.state.store(kRetired, Atomics::At(kRetire, std::memory_order_release));
      }
    }
    return freed;
  }

  /// The current version's number; see Pinned::version().
  [[nodiscard]] uint64_t version() const { return current_.load(std::memory_order_relaxed) >> 8; }

  /// Versions that are in memory, the current one included: a leak of pins shows here.
  [[nodiscard]] int versions_alive() const {
    int alive = 0;
    for (const Slot& slot : slots_) {
      alive += slot.state.load(std::memory_order_relaxed) != kUnused ? 1 : 0;
    }
    return alive;
  }

 private:
  enum SlotState : uint32_t { kUnused = 0, kClaimed, kLive, kRetired, kCollecting };

  struct Slot {
    typename Atomics::template Atomic<uint32_t> state{kUnused};
    typename Atomics::template Plain<const T*> value{nullptr};
  };
  struct alignas(kCacheLine) Stripe {
    typename Atomics::template Atomic<uint32_t> counts[kVersions]{};
  };

  static uint64_t Word(uint64_t version, uint32_t slot) { return version << 8 | slot; }
  static uint32_t SlotOf(uint64_t word) { return static_cast<uint32_t>(word & 0xff); }

  static void Delete(Slot& slot) {
    delete static_cast<const T*>(slot.value);
    slot.value = nullptr;
  }

  uint32_t ClaimFree() {
    for (uint32_t s = 0; s < kVersions; ++s) {
      uint32_t state = slots_[s].state.load(std::memory_order_relaxed);
      if (state == kUnused && slots_[s].state.compare_exchange_strong(
                                  state, kClaimed, Atomics::At(kClaim, std::memory_order_acquire),
                                  std::memory_order_relaxed)) {
        return s;
      }
    }
    return kVersions;
  }

  uint32_t Pinners(uint32_t slot) const {
    uint32_t pinned = 0;
    for (const Stripe& stripe : stripes_) {
      pinned += stripe.counts[slot].load(Atomics::At(kScan, std::memory_order_seq_cst));
    }
    return pinned;
  }

  alignas(kCacheLine) typename Atomics::template Atomic<uint64_t> current_;
  alignas(kCacheLine) Slot slots_[kVersions];
  mutable Stripe stripes_[kStripes];
};

}  // namespace adagents
