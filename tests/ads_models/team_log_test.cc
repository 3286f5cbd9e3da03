// What a log makes of sessions, decisions and notices: examples and their labels.
#include "adagents/ads_models/team_log.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "ads/listener_kit.h"
#include "catch.h"

namespace adagents::ads_models {
namespace {

using namespace ads::test;  // NOLINT
using ads::OutcomeKind;
using ads::PlaybackKind;

constexpr absl::Duration kSecond = absl::Seconds(1);
constexpr Period kAlways = {0, std::numeric_limits<int64_t>::max()};
constexpr Task kAll[] = {Task::kClick, Task::kCompletion, Task::kAttention, Task::kSkip,
                         Task::kIntent};

const TeamExamples::Of& OfTask(const TeamExamples& examples, Task task) {
  return examples.of[static_cast<size_t>(task)];
}

/// A log that is told by hand, on a clock that stands still.
struct Told {
  adagents::testing::VirtualClock clock;
  std::unique_ptr<TeamLog> log;
  ads::Campaign campaign = AudioCampaign("c", 5);
  uint64_t decisions = 0;

  /// Begins at midnight, or so much later.
  explicit Told(absl::Duration later = absl::ZeroDuration()) {
    clock.Advance(later);
    auto made = TeamLog::Create({.sessions = 1000, .hash_key = {3, 4}}, &clock);
    INFO(made.status().ToString());
    REQUIRE(made.ok());
    log = *std::move(made);
  }
  ads::PlaybackEvent Event(PlaybackKind kind, std::string_view who = "ann") const {
    ads::PlaybackEvent e;
    e.session = e.listener = who;
    e.kind = kind;
    e.at = clock.WallNow();
    return e;
  }
  void Play(const ads::PlaybackEvent& event) {
    const absl::Status status = log->Play(event);
    INFO(status.ToString());
    REQUIRE(status.ok());
  }
  void Play(PlaybackKind kind, std::string_view who = "ann") { Play(Event(kind, who)); }
  /// Answers a request with the campaign's ad.
  uint64_t Decide(std::string_view who = "ann") {
    ads::Bid bid;
    bid.campaign = &campaign;
    bid.creative = &campaign.creatives[0];
    ads::Decision decision;
    decision.id = ++decisions;
    decision.bids.push_back(bid);
    log->Decided(*RequestOf(who), decision);
    return decision.id;
  }
  void Record(uint64_t decision, OutcomeKind kind, uint32_t bid = 0) {
    log->Record({.decision = decision, .bid = bid, .kind = kind});
  }

