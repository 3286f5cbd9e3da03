#include "ads/bitset_kernels.h"

#include <array>
#include <bit>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace adagents::ads::internal {
namespace {

#define ADAGENTS_INLINE inline __attribute__((always_inline))

// The compiler's own vectors: correct on every architecture, one register each where
// the enclosing function may use registers that wide.
#define ADAGENTS_VECTOR(name, bytes)                                                    \
  struct name {                                                                         \
    typedef uint64_t Vector __attribute__((vector_size(bytes), aligned(8), may_alias)); \
  }
ADAGENTS_VECTOR(Wide128, 16);
ADAGENTS_VECTOR(Wide256, 32);
ADAGENTS_VECTOR(Wide512, 64);

template <class Wide>
struct Simd {
  using Vector = typename Wide::Vector;
  static constexpr size_t kWords = sizeof(Vector) / sizeof(uint64_t);

  // `kLanes` vectors are worked on at once, to stay within the registers.
  static constexpr size_t kLanes = 4;
  static constexpr size_t kStep = kLanes * kWords;
  static_assert(kBlockWords % kStep == 0);

  static ADAGENTS_INLINE const Vector* At(const uint64_t* from) {
    return reinterpret_cast<const Vector*>(from);
  }
  static ADAGENTS_INLINE Vector* At(uint64_t* to) { return reinterpret_cast<Vector*>(to); }

  static ADAGENTS_INLINE bool Any(const Vector& v) {
    uint64_t any = 0;
    for (size_t i = 0; i < kWords; ++i) any |= v[i];
    return any != 0;
  }

  static ADAGENTS_INLINE bool Intersect(const uint64_t* const* in, size_t n_in,
                                        const uint64_t* const* out, size_t n_out, size_t offset,
                                        uint64_t* acc) {
    Vector left = {};
    for (size_t at = 0; at < kBlockWords; at += kStep) {
      Vector a0 = ~Vector{}, a1 = a0, a2 = a0, a3 = a0;
      for (size_t i = 0; i < n_in; ++i) {
        const Vector* b = At(in[i] + offset + at);
        a0 &= b[0];
        a1 &= b[1];
        a2 &= b[2];
        a3 &= b[3];
      }
      for (size_t i = 0; i < n_out; ++i) {
        const Vector* b = At(out[i] + offset + at);
        a0 &= ~b[0];
        a1 &= ~b[1];
        a2 &= ~b[2];
        a3 &= ~b[3];
      }
      Vector* to = At(acc + at);
      to[0] = a0;
      to[1] = a1;
      to[2] = a2;
      to[3] = a3;
      left |= (a0 | a1) | (a2 | a3);
    }
    return Any(left);
  }

  static ADAGENTS_INLINE bool IntersectUnion(const uint64_t* const* in, size_t n_in, size_t offset,
                                             const uint64_t* extra, uint64_t* acc) {
    Vector left = {};
    for (size_t at = 0; at < kBlockWords; at += kStep) {
      const Vector* e = At(extra + at);
      Vector a0 = e[0], a1 = e[1], a2 = e[2], a3 = e[3];
      for (size_t i = 0; i < n_in; ++i) {
        const Vector* b = At(in[i] + offset + at);
        a0 |= b[0];
        a1 |= b[1];
        a2 |= b[2];
        a3 |= b[3];
      }
      Vector* to = At(acc + at);
      to[0] = a0 &= to[0];
      to[1] = a1 &= to[1];
      to[2] = a2 &= to[2];
      to[3] = a3 &= to[3];
      left |= (a0 | a1) | (a2 | a3);
    }
    return Any(left);
  }
};

// As Mula, Kurz and Lemire's decoders of bitmaps do (https://arxiv.org/abs/1908.10598): a few
// numbers are always written, and as many of them kept as there are bits.
ADAGENTS_INLINE size_t SpellWords(uint32_t base, const uint64_t* words, uint32_t* to) {
  constexpr int kAlways = 4;
  uint32_t* const begin = to;
  for (size_t w = 0; w < kBlockWords; ++w, base += 64) {
    uint64_t left = words[w];
    uint32_t* next = to;
    to += std::popcount(left);
    for (int i = 0; i < kAlways; ++i, left &= left - 1) {
      *next++ = base + static_cast<uint32_t>(std::countr_zero(left));
    }
    for (; left != 0; left &= left - 1) {
      *next++ = base + static_cast<uint32_t>(std::countr_zero(left));
    }
  }
  return static_cast<size_t>(to - begin);
}

#define ADAGENTS_KERNELS(suffix, wide, attributes)                                              \
  attributes bool Intersect##suffix(const uint64_t* const* in, size_t n_in,                     \
                                    const uint64_t* const* out, size_t n_out, size_t offset,    \
                                    uint64_t* acc) {                                            \
    return Simd<wide>::Intersect(in, n_in, out, n_out, offset, acc);                            \
  }                                                                                             \
  attributes bool IntersectUnion##suffix(const uint64_t* const* in, size_t n_in, size_t offset, \
                                         const uint64_t* extra, uint64_t* acc) {                \
    return Simd<wide>::IntersectUnion(in, n_in, offset, extra, acc);                            \
  }

