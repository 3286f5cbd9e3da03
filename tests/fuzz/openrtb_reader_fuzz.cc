// Any bytes as an OpenRTB request: refused with an error, or read into what reader.h promises and
// answered with a response that is well-formed.
#include <cstddef>
#include <cstdint>

#include "fuzz/openrtb_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  adagents::fuzz::ReadAnything({reinterpret_cast<const char*>(data), size});
  return 0;
}
