#include "adagents/ads/private_export.h"

#include <cmath>
#include <map>

#include "adagents/base/random.h"
#include "adagents/blackboard/region.h"
#include "ads/listener_kit.h"
#include "fmt/format.h"
#include "temporary_folder.h"

namespace adagents::ads::test {
namespace {

const absl::Time kNoon = absl::FromUnixSeconds(1'767'268'800);

TEST_CASE("discrete Laplace noise has the distribution that is stated") {
  Random random(4);
  const auto bits = [&random] { return random(); };
  constexpr uint64_t kT = 5, kS = 2;
  constexpr int kDraws = 200'000;
  std::map<int64_t, int> seen;
  for (int i = 0; i < kDraws; ++i) ++seen[DiscreteLaplace(kT, kS, bits)];
  const double q = std::exp(-static_cast<double>(kS) / kT);
  double chi2 = 0;
  for (int64_t x = -8; x <= 8; ++x) {
    const double p = (1 - q) / (1 + q) * std::pow(q, std::abs(static_cast<double>(x)));
    const double expected = p * kDraws;
    chi2 += (seen[x] - expected) * (seen[x] - expected) / expected;
  }
  CHECK(chi2 < 33.4);  // 17 degrees of freedom: one in a hundred is beyond
  // And so the ratio that privacy rests on: next to each other, e^(s/t) at most.
  for (int64_t x = 0; x < 4; ++x) {
    CHECK(static_cast<double>(seen[x]) / seen[x + 1] == Approx(1 / q).epsilon(0.03));
  }
}

TEST_CASE("what would exceed the budget of a period is refused, and says what is left") {
  PrivacyBudget budget({.milli_epsilon = 1000, .period = absl::Hours(24)});
  CHECK(budget.Spend(0, kNoon).code() == absl::StatusCode::kInvalidArgument);
  CHECK(budget.Spend(400, kNoon).ok());
  CHECK(budget.Spend(400, kNoon + absl::Hours(1)).ok());
  CHECK(budget.Left(kNoon) == 200);
  const absl::Status refused = budget.Spend(300, kNoon);
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(Message(refused) ==
        "an export of epsilon 0.300 exceeds the privacy budget: 0.200 is left until "
        "2026-01-02T00:00:00+00:00");
  CHECK(budget.Left(kNoon) == 200);
  CHECK(budget.Spend(1000, kNoon + absl::Hours(24)).ok());
  CHECK_FALSE(budget.Spend(1, kNoon).ok());  // a clock that goes back refills nothing
  CHECK(budget.Left(kNoon + absl::Hours(48)) == 1000);
}

TEST_CASE("what has been spent outlives the process in a region") {
  const Folder folder;
  for (const uint32_t left : {1000u, 400u}) {
    auto region = Region::Open(folder / "region", {.bytes = 1 << 20});
    REQUIRE(region.ok());
    PrivacyBudget budget({}, &*region);
    REQUIRE(region->status().ok());
    CHECK(budget.Left(kNoon) == left);
    if (left == 1000) CHECK(budget.Spend(600, kNoon).ok());
  }
}

/// Listeners of which two in three hear jazz; each with several sessions, which count once.
std::unique_ptr<TestEngine> Audience(int listeners) {
  EngineOptions options = WithListener();
  options.listener->sessions.sessions = 20'000;
  auto engine =
      std::make_unique<TestEngine>(std::vector{AudioCampaign("a", 5)}, std::move(options));
  for (int i = 0; i < listeners; ++i) {
    const std::string who = fmt::format("listener {}", i);
    for (int k = 0; k < 1 + i % 3; ++k) {
      const std::string session = fmt::format("{} session {}", who, k);
      PlaybackEvent e = Track(*engine, i % 3 == 0 ? "rock" : "jazz", "calm", 0.3f);
      e.listener = who;
      e.session = session;
      Play(*engine, e);
    }
  }
  return engine;
}

TEST_CASE("an export tells of all listeners together, and of each within the noise") {
  const auto engine = Audience(3000);
  const auto exported = (*engine)->ExportAudience(500);
  REQUIRE(exported.ok());
  const double sd = exported->noise_sd();
  CHECK(sd == Approx(std::sqrt(2.0) * kSensitivity / 0.5).epsilon(0.001));
  const auto near = [&](int64_t number, double listeners) {
    return std::abs(static_cast<double>(number) - 1000 * listeners) < 8 * sd;  // one in 80,000
  };
  CHECK(near(exported->listeners, 3000));
  CHECK(near(exported->genres[GenreBinOf("jazz")], 2000));
  CHECK(near(exported->genres[GenreBinOf("rock")], 1000));
  CHECK(near(exported->genres[GenreBinOf("pop")], 0));
  CHECK(near(exported->moods[static_cast<size_t>(Mood::kCalm)], 3000));
  // No two exports are alike, and the third has no budget left.
  const auto again = (*engine)->ExportAudience(500);
  REQUIRE(again.ok());
  CHECK(again->genres != exported->genres);
  CHECK((*engine)->ExportAudience(1).status().code() == absl::StatusCode::kResourceExhausted);
}

TEST_CASE("one listener moves an export by no more than the sensitivity") {
  const auto numbers = [&](const TestEngine& engine) {
    Random random(7);  // the same noise each time
    PrivacyBudget budget({.milli_epsilon = 1'000'000});
    const auto e =
        ExportAudience(*engine->sessions(), 1000, &budget, kNoon, [&random] { return random(); });
    REQUIRE(e.ok());
    std::vector<int64_t> all(e->genres.begin(), e->genres.end());
    all.insert(all.end(), e->moods.begin(), e->moods.end());
    all.push_back(e->listeners);
    return all;
  };
  const auto engine = Audience(50);
  const std::vector<int64_t> before = numbers(*engine);
  for (int i = 0; i < 12; ++i) {  // as loud as one can be
    PlaybackEvent e = Track(*engine, i % 2 == 0 ? "pop" : "metal", "happy", 0.9f);
    const std::string session = fmt::format("loud {}", i % 4);
    e.session = session;
    Play(*engine, e);
  }
  const std::vector<int64_t> after = numbers(*engine);
  uint64_t moved = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    moved += static_cast<uint64_t>(std::abs(after[i] - before[i]));
  }
  CHECK(moved > 0);
  CHECK(moved <= kSensitivity);
}

}  // namespace
}  // namespace adagents::ads::test
