// Board: the sealed request scope that the fallback sees.
// Thread safety: nothing of it changes, so any threads may read it while the call lasts.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <typeinfo>

#include "adagents/runtime/key.h"

namespace adagents {

namespace internal {
class BoardMemory;
}

/// What had been published when the decision was settled; later outputs are not in it. Immutable,
/// valid during the fallback's call.
class Board {
 public:
  /// Of nothing: no agent was run.
  Board() = default;
  Board(const internal::BoardMemory* memory, const uint8_t* sealed)
      : memory_(memory), sealed_(sealed) {}

  /// The value of `key`, or null when nobody writes it or its writer had not published.
  template <class T>
  [[nodiscard]] const T* Find(Key<T> key) const {
    return static_cast<const T*>(FindRaw(key.name, typeid(T)));
  }

 private:
  const void* FindRaw(std::string_view key, const std::type_info& type) const;

  const internal::BoardMemory* memory_ = nullptr;
  const uint8_t* sealed_ = nullptr;
};

}  // namespace adagents
