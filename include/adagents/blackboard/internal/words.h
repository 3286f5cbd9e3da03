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
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace adagents::internal {

template <class T, class Atomics>
struct Words {
  static_assert(std::is_trivially_copyable_v<T>, "shared state is copied word by word");
  static_assert(std::is_default_constructible_v<T>, "a copy is made before it is filled");
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

  /// The one word in which `a` and `b` differ; kCount when they are equal, more when several are.
  static size_t OnlyDifference(const T& a, const T& b) {
    size_t found = kCount;
    for (size_t i = 0; i < kCount; ++i) {
      if (WordOf(a, i) == WordOf(b, i)) continue;
      if (found != kCount) return kCount + 1;
      found = i;
    }
    return found;
  }
  /// Word `i` of `value` alone.
  template <class Site>
  static void StoreOne(Word* to, const T& value, size_t i, Site site) {
    to[i].store(WordOf(value, i), Atomics::At(site, std::memory_order_release));
  }

  /// Straight into `to`, one move per word: by way of a local array, or of a T that is then copied,
  /// wide loads would wait for the narrower stores before them (measured for 64 bytes: 5.9 ns,
  /// and 1.4 like this).
  template <class Site>
  static void Load(const Word* from, T* to, Site site) {
    auto* bytes = reinterpret_cast<unsigned char*>(to);
    if constexpr (kCount <= kUnrolled) {
      LoadAll(from, bytes, site, std::make_index_sequence<kCount>());
    } else {
      for (size_t i = 0; i < kCount - 1; ++i) LoadWord<8>(from[i], bytes + 8 * i, site);
      LoadWord<kLast>(from[kCount - 1], bytes + 8 * (kCount - 1), site);
    }
  }

 private:
  static constexpr size_t kUnrolled = 16;
  static constexpr size_t kLast = sizeof(T) - 8 * (kCount - 1);

  /// Of constant sizes: copies of others, and comparisons, are calls.
  static uint64_t WordOf(const T& value, size_t i) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(&value) + 8 * i;
    uint64_t word = 0;
    if (i + 1 == kCount) {
      std::memcpy(&word, bytes, kLast);
    } else {
      std::memcpy(&word, bytes, 8);
    }
    return word;
  }

  template <size_t kBytes, class Site>
  static void LoadWord(const Word& from, unsigned char* to, Site site) {
    const uint64_t word = from.load(Atomics::At(site, std::memory_order_acquire));
    std::memcpy(to, &word, kBytes);
  }
  template <class Site, size_t... kI>
  static void LoadAll(const Word* from, unsigned char* to, Site site, std::index_sequence<kI...>) {
    (LoadWord<(kI + 1 == kCount ? kLast : 8)>(from[kI], to + 8 * kI, site), ...);
  }
};

}  // namespace adagents::internal
