// The machine behind testing/interleave.h: what ModelAtomics calls. Not for users.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace adagents::testing::model {

template <class T>
uint64_t ToBits(const T& value) {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  return bits;
}
template <class T>
T FromBits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

/// One per enum of sites. names[i] is how the compiler spells enumerator i.
struct SiteType {
  std::array<std::string_view, 32> names;
};
template <auto kValue>
constexpr std::string_view Spelled() {
  return __PRETTY_FUNCTION__;
}
template <class Site, size_t... kI>
constexpr SiteType SpellAll(std::index_sequence<kI...>) {
  return {{Spelled<static_cast<Site>(kI)>()...}};
}
template <class Site>
inline constexpr SiteType kSiteType = SpellAll<Site>(std::make_index_sequence<32>());

/// Ends the schedule as failed; does not return when called inside one.
void Fail(const char* what);

uint32_t Construct(const void* address, uint64_t value, bool plain);
void Destroy(uint32_t id, const void* address);
uint64_t Load(uint32_t id, const void* address, std::memory_order order);
void Store(uint32_t id, const void* address, uint64_t value, std::memory_order order);
uint64_t BeginModify(uint32_t id, const void* address);
void EndModify(uint32_t id, uint64_t value, std::memory_order order);
bool Cas(uint32_t id, const void* address, uint64_t* expected, uint64_t desired, bool weak,
         std::memory_order success, std::memory_order failure);
void PlainRead(uint32_t id, const void* address);
void PlainWrite(uint32_t id, const void* address);
std::memory_order SiteOrder(const SiteType* type, int site, std::memory_order order);
void Pause();
uint32_t CurrentThread();
void Wait(uint32_t id, const void* address, uint32_t expected, bool timed);
void Wake(uint32_t id, const void* address, int count);

}  // namespace adagents::testing::model
