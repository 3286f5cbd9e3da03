// Hashes and identifiers that mean the same in every process, build and machine (absl::Hash is
// salted per process and must not be stored or compared across runs).
#pragma once

#include <cstdint>
#include <string_view>

namespace adagents {

/// XXH3-64 of the bytes, seed 0. Stable: may be stored on disk. Thread-safe.
[[nodiscard]] uint64_t StableHash64(std::string_view bytes);
[[nodiscard]] uint64_t StableHash64(std::string_view bytes, uint64_t seed);

/// The name stored beside data that was keyed by StableHash64.
inline constexpr std::string_view kStableHashName = "xxh3-64";

/// The finaliser of MurmurHash3 (Appleby): every input bit reaches every output bit. Stable,
/// bijective. Thread-safe.
[[nodiscard]] constexpr uint64_t Mix64(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdULL;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ULL;
  x ^= x >> 33;
  return x;
}

/// One hash of two, order-sensitive. Stable. Thread-safe.
[[nodiscard]] constexpr uint64_t CombineHash(uint64_t a, uint64_t b) {
  return Mix64(a * 0x9e3779b97f4a7c15ULL + b);
}

}  // namespace adagents
