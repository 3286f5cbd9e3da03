// The memory of a modelled program: histories of stores, what each thread has seen, data races.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "adagents/base/random.h"

namespace adagents::testing {

inline constexpr uint32_t kMaxThreads = 8;  // the main one included
inline constexpr uint32_t kMaxLocations = 4096;

/// Executes accesses one at a time; the caller schedules. A view is an array of clocks: entry t
/// for thread t's own time (vector clock), entry kMaxThreads + i for the newest store of location
/// i that is known (its place in the modification order). Every access returns an error's text or
/// null. Thread-compatible.
class MemoryModel {
 public:
  MemoryModel();

  /// Forgets all. `stale`: how often, of 256, a load that may return an old value does.
  void Reset(Random* random, uint64_t stale);
  /// Thread `to` starts, or is woken by a join, knowing all that `from` knows.
  void Join(uint32_t to, uint32_t from);

  const char* Construct(uint32_t thread, const void* address, uint64_t value, bool plain,
                        uint32_t* id);
  const char* Destroy(uint32_t thread, uint32_t id, const void* address);
  const char* Load(uint32_t thread, uint32_t id, const void* address, std::memory_order order,
                   uint64_t* value);
  const char* Store(uint32_t thread, uint32_t id, const void* address, uint64_t value,
                    std::memory_order order);
  const char* BeginModify(uint32_t thread, uint32_t id, const void* address, uint64_t* before);
  void EndModify(uint32_t thread, uint32_t id, uint64_t value, std::memory_order order);
  const char* Cas(uint32_t thread, uint32_t id, const void* address, uint64_t* expected,
                  uint64_t desired, bool weak, std::memory_order success, std::memory_order failure,
                  bool* swapped);
  const char* PlainRead(uint32_t thread, uint32_t id, const void* address);
  const char* PlainWrite(uint32_t thread, uint32_t id, const void* address);
  /// What a futex compares with: the newest value.
  const char* Newest(uint32_t thread, uint32_t id, const void* address, uint64_t* value);

 private:
  struct Message {
    uint64_t value;
    uint32_t place;        // in the modification order; a read-modify-write's is its source's + 1
    const uint32_t* view;  // what an acquire load takes over; null after a relaxed store
    uint32_t view_size;
  };
  struct Location {
    const void* address = nullptr;
    bool alive = false;
    bool plain = false;
    uint32_t seq_cst_seen = 0;  // place of the newest store that a seq_cst access wrote or read
    uint32_t writer = 0;        // of plain memory: who wrote last, and when on its clock
    uint32_t written = 0;
    std::array<uint32_t, kMaxThreads> accessed;  // each thread's clock at its last access
    std::vector<Message> history;                // sorted by place
  };

  const char* Check(uint32_t thread, uint32_t id, const void* address);
  size_t ChooseMessage(uint32_t thread, uint32_t id, std::memory_order order);
  void Observe(uint32_t thread, uint32_t id, size_t message, std::memory_order order);
  void Append(uint32_t thread, uint32_t id, uint64_t value, std::memory_order order,
              const Message* continued);
  uint32_t Oldest(uint32_t thread, uint32_t id, std::memory_order order) const;
  uint32_t* Allocate(uint32_t size);
  uint32_t view_size() const { return kMaxThreads + locations_used_; }

  Random* random_ = nullptr;
  uint64_t stale_ = 0;
  uint32_t locations_used_ = 0;
  std::vector<Location> locations_;
  std::vector<std::vector<uint32_t>> views_;   // by thread
  std::vector<std::vector<uint32_t>> chunks_;  // of message views
  size_t chunk_ = 0, chunk_used_ = 0;
};

}  // namespace adagents::testing
