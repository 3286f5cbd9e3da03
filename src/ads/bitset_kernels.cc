#include "ads/bitset_kernels.h"

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
constexpr Kernels kPortable{IntersectPortable, IntersectUnionPortable, "portable"};

#if defined(__x86_64__)
// Chosen by hand instead of by target_clones: its resolvers run before the sanitizers are ready.
ADAGENTS_KERNELS(Avx2, Wide256, __attribute__((target("avx2"))))
ADAGENTS_KERNELS(Avx512, Wide512, __attribute__((target("avx512f"))))
constexpr Kernels kAvx2{IntersectAvx2, IntersectUnionAvx2, "avx2"};
constexpr Kernels kAvx512{IntersectAvx512, IntersectUnionAvx512, "avx512"};
#endif

}  // namespace

KernelList RunnableKernels() {
  KernelList list{};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) list.items[list.count++] = &kAvx512;
  if (__builtin_cpu_supports("avx2")) list.items[list.count++] = &kAvx2;
#endif
  list.items[list.count++] = &kPortable;
  return list;
}

const Kernels& BestKernels() {
  static const Kernels& best = *RunnableKernels().items[0];
  return best;
}

}  // namespace adagents::ads::internal
