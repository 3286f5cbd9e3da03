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
  m.signals[Moment::kIntents + static_cast<size_t>(intent)] = 1;
  return m;
}
/// A moment and an ad, of which attention and the creative's traits are learned.
MomentExample Shown(const Moment& moment, const Traits& traits, uint32_t own = 0) {
  MomentExample example;
  example.moment = moment;
  example.ad.traits = traits;
  example.ad.own = own;
  example.factors = kOfAttention | kOfCreative;
  return example;
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
    model.Learn(Action::kCompletion, Shown(muted, kRows), offset, random.Chance(0.8));
  }
  const double p = Sigmoid(offset + model.Shift(Action::kCompletion, Shown(muted, kRows)));
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
  const auto workout = MomentModel::TermsOf(In_(Intent::kWorkout));
  const Effect before = model.Trait(Action::kCompletion, kFast, workout);
  CHECK(before.mean == 0.0f);
  for (int i = 0; i < 20'000; ++i) {
    const uint16_t pace = random.Chance(0.5) ? kFast : kSlow;
    const Intent intent = random.Chance(0.5) ? Intent::kWorkout : Intent::kRelax;
    model.Learn(Action::kCompletion, Shown(In_(intent), Traits{0, 0, pace, 0, 0}), offset,
                random.Chance(truth(pace, intent)));
  }
  const auto mean = [&](uint16_t pace, Intent intent) {
    return model.Trait(Action::kCompletion, pace, MomentModel::TermsOf(In_(intent))).mean;
  };
  CHECK(mean(kFast, Intent::kWorkout) - mean(kSlow, Intent::kWorkout) == Approx(1.4).margin(0.25));
  CHECK(mean(kFast, Intent::kRelax) - mean(kSlow, Intent::kRelax) == Approx(-1.4).margin(0.25));
  CHECK(model.Trait(Action::kCompletion, kFast, workout).variance < before.variance / 4);
  // Nothing is known of a pace that was never tried.
  CHECK(model.Trait(Action::kCompletion, 99, workout).variance == before.variance);
}

TEST_CASE("only finite offsets are learned from, and no weight runs away") {
  MomentModel model;
  const Moment moment = In_(Intent::kFocus);
  model.Learn(Action::kClick, Shown(moment, Traits{}), std::nanf(""), true);
  model.Learn(Action::kClick, Shown(moment, Traits{}), INFINITY, true);
  CHECK(model.Attention(Action::kClick, moment) == 0.0f);
  for (int i = 0; i < 100'000; ++i) {
    model.Learn(Action::kClick, Shown(moment, Traits{}), -14.0f, true);
  }
  CHECK(std::isfinite(model.Attention(Action::kClick, moment)));
  CHECK(model.Attention(Action::kClick, moment) <= MomentModel::kMostShift);
  CHECK(std::isfinite(model.Trait(Action::kClick, 0, MomentModel::TermsOf(moment)).mean));
}

TEST_CASE("what was learned survives as bytes, and damaged or foreign ones change nothing") {
  MomentModel model, other;
  Random random(8);
  for (int i = 0; i < 500; ++i) {
    const auto row = static_cast<uint16_t>(random.Below(20));
    model.Learn(i % 2 == 0 ? Action::kClick : Action::kConversion,
                Shown(In_(Intent::kCommute), Traits{row, 31, 32, 33, 34}, row), -2.0f,
                random.Chance(0.3));
  }
  const std::string good = model.Save();
  other.Learn(Action::kCompletion, Shown(In_(Intent::kParty), Traits{}), 0,
              true);  // to be forgotten
  REQUIRE(other.Restore(good).ok());
  CHECK(other.Save() == good);
  const auto commute = MomentModel::TermsOf(In_(Intent::kCommute));
  CHECK(other.Trait(Action::kClick, 3, commute).mean ==
        model.Trait(Action::kClick, 3, commute).mean);
  CHECK(other.Own(Action::kClick, 3).mean == model.Own(Action::kClick, 3).mean);

  other.Learn(Action::kCompletion, Shown(In_(Intent::kParty), Traits{}), 0, true);
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
  what.example = Shown(In_(Intent::kParty), Traits{});
  what.target = Action::kCompletion;
  moments.Remember(1, 0, what);
  CHECK(moments.Seen(1, 0) == 77);
  CHECK(moments.Seen(1, 0) == 0);
  CHECK(moments.Seen(2, 0) == 0);
  CHECK(moments.Learn(Moments::KeyOf(1, 0), Action::kCompletion, 1.4f, true));
  CHECK(moments.learnt() == 1);
  CHECK(moments.Purge([](uint64_t session) { return session == 77; }) == 1);
  CHECK_FALSE(moments.Learn(Moments::KeyOf(1, 0), Action::kCompletion, 1.4f, true));
  moments.Remember(3, 0, what);
  clock.Advance(absl::Minutes(62));
  CHECK_FALSE(moments.Learn(Moments::KeyOf(3, 0), Action::kCompletion, 1.4f, true));
}

