// Set algebra over blocks of bitmaps, in the widest registers that the machine has.
#pragma once

#include <cstddef>
#include <cstdint>

namespace adagents::ads::internal {

/// Words of 64 bits that are worked on at once: 2,048 campaigns, 256 bytes, so that the running
/// result stays in registers and a block of twenty sets within a few KiB.
inline constexpr size_t kBlockWords = 32;
inline constexpr size_t kBlockBits = kBlockWords * 64;

/// One block: acc = all of `in` and none of `out`, each read at word `offset`. With n_in == 0 acc
/// starts from ones. Returns whether any bit is left.
using IntersectFn = bool (*)(const uint64_t* const* in, size_t n_in, const uint64_t* const* out,
                             size_t n_out, size_t offset, uint64_t* acc);
/// One block: acc &= (any of `in`, or `extra`). Returns whether any bit is left.
using IntersectUnionFn = bool (*)(const uint64_t* const* in, size_t n_in, size_t offset,
                                  const uint64_t* extra, uint64_t* acc);

/// One block: writes `base` plus the place of each bit that is set to `to`, in rising order, and
/// returns how many. May write kSpellSlack numbers beyond them. How many bits a word has does not
/// steer a branch, since no processor could guess it.
using SpellFn = size_t (*)(uint32_t base, const uint64_t* words, uint32_t* to);
inline constexpr size_t kSpellSlack = 16;

struct Kernels {
  IntersectFn intersect;
  IntersectUnionFn intersect_union;
  SpellFn spell;
  const char* name;  // "avx512-vbmi2", "avx512", "avx2" or "portable"
};

/// The best for this machine; chosen once. Thread-safe.
const Kernels& BestKernels();

/// All that this machine can run, best first; for tests and benchmarks.
struct KernelList {
  const Kernels* items[4];
  size_t count;
};
KernelList RunnableKernels();

}  // namespace adagents::ads::internal
