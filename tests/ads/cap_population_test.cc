// What replacing a capped creative delivers, beside blocking it.
#include "bench/cap_population.h"

#include "catch.h"

namespace adagents::ads {
namespace {

PopulationResult Of(PopulationOptions options) {
  options.listeners = 40;
  options.length = absl::Hours(48);
  Population population(options);
  REQUIRE(population.ok());
  return population.Run();
}

TEST_CASE("with tight caps substitution delivers more than blocking, and exceeds none") {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    const PopulationResult blocked = Of({.seed = seed, .substitute = false});
    const PopulationResult substituted = Of({.seed = seed});
    const PopulationResult uncapped = Of({.seed = seed, .capped = false});
    INFO("seed " << seed << ": " << blocked.shown << " blocked, " << substituted.shown
                 << " substituted, " << uncapped.shown << " without caps, of "
                 << substituted.requests);
    CHECK(blocked.shown < substituted.shown);
    CHECK(substituted.shown < uncapped.shown);
    for (const PopulationResult& r : {blocked, substituted}) {
      CHECK(r.over_creative == 0);
      CHECK(r.over_campaign == 0);
      CHECK(r.over_brand == 0);
    }
    CHECK(uncapped.over_creative > 0);  // the log sees it
  }
}

}  // namespace
}  // namespace adagents::ads
