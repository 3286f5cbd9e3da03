#include "targeting_flat.h"

#include <algorithm>
#include <utility>

namespace adagents::ads::bench {

Columns::Columns(const std::vector<Flat>& flat) {
  for (const Flat& f : flat) {
    region.push_back(f.region);
    city.push_back(f.city);
    genre.push_back(f.genre);
    category.push_back(f.category);
    not_category.push_back(f.not_category);
    keyword.push_back(f.keyword);
    country.push_back(f.country);
    device.push_back(f.device);
    os.push_back(f.os);
    language.push_back(f.language);
    no_deal.push_back(f.no_deal);
    shapes.push_back(f.shapes);
    for (size_t i = 0; i < hours.size(); ++i) hours[i].push_back(f.hours[i]);
  }
}

/// Blocks small enough for the first cache, each column a loop that the compiler vectorises.
size_t ScanColumns(const Columns& c, const FlatRequest& r, std::vector<uint32_t>* out) {
  constexpr size_t kBlock = 2048;
  const size_t n = c.region.size();
  size_t found = 0;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t m = std::min(kBlock, n - begin);
    uint8_t ok[kBlock];
    const auto first = [&](const auto& column, auto mask) {
      for (size_t i = 0; i < m; ++i) ok[i] = static_cast<uint8_t>((column[begin + i] & mask) != 0);
    };
    const auto both = [&](const auto& column, auto mask, bool wanted) {
      for (size_t i = 0; i < m; ++i) {
        ok[i] &= static_cast<uint8_t>(((column[begin + i] & mask) != 0) == wanted);
      }
    };
    first(c.shapes, r.shapes);
    both(c.hours[r.hour_byte], r.hour_bit, true);
    both(c.country, r.country, true);
    both(c.device, r.device, true);
    both(c.os, r.os, true);
    both(c.language, r.language, true);
    both(c.no_deal, uint8_t{1}, true);
    both(c.genre, r.genre, true);
    both(c.category, r.category, true);
    both(c.not_category, r.category, false);
    both(c.keyword, r.keyword, true);
    both(c.region, r.region, true);
    both(c.city, r.city, true);
    out->resize(found + m);
    uint32_t* to = out->data();
    for (size_t i = 0; i < m; ++i) {
      to[found] = static_cast<uint32_t>(begin + i);
      found += ok[i];
    }
  }
  out->resize(found);
  return found;
}

size_t ScanStructs(const std::vector<Flat>& flat, const FlatRequest& r, size_t k,
                   std::vector<uint32_t>* out) {
  out->resize(flat.size() + 1);
  uint32_t* to = out->data();
  size_t found = 0;
  for (size_t i = 0; i < flat.size() && found < k; ++i) {
    to[found] = static_cast<uint32_t>(i);
    found += Accepts(flat[i], r);
  }
  out->resize(found);
  return found;
}

void BestByScore(const std::vector<Flat>& flat, const FlatRequest& r, size_t k,
                 const std::vector<double>& price, const std::vector<double>& best_from,
                 uint64_t salt, std::vector<uint32_t>* out) {
  using Entry = std::pair<double, uint32_t>;  // of which the greatest is the worst
  static std::vector<Entry> heap;
  static std::vector<uint32_t> accepted;
  constexpr size_t kBlock = 2048;
  heap.clear();
  accepted.resize(kBlock + 1);
  for (size_t begin = 0; begin < flat.size(); begin += kBlock) {
    if (heap.size() == k && best_from[begin] * 2.0 <= -heap.front().first) break;
    const size_t end = std::min(begin + kBlock, flat.size());
    size_t found = 0;
    for (size_t i = begin; i < end; ++i) {  // without branches, as above
      accepted[found] = static_cast<uint32_t>(i);
      found += Accepts(flat[i], r);
    }
    for (size_t a = 0; a < found; ++a) {
      const uint32_t place = accepted[a];
      if (heap.size() == k && price[place] * 2.0 <= -heap.front().first) continue;
      const Entry entry{-FactorOf(salt, place) * price[place], place};
      if (heap.size() == k) {
        if (!(entry < heap.front())) continue;
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
      }
      heap.push_back(entry);
      std::push_heap(heap.begin(), heap.end());
    }
  }
  std::sort_heap(heap.begin(), heap.end());
  out->clear();
  for (const Entry& entry : heap) out->push_back(entry.second);
}

}  // namespace adagents::ads::bench
