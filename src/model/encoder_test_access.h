// Lets the tests run every instruction set's code on one machine.
#pragma once

#include "adagents/model/encoder.h"
#include "model/kernels.h"

namespace adagents::model {

class EncoderForTest {
 public:
  static void Use(Encoder* encoder, const internal::Kernels& kernels);
};

}  // namespace adagents::model
