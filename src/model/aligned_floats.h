// Floats that vectors of 64 bytes may be loaded from.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace adagents::model::internal {

struct FreeAligned {
  void operator()(float* floats) const { ::operator delete[](floats, std::align_val_t{64}); }
};
using AlignedFloats = std::unique_ptr<float[], FreeAligned>;

/// `count` zeros.
inline AlignedFloats MakeAligned(size_t count) {
  auto* floats = static_cast<float*>(::operator new[](count * sizeof(float), std::align_val_t{64}));
  for (size_t i = 0; i < count; ++i) floats[i] = 0;  // touches every page, too
  return AlignedFloats(floats);
}

}  // namespace adagents::model::internal
