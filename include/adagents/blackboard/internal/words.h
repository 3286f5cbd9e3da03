// Trivially copyable values as arrays of atomic words: how every state type stores its payload.
//
// A seqlock over plain memory is undefined (a data race) and one with fences is invisible to
// ThreadSanitizer. Here each word is stored with release and loaded with acquire. Reason: a reader
// that meets a single word of a later value then also sees that the place was given up before that
// value was written, so its look at the version afterwards, itself relaxed, tells it. On x86 both
// are plain moves; on ARM they are stlr and ldar.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace adagents::internal {

template <class T, class Atomics>
struct Words {
  static_assert(std::is_trivially_copyable_v<T>, "shared state is copied word by word");
  using Word = typename Atomics::template Atomic<uint64_t>;
  static constexpr size_t kCount = (sizeof(T) + 7) / 8;

  template <class Site>
  static void Store(Word* to, const T& value, Site site) {
    std::array<uint64_t, kCount> words;
    words[kCount - 1] = 0;  // the padding behind the value
    std::memcpy(words.data(), &value, sizeof(T));
    for (size_t i = 0; i < kCount; ++i) {
      to[i].store(words[i], Atomics::At(site, std::memory_order_release));
    }
  }

  template <class Site>
  static T Load(const Word* from, Site site) {
    std::array<uint64_t, kCount> words;
    for (size_t i = 0; i < kCount; ++i) {
      words[i] = from[i].load(Atomics::At(site, std::memory_order_acquire));
    }
    std::array<std::byte, sizeof(T)> bytes;
    std::memcpy(bytes.data(), words.data(), sizeof(T));
    return std::bit_cast<T>(bytes);
  }
};

}  // namespace adagents::internal
