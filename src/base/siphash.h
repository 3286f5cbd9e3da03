// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), for what must not
// be guessed or undone without the key: the byte that tells the notices of a bid apart,
// identifiers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace adagents {

/// The 64-bit tag of `text` under the key (k0, k1). Thread-safe.
[[nodiscard]] inline uint64_t SipHash24(uint64_t k0, uint64_t k1, std::string_view text) {
  uint64_t v0 = k0 ^ 0x736f6d6570736575ULL, v1 = k1 ^ 0x646f72616e646f6dULL;
  uint64_t v2 = k0 ^ 0x6c7967656e657261ULL, v3 = k1 ^ 0x7465646279746573ULL;
  const auto rotate = [](uint64_t x, int n) { return x << n | x >> (64 - n); };
  const auto round = [&] {
    v0 += v1, v1 = rotate(v1, 13) ^ v0, v0 = rotate(v0, 32);
    v2 += v3, v3 = rotate(v3, 16) ^ v2;
    v0 += v3, v3 = rotate(v3, 21) ^ v0;
    v2 += v1, v1 = rotate(v1, 17) ^ v2, v2 = rotate(v2, 32);
  };
  const size_t n = text.size();
  for (size_t at = 0;; at += 8) {
    const bool last = n - at < 8;
    uint64_t word = last ? uint64_t{n & 0xff} << 56 : 0;
    std::memcpy(&word, text.data() + at, last ? n - at : 8);  // little-endian, as simdjson needs
    v3 ^= word;
    round(), round();
    v0 ^= word;
    if (last) break;
  }
  v2 ^= 0xff;
  round(), round(), round(), round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace adagents
