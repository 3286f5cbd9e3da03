#include "adagents/blackboard/internal/lanes.h"

#include <iterator>

#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::internal {
namespace {

uint16_t LaneOf(const Lanes& lanes, uint32_t i) {
  return static_cast<uint16_t>(lanes.words[i / Lanes::kPerWord] >> (16 * (i % Lanes::kPerWord)));
}
uint32_t OneByOne(const Lanes& lanes, uint16_t value) {
  uint32_t out = 0;
  for (uint32_t i = 0; i < Lanes::kCount; ++i) {
    out |= static_cast<uint32_t>(LaneOf(lanes, i) == value) << i;
  }
  return out;
}

TEST_CASE("lanes are compared all at once as they are one by one, with or without SSE2") {
  Random random(3);
  // Few values, all of whose neighbours are among them: carries and signs would show.
  constexpr uint16_t kValues[] = {0, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff};
  for (int round = 0; round < 20'000; ++round) {
    Lanes lanes{};
    for (uint32_t i = 0; i < Lanes::kCount; ++i) {
      uint64_t& word = lanes.words[i / Lanes::kPerWord];
      word = Lanes::With(word, i, kValues[random.Below(std::size(kValues))]);
    }
    for (const uint16_t value : kValues) {
      const uint32_t wanted = OneByOne(lanes, value);
      REQUIRE(lanes.EqualTo(value) == wanted);
      REQUIRE(lanes.EqualByWords(value) == wanted);
    }
  }
}

TEST_CASE("setting one lane leaves its neighbours as they are") {
  const uint64_t word = 0x1111'2222'3333'4444;
  CHECK(Lanes::With(word, 0, 0xabcd) == 0x1111'2222'3333'abcd);
  CHECK(Lanes::With(word, 5, 0xabcd) == 0x1111'2222'abcd'4444);
  CHECK(Lanes::With(word, 15, 0) == 0x0000'2222'3333'4444);
}

}  // namespace
}  // namespace adagents::internal
