// Events from many producers to many subscribers: outcomes, decisions, signals.
//
// Bounded and lossy on purpose: a slow subscriber loses the oldest events and knows how many; it
// never slows a producer. What must not be lost (money) does not travel here.
//
//   Stream<Outcome> outcomes(4096);
//   outcomes.Publish({.campaign = 7, .clicked = true});          // any thread
//   auto reader = outcomes.Subscribe();                          // one per consumer
//   Outcome o;
//   while (reader.Next(&o)) Learn(o);
//   log(reader.dropped());
//
// Layout: a ring of `capacity` entries; an entry is one word = turn (40 bits) | node (24). Nodes
// hold the events; there are kSpares more of them than entries. A producer takes a spare node,
// fills it, and with one compare-and-swap puts it in the place of the node that the ring's next
// entry held a turn ago, which becomes the spare.
// Invariants: position p is published when entry p mod capacity holds turn p / capacity + 1; turns
// of an entry grow one by one; positions are published without gaps, in order; a node is in one
// entry, or spare, or in one producer's hands; a node is filled only in a producer's hands.
// Progress: Publish() is lock-free: any producer moves the tail for one that stopped between its
// two steps. Next() is lock-free and repeats only when lapped. A producer that dies has either
// published or not; there is no slot that others wait for. It takes a node with it, so after
// kSpares deaths (or with more than kSpares at once) Publish() returns false and counts.
// Memory orders, by site:
//   kPublish   release: whoever finds the node in the ring finds it filled.
//   kRead      acquire: the other half, for subscribers.
//   kReplace   acquire: the node taken out was filled before it is filled again.
//   kSpareTake acquire, kSpareGive release: the same when a spare changes hands.
//   kWord      stored release, loaded acquire (internal/words.h): a subscriber that meets a word of
//              a later event has also seen its node leave the entry, so its second, relaxed look
//              at the entry differs.
//   The tail is a hint where to start; relaxed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "adagents/base/atomics.h"
#include "adagents/blackboard/internal/words.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/region_object.h"

namespace adagents {

/// Thread-safe. T is trivially copyable and default-constructible. Must outlive its subscribers.
template <class T, class Atomics = StdAtomics>
class Stream {
 public:
  enum Site : int { kPublish, kRead, kReplace, kSpareTake, kSpareGive, kWordStore, kWordLoad };
  /// How many producers may be inside Publish() at once.
  static constexpr uint32_t kSpares = Atomics::kModelled ? 4 : internal::StreamLayout::kSpares;

  /// One consumer's place in the stream. Thread-compatible: used by one thread at a time.
  class Subscriber {
   public:
    /// Copies the next event; false when there is none yet.
    [[nodiscard]] bool Next(T* event) { return stream_->Read(cursor_, dropped_, event); }
    /// Events that this subscriber lost because it was lapped.
    [[nodiscard]] uint64_t dropped() const { return dropped_; }
    /// Events that it has been given or has lost, plus those before it subscribed.
    [[nodiscard]] uint64_t position() const { return cursor_; }

   private:
    friend class Stream;
    Subscriber(const Stream* stream, uint64_t cursor) : stream_(stream), cursor_(cursor) {}
    const Stream* stream_;
    uint64_t cursor_;
    uint64_t dropped_ = 0;
  };

  /// Keeps the last `capacity` events, rounded up to a power of two from 2 to 2^23. Throws
  /// std::bad_alloc when there is no memory; takes it from `region` if that is given and has room.
  /// In a region over a file it must have a `name`, by which the next process finds it; if it
  /// cannot be there, Region::status() says why.
  explicit Stream(size_t capacity, Region* region = nullptr, std::string_view name = {})
      : shift_(ShiftFor(capacity)),
        block_(region, Describe(name, shift_), Atomics::kModelled),
        entries_(block_, 0, size_t{1} << shift_),
        nodes_(block_, Layout::NodesOffset(uint64_t{1} << shift_),
               (size_t{1} << shift_) + kSpares) {
    if (!block_.reopened()) {
      for (uint64_t i = 0; i <= Mask(); ++i) entries_[i].store(i, std::memory_order_relaxed);
    }
    Recover();
    block_.Commit();
  }

  /// Appends a copy of `event`. False, and counted as rejected, only when more than kSpares
  /// producers publish at this moment (or have died while publishing).
  bool Publish(const T& event) {
    const uint32_t spare = TakeSpare();
    if (spare == kSpares) {
      rejected_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    const uint64_t node = spares_[spare].load(std::memory_order_relaxed);
    Payload::Store(nodes_[node].words, event, kWordStore);

    uint64_t position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      auto& entry = entries_[position & Mask()];
      uint64_t old = entry.load(Atomics::At(kReplace, std::memory_order_acquire));
      const uint64_t turn = position >> shift_;
      if (TurnOf(old) == turn &&
          entry.compare_exchange_strong(old, (turn + 1) << kNodeBits | node,
                                        Atomics::At(kPublish, std::memory_order_release),
                                        std::memory_order_relaxed)) {
        AdvanceTail(position);
        GiveSpare(spare, NodeOf(old));
        return true;
      }
      if (TurnOf(old) > turn) AdvanceTail(position);  // for whoever was here first
      position = Max(position, tail_.load(std::memory_order_relaxed));
    }
  }

