// Request buffers that come back: filled by the reader's thread, let go on any.
#pragma once

#include <simdjson.h>

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "adagents/ads/request.h"

namespace adagents::openrtb {

class BufferPool;

/// A request and the JSON document that its text points into.
class PooledBuffer final : public ads::RequestBuffer {
 public:
  explicit PooledBuffer(std::shared_ptr<BufferPool> pool) : pool_(std::move(pool)) {}

  simdjson::dom::document document;

 private:
  friend class BufferPool;
  void Recycle() noexcept override;
  void Destroy() noexcept { delete this; }

  std::shared_ptr<BufferPool> pool_;  // alive for as long as any buffer may return
};

/// Free buffers of one reader. Thread-safe. A mutex, not a lock-free list: it is held for a push or
/// a pop, twice a request.
class BufferPool {
 public:
  BufferPool() { free_.reserve(kMostFree); }
  ~BufferPool() = default;  // empty: buffers keep it alive, Close() takes those that are free

  /// A free buffer or nullptr.
  PooledBuffer* Take() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return nullptr;
    PooledBuffer* buffer = free_.back();
    free_.pop_back();
    return buffer;
  }
  /// False if the buffer must be destroyed: the pool is closed or full.
  bool Give(PooledBuffer* buffer) {
    std::lock_guard lock(mutex_);
    if (closed_ || free_.size() == kMostFree) return false;
    free_.push_back(buffer);
    return true;
  }
  /// The reader is gone: whatever comes back from now on is destroyed.
  void Close() {
    std::vector<PooledBuffer*> idle;
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
      idle.swap(free_);
    }
    for (PooledBuffer* buffer : idle) buffer->Destroy();
  }

  /// Documents of requests beyond this size are freed rather than kept; they are rare.
  static constexpr size_t kLargestKept = 64 << 10;

 private:
  static constexpr size_t kMostFree = 1024;  // requests in flight that are kept for reuse

  std::mutex mutex_;
  std::vector<PooledBuffer*> free_;
  bool closed_ = false;
};

inline void PooledBuffer::Recycle() noexcept {
  request = {};
  arena.Reset();
  if (document.capacity() > BufferPool::kLargestKept) document = {};
  // The pool may be kept alive by this buffer alone, and Give() must return before it goes.
  const std::shared_ptr<BufferPool> pool = pool_;
  if (!pool->Give(this)) delete this;
}

}  // namespace adagents::openrtb
