#include "adagents/testing/listening_response.h"

#include <cmath>
#include <vector>

#include "catch.h"

namespace adagents::testing {
namespace {

HiddenMoment Bedtime() {
  return {.activity = Activity::kBedtime, .energy = 0.12, .attention = 0.4};
}
HiddenMoment Workout() { return {.activity = Activity::kWorkout, .energy = 0.9, .attention = 0.4}; }
constexpr AdTraits kCalm{.tone = Tone::kCalm, .pace = SpeechPace::kSlow};
constexpr AdTraits kLoud{.tone = Tone::kUpbeat, .pace = SpeechPace::kFast};

double LogOdds(double p) { return std::log(p / (1 - p)); }

TEST_CASE("bedtime hurts fast talkers, a workout slow ones") {
  const Response calm = TrueResponse(Bedtime(), kCalm), loud = TrueResponse(Bedtime(), kLoud);
  CHECK(calm.click > 4 * loud.click);
  CHECK(calm.completion > loud.completion + 0.3);
  CHECK(calm.recall > 1.5 * loud.recall);
  CHECK(Annoyance(Bedtime(), kLoud) > Annoyance(Bedtime(), kCalm) + 0.5);
  CHECK(Unsuitable(Bedtime(), kLoud));
  CHECK_FALSE(Unsuitable(Bedtime(), kCalm));
  CHECK(TrueResponse(Workout(), kLoud).click > 3 * TrueResponse(Workout(), kCalm).click);
  CHECK_FALSE(Unsuitable(Workout(), kCalm));
}

TEST_CASE("a sad listener does not care for cheer") {
  HiddenMoment sad{.activity = Activity::kChores, .energy = 0.5, .valence = 0.2};
  HiddenMoment happy = sad;
  happy.valence = 0.8;
  const AdTraits playful{.tone = Tone::kPlayful}, serious{.tone = Tone::kSerious};
  CHECK(TrueResponse(happy, playful).click > TrueResponse(happy, serious).click);
  CHECK(TrueResponse(sad, playful).click < TrueResponse(sad, serious).click);
}

TEST_CASE("the middle of a song is a bad moment, an episode's transition a good one") {
  HiddenMoment m;
  const Response between = TrueResponse(m, kCalm);
  m.where = SlotKind::kMidSong;
  const Response within = TrueResponse(m, kCalm);
  CHECK(Unsuitable(m, kCalm));
  m.where = SlotKind::kTransition;
  const Response transition = TrueResponse(m, kCalm);
  CHECK(within.click == Approx(0.5 * between.click));
  CHECK(within.completion < between.completion);
  CHECK(transition.click == Approx(1.25 * between.click));
  CHECK(transition.completion > between.completion);
}

TEST_CASE("a brand is worn in, then out, and a creative's repeats are a cliff") {
  HiddenMoment m;
  const double fresh = TrueResponse(m, kCalm).click;
  m.heard_brand = 1;
  const double known = TrueResponse(m, kCalm).click;
  m.heard_brand = 6;
  const double worn = TrueResponse(m, kCalm).click;
  CHECK(known > 1.1 * fresh);
  CHECK(worn < 0.5 * fresh);
  std::vector<double> repeats;
  m.heard_brand = 1;
  for (int c = 0; c < 6; ++c) {
    m.heard_creative = c;
    repeats.push_back(TrueResponse(m, kCalm).click);
  }
  CHECK(repeats[0] - repeats[1] < 0.1 * repeats[0]);
  CHECK(repeats[2] - repeats[3] > 0.2 * repeats[0]);
  CHECK(repeats[5] < 0.2 * repeats[0]);
}

TEST_CASE("which call to action is best depends on the screen") {
  HiddenMoment m{.activity = Activity::kCommute};
  AdTraits install = kCalm, save = kCalm;
  install.call = CallToAction::kInstall;
  save.call = CallToAction::kSave;
  CHECK(TrueResponse(m, install).click < 0.3 * TrueResponse(m, save).click);
  m.screen = true;
  CHECK(TrueResponse(m, install).click > 1.9 * TrueResponse(m, save).click);
}

TEST_CASE("video is for those who look") {
  HiddenMoment m{.attention = 0.6, .screen = true};
  AdTraits video = kCalm;
  video.video = true;
  CHECK(TrueResponse(m, video).click > TrueResponse(m, kCalm).click);
  m.attention = 0.3;
  CHECK(TrueResponse(m, video).click < TrueResponse(m, kCalm).click);
}

TEST_CASE("attention saturates") {
  HiddenMoment m;
  const auto at = [&](double q) {
    m.attention = q;
    return TrueResponse(m, kCalm).click;
  };
  CHECK(at(0.4) - at(0.1) > 3 * (at(1.0) - at(0.7)));
}

// In a model that adds up effects on the log-odds, this contrast would be 0 whatever they are.
TEST_CASE("no sum of effects on the log-odds makes it") {
  const auto click = [](const HiddenMoment& m, const AdTraits& ad) {
    return LogOdds(TrueResponse(m, ad).click);
  };
  const double contrast = click(Bedtime(), kCalm) - click(Bedtime(), kLoud) -
                          click(Workout(), kCalm) + click(Workout(), kLoud);
  CHECK(std::abs(contrast) > 2);
  // Nor do two-way effects: what tone does to the effect of pace depends on the activity.
  const auto both = [&](const HiddenMoment& m) {
    const AdTraits calm_fast{.tone = Tone::kCalm, .pace = SpeechPace::kFast};
    const AdTraits loud_slow{.tone = Tone::kUpbeat, .pace = SpeechPace::kSlow};
    return click(m, kCalm) - click(m, calm_fast) - click(m, loud_slow) + click(m, kLoud);
  };
  const HiddenMoment commute{.activity = Activity::kCommute, .energy = 0.55, .attention = 0.4};
  CHECK(std::abs(both(commute) - both(Workout())) > 0.5);
}

TEST_CASE("odds are odds whatever the moment") {
  for (int a = 0; a < static_cast<int>(kActivities); ++a) {
    for (int i = 0; i < 4 * 3 * 3 * 4 * 2 * 2 * 3; ++i) {
      AdTraits ad{.tone = static_cast<Tone>(i % 4),
                  .pace = static_cast<SpeechPace>(i / 4 % 3),
                  .voice = static_cast<Voice>(i / 12 % 3),
                  .call = static_cast<CallToAction>(i / 36 % 4),
                  .video = i / 144 % 2 == 1,
                  .seconds = 30,
                  .quality = 9};
      HiddenMoment m{.activity = static_cast<Activity>(a),
                     .attention = 1,
                     .irritation = i / 288 % 2 * 5.0,
                     .screen = true,
                     .where = static_cast<SlotKind>(i / 576),
                     .interest = 9};
      const Response r = TrueResponse(m, ad);
      for (const double p : {r.click, r.completion, r.conversion, r.recall}) {
        REQUIRE(p > 0);
        REQUIRE(p < 1);
      }
    }
  }
}

TEST_CASE("mixing keeps the mean and ends without structure") {
  const Response full{0.1, 0.9, 0.2, 0.4}, flat{0.02, 0.8, 0.1, 0.3};
  CHECK(Mixed(full, flat, 1).click == full.click);
  CHECK(Mixed(full, flat, 0).recall == flat.recall);
  CHECK(Mixed(full, flat, 0.5).completion == Approx(0.85));
}

}  // namespace
}  // namespace adagents::testing
