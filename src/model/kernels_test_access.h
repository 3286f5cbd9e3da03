// Lets the tests run every instruction set's code on one machine.
#pragma once

#include <string_view>
#include <vector>

#include "adagents/model/encoder.h"
#include "adagents/model/head.h"
#include "model/kernels.h"

namespace adagents::model {

/// Every instruction set that this machine has.
inline std::vector<const internal::Kernels*> Kernels() {
  std::vector<const internal::Kernels*> all = {&internal::kPortable};
#if defined(__x86_64__)
  const std::string_view best = KernelName();
  if (best != "portable") all.push_back(&internal::kAvx2);
  if (best == "avx512") all.push_back(&internal::kAvx512);
#endif
  return all;
}

class EncoderForTest {
 public:
  static void Use(Encoder* encoder, const internal::Kernels& kernels);
};

class HeadForTest {
 public:
  static void Use(Head* head, const internal::Kernels& kernels);
};

}  // namespace adagents::model
