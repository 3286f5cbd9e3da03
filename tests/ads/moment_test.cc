#include "adagents/ads/moment.h"

#include <cmath>

#include "adagents/ads/agents/attention.h"
#include "adagents/base/random.h"
#include "adagents/testing/virtual_clock.h"
#include "catch.h"

namespace adagents::ads {
namespace {

using Traits = std::array<uint16_t, kMomentTraits>;
constexpr uint16_t kFast = 7, kSlow = 8;

Moment In_(Intent intent) {
  Moment m;
  m.signals[Moment::kAlways] = 1;
  m.intent = intent;
  m.certainty = 1;
  return m;
}
double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

TEST_CASE("what is assumed of a moment gives way to what outcomes tell") {
  MomentModel model;
  Moment muted = In_(Intent::kRelax);
  muted.signals[Moment::kMuted] = muted.signals[Moment::kQuiet] = 1;
  CHECK(model.Attention(Action::kCompletion, muted) < -1.0f);
  constexpr Traits kRows = {1, 2, 3, 4, 5};
  // In this world nobody minds.
  Random random(5);
  const float offset = LogOdds(0.8f);
  for (int i = 0; i < 20'000; ++i) {
    model.Learn(Action::kCompletion, muted, kRows, offset, random.Chance(0.8));
  }
  float traits = 0;
  for (const uint16_t row : kRows) traits += model.Trait(Action::kCompletion, row, muted).mean;
  const double p = Sigmoid(offset + model.Attention(Action::kCompletion, muted) + traits);
  CHECK(p == Approx(0.8).margin(0.02));
  // Clicks are another matter, of which nothing was learned.
  CHECK(model.Attention(Action::kClick, muted) < -1.0f);
}

TEST_CASE("which pace suits which moment is learned, and passed on to moments like it") {
  MomentModel model;
  Random random(6);
  const float offset = LogOdds(0.5f);
  const auto truth = [](uint16_t pace, Intent intent) {
    const bool suits = (pace == kFast) == (intent == Intent::kWorkout);
    return Sigmoid(suits ? 0.7 : -0.7);
  };
  const TraitEffect before = model.Trait(Action::kCompletion, kFast, In_(Intent::kWorkout));
  CHECK(before.mean == 0.0f);
  for (int i = 0; i < 20'000; ++i) {
    const uint16_t pace = random.Chance(0.5) ? kFast : kSlow;
    const Intent intent = random.Chance(0.5) ? Intent::kWorkout : Intent::kRelax;
    model.Learn(Action::kCompletion, In_(intent), Traits{0, 0, pace, 0, 0}, offset,
                random.Chance(truth(pace, intent)));
  }
  const auto mean = [&](uint16_t pace, Intent intent) {
    return model.Trait(Action::kCompletion, pace, In_(intent)).mean;
  };
  CHECK(mean(kFast, Intent::kWorkout) - mean(kSlow, Intent::kWorkout) == Approx(1.4).margin(0.25));
  CHECK(mean(kFast, Intent::kRelax) - mean(kSlow, Intent::kRelax) == Approx(-1.4).margin(0.25));
  CHECK(model.Trait(Action::kCompletion, kFast, In_(Intent::kWorkout)).variance <
        before.variance / 4);
  // Nothing is known of a pace that was never tried.
  CHECK(model.Trait(Action::kCompletion, 99, In_(Intent::kWorkout)).variance == before.variance);
}

TEST_CASE("only finite offsets are learned from, and no weight runs away") {
  MomentModel model;
  const Moment moment = In_(Intent::kFocus);
  model.Learn(Action::kClick, moment, Traits{}, std::nanf(""), true);
  model.Learn(Action::kClick, moment, Traits{}, INFINITY, true);
  CHECK(model.Attention(Action::kClick, moment) == 0.0f);
  for (int i = 0; i < 100'000; ++i) {
    model.Learn(Action::kClick, moment, Traits{}, -14.0f, true);
  }
  CHECK(std::isfinite(model.Attention(Action::kClick, moment)));
  CHECK(model.Attention(Action::kClick, moment) <= MomentModel::kMostShift);
  CHECK(std::isfinite(model.Trait(Action::kClick, 0, moment).mean));
}

TEST_CASE("what was learned survives as bytes, and damaged or foreign ones change nothing") {
  MomentModel model, other;
  Random random(8);
  for (int i = 0; i < 500; ++i) {
    const auto row = static_cast<uint16_t>(random.Below(20));
    model.Learn(i % 2 == 0 ? Action::kClick : Action::kConversion, In_(Intent::kCommute),
                Traits{row, 31, 32, 33, 34}, -2.0f, random.Chance(0.3));
  }
  const std::string good = model.Save();
  other.Learn(Action::kCompletion, In_(Intent::kParty), Traits{}, 0, true);  // to be forgotten
  REQUIRE(other.Restore(good).ok());
  CHECK(other.Save() == good);
  CHECK(other.Trait(Action::kClick, 3, In_(Intent::kCommute)).mean ==
        model.Trait(Action::kClick, 3, In_(Intent::kCommute)).mean);

  other.Learn(Action::kCompletion, In_(Intent::kParty), Traits{}, 0, true);
  const std::string before = other.Save();
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ (1 << i % 8));
    CHECK_FALSE(other.Restore(bad).ok());
    CHECK_FALSE(other.Restore(good.substr(0, i)).ok());
  }
  CHECK(other.Save() == before);
  MomentModel wider({.signal_sd = 0.5f});
  CHECK(wider.Restore(good).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a moment is remembered until it is learned from, seen once, and purged by session") {
  testing::VirtualClock clock;
  Moments moments({.bids = 100}, &clock);
  RememberedMoment what;
  what.session = 77;
  what.moment = In_(Intent::kParty);
  what.target = Action::kCompletion;
  moments.Remember(1, 0, what);
  CHECK(moments.Seen(1, 0) == 77);
  CHECK(moments.Seen(1, 0) == 0);
  CHECK(moments.Seen(2, 0) == 0);
  CHECK(moments.Learn(Moments::KeyOf(1, 0), true));
  CHECK(moments.learnt() == 1);
  CHECK(moments.Purge([](uint64_t session) { return session == 77; }) == 1);
  CHECK_FALSE(moments.Learn(Moments::KeyOf(1, 0), true));
  moments.Remember(3, 0, what);
  clock.Advance(absl::Minutes(62));
  CHECK_FALSE(moments.Learn(Moments::KeyOf(3, 0), true));
}

TEST_CASE("rates move by their odds") {
  CHECK(Shifted(0.5f, 0.0f) == 0.5f);
  CHECK(Shifted(0.002f, std::log(2.0f)) == Approx(0.004f / 1.002f));
  CHECK(Shifted(0.8f, 20.0f) == Approx(1.0f));
  CHECK(Shifted(0.8f, -20.0f) == Approx(0.0f).margin(1e-6));
  CHECK(Shifted(0.3f, LogOdds(0.6f) - LogOdds(0.3f)) == Approx(0.6f));
}

}  // namespace
}  // namespace adagents::ads
