// Stops a campaign at once, whatever the catalog says: a set of campaign keys that outlives catalog
// swaps and that every decision looks at.
//
//   KillSwitches switches;
//   switches.Kill(StableHash64("acme-spring"));         // an operator, any thread
//   if (switches.Killed(catalog.facts(i).key)) ...      // the decision path, lock-free
//
// A kill is seen by every Killed() call that begins after Kill() returned; calls in progress may
// still miss it. Killing campaigns that are in no catalog is fine: they stay stopped when they
// come.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "adagents/base/ids.h"
#include "adagents/base/status.h"

namespace adagents::ads {

/// A set of 64-bit keys for few writers and very many readers. Killed() is wait-free with at most
/// `capacity` * 2 steps, and one when nothing is killed. Thread-safe.
///
/// Open addressing with linear probing, at most half full. Readers take no lock and see each slot
/// in one relaxed load: a key is a whole fact by itself and guards no other memory, so no order is
/// needed. A removed key leaves a tombstone so that keys behind it stay reachable; tombstones with
/// nothing behind them become empty again.
class KillSwitches {
 public:
  static constexpr size_t kDefaultCapacity = 8192;

  /// For up to `capacity` killed campaigns at once (rounded up to a power of two), 16 bytes each.
  explicit KillSwitches(size_t capacity = kDefaultCapacity) {
    size_t slots = 16;
    while (slots < capacity * 2) slots *= 2;
    slots_ = std::make_unique<std::atomic<uint64_t>[]>(slots);
    mask_ = slots - 1;
  }

  /// Whether the campaign with this key (CampaignFacts::key) is stopped.
  bool Killed(uint64_t key) const {
    if (used_.load(std::memory_order_relaxed) == 0) return false;
    key = Usable(key);
    for (size_t i = Home(key), steps = 0; steps <= mask_; i = (i + 1) & mask_, ++steps) {
      const uint64_t slot = slots_[i].load(std::memory_order_relaxed);
      if (slot == key) return true;
      if (slot == kEmpty) return false;
    }
    return false;
  }

  /// Stops the campaign; again is fine. ResourceExhausted when `capacity` others are stopped.
  absl::Status Kill(uint64_t key) {
    key = Usable(key);
    const std::lock_guard<std::mutex> lock(writer_);
    size_t place = mask_ + 1;
    for (size_t i = Home(key), steps = 0; steps <= mask_; i = (i + 1) & mask_, ++steps) {
      const uint64_t slot = slots_[i].load(std::memory_order_relaxed);
      if (slot == key) return absl::OkStatus();
      if (slot == kTombstone && place > mask_) place = i;
      if (slot == kEmpty) {
        if (place > mask_) place = i;
        break;
      }
    }
    if (count_ * 2 > mask_) return ResourceExhausted("too many killed campaigns at once");
    slots_[place].store(key, std::memory_order_relaxed);
    used_.store(++count_, std::memory_order_relaxed);
    return absl::OkStatus();
  }

  /// Lets the campaign run again. False when it was not stopped.
  bool Revive(uint64_t key) {
    key = Usable(key);
    const std::lock_guard<std::mutex> lock(writer_);
    for (size_t i = Home(key), steps = 0; steps <= mask_; i = (i + 1) & mask_, ++steps) {
      const uint64_t slot = slots_[i].load(std::memory_order_relaxed);
      if (slot == kEmpty) return false;
      if (slot != key) continue;
      slots_[i].store(kTombstone, std::memory_order_relaxed);
      used_.store(--count_, std::memory_order_relaxed);
      Sweep(i);
      return true;
    }
    return false;
  }

  /// How many are stopped.
  size_t size() const { return used_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kEmpty = 0, kTombstone = 1;

  // Two hashes of 2^64 share a slot value with others; harmless and practically impossible.
  static uint64_t Usable(uint64_t key) { return key <= kTombstone ? key + 2 : key; }
  size_t Home(uint64_t key) const { return Mix64(key) & mask_; }
  void Sweep(size_t i) {
    if (slots_[(i + 1) & mask_].load(std::memory_order_relaxed) != kEmpty) return;
    while (slots_[i].load(std::memory_order_relaxed) == kTombstone) {
      slots_[i].store(kEmpty, std::memory_order_relaxed);
      i = (i - 1) & mask_;
    }
  }

  std::unique_ptr<std::atomic<uint64_t>[]> slots_;  // value-initialised: kEmpty
  size_t mask_ = 0;
  std::atomic<size_t> used_{0};
  size_t count_ = 0;  // guarded by writer_
  std::mutex writer_;
};

}  // namespace adagents::ads
