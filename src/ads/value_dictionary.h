// Numbers for the (attribute, text) pairs that a catalog's conditions name.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/ads/campaign.h"
#include "adagents/base/ids.h"

namespace adagents::ads::internal {

/// An append-only hash table with open addressing; compares texts, so equal hashes do no harm.
/// Thread-compatible: any number of readers, or one writer.
class ValueDictionary {
 public:
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  /// The number of a known pair, else kNone.
  uint32_t Find(Attribute a, std::string_view text) const {
    if (slots_.empty()) return kNone;
    const uint64_t hash = Hash(a, text);
    for (size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.number == kNone) return kNone;
      if (slot.tag == Tag(hash) && Is(slot.number, a, text)) return slot.number;
    }
  }

  /// The number of the pair, the next free one when it is new.
  uint32_t Intern(Attribute a, std::string_view text) {
    if (const uint32_t known = Find(a, text); known != kNone) return known;
    if ((entries_.size() + 1) * 2 > slots_.size()) Grow();
    const auto number = static_cast<uint32_t>(entries_.size());
    entries_.push_back({texts_.size(), static_cast<uint16_t>(text.size()), a});
    texts_.append(text);
    Place(number, Hash(a, text));
    return number;
  }

  size_t size() const { return entries_.size(); }
  Attribute attribute(uint32_t number) const { return entries_[number].attribute; }
  std::string_view text(uint32_t number) const {
    const Entry& e = entries_[number];
    return std::string_view(texts_).substr(e.at, e.bytes);
  }
  size_t memory_bytes() const {
    return slots_.capacity() * sizeof(Slot) + entries_.capacity() * sizeof(Entry) +
           texts_.capacity();
  }

 private:
  struct Slot {
    uint32_t tag = 0;
    uint32_t number = kNone;
  };
  struct Entry {
    size_t at;
    uint16_t bytes;
    Attribute attribute;
  };

  static uint64_t Hash(Attribute a, std::string_view text) {
    return StableHash64(text, static_cast<uint64_t>(a));
  }
  static uint32_t Tag(uint64_t hash) { return static_cast<uint32_t>(hash >> 32); }
  bool Is(uint32_t number, Attribute a, std::string_view t) const {
    return entries_[number].attribute == a && text(number) == t;
  }
  void Place(uint32_t number, uint64_t hash) {
    size_t i = hash & mask_;
    while (slots_[i].number != kNone) i = (i + 1) & mask_;
    slots_[i] = {Tag(hash), number};
  }
  void Grow() {
    const size_t wanted = slots_.empty() ? 64 : slots_.size() * 2;
    slots_.assign(wanted, Slot{});
    mask_ = wanted - 1;
    for (uint32_t n = 0; n < entries_.size(); ++n) Place(n, Hash(attribute(n), text(n)));
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t mask_ = 0;
  std::vector<Entry> entries_;
  std::string texts_;
};

}  // namespace adagents::ads::internal
