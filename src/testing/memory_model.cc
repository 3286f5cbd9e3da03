#include "testing/memory_model.h"

#include <algorithm>

namespace adagents::testing {
namespace {

constexpr size_t kChunk = 1 << 16;
// Places between one store and the next, where later ones may still land.
constexpr uint32_t kGap = 1 << 16;

bool Acquires(std::memory_order order) {
  return order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}
bool Releases(std::memory_order order) {
  return order == std::memory_order_release || order == std::memory_order_acq_rel ||
         order == std::memory_order_seq_cst;
}

}  // namespace

MemoryModel::MemoryModel()
    : views_(kMaxThreads, std::vector<uint32_t>(kMaxThreads + kMaxLocations, 0)) {}

void MemoryModel::Reset(Random* random, uint64_t stale) {
  random_ = random;
  stale_ = stale;
  for (auto& view : views_) std::fill_n(view.begin(), view_size(), 0);
  locations_used_ = 0;
  chunk_ = chunk_used_ = 0;
}

void MemoryModel::Join(uint32_t to, uint32_t from) {
  for (uint32_t i = 0; i < view_size(); ++i) {
    views_[to][i] = std::max(views_[to][i], views_[from][i]);
  }
}

uint32_t* MemoryModel::Allocate(uint32_t size) {
  if (chunk_used_ + size > kChunk) {
    ++chunk_;
    chunk_used_ = 0;
  }
  if (chunk_ == chunks_.size()) chunks_.emplace_back(kChunk);
  uint32_t* out = chunks_[chunk_].data() + chunk_used_;
  chunk_used_ += size;
  return out;
}

const char* MemoryModel::Construct(uint32_t thread, const void* address, uint64_t value, bool plain,
                                   uint32_t* id) {
  if (locations_used_ == kMaxLocations) return "the program makes too many atomics for the model";
  if (locations_used_ == locations_.size()) locations_.emplace_back();
  *id = locations_used_++;
  Location& location = locations_[*id];
  const uint32_t now = ++views_[thread][thread];
  location.address = address;
  location.alive = true;
  location.plain = plain;
  location.seq_cst_seen = 0;
  location.writer = thread;
  location.written = now;
  location.accessed.fill(0);
  location.accessed[thread] = now;
  location.history.clear();
  location.history.push_back({value, 0, nullptr, 0});
  return nullptr;
}

const char* MemoryModel::Check(uint32_t thread, uint32_t id, const void* address) {
  if (id >= locations_used_ || !locations_[id].alive || locations_[id].address != address) {
    return "access to memory that has been freed";
  }
  Location& location = locations_[id];
  if (views_[thread][location.writer] < location.written && !location.plain) {
    return "access to an atomic whose construction does not happen before it";
  }
  location.accessed[thread] = ++views_[thread][thread];
  return nullptr;
}

const char* MemoryModel::Destroy(uint32_t thread, uint32_t id, const void* address) {
  if (id >= locations_used_ || !locations_[id].alive || locations_[id].address != address) {
    return "freed twice";
  }
  Location& location = locations_[id];
  location.alive = false;
  for (uint32_t t = 0; t < kMaxThreads; ++t) {
    if (views_[thread][t] < location.accessed[t]) {
      return "freed although an access of another thread does not happen before that";
    }
  }
  return nullptr;
}

uint32_t MemoryModel::Oldest(uint32_t thread, uint32_t id, std::memory_order order) const {
  const uint32_t oldest = views_[thread][kMaxThreads + id];
  return order == std::memory_order_seq_cst ? std::max(oldest, locations_[id].seq_cst_seen)
                                            : oldest;
}

size_t MemoryModel::ChooseMessage(uint32_t thread, uint32_t id, std::memory_order order) {
  const auto& history = locations_[id].history;
  const size_t newest = history.size() - 1;
  const uint32_t place = Oldest(thread, id, order);
  if (history[newest].place == place || random_->Below(256) >= stale_) return newest;
  size_t oldest = newest;
  while (history[oldest].place > place) --oldest;
  if (random_->Below(2) == 0) return oldest;
  return oldest + random_->Below(newest - oldest);
}

void MemoryModel::Observe(uint32_t thread, uint32_t id, size_t message, std::memory_order order) {
  Location& location = locations_[id];
  auto& view = views_[thread];
  const Message& read = location.history[message];
  view[kMaxThreads + id] = std::max(view[kMaxThreads + id], read.place);
  if (Acquires(order) && read.view != nullptr) {
    for (uint32_t i = 0; i < read.view_size; ++i) view[i] = std::max(view[i], read.view[i]);
  }
  if (order == std::memory_order_seq_cst) {
    location.seq_cst_seen = std::max(location.seq_cst_seen, read.place);
  }
}

void MemoryModel::Append(uint32_t thread, uint32_t id, uint64_t value, std::memory_order order,
                         const Message* continued) {
  Location& location = locations_[id];
  auto& history = location.history;
  auto& view = views_[thread];
  // A read-modify-write stands right behind what it read. A store may land before stores that its
  // thread has not seen, wherever there is room.
  size_t behind = history.size() - 1;
  uint32_t place = history.back().place + (continued != nullptr ? 1 : kGap);
  if (continued == nullptr && history.back().place > Oldest(thread, id, order) &&
      random_->Below(512) < stale_) {
    const size_t chosen = ChooseMessage(thread, id, order);
    if (chosen + 1 < history.size() && history[chosen + 1].place - history[chosen].place > 3) {
      behind = chosen;
      place = history[chosen].place + (history[chosen + 1].place - history[chosen].place) / 2;
    }
  }
  view[kMaxThreads + id] = place;
  Message message{value, place, nullptr, 0};
  if (Releases(order)) {
    message.view_size = view_size();
    uint32_t* copy = Allocate(message.view_size);
    std::copy_n(view.begin(), message.view_size, copy);
    if (continued != nullptr && continued->view != nullptr) {
      for (uint32_t i = 0; i < continued->view_size; ++i) {
        copy[i] = std::max(copy[i], continued->view[i]);
      }
    }
    message.view = copy;
  } else if (continued != nullptr) {
    message.view = continued->view;
    message.view_size = continued->view_size;
  }
  if (order == std::memory_order_seq_cst) {
    location.seq_cst_seen = std::max(location.seq_cst_seen, place);
  }
  history.insert(history.begin() + static_cast<std::ptrdiff_t>(behind) + 1, message);
}

const char* MemoryModel::Load(uint32_t thread, uint32_t id, const void* address,
                              std::memory_order order, uint64_t* value) {
  if (const char* error = Check(thread, id, address)) return error;
  const size_t message = ChooseMessage(thread, id, order);
  *value = locations_[id].history[message].value;
  Observe(thread, id, message, order);
  return nullptr;
}

const char* MemoryModel::Store(uint32_t thread, uint32_t id, const void* address, uint64_t value,
                               std::memory_order order) {
  if (const char* error = Check(thread, id, address)) return error;
  Append(thread, id, value, order, nullptr);
  return nullptr;
}

const char* MemoryModel::BeginModify(uint32_t thread, uint32_t id, const void* address,
                                     uint64_t* before) {
  if (const char* error = Check(thread, id, address)) return error;
  *before = locations_[id].history.back().value;
  return nullptr;
}

void MemoryModel::EndModify(uint32_t thread, uint32_t id, uint64_t value, std::memory_order order) {
  Location& location = locations_[id];
  Observe(thread, id, location.history.size() - 1, order);
  const Message continued = location.history.back();
  Append(thread, id, value, order, &continued);
}

const char* MemoryModel::Cas(uint32_t thread, uint32_t id, const void* address, uint64_t* expected,
                             uint64_t desired, bool weak, std::memory_order success,
                             std::memory_order failure, bool* swapped) {
  if (const char* error = Check(thread, id, address)) return error;
  const auto& history = locations_[id].history;
  const size_t newest = history.size() - 1;
  *swapped = false;
  size_t message = ChooseMessage(thread, id, failure);
  // A value that matches must also be the newest, for a swap follows what it read immediately.
  if (history[message].value == *expected) message = newest;
  if (history[message].value == *expected && !(weak && random_->Below(16) == 0)) {
    EndModify(thread, id, desired, success);
    *swapped = true;
    return nullptr;
  }
  *expected = history[message].value;
  Observe(thread, id, message, failure);
  return nullptr;
}

const char* MemoryModel::PlainRead(uint32_t thread, uint32_t id, const void* address) {
  if (const char* error = Check(thread, id, address)) return error;
  const Location& location = locations_[id];
  if (views_[thread][location.writer] < location.written) {
    return "data race: a read does not happen after the write before it";
  }
  return nullptr;
}

const char* MemoryModel::PlainWrite(uint32_t thread, uint32_t id, const void* address) {
  if (const char* error = Check(thread, id, address)) return error;
  Location& location = locations_[id];
  for (uint32_t t = 0; t < kMaxThreads; ++t) {
    if (views_[thread][t] < location.accessed[t]) {
      return "data race: a write does not happen after another thread's access before it";
    }
  }
  location.writer = thread;
  location.written = views_[thread][thread];
  return nullptr;
}

const char* MemoryModel::Newest(uint32_t thread, uint32_t id, const void* address,
                                uint64_t* value) {
  if (const char* error = Check(thread, id, address)) return error;
  *value = locations_[id].history.back().value;
  return nullptr;
}

}  // namespace adagents::testing
