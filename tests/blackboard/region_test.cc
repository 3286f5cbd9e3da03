#include "adagents/blackboard/region.h"

#include <cstring>
#include <string>
#include <utility>

#include "adagents/base/ids.h"
#include "catch.h"

namespace adagents {
namespace {

TEST_CASE("a region says in its header what it is") {
  const Region region(1 << 16);
  CHECK(region.header().magic == RegionHeader::kMagic);
  CHECK(region.header().layout_version == RegionHeader::kLayoutVersion);
  CHECK(std::string(region.header().hash_name) == std::string(kStableHashName));
  CHECK(region.header().bytes >= 1 << 16);
}

TEST_CASE("a region hands out zeroed, aligned, separate memory until it is full") {
  Region region(1 << 14);
  char* last = nullptr;
  size_t got = 0;
  for (;;) {
    auto* block = static_cast<char*>(region.Allocate(100));
    if (block == nullptr) break;
    CHECK(reinterpret_cast<uintptr_t>(block) % kCacheLine == 0);
    CHECK((last == nullptr || block - last >= 100));
    bool zero = true;
    for (int i = 0; i < 100; ++i) zero &= block[i] == 0;
    CHECK(zero);
    std::memset(block, 0xff, 100);
    last = block;
    got += 128;
  }
  CHECK(got > (1 << 14) - 512);
  CHECK(region.header().magic == RegionHeader::kMagic);
  CHECK(region.Allocate(SIZE_MAX) == nullptr);
}

TEST_CASE("places in a region are offsets, and it moves without its memory moving") {
  Region region(1 << 14);
  void* place = region.Allocate(8);
  const uint64_t offset = region.OffsetOf(place);
  Region moved(std::move(region));
  CHECK(moved.AtOffset(offset) == place);
}

TEST_CASE("a region of the size that is stated for an allocation holds it") {
  for (size_t bytes : {size_t{1}, size_t{4000}, size_t{4096}, size_t{100000}}) {
    Region region(Region::SizeFor(bytes));
    CHECK(region.Allocate(bytes) != nullptr);
  }
}

TEST_CASE("a region that no system could give is refused") {
  CHECK_THROWS_AS(Region(SIZE_MAX), std::bad_alloc);
}

}  // namespace
}  // namespace adagents