TEST_CASE("what words mean to everybody is assumed until there is evidence") {
  const MomentModel model;
  const auto row = [](CreativeFeatures::Trait trait, auto change) {
    Creative c;
    c.format = MarkupType::kAudio;
    change(c);
    return CreativeFeatures::Of(Campaign(), c).traits[trait];
  };
  const auto mean = [&](uint16_t of, const Moment& m) {
    return model.Trait(Action::kClick, of, MomentModel::TermsOf(m)).mean;
  };
  const uint16_t calm = row(CreativeFeatures::kTone, [](Creative& c) { c.tone = "calm"; });
  const uint16_t upbeat = row(CreativeFeatures::kTone, [](Creative& c) { c.tone = "upbeat"; });
  CHECK(mean(calm, In_(Intent::kBedtime)) > mean(upbeat, In_(Intent::kBedtime)));
  CHECK(mean(calm, In_(Intent::kWorkout)) < mean(upbeat, In_(Intent::kWorkout)));
  CHECK(mean(calm, In_(Intent::kCommute)) == mean(upbeat, In_(Intent::kCommute)));
  const uint16_t fast = row(CreativeFeatures::kPace, [](Creative& c) { c.pace = "fast"; });
  Moment quiet = In_(Intent::kCommute), loud = quiet;
  quiet.energy = 0.1f;
  loud.energy = 0.9f;
  CHECK(mean(fast, quiet) < mean(fast, loud));
  const uint16_t install =
      row(CreativeFeatures::kCall, [](Creative& c) { c.call_to_action = "install"; });
  Moment off = In_(Intent::kCommute);
  off.signals[Moment::kScreenOff] = 1;
  CHECK(mean(install, off) < mean(install, In_(Intent::kCommute)) - 0.5f);
}

TEST_CASE("what is learned of a category with a genre stays with that genre") {
  MomentModel model;
  Random random(12);
  const float offset = LogOdds(0.1f);
  constexpr uint16_t kBrand = 50, kCategory = 60, kOther = 61;
  const auto shown = [&](uint16_t category, uint8_t genre) {
    MomentExample example;
    example.moment = In_(Intent::kRelax);
    example.moment.genre = genre;
    example.ad.brand = kBrand;
    example.ad.category = category;
    example.factors = kOfAffinity;
    return example;
  };
  // Jazz doubles the odds of one category.
  for (int i = 0; i < 30'000; ++i) {
    const uint8_t genre = i % 2 == 0 ? 9 : 10;
    const uint16_t category = i % 4 < 2 ? kCategory : kOther;
    const bool liked = genre == 9 && category == kCategory;
    model.Learn(Action::kClick, shown(category, genre), offset,
                random.Chance(Sigmoid(offset + (liked ? 0.69 : 0))));
  }
  const auto shift = [&](uint16_t category, uint8_t genre) {
    return model.Shift(Action::kClick, shown(category, genre));
  };
  CHECK(shift(kCategory, 9) == Approx(0.69).margin(0.15));
  CHECK(shift(kCategory, 10) == Approx(0).margin(0.15));
  CHECK(shift(kOther, 9) == Approx(0).margin(0.15));
  const auto terms = MomentModel::TermsOf(shown(kCategory, 9).moment);
  CHECK(model.Affinity(Action::kClick, kBrand, kCategory, terms).mean ==
        Approx(shift(kCategory, 9)).epsilon(1e-4));
}

TEST_CASE("factors that did not take part are not moved") {
  MomentModel model;
  MomentExample example = Shown(In_(Intent::kParty), Traits{1, 2, 3, 4, 5}, 9);
  example.factors = kOfFatigue;
  example.heard = {3, 2};
  const float worn = model.Wear(Action::kClick, example.heard);
  CHECK(worn < 0);  // as is assumed
  for (int i = 0; i < 1000; ++i) model.Learn(Action::kClick, example, 0.0f, i % 4 != 0);
  CHECK(model.Wear(Action::kClick, example.heard) == Approx(std::log(3)).margin(0.2));
  CHECK(model.Own(Action::kClick, 9).mean == 0);
  CHECK(model.Attention(Action::kClick, example.moment) == 0);
}

