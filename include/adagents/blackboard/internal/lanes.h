// Sixteen numbers of 16 bits in four words, and which of them are equal to one: the fingerprints of
// a table's set at one look. On x86-64 by SSE2, which every such processor has; elsewhere by
// arithmetic on whole words (Warren: "Hacker's Delight", 2nd edition, 6-1, finds zero bytes so).
// Thread safety: a plain value.
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace adagents::internal {

/// Lane i is bits 16 * (i % 4) and up of word i / 4.
struct Lanes {
  static constexpr uint32_t kCount = 16, kPerWord = 4, kWords = kCount / kPerWord;
  uint64_t words[kWords];

  /// Bit i is set when lane i is `value`.
  [[nodiscard]] uint32_t EqualTo(uint16_t value) const {
#if defined(__SSE2__)
    const auto pair = [this](int i) {
      return _mm_set_epi64x(static_cast<int64_t>(words[i + 1]), static_cast<int64_t>(words[i]));
    };
    const __m128i wanted = _mm_set1_epi16(static_cast<int16_t>(value));
    const __m128i low = _mm_cmpeq_epi16(pair(0), wanted);
    const __m128i high = _mm_cmpeq_epi16(pair(2), wanted);
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
#else
    return EqualByWords(value);
#endif
  }
  [[nodiscard]] uint32_t EqualByWords(uint16_t value) const {
    constexpr uint64_t kEach = 0x0001'0001'0001'0001, kBelowTop = 0x7fff * kEach;
    uint32_t out = 0;
    for (uint32_t w = 0; w < kWords; ++w) {
      const uint64_t x = words[w] ^ (kEach * value);
      // The top bit of every lane of x that is 0, exactly: no lane carries into the next.
      const uint64_t zero = ~(((x & kBelowTop) + kBelowTop) | x | kBelowTop) >> 15;
      // Bits 0, 16, 32 and 48 side by side.
      out |= static_cast<uint32_t>(zero * 0x0001'0002'0004'0008 >> 48 & 0xf) << (kPerWord * w);
    }
    return out;
  }
  /// `word` with lane i of the four in it set to `value`.
  static uint64_t With(uint64_t word, uint32_t i, uint16_t value) {
    const uint32_t shift = 16 * (i % kPerWord);
    return (word & ~(uint64_t{0xffff} << shift)) | uint64_t{value} << shift;
  }
};

}  // namespace adagents::internal
