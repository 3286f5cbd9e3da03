#include "model/kernels.h"

namespace adagents::model::internal {

const Kernels& BestKernels() {
#if defined(__x86_64__)
  static const Kernels& best = [&]() -> const Kernels& {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")) {
      return kAvx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx2;
    return kPortable;
  }();
  return best;
#else
  return kPortable;
#endif
}

}  // namespace adagents::model::internal