ADAGENTS_KERNELS(Portable, Wide128, )
size_t SpellPortable(uint32_t base, const uint64_t* words, uint32_t* to) {
  return SpellWords(base, words, to);
}
constexpr Kernels kPortable{IntersectPortable, IntersectUnionPortable, SpellPortable, "portable"};

#if defined(__x86_64__)
// Chosen by hand instead of by target_clones: its resolvers run before the sanitizers are ready.
ADAGENTS_KERNELS(Avx2, Wide256, __attribute__((target("avx2"))))
ADAGENTS_KERNELS(Avx512, Wide512, __attribute__((target("avx512f"))))
__attribute__((target("bmi,popcnt"))) size_t SpellBmi(uint32_t base, const uint64_t* words,
                                                      uint32_t* to) {
  return SpellWords(base, words, to);
}
#define ADAGENTS_VBMI2 __attribute__((target("avx512f,avx512bw,avx512vbmi2,popcnt")))
ADAGENTS_VBMI2 inline void WriteSixteen(uint32_t* to, uint32_t base, __m128i places) {
  // Masked: GCC 12 warns of the unmasked form's own undefined input.
  const __m512i wide = _mm512_maskz_cvtepu8_epi32(0xffff, places);
  _mm512_storeu_si512(to, _mm512_add_epi32(wide, _mm512_set1_epi32(static_cast<int>(base))));
}
// The places within the word that are set, as bytes side by side, then as numbers, sixteen at a
// time.
ADAGENTS_VBMI2 size_t SpellVbmi2(uint32_t base, const uint64_t* words, uint32_t* to) {
  alignas(64) static constexpr auto kPlaces = [] {
    std::array<uint8_t, 64> places{};
    for (size_t i = 0; i < places.size(); ++i) places[i] = static_cast<uint8_t>(i);
    return places;
  }();
  const __m512i places = _mm512_load_si512(kPlaces.data());
  uint32_t* const begin = to;
  for (size_t w = 0; w < kBlockWords; ++w, base += 64) {
    const __m512i set = _mm512_maskz_compress_epi8(words[w], places);
    WriteSixteen(to, base, _mm512_maskz_extracti32x4_epi32(0xf, set, 0));
    const int n = std::popcount(words[w]);
    if (n > 16) [[unlikely]] {
      alignas(64) uint8_t rest[64];
      _mm512_store_si512(rest, set);
      for (int i = 16; i < n; i += 16) {
        WriteSixteen(to + i, base, _mm_load_si128(reinterpret_cast<const __m128i*>(rest + i)));
      }
    }
    to += n;
  }
  return static_cast<size_t>(to - begin);
}
constexpr Kernels kAvx2{IntersectAvx2, IntersectUnionAvx2, SpellBmi, "avx2"};
constexpr Kernels kAvx512{IntersectAvx512, IntersectUnionAvx512, SpellBmi, "avx512"};
constexpr Kernels kVbmi2{IntersectAvx512, IntersectUnionAvx512, SpellVbmi2, "avx512-vbmi2"};
#endif

}  // namespace

KernelList RunnableKernels() {
  KernelList list{};
#if defined(__x86_64__)
  const bool bits = __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
  const bool avx512 = __builtin_cpu_supports("avx512f") && bits;
  const bool bytes = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
  if (avx512 && bytes) list.items[list.count++] = &kVbmi2;
  if (avx512) list.items[list.count++] = &kAvx512;
  if (__builtin_cpu_supports("avx2") && bits) list.items[list.count++] = &kAvx2;
#endif
  list.items[list.count++] = &kPortable;
  return list;
}

const Kernels& BestKernels() {
  static const Kernels& best = *RunnableKernels().items[0];
  return best;
}

}  // namespace adagents::ads::internal
