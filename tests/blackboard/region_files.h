// What the tests of regions over files share.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "adagents/blackboard/cell.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/stream.h"
#include "adagents/blackboard/table.h"
#include "temporary_folder.h"

namespace adagents {

/// ADAGENTS_SEED, or one that never changes.
inline uint64_t SeedOfTests() {
  const char* seed = std::getenv("ADAGENTS_SEED");
  return seed == nullptr ? 20261123 : std::strtoull(seed, nullptr, 10);
}

/// A file's bytes, where words may be read and written as such.
class Image {
 public:
  explicit Image(const std::string& path) : size_(std::filesystem::file_size(path)) {
    words_.resize(size_ / 8 + 1);
    std::ifstream(path, std::ios::binary).read(data(), static_cast<std::streamsize>(size_));
  }
  void Save(const std::string& path) const {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(data(), static_cast<std::streamsize>(size_));
  }
  char* data() { return reinterpret_cast<char*>(words_.data()); }
  const char* data() const { return reinterpret_cast<const char*>(words_.data()); }
  size_t size() const { return size_; }
  void Truncate(size_t size) {
    std::memset(data() + size, 0, size_ - size);
    words_.resize(size / 8 + 1);
    size_ = size;
  }
  bool operator==(const Image&) const = default;

 private:
  size_t size_;
  std::vector<uint64_t> words_;
};

struct Block {  // 64 bytes, all words equal
  uint64_t words[8];
  static Block Of(uint64_t n) { return {{n, n, n, n, n, n, n, n}}; }
  bool IsWhole() const {
    bool whole = true;
    for (const uint64_t word : words) whole &= word == words[0];
    return whole;
  }
};

/// One object of every kind in one region.
struct Everything {
  explicit Everything(Region& region, absl::Duration ttl = absl::InfiniteDuration())
      : table({.capacity = 100, .ttl = ttl, .region = &region, .name = "sessions"}),
        stream(16, &region, "outcomes"),
        cell(region.Place<Cell<Block>>("forecast", Block::Of(1)).value()),
        counter(region.Place<Counter>("seen").value()),
        bounded(region.Place<BoundedCounter>("budget", 1000).value()) {}

  Table<uint64_t, Block> table;
  Stream<Block> stream;
  Cell<Block>* cell;
  Counter* counter;
  BoundedCounter* bounded;
};

}  // namespace adagents
