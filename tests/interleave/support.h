// What the interleaving tests share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "adagents/testing/interleave.h"
#include "catch.h"

namespace adagents::testing {

/// The seed of every run: ADAGENTS_SEED, or 1.
inline uint64_t BaseSeed() {
  const char* seed = std::getenv("ADAGENTS_SEED");
  return seed == nullptr ? 1 : std::strtoull(seed, nullptr, 10);
}

/// 100,000 schedules of each program; ten times as many with ADAGENTS_LONG=1, a tenth under
/// AddressSanitizer, which finds nothing more in the same schedules and takes ten times as long.
inline void CheckPrograms(const std::vector<ProgramMaker>& programs) {
#if defined(__SANITIZE_ADDRESS__)
  constexpr uint64_t kSchedules = 10'000;
#else
  constexpr uint64_t kSchedules = 100'000;
#endif
  const uint64_t times = std::getenv("ADAGENTS_LONG") != nullptr ? 10 : 1;
  for (size_t i = 0; i < programs.size(); ++i) {
    const ExploreResult result =
        Explore({.schedules = kSchedules * times, .seed = BaseSeed()}, programs[i]);
    INFO("program " << i << ", seed " << BaseSeed() << ": " << result.report);
    CHECK(result.ok);
  }
}

/// Every order that the programs name is needed: weakened by one step, some program fails.
inline void CheckMutants(const std::vector<ProgramMaker>& programs) {
  const auto mutants = ExploreMutants({.schedules = 100'000, .seed = BaseSeed()}, programs);
  const std::string table = Describe(mutants);
  INFO("seed " << BaseSeed() << "\n" << table);
  CHECK(AllCaught(mutants));
  if (std::getenv("ADAGENTS_VERBOSE") != nullptr) WARN(table);
}

}  // namespace adagents::testing