TEST_CASE("a listener's own taste is learned beside what holds for all, and forgotten when asked") {
  testing::VirtualClock clock;
  Moments moments({.bids = 20'000}, &clock);
  RememberedMoment what;
  what.session = 7;
  what.listener = 70;
  what.brand = 1;
  what.creative = 2;
  what.example.ad.category = 5;
  what.example.factors = kOfAffinity;
  ListenerRecord record;
  CHECK_FALSE(moments.listeners().Find(70, &record));
  constexpr float kOffset = -2;
  for (uint64_t d = 1; d <= 200; ++d) {
    what.listener = d % 2 == 0 ? 70 : 71;
    moments.Remember(d, 0, what);
    CHECK(moments.Seen(d, 0) == 7);
    CHECK(moments.Learn(Moments::KeyOf(d, 0), Action::kClick, kOffset, d % 2 == 0 && d % 4 == 0));
  }
  REQUIRE(moments.listeners().Find(70, &record));
  CHECK(record.Times(1, absl::ToUnixSeconds(clock.WallNow())) == 100);
  CHECK(record.TasteOf(5).mean > 0.2f);
  CHECK(record.TasteOf(5).variance() < ListenerRecord::Taste::kAssumedVariance);
  CHECK(record.TasteOf(6).mean == 0);
  ListenerRecord other;
  REQUIRE(moments.listeners().Find(71, &other));
  CHECK(other.TasteOf(5).mean < -0.2f);
  CHECK(moments.ShiftOf(Moments::KeyOf(200, 0), Action::kClick) >
        moments.ShiftOf(Moments::KeyOf(199, 0), Action::kClick) + 0.4f);
  CHECK(moments.PurgeListeners([](uint64_t listener) { return listener == 70; }) == 1);
  CHECK_FALSE(moments.listeners().Find(70, &record));
}

TEST_CASE("what was heard is forgotten by half in a day, and what was heard most is kept") {
  ListenerRecord record;
  constexpr int64_t kNow = 1'700'000'000;
  record.Hear(5, kNow);
  record.Hear(5, kNow);
  CHECK(record.Times(5, kNow) == 2);
  CHECK(record.Times(5, kNow + ListenerRecord::kHalfLifeS) == Approx(1));
  CHECK(record.Times(6, kNow) == 0);
  for (uint32_t name = 100; name < 100 + 3 * ListenerRecord::kAds; ++name) record.Hear(name, kNow);
  CHECK(record.Times(5, kNow) == 2);
  CHECK(record.Times(100 + 3 * ListenerRecord::kAds - 1, kNow) == 1);
}

TEST_CASE("networks are told apart by their first bytes, and a clicking one raises no price") {
  Device device;
  CHECK(NetworkOf(device) == 0);
  device.ip = "198.18.7.9";
  const uint16_t network = NetworkOf(device);
  CHECK(network != 0);
  device.ip = "198.18.7.200";
  CHECK(NetworkOf(device) == network);
  device.ip = "198.18.8.9";
  CHECK(NetworkOf(device) != network);
  device.ip = {};
  device.ipv6 = "2001:db8:1:2::3";
  const uint16_t six = NetworkOf(device);
  CHECK(six != 0);
  device.ipv6 = "2001:db8:1:9::4";
  CHECK(NetworkOf(device) == six);
  device.ipv6 = "nonsense";
  CHECK(NetworkOf(device) != 0);

  MomentModel model;
  Random random(13);
  const float offset = LogOdds(0.05f);
  const auto from = [](uint16_t of) {
    MomentExample example = Shown(In_(Intent::kRelax), Traits{});
    example.moment.network = of;
    return example;
  };
  for (int i = 0; i < 20'000; ++i) {
    const bool machines = i % 10 == 0;
    model.Learn(Action::kClick, from(machines ? 5 : static_cast<uint16_t>(6 + i % 7)), offset,
                random.Chance(machines ? 0.4 : 0.05));
  }
  CHECK(model.Shift(Action::kClick, from(5)) > 1.0f);
  CHECK(model.Attention(Action::kClick, from(5).moment) < 0.5f);
  CHECK(model.Attention(Action::kClick, from(6).moment) == Approx(0).margin(0.45));
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