  /// From now on: the first event it is given is the next to be published.
  [[nodiscard]] Subscriber Subscribe() const {
    uint64_t position = tail_.load(std::memory_order_relaxed);
    while (IsPublished(position)) ++position;
    return Subscriber(this, position);
  }
  /// From the oldest event that is still kept.
  [[nodiscard]] Subscriber SubscribeFromOldest() const {
    const uint64_t end = Subscribe().cursor_;
    return Subscriber(this, end > capacity() ? end - capacity() : 0);
  }

  [[nodiscard]] uint64_t capacity() const { return uint64_t{1} << shift_; }
  /// Events published so far, to within those that are being published.
  [[nodiscard]] uint64_t published() const { return tail_.load(std::memory_order_relaxed); }
  /// Events that Publish() refused.
  [[nodiscard]] uint64_t rejected() const { return rejected_.load(std::memory_order_relaxed); }

  /// Takes back the nodes of producers that died. Only while nobody publishes. All that is not in
  /// the ring's entries follows from them, so none of it needs to be in a region.
  void Recover() {
    std::vector<bool> placed(capacity() + kSpares);
    uint64_t end = 0;
    for (uint64_t i = 0; i <= Mask(); ++i) {
      const uint64_t entry = entries_[i].load(std::memory_order_relaxed);
      placed[NodeOf(entry)] = true;
      if (TurnOf(entry) > 0) end = Max(end, ((TurnOf(entry) - 1) << shift_ | i) + 1);
    }
    uint32_t spare = 0;
    for (uint64_t node = 0; node < placed.size() && spare < kSpares; ++node) {
      if (!placed[node]) {
        spares_[spare++].store(static_cast<uint32_t>(node), std::memory_order_relaxed);
      }
    }
    tail_.store(end, std::memory_order_relaxed);
    spare_mask_.store(~uint64_t{0} >> (64 - kSpares), std::memory_order_relaxed);
  }

 private:
  using Layout = internal::StreamLayout;
  using Payload = internal::Words<T, Atomics>;
  using Word = typename Atomics::template Atomic<uint64_t>;
  static constexpr int kNodeBits = Layout::kNodeBits;

  struct Node {
    typename Payload::Word words[Payload::kCount];
  };

  static RegionObject Describe(std::string_view name, int shift) {
    return internal::DescribeObject(ObjectKind::kStream, name, uint64_t{1} << shift,
                                    internal::FactsOf<T>());
  }
  static int ShiftFor(size_t capacity) {
    int shift = 1;
    while (shift < kNodeBits - 1 && (size_t{1} << shift) < capacity) ++shift;
    return shift;
  }
  static uint64_t TurnOf(uint64_t entry) { return entry >> kNodeBits; }
  static uint64_t NodeOf(uint64_t entry) { return entry & ((uint64_t{1} << kNodeBits) - 1); }
  static uint64_t Max(uint64_t a, uint64_t b) { return a < b ? b : a; }
  uint64_t Mask() const { return (uint64_t{1} << shift_) - 1; }

  bool IsPublished(uint64_t position) const {
    const uint64_t entry = entries_[position & Mask()].load(std::memory_order_relaxed);
    return TurnOf(entry) > position >> shift_;
  }

  void AdvanceTail(uint64_t position) {
    uint64_t expected = position;
    tail_.compare_exchange_strong(expected, position + 1, std::memory_order_relaxed,
                                  std::memory_order_relaxed);
  }

  uint32_t TakeSpare() {
    uint64_t mask = spare_mask_.load(std::memory_order_relaxed);
    while (mask != 0) {
      const auto spare = static_cast<uint32_t>(std::countr_zero(mask));
      if (spare_mask_.compare_exchange_weak(mask, mask & (mask - 1),
                                            Atomics::At(kSpareTake, std::memory_order_acquire),
                                            std::memory_order_relaxed)) {
        return spare;
      }
    }
    return kSpares;
  }
  void GiveSpare(uint32_t spare, uint64_t node) {
    spares_[spare].store(static_cast<uint32_t>(node), std::memory_order_relaxed);
    spare_mask_.fetch_or(uint64_t{1} << spare, Atomics::At(kSpareGive, std::memory_order_release));
  }

  bool Read(uint64_t& cursor, uint64_t& dropped, T* event) const {
    T value;
    for (;;) {
      const Word& entry = entries_[cursor & Mask()];
      const uint64_t word = entry.load(Atomics::At(kRead, std::memory_order_acquire));
      const uint64_t want = (cursor >> shift_) + 1;
      if (TurnOf(word) < want) return false;
      if (TurnOf(word) == want) {
        Payload::Load(nodes_[NodeOf(word)].words, &value, kWordLoad);
        if (entry.load(std::memory_order_relaxed) == word) {
          *event = value;
          ++cursor;
          return true;
        }
        continue;
      }
      // Lapped: position (turn - 1) * capacity + index is published, so everything up to a ring's
      // length before it is gone.
      const uint64_t newest = ((TurnOf(word) - 1) << shift_) | (cursor & Mask());
      const uint64_t oldest = newest - Mask();
      dropped += oldest - cursor;
      cursor = oldest;
    }
  }

  const int shift_;
  internal::RegionBlock block_;
  internal::RegionArray<Word, Atomics> entries_;
  internal::RegionArray<Node, Atomics> nodes_;
  alignas(kCacheLine) Word tail_{0};
  alignas(kCacheLine) Word spare_mask_{0};
  typename Atomics::template Atomic<uint32_t> spares_[kSpares]{};
  alignas(kCacheLine) Word rejected_{0};
};

}  // namespace adagents
