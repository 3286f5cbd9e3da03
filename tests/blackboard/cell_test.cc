#include "adagents/blackboard/cell.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "blackboard/support.h"
#include "catch.h"

namespace adagents {
namespace {

struct Odd {  // 13 bytes: not a whole number of words
  char text[13];
};

TEST_CASE("a cell keeps the last value, of any size") {
  Cell<int> small(7);
  CHECK(small.Read() == 7);
  small.Write(8);
  CHECK(small.Read() == 8);
  CHECK(small.version() == 1);

  Cell<Odd> odd(Odd{"twelve chars"});
  CHECK(std::string(odd.Read().text) == "twelve chars");

  Cell<double> initial;
  CHECK(initial.Read() == 0.0);
}

TEST_CASE("an update gets the current value and returns what it wrote") {
  Cell<int> cell(20);
  CHECK(cell.Update([](int v) { return v + 1; }) == 21);
  CHECK(cell.Read() == 21);
}

TEST_CASE("an update whose functor throws changes nothing and leaves the cell usable") {
  Cell<uint64_t> cell(7);
  for (int i = 0; i < 2 * Cell<uint64_t>::kSlots; ++i) {
    CHECK_THROWS_AS(cell.Update([](uint64_t) -> uint64_t { throw std::runtime_error("no"); }),
                    std::runtime_error);
  }
  CHECK(cell.Read() == 7);
  cell.Write(8);
  CHECK(cell.Update([](uint64_t v) { return v + 1; }) == 9);
}

TEST_CASE("readers and writers on real threads never see a torn value") {
  using Block = std::array<uint64_t, 8>;
  Cell<Block> cell;
  std::atomic<uint64_t> torn{0};
  RunThreads(4, [&](int me) {
    if (me < 2) {
      for (uint64_t i = 1; i <= 20000; ++i) {
        Block block;
        block.fill(i * 2 + static_cast<uint64_t>(me));
        cell.Write(block);
      }
    } else {
      for (int i = 0; i < 20000; ++i) {
        const Block block = cell.Read();
        for (uint64_t word : block) torn += word != block[0] ? 1 : 0;
      }
    }
  });
  CHECK(torn == 0);
  CHECK(cell.version() == 40000);
  const uint64_t last = cell.Read()[0];
  CHECK((last == 40000 || last == 40001));
}

TEST_CASE("updates from more threads than there are slots are all counted") {
  Cell<uint64_t> cell(0);
  RunThreads(6, [&](int) {
    for (int i = 0; i < 5000; ++i) cell.Update([](uint64_t v) { return v + 1; });
  });
  CHECK(cell.Read() == 30000);
}

}  // namespace
}  // namespace adagents