  const TeamExamples::Of& Of(Task task) const { return OfTask(log->examples(), task); }
  std::vector<int> Happened(Task task) const {
    std::vector<int> out;
    for (const TeamExamples::Example& e : Of(task).examples) out.push_back(e.happened);
    return out;
  }
  std::vector<int> Settled(Task task) const {
    std::vector<int> out;
    for (const TeamExamples::Example& e : Of(task).examples) out.push_back(e.settled);
    return out;
  }
  /// The value of a fact of an example.
  uint32_t FactOf(Task task, size_t example, std::string_view name) const {
    const auto& fields = Facts(task).fields();
    const auto at = std::find_if(fields.begin(), fields.end(),
                                 [&](const auto& field) { return field.name == name; });
    REQUIRE(at != fields.end());
    const auto f = static_cast<size_t>(at - fields.begin());
    return Of(task).entries.at(example * FactCount(task) + f).row - Facts(task).Row(f, 0);
  }
};

using Flags = std::vector<int>;

TEST_CASE("a click and a completion are known of what was heard, and happened when told") {
  Told told;
  told.Play(PlaybackKind::kStart);
  const uint64_t clicked = told.Decide(), completed = told.Decide(), overtaken = told.Decide(),
                 lost = told.Decide();
  for (const Task task : {Task::kClick, Task::kCompletion}) {
    CHECK(told.Settled(task) == Flags{0, 0, 0, 0});
    CHECK(told.Of(task).entries.size() == 4 * FactCount(task));
  }
  told.Record(clicked, OutcomeKind::kImpression);
  told.Record(clicked, OutcomeKind::kClick);
  told.Record(completed, OutcomeKind::kImpression);
  told.Record(completed, OutcomeKind::kCompletion);
  told.Record(overtaken, OutcomeKind::kClick);
  told.Record(lost, OutcomeKind::kLoss);
  for (const Task task : {Task::kClick, Task::kCompletion}) {
    CHECK(told.Settled(task) == Flags{1, 1, 0, 0});
  }
  told.Record(overtaken, OutcomeKind::kImpression);
  for (const Task task : {Task::kClick, Task::kCompletion}) {
    CHECK(told.Settled(task) == Flags{1, 1, 1, 0});
  }
  CHECK(told.Happened(Task::kClick) == Flags{1, 0, 1, 0});
  CHECK(told.Happened(Task::kCompletion) == Flags{0, 1, 0, 0});
}

TEST_CASE("an outcome of what was not decided is nobody's") {
  Told told;
  told.Play(PlaybackKind::kStart);
  const uint64_t decision = told.Decide();
  for (const OutcomeKind kind : {OutcomeKind::kImpression, OutcomeKind::kClick}) {
    told.Record(decision + 1, kind);
    told.Record(decision, kind, /*bid=*/1);
  }
  CHECK(told.Settled(Task::kClick) == Flags{0});
  CHECK(told.Happened(Task::kClick) == Flags{0});
  told.Record(decision, OutcomeKind::kImpression);
  CHECK(told.Settled(Task::kClick) == Flags{1});
}

TEST_CASE("later moments know of an ad that was heard, once however often it is told") {
  const auto ads_after = [](int notices) {
    Told told;
    told.Play(PlaybackKind::kStart);
    const uint64_t decision = told.Decide();
    for (int i = 0; i < notices; ++i) told.Record(decision, OutcomeKind::kImpression);
    told.Decide();
    return told.FactOf(Task::kClick, 1, "ads");
  };
  CHECK(ads_after(1) > ads_after(0));
  CHECK(ads_after(2) == ads_after(1));
}

TEST_CASE("attention is an act of the listener within so much of a request") {
  const absl::Duration window = absl::Milliseconds(kAttentionWindowMs);
  Told told;
  told.Play(PlaybackKind::kStart);
  const auto answered = [&](PlaybackKind kind, absl::Duration later) {
    told.Decide();
    told.clock.Advance(later);
    told.Play(kind);
    return told.Happened(Task::kAttention).back() == 1;
  };
  CHECK(answered(PlaybackKind::kSkip, kSecond));
  CHECK(answered(PlaybackKind::kPause, window));
  CHECK_FALSE(answered(PlaybackKind::kResume, window + absl::Milliseconds(1)));
  // These are none.
  CHECK_FALSE(answered(PlaybackKind::kStart, kSecond));
  CHECK_FALSE(answered(PlaybackKind::kEnd, kSecond));
}

TEST_CASE("an act is of one listener, and of all requests that it follows") {
  Told told;
  told.Play(PlaybackKind::kStart);
  told.Play(PlaybackKind::kStart, "bob");
  told.Decide();
  told.clock.Advance(kSecond);
  told.Decide();
  told.clock.Advance(kSecond);
  told.Play(PlaybackKind::kSave, "bob");
  CHECK(told.Happened(Task::kAttention) == Flags{0, 0});
  told.Play(PlaybackKind::kSave);
  told.Decide();
  CHECK(told.Happened(Task::kAttention) == Flags{1, 1, 0});
  CHECK(told.Settled(Task::kAttention) == Flags{1, 1, 1});
}

TEST_CASE("a request without a bid is a moment, too") {
  Told told;
  told.Play(PlaybackKind::kStart);
  told.log->Decided(*RequestOf("ann"), ads::Decision());
  CHECK(told.Of(Task::kAttention).examples.size() == 1);
  CHECK(told.Of(Task::kClick).examples.empty());
  CHECK(told.Of(Task::kCompletion).examples.empty());
}

TEST_CASE("one in three of what begins is looked at: whether it was skipped") {
  const auto looked_at = [](PlaybackKind last) {
    Told told;
    for (int i = 0; i < 300; ++i) {
      told.Play(PlaybackKind::kStart);
      told.clock.Advance(10 * kSecond);
      told.Play(last);
    }
    return told.Happened(Task::kSkip);
  };
  const Flags skipped = looked_at(PlaybackKind::kSkip), ended = looked_at(PlaybackKind::kEnd);
  for (const size_t count : {skipped.size(), ended.size()}) {
    CHECK(count > 60);
    CHECK(count < 140);
  }
  CHECK(skipped == Flags(skipped.size(), 1));
  CHECK(ended == Flags(ended.size(), 0));
}

// Players do not always say that something ended.
TEST_CASE("a skip is of what plays, not of what began before it") {
  Told told;
  const int64_t begin = absl::ToUnixMillis(told.clock.WallNow());
  for (int i = 0; i < 100; ++i) {
    for (const PlaybackKind kind :
         {PlaybackKind::kStart, PlaybackKind::kStart, PlaybackKind::kSkip}) {
      told.Play(kind);
      told.clock.Advance(kSecond);
    }
  }
  size_t first = 0, second = 0, wrong = 0;
  for (const TeamExamples::Example& e : told.Of(Task::kSkip).examples) {
    const bool plays = (e.at_ms - begin) / 1000 % 3 == 1;
    ++(plays ? second : first);
    if ((e.happened == 1) != plays) ++wrong;
  }
  CHECK(first > 10);
  CHECK(second > 10);
  CHECK(wrong == 0);
}

TEST_CASE("what a moment was about is known when its session is over: one of all intents") {
  Told told;
  const auto hear = [&](std::string_view who) {
    for (int i = 0; i < 60; ++i) {
      told.Play(PlaybackKind::kStart, who);
      told.clock.Advance(kSecond);
    }
    return told.Of(Task::kIntent).examples.size();
  };
  const size_t bobs = hear("bob"), all = hear("ann");
  REQUIRE(bobs > 5 * ads::kIntentCount);
  REQUIRE(all > bobs + 5 * ads::kIntentCount);
  REQUIRE(bobs % ads::kIntentCount == 0);
  REQUIRE(all % ads::kIntentCount == 0);
  CHECK(told.Settled(Task::kIntent) == Flags(all, 0));
  CHECK(told.Happened(Task::kIntent) == Flags(all, 0));
  told.Play(PlaybackKind::kSessionEnd, "ann");
  const TeamExamples::Of& of = told.Of(Task::kIntent);
  REQUIRE(of.examples.size() == all);
  REQUIRE(of.entries.size() == all * FactCount(Task::kIntent));
  for (size_t first = 0; first < all; first += ads::kIntentCount) {
    int happened = 0;
    for (size_t i = 0; i < ads::kIntentCount; ++i) {
      const TeamExamples::Example& e = of.examples[first + i];
      CHECK(e.settled == (first < bobs ? 0 : 1));
      CHECK(e.window == of.examples[first].window);
      CHECK(told.FactOf(Task::kIntent, first + i, "about") == 1 + i);
      happened += e.happened;
    }
    CHECK(happened == (first < bobs ? 0 : 1));
  }
}

TEST_CASE("what a moment was about is seen in the light of what came later") {
  const auto asleep = [](int sleepy_tracks) {
    Told told(absl::Hours(20));
    for (int i = 0; i < 240; ++i) {  // these tell nothing
      told.Play(PlaybackKind::kStart);
      told.clock.Advance(kSecond);
    }
    const size_t moments = told.Of(Task::kIntent).examples.size() / ads::kIntentCount;
    for (int i = 0; i < sleepy_tracks; ++i) {
      ads::PlaybackEvent track = told.Event(PlaybackKind::kStart);
      track.mood = "sleepy";
      track.energy = 0.1f;
      told.Play(track);
      told.clock.Advance(kSecond);
    }
    told.Play(PlaybackKind::kSessionEnd);
    REQUIRE(moments > 10);
    double sum = 0;
    for (size_t m = 0; m < moments; ++m) {
      const size_t bedtime = m * ads::kIntentCount + static_cast<size_t>(ads::Intent::kBedtime);
      sum += told.Of(Task::kIntent).examples[bedtime].happened;
    }
    return sum / static_cast<double>(moments);
  };
  CHECK(asleep(0) < 0.4);
  CHECK(asleep(5) > 0.8);
}

TEST_CASE("a session that ends without a word is over when it is forgotten, or the log is") {
  Told told;
  for (int i = 0; i < 60; ++i) {
    told.Play(PlaybackKind::kStart, "bob");
    told.clock.Advance(kSecond);
  }
  const size_t bobs = told.Of(Task::kIntent).examples.size();
  REQUIRE(bobs > 0);
  told.clock.Advance(absl::Hours(1));
  for (int i = 0; i < 5'000; ++i) told.Play(PlaybackKind::kPause, "ann");
  const size_t all = told.Of(Task::kIntent).examples.size();
  REQUIRE(all > bobs);
  const auto settled = [](const TeamExamples& examples) {
    size_t n = 0;
    for (const auto& e : examples.of[static_cast<size_t>(Task::kIntent)].examples) n += e.settled;
    return n;
  };
  CHECK(settled(told.log->examples()) == bobs);
  CHECK(settled(std::move(*told.log).Take()) == all);
}

/// Hears thirty tracks, with a request in each.
void Hear(Told* told, bool may_profile) {
  for (int i = 0; i < 30; ++i) {
    ads::PlaybackEvent track = told->Event(PlaybackKind::kStart);
    track.consent.may_profile = may_profile;
    told->Play(track);
    told->Decide();
    told->clock.Advance(kSecond);
  }
}

TEST_CASE("nothing is learned of who does not allow it") {
  Told silent, open;
  Hear(&silent, false);
  CHECK(silent.log->examples().windows.empty());
  Hear(&open, true);
  CHECK_FALSE(open.log->examples().windows.empty());
  for (const Task task : kAll) {
    CHECK(silent.Of(task).examples.empty());
    CHECK(silent.Of(task).entries.empty());
    CHECK_FALSE(open.Of(task).examples.empty());
  }
  const size_t before = open.log->examples().windows.size();
  Hear(&open, false);
  CHECK(open.log->examples().windows.size() == before);
}

TEST_CASE("who has withdrawn consent and gives it again is a stranger") {
  Told told;
  Hear(&told, true);
  REQUIRE(told.log->examples().windows.back().tokens.count == model::kMaxTokens);
  ads::PlaybackEvent withdrawn = told.Event(PlaybackKind::kSkip);
  withdrawn.consent.may_profile = false;
  told.Play(withdrawn);
  told.Play(PlaybackKind::kStart);
  told.Decide();
  CHECK(told.log->examples().windows.back().tokens.count == 1);
}

TEST_CASE("what the engine refuses is refused, and leaves nothing") {
  adagents::testing::VirtualClock clock;
  CHECK(TeamLog::Create({.sessions = 0}, &clock).status().code() ==
        absl::StatusCode::kInvalidArgument);
  Told told;
  for (int i = 0; i < 30; ++i) {
    CHECK(told.log->Play(told.Event(PlaybackKind::kStart, "")).code() ==
          absl::StatusCode::kInvalidArgument);
  }
  told.Decide("who was never heard of");
  CHECK(told.log->examples().windows.empty());
  for (const Task task : kAll) CHECK(told.Of(task).examples.empty());
}

PlaybackKind KindOf(const model::Token& token) {
  return static_cast<PlaybackKind>(token.category[0] - 1);
}

TEST_CASE("what came next is the next event of the same session") {
  Told told;
  const auto hear = [&](PlaybackKind kind, std::string_view who) {
    told.Play(kind, who);
    told.Decide(who);
    told.Decide(who);  // nothing has happened since: the same window
    told.clock.Advance(kSecond);
  };
  hear(PlaybackKind::kStart, "ann");
  hear(PlaybackKind::kStart, "bob");
  hear(PlaybackKind::kPause, "ann");
  hear(PlaybackKind::kSave, "bob");
  hear(PlaybackKind::kResume, "ann");
  const auto& windows = told.log->examples().windows;
  REQUIRE(windows.size() == 5);
  const model::Sequences sequences = SequencesOf(told.log->examples(), kAlways, 100);
  REQUIRE(sequences.windows.size() == 3);
  REQUIRE(sequences.next.size() == 3);
  const PlaybackKind kinds[] = {PlaybackKind::kPause, PlaybackKind::kSave, PlaybackKind::kResume};
  const uint32_t counts[] = {1, 1, 2};
  for (size_t i = 0; i < 3; ++i) {
    CHECK(sequences.windows[i].count == counts[i]);
    CHECK(KindOf(sequences.next[i]) == kinds[i]);
    // It is the newest token of the window that it made.
    const model::TokenWindow& later = windows[i + 2].tokens;
    CHECK(std::ranges::equal(sequences.next[i].category, later.tokens[later.count - 1].category));
  }
}

/// One example of `task` a millisecond, but all intents of one in the same; each with a window of
/// its own, which leads to another. All facts of example i are row i + 1.
TeamExamples Some(Task task, size_t count) {
  const size_t together = task == Task::kIntent ? ads::kIntentCount : 1;
  TeamExamples out;
  TeamExamples::Of& of = out.of[static_cast<size_t>(task)];
  for (size_t i = 0; i < count; ++i) {
    const auto number = static_cast<uint32_t>(i);
    const auto at_ms = static_cast<int64_t>(i / together);
    TeamExamples::Window window;
    window.at_ms = at_ms;
    model::Token token;
    token.category[1] = static_cast<uint16_t>(i);
    window.tokens.Push(token);
    window.has_next = true;
    window.next.category[1] = static_cast<uint16_t>(i + 1);
    out.windows.push_back(window);
    of.examples.push_back({at_ms, number, static_cast<uint8_t>(i % 2), 1});
    of.entries.insert(of.entries.end(), FactCount(task), model::HeadEntry{number + 1, 1});
  }
  return out;
}

TEST_CASE("outcomes are those of a period that are settled, without its end") {
  TeamExamples examples = Some(Task::kSkip, 100);
  examples.of[static_cast<size_t>(Task::kSkip)].examples[15].settled = 0;
  const TaskOutcomes some = OutcomesOf(examples, Task::kSkip, {10, 20}, 1000);
  const std::vector<uint32_t> expected = {10, 11, 12, 13, 14, 16, 17, 18, 19};
  constexpr size_t kEach = FactCount(Task::kSkip);
  CHECK(some.outcomes.per_candidate == kEach);
  REQUIRE(some.outcomes.size() == expected.size());
  REQUIRE(some.outcomes.entries.size() == expected.size() * kEach);
  REQUIRE(some.windows.size() == expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    CHECK(some.outcomes.happened[k] == expected[k] % 2);
    CHECK(some.outcomes.entries[k * kEach].row == expected[k] + 1);
    CHECK(some.outcomes.entries[k * kEach + kEach - 1].row == expected[k] + 1);
    CHECK(some.windows[k].tokens[0].category[1] == expected[k]);
  }
  CHECK(OutcomesOf(examples, Task::kSkip, {20, 20}, 1000).outcomes.size() == 0);
  CHECK(OutcomesOf(examples, Task::kClick, kAlways, 1000).outcomes.size() == 0);
}

TEST_CASE("outcomes are thinned to at most as many as are asked for, evenly") {
  const TeamExamples examples = Some(Task::kAttention, 1000);
  const TaskOutcomes some = OutcomesOf(examples, Task::kAttention, kAlways, 100);
  REQUIRE(some.outcomes.size() == 100);
  REQUIRE(some.windows.size() == 100);
  for (size_t k = 1; k < some.windows.size(); ++k) {
    CHECK(some.windows[k].tokens[0].category[1] - some.windows[k - 1].tokens[0].category[1] == 10);
  }
  const size_t about = OutcomesOf(examples, Task::kAttention, kAlways, 300).outcomes.size();
  CHECK(about <= 300);
  CHECK(about > 150);
  CHECK(OutcomesOf(examples, Task::kAttention, kAlways, 5000).outcomes.size() == 1000);
}

TEST_CASE("the intents of a moment stay together when outcomes are thinned") {
  constexpr size_t kMoments = 240, kEach = FactCount(Task::kIntent);
  TeamExamples examples = Some(Task::kIntent, kMoments * ads::kIntentCount);
  for (TeamExamples::Example& e : examples.of[static_cast<size_t>(Task::kIntent)].examples) {
    if (e.at_ms % 3 == 0) e.settled = 0;  // of a session that is not over
  }
  for (const size_t most : {size_t{1}, size_t{100}, size_t{320}}) {
    const model::Outcomes some = OutcomesOf(examples, Task::kIntent, kAlways, most).outcomes;
    CHECK(some.size() <= most + ads::kIntentCount - 1);
    CHECK(some.size() > most / 2);
    REQUIRE(some.size() % ads::kIntentCount == 0);
    for (size_t k = 0; k < some.size(); ++k) {
      const size_t i = some.entries[k * kEach].row - 1;
      CHECK(i % ads::kIntentCount == k % ads::kIntentCount);
      CHECK(i / ads::kIntentCount % 3 != 0);
      const size_t first = some.entries[(k - k % ads::kIntentCount) * kEach].row - 1;
      CHECK(i / ads::kIntentCount == first / ads::kIntentCount);
    }
  }
}

TEST_CASE("sequences are those of a period that went on, and are thinned, too") {
  TeamExamples examples = Some(Task::kSkip, 1000);
  examples.windows[13].has_next = false;
  examples.windows[14].tokens.count = 0;
  const model::Sequences some = SequencesOf(examples, {10, 20}, 1000);
  const std::vector<int> expected = {10, 11, 12, 15, 16, 17, 18, 19};
  REQUIRE(some.windows.size() == expected.size());
  REQUIRE(some.next.size() == expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    CHECK(some.windows[k].tokens[0].category[1] == expected[k]);
    CHECK(some.next[k].category[1] == expected[k] + 1);
  }
  const model::Sequences thin = SequencesOf(examples, kAlways, 100);
  CHECK(thin.windows.size() >= 100);
  CHECK(thin.windows.size() < 200);
  REQUIRE(thin.next.size() == thin.windows.size());
  for (size_t k = 0; k < thin.next.size(); ++k) {
    CHECK(thin.next[k].category[1] == thin.windows[k].tokens[0].category[1] + 1);
  }
  CHECK(thin.windows.back().tokens[0].category[1] > 980);
}

}  // namespace
}  // namespace adagents::ads_models
