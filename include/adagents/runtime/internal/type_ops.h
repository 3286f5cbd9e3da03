// What the runtime has to know of a value's type to keep it on a board.
// Thread safety: as the type that they are of; the table itself is constant.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <type_traits>
#include <typeinfo>

namespace adagents::internal {

struct TypeOps {
  const std::type_info* id;
  size_t size;
  size_t align;
  bool trivial;                 // reset by copying bytes
  void (*construct)(void* at);  // value-initialised
  void (*destroy)(void* at);
  void (*reset)(void* at);                     // as new, keeping capacity where the type can
  void (*assign)(void* to, const void* from);  // null when the type cannot be copied
};

/// As new: T::clear() where T has one, so that containers keep their memory; else T = T().
template <class T>
void ResetValue(T& value) {
  if constexpr (requires { value.clear(); }) {
    value.clear();
  } else {
    value = T();
  }
}

template <class T>
const TypeOps& OpsOf() {
  static_assert(std::is_default_constructible_v<T>,
                "a value on the blackboard needs a default constructor");
  static_assert(
      std::is_move_assignable_v<T> || requires(T & t) { t.clear(); },
      "a value on the blackboard needs move assignment or clear()");
  static constexpr bool kTrivial = std::is_trivially_copyable_v<T>;
  static const TypeOps ops{
      &typeid(T),
      sizeof(T),
      alignof(T),
      kTrivial,
      [](void* at) { new (at) T(); },
      [](void* at) { static_cast<T*>(at)->~T(); },
      [](void* at) { ResetValue(*static_cast<T*>(at)); },
      []() -> void (*)(void*, const void*) {
        if constexpr (std::is_copy_assignable_v<T>) {
          return [](void* to, const void* from) {
            *static_cast<T*>(to) = *static_cast<const T*>(from);
          };
        } else {
          return nullptr;
        }
      }(),
  };
  return ops;
}

}  // namespace adagents::internal
