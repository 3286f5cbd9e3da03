// What the targeting index is measured against: campaigns as flat structs of bit masks, looked at
// one after the other without branches; and the same in columns. targeting_flat.cc is compiled for
// the machine that it runs on, with all that its registers can do.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace adagents::ads::bench {

/// One campaign in one cache line: the values it accepts of each attribute.
struct alignas(64) Flat {
  uint64_t region = 0, city = 0;
  uint32_t genre = 0, category = 0, not_category = 0, keyword = 0;
  std::array<uint8_t, 21> hours{};
  uint8_t device = 0, os = 0, language = 0, no_deal = 0;
  uint16_t country = 0, shapes = 0;
};
static_assert(sizeof(Flat) == 64);

/// A request in the same terms: one bit each, but for categories and shapes.
struct FlatRequest {
  uint64_t region = 1, city = 1;
  uint32_t genre = 1, category = 1, keyword = 1;
  size_t hour_byte = 0;
  uint8_t hour_bit = 0;
  uint8_t device = 1, os = 1, language = 1;
  uint16_t country = 1, shapes = 0;
};

inline bool Accepts(const Flat& c, const FlatRequest& r) {
  return static_cast<bool>(
      static_cast<int>((c.region & r.region) != 0) & static_cast<int>((c.city & r.city) != 0) &
      static_cast<int>((c.genre & r.genre) != 0) &
      static_cast<int>((c.category & r.category) != 0) &
      static_cast<int>((c.not_category & r.category) == 0) &
      static_cast<int>((c.keyword & r.keyword) != 0) &
      static_cast<int>((c.country & r.country) != 0) &
      static_cast<int>((c.device & r.device) != 0) & static_cast<int>((c.os & r.os) != 0) &
      static_cast<int>((c.language & r.language) != 0) &
      static_cast<int>((c.hours[r.hour_byte] & r.hour_bit) != 0) &
      static_cast<int>((c.shapes & r.shapes) != 0) & static_cast<int>(c.no_deal));
}

/// The same campaigns, one column per field. Hours are a column for each eight.
struct Columns {
  std::vector<uint64_t> region, city;
  std::vector<uint32_t> genre, category, not_category, keyword;
  std::vector<uint8_t> device, os, language, no_deal;
  std::vector<uint16_t> country, shapes;
  std::array<std::vector<uint8_t>, 21> hours;

  explicit Columns(const std::vector<Flat>& flat);
};

/// The places of the first `k` campaigns that accept the request; returns how many.
size_t ScanStructs(const std::vector<Flat>& flat, const FlatRequest& r, size_t k,
                   std::vector<uint32_t>* out);
/// All of them.
size_t ScanColumns(const Columns& c, const FlatRequest& r, std::vector<uint32_t>* out);

/// The best `k` by factor(place) * price[place], best first: the same early end as the index has,
/// best_from[i] being the highest price from place i on. Factors are 0.5 to 2 from `salt`.
void BestByScore(const std::vector<Flat>& flat, const FlatRequest& r, size_t k,
                 const std::vector<double>& price, const std::vector<double>& best_from,
                 uint64_t salt, std::vector<uint32_t>* out);
/// The factor of one campaign, 0.5 to 2.
inline double FactorOf(uint64_t salt, uint64_t place) {
  uint64_t x = (salt << 32 | place) * 0x9e3779b97f4a7c15u;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93u;
  return 0.5 + 1.5 * static_cast<double>(x >> 40) * 0x1.0p-24;
}

}  // namespace adagents::ads::bench
