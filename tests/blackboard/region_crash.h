// What the killed writer and the test that kills it agree on: the objects of the region, what a
// thread does to them, and the page on which it acknowledges what it has done.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adagents/blackboard/cell.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/stream.h"
#include "adagents/blackboard/table.h"

namespace adagents::crash {

inline constexpr size_t kThreads = 4;
inline constexpr size_t kOfEach = 2;      // objects of each kind
inline constexpr size_t kOwnKeys = 5;     // of each thread, in each table
inline constexpr size_t kSharedKeys = 4;  // of all threads, in each table
inline constexpr int64_t kBudget = 50;    // small, so that it is often reached
inline constexpr size_t kEvents = 64;     // small, so that nodes are often reused
inline constexpr size_t kSteps = 1 + (kThreads + 1 + 4) * kOfEach;  // of making the region

/// All words equal, or it is torn.
template <size_t kWords>
struct Whole {
  std::array<uint64_t, kWords> words{};
  static Whole Of(uint64_t n) {
    Whole out;
    out.words.fill(n);
    return out;
  }
  bool ok() const { return words == Of(words[0]).words; }
};
using Value = Whole<8>;
using Session = Whole<16>;
struct Event {
  uint64_t thread;
  Whole<6> number;
};

/// In memory that the test holds, so it outlives the writer. A thread stores here that it has done
/// something after it has, with release, so that the one does not come before the other.
struct Acks {
  using Word = std::atomic<uint64_t>;
  struct alignas(64) Thread {
    Word done{0};  // everything it did in this life
    // How often it did each of these, over all lives. What is its own alone holds that number.
    Word wrote_cell[kOfEach]{}, updated_shared_cell[kOfEach]{};
    // Of a key the number is shifted left; the last bit says that it was erased.
    Word own_key[kOfEach][kOwnKeys]{}, updated_shared_key[kOfEach][kSharedKeys]{};
    Word added[kOfEach]{}, took[kOfEach]{}, gave_back[kOfEach]{}, published[kOfEach]{};
  };
  Thread threads[kThreads];
  Word steps{0};  // of making the region, in this life
};

inline RegionOptions Options() { return {.bytes = size_t{2} << 20}; }

/// Keys that have one home in a table of two homes, so that some of them are in the overflow set.
inline uint64_t Key(size_t i) {
  static const std::vector<uint64_t> keys = [] {
    std::vector<uint64_t> out;
    for (uint64_t key = 1; out.size() < kThreads * kOwnKeys + kSharedKeys; ++key) {
      if (StableHash<uint64_t>()(key) >> 63 == 0) out.push_back(key);
    }
    return out;
  }();
  return keys[i];
}
inline uint64_t OwnKey(size_t thread, size_t i) { return Key(thread * kOwnKeys + i); }
inline uint64_t SharedKey(size_t i) { return Key(kThreads * kOwnKeys + i); }

/// The objects, in the order in which they are made; step() after each.
struct Objects {
  template <class Step>
  Objects(Region& region, Step&& step) {
    const auto place = [&](auto& into, const char* name, size_t i, auto... args) {
      using S = std::remove_pointer_t<typename std::remove_reference_t<decltype(into)>::value_type>;
      into.push_back(*region.Place<S>(std::string(name).append(std::to_string(i)), args...));
      step();
    };
    for (size_t i = 0; i < kOfEach * kThreads; ++i) place(cells, "cell", i);
    for (size_t i = 0; i < kOfEach; ++i) {
      place(shared_cells, "shared", i);
      place(counters, "seen", i);
      place(budgets, "budget", i, kBudget);
      tables.push_back(std::make_unique<Table<uint64_t, Session>>(
          TableOptions{.capacity = i == 0 ? 2000U : 13U,
                       .region = &region,
                       .name = "sessions" + std::to_string(i)}));
      step();
      streams.push_back(
          std::make_unique<Stream<Event>>(kEvents, &region, "events" + std::to_string(i)));
      step();
    }
  }

  std::vector<Cell<Value>*> cells, shared_cells;
  std::vector<Counter*> counters;
  std::vector<BoundedCounter*> budgets;
  std::vector<std::unique_ptr<Table<uint64_t, Session>>> tables;
  std::vector<std::unique_ptr<Stream<Event>>> streams;
};

}  // namespace adagents::crash
