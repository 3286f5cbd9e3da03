// What the killed writer and the test that kills it agree on: the objects of the region, what a
// thread does to them, and how it reports what it has done.
#pragma once

#include <array>
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

inline constexpr uint64_t kThreads = 4;
inline constexpr uint64_t kOwnKeys = 40;         // of each thread
inline constexpr uint64_t kSharedKeys = 8;       // of all
inline constexpr uint64_t kSharedKey = 1 << 20;  // the first of them
inline constexpr int64_t kBudget = 50;           // small, so that it is often reached
inline constexpr size_t kEvents = 1024;
inline constexpr int kSteps = 10;  // of making the region, each reported

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

enum class Did : uint16_t {
  kStep,      // made one more object of the region
  kWrote,     // `number` to its own cell
  kShared,    // something to the shared cell
  kPut,       // `number` under its own `key`
  kErased,    // its own `key`
  kCounted,   // one more in a shared key
  kAdded,     // one to the counter
  kTook,      // one of the budget
  kGaveBack,  // one of the budget
  kPublished  // an event with `number`
};

/// Sent through a pipe once the work is done, whole, for it is shorter than PIPE_BUF.
struct Report {
  uint16_t thread;
  Did did;
  uint32_t key;
  uint64_t number;  // grows with each work of one thread, over all its lives
};
static_assert(sizeof(Report) == 16);

inline RegionOptions Options() { return {.bytes = size_t{2} << 20}; }

/// The objects, in the order in which they are made; step() after each.
struct Objects {
  template <class Step>
  Objects(Region& region, Step&& step) {
    for (uint64_t i = 0; i < kThreads; ++i) {
      cells.push_back(*region.Place<Cell<Value>>(std::string("cell").append(std::to_string(i))));
      step();
    }
    shared = *region.Place<Cell<Value>>("shared");
    step();
    counter = *region.Place<Counter>("seen");
    step();
    bounded = *region.Place<BoundedCounter>("budget", kBudget);
    step();
    sessions = std::make_unique<Table<uint64_t, Session>>(
        TableOptions{.capacity = 2000, .region = &region, .name = "sessions"});
    step();
    events = std::make_unique<Stream<Event>>(kEvents, &region, "events");
    step();
  }

  std::vector<Cell<Value>*> cells;
  Cell<Value>* shared;
  Counter* counter;
  BoundedCounter* bounded;
  std::unique_ptr<Table<uint64_t, Session>> sessions;
  std::unique_ptr<Stream<Event>> events;
};

}  // namespace adagents::crash
