// The kernels of every width that this machine has, beside a bit-by-bit reading.
#include "ads/bitset_kernels.h"

#include <algorithm>
#include <array>
#include <vector>

#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::ads::internal {
namespace {

using Block = std::array<uint64_t, kBlockWords>;

Block RandomBlock(Random& random, double density) {
  Block block{};
  for (size_t bit = 0; bit < kBlockBits; ++bit) {
    if (random.Chance(density)) block[bit / 64] |= uint64_t{1} << (bit % 64);
  }
  return block;
}

TEST_CASE("all kernels agree with a reading bit by bit") {
  constexpr uint64_t kSeed = 3;
  INFO("seed " << kSeed);
  Random random(kSeed);
  const KernelList list = RunnableKernels();
  REQUIRE(list.count >= 1);
  for (const double density : {0.0, 0.002, 0.02, 0.1, 0.25, 0.3, 0.5, 0.7, 0.95, 1.0}) {
    for (int round = 0; round < 20; ++round) {
      // The block that is read is the second of each set.
      constexpr size_t kSets = 7;
      std::vector<std::vector<uint64_t>> sets(kSets, std::vector<uint64_t>(2 * kBlockWords));
      std::array<const uint64_t*, kSets> in{};
      for (size_t i = 0; i < kSets; ++i) {
        const Block block = RandomBlock(random, i == 0 ? density : random.Uniform());
        std::copy(block.begin(), block.end(), sets[i].begin() + kBlockWords);
        in[i] = sets[i].data();
      }
      const size_t n_in = random.Below(4), n_out = random.Below(kSets - n_in);
      const Block extra = RandomBlock(random, density);
      Block both{}, any{};
      std::vector<uint32_t> ids;
      for (size_t w = 0; w < kBlockWords; ++w) {
        both[w] = ~uint64_t{0};
        for (size_t i = 0; i < n_in; ++i) both[w] &= in[i][kBlockWords + w];
        for (size_t i = n_in; i < n_in + n_out; ++i) both[w] &= ~in[i][kBlockWords + w];
        uint64_t of = extra[w];
        for (size_t i = n_in; i < n_in + n_out; ++i) of |= in[i][kBlockWords + w];
        any[w] = both[w] & of;
        for (uint32_t bit = 0; bit < 64; ++bit) {
          if ((any[w] >> bit & 1) != 0)
            ids.push_back(1'000'000 + static_cast<uint32_t>(w) * 64 + bit);
        }
      }
      for (size_t k = 0; k < list.count; ++k) {
        const Kernels& kernels = *list.items[k];
        INFO(kernels.name << ", density " << density << ", round " << round);
        alignas(64) uint64_t acc[kBlockWords];
        const bool left =
            kernels.intersect(in.data(), n_in, in.data() + n_in, n_out, kBlockWords, acc);
        CHECK(std::equal(both.begin(), both.end(), acc));
        CHECK(left == (both != Block{}));
        const bool more =
            kernels.intersect_union(in.data() + n_in, n_out, kBlockWords, extra.data(), acc);
        CHECK(std::equal(any.begin(), any.end(), acc));
        CHECK(more == (any != Block{}));
        // A sentinel follows what may be written.
        std::vector<uint32_t> to(ids.size() + kSpellSlack + 1, 7);
        const size_t n = kernels.spell(1'000'000, acc, to.data());
        CHECK(to.back() == 7);
        to.resize(n);
        CHECK(to == ids);
      }
    }
  }
}

}  // namespace
}  // namespace adagents::ads::internal
