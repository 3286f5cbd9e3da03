#include "adagents/testing/listening_world.h"

#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "adagents/ads/engine.h"
#include "adagents/base/ids.h"
#include "adagents/base/random.h"
#include "catch.h"
#include "fmt/format.h"

namespace adagents::testing {
namespace {

using Kind = ListeningEvent::Kind;
using Slot = std::pair<uint64_t, uint32_t>;  // session, slot

ListeningOptions Options(std::string_view world, uint64_t seed, size_t sessions) {
  ListeningOptions options = *ListeningOptionsOf(world);
  options.seed = seed;
  options.sessions = sessions;
  return options;
}

/// A world with a policy: which creative fills the slot, or nullopt.
struct Run {
  using Policy =
      std::function<std::optional<uint32_t>(const ListeningWorld&, const ListeningEvent&)>;
  VirtualClock clock;
  std::unique_ptr<ListeningWorld> world;
  std::unique_ptr<const ads::Catalog> catalog;
  std::vector<ads::Bid> bids;  // by creative

  explicit Run(const ListeningOptions& options, double cpm = 1000) {
    auto made = ListeningWorld::Create(options, &clock);
    REQUIRE(made.ok());
    world = *std::move(made);
    catalog = world->MakeCatalog();
    REQUIRE(catalog != nullptr);
    bids.resize(world->creatives());
    for (uint32_t i = 0; i < catalog->index_end(); ++i) {
      for (const ads::CreativeFacts& f : catalog->creative_facts(i)) {
        ads::Bid& bid = bids.at(world->FindCreative(f.key).value());
        bid.campaign = &catalog->campaign(i);
        bid.creative = &catalog->creative(f);
        bid.price = *Micros::FromUnits(cpm);
      }
    }
  }

  ads::Decision Bids(std::optional<uint32_t> creative) {
    ads::Decision d;
    d.id = ++decisions;
    if (creative) d.bids.push_back(bids.at(*creative));
    return d;
  }

  /// Calls `see` with each event and, for requests, what became of the answer.
  template <class See>
  void Play(const Policy& policy, See see) {
    ListeningEvent e;
    while (world->Next(&e)) {
      REQUIRE(absl::AbsDuration(clock.WallNow() - e.at) < absl::Microseconds(1));
      if (e.kind != Kind::kRequest) {
        see(e, nullptr);
        continue;
      }
      auto shown = world->Answer(Bids(policy(*world, e)));
      REQUIRE(shown.ok());
      see(e, &*shown);
    }
  }
  uint64_t decisions = 0;
};

bool Eligible(const ListeningWorld& world, const ListeningEvent& e, uint32_t creative) {
  return !world.traits(creative).video || e.request->imps[0].video != nullptr;
}
std::optional<uint32_t> AnyAd(const ListeningWorld& world, const ListeningEvent& e) {
  adagents::Random random(e.session, e.slot);
  for (;;) {
    const auto creative = static_cast<uint32_t>(random.Below(world.creatives()));
    if (Eligible(world, e, creative)) return creative;
  }
}
std::optional<uint32_t> FirstAd(const ListeningWorld&, const ListeningEvent&) { return 0; }
std::optional<uint32_t> BestAd(const ListeningWorld& world, const ListeningEvent& e) {
  uint32_t best = 0;
  for (uint32_t c = 1; c < world.creatives(); ++c) {
    if (Eligible(world, e, c) && world.Odds(c).click > world.Odds(best).click) best = c;
  }
  return best;
}

std::string Line(const ListeningEvent& e, const Shown* shown) {
  std::string line = fmt::format("{} {} {} {}", static_cast<int>(e.kind), absl::ToUnixMillis(e.at),
                                 e.session, e.slot);
  if (e.kind == Kind::kPlayback) {
    const ads::PlaybackEvent& p = e.playback;
    line += fmt::format(" {} {} {} {} {} {:.5f} {} {} {:.5f} {} {} {}", p.session, p.listener,
                        Name(p.kind), p.genre, p.mood, p.energy, p.position_ms, p.duration_ms,
                        p.volume, p.screen, p.devicetype, p.country);
  } else if (e.kind == Kind::kOutcome) {
    line += fmt::format(" {} {} {}", Name(e.outcome.kind), e.outcome.price.value, e.repeated);
  } else {
    const ads::Request& r = *e.request;
    line += fmt::format(" {} {} {} {} {} {}", r.id, r.imps[0].tagid, r.channel.content.genre,
                        r.imps[0].audio->startdelay.value(), r.imps[0].video != nullptr, r.at);
  }
  if (shown != nullptr) {
    line += fmt::format(" {} {} {:.6f} {:.6f} {}{}{}", shown->won, shown->price.value,
                        shown->odds.click, shown->odds.completion, shown->clicked, shown->completed,
                        shown->converted);
  }
  return line;
}

std::vector<std::string> Lines(const ListeningOptions& options, const Run::Policy& policy) {
  Run run(options);
  std::vector<std::string> lines;
  run.Play(policy, [&](const ListeningEvent& e, const Shown* s) { lines.push_back(Line(e, s)); });
  return lines;
}

TEST_CASE("the same seed and decisions give the same world, another seed another") {
  const auto once = Lines(Options("music", 1, 100), AnyAd);
  CHECK(once.size() > 1500);
  CHECK(once == Lines(Options("music", 1, 100), AnyAd));
  CHECK(once != Lines(Options("music", 2, 100), AnyAd));
}

// The world is frozen: what agents are compared on must not move under them. If this fails, what
// was measured on the old world cannot be compared with what will be measured on the new one.
TEST_CASE("the world is the one that was frozen") {
  for (const auto& [name, expected] :
       {std::pair<std::string_view, uint64_t>{"music", 0xbc06a5412a20a858},
        {"podcasts", 0xb12923b87f6549bf},
        {"flat", 0xd0b3d9ab2e341d15},
        {"direct", 0x996ebb0bbdb026c0}}) {
    Run run(Options(name, 7, 150), 9);
    uint64_t digest = run.catalog->fingerprint();
    run.Play(AnyAd, [&](const ListeningEvent& e, const Shown* s) {
      digest = CombineHash(digest, StableHash64(Line(e, s)));
    });
    Run odds(Options(name, 8, 40));
    odds.Play(
        [&](const ListeningWorld& world, const ListeningEvent& e) {
          for (uint32_t c = 0; c < world.creatives(); ++c) {
            const Response r = world.Odds(c);
            digest = CombineHash(digest,
                                 StableHash64(fmt::format("{:.7f} {:.7f} {:.7f} {:.7f}", r.click,
                                                          r.completion, r.conversion, r.recall)));
          }
          return FirstAd(world, e);
        },
        [](const ListeningEvent&, const Shown*) {});
    INFO(name);
    CHECK(digest == expected);
  }
}

TEST_CASE("two policies meet the same listeners, rivals and noise") {
  struct Met {
    Activity activity;
    double energy, valence, attention;
    bool screen, human;
    Micros price;  // the rival's, where auctions are second-price
    auto operator<=>(const Met&) const = default;
  };
  const auto meet = [](const Run::Policy& policy) {
    std::map<Slot, Met> met;
    ListeningOptions options = Options("music", 3, 300);
    options.first_price = 0;
    Run run(options);
    run.Play(policy, [&](const ListeningEvent& e, const Shown* s) {
      if (s == nullptr || !s->won) return;
      const HiddenMoment& m = s->moment;
      met[{e.session, e.slot}] = {m.activity, m.energy, m.valence, m.attention,
                                  m.screen,   s->human, s->price};
    });
    return met;
  };
  const auto any = meet(AnyAd), best = meet(BestAd);
  size_t both = 0;
  for (const auto& [slot, met] : any) {
    const auto other = best.find(slot);
    if (other == best.end()) continue;  // ads end sessions earlier or later
    ++both;
    REQUIRE(met == other->second);
  }
  CHECK(both > 600);
  CHECK(both > 0.8 * static_cast<double>(any.size()));
}

TEST_CASE("where odds are equal, so are the outcomes of two policies") {
  const auto outcomes = [](const Run::Policy& policy) {
    std::map<Slot, std::tuple<bool, bool, bool>> all;
    Run run(Options("flat", 4, 400));
    run.Play(policy, [&](const ListeningEvent& e, const Shown* s) {
      if (s != nullptr) all[{e.session, e.slot}] = {s->clicked, s->completed, s->converted};
    });
    return all;
  };
  const auto any = outcomes(AnyAd);
  CHECK(any.size() > 1000);
  CHECK(any == outcomes(FirstAd));
}

TEST_CASE("without structure nothing tells one ad or moment from another") {
  Run run(Options("flat", 5, 200));
  const Response flat = Options("flat", 5, 200).flat;
  run.Play(
      [&](const ListeningWorld& world, const ListeningEvent& e) {
        for (uint32_t c = 0; c < world.creatives() && world.human(); ++c) {
          REQUIRE(world.Odds(c).click == flat.click);
          REQUIRE(world.Odds(c).completion == flat.completion);
          REQUIRE(world.Odds(c).conversion == flat.conversion);
          REQUIRE(world.Odds(c).recall == flat.recall);
        }
        CHECK(world.Moment(0).irritation == 0);
        return FirstAd(world, e);
      },
      [](const ListeningEvent&, const Shown*) {});
}

TEST_CASE("structure leaves the mean response as it is") {
  for (const std::string_view name : {"music", "podcasts"}) {
    for (const double structure : {0.0, 0.5, 1.0}) {
      double shown = 0, converted = 0;
      Response sum;
      ListeningOptions options = Options(name, 0, 3000);
      options.structure = structure;
      for (uint64_t seed = 31; seed < 37; ++seed) {
        options.seed = seed;
        Run run(options);
        run.Play(AnyAd, [&](const ListeningEvent&, const Shown* s) {
          if (s == nullptr || !s->human) return;
          shown += 1;
          sum.click += s->odds.click;
          sum.completion += s->odds.completion;
          sum.recall += s->odds.recall;
          converted += s->odds.click * s->odds.conversion;
        });
      }
      INFO(name << " with structure " << structure);
      CHECK(sum.click / shown == Approx(options.flat.click).epsilon(0.1));
      CHECK(sum.completion / shown == Approx(options.flat.completion).epsilon(0.02));
      CHECK(converted / sum.click == Approx(options.flat.conversion).epsilon(0.1));
      CHECK(sum.recall / shown == Approx(options.flat.recall).epsilon(0.06));
    }
  }
}

TEST_CASE("there is something to know: the best ads are far better than any") {
  const auto clicks = [](const Run::Policy& policy) {
    double clicks = 0, shown = 0;
    Run run(Options("music", 6, 500));
    run.Play(policy, [&](const ListeningEvent&, const Shown* s) {
      if (s == nullptr || !s->human) return;
      clicks += s->odds.click;
      shown += 1;
    });
    return clicks / shown;
  };
  CHECK(clicks(BestAd) > 2 * clicks(AnyAd));
}

TEST_CASE("listeners tire of a creative, and recover") {
  ListeningOptions options = Options("music", 9, 400);
  options.listeners = 1;
  options.sessions_a_day = 10;
  options.bots = options.click_farms = 0;
  Run run(options);
  double most = 0;
  absl::Time last = absl::InfiniteFuture();
  double heard_last = 0;
  run.Play(
      [&](const ListeningWorld& world, const ListeningEvent& e) -> std::optional<uint32_t> {
        const HiddenMoment now = world.Moment(0);
        const double half = absl::FDivDuration(e.at - last, kForgetsHalf);
        if (heard_last > 0) CHECK(now.heard_creative == Approx((heard_last)*std::exp2(-half)));
        CHECK(world.Moment(1).heard_creative == 0);
        CHECK(world.Moment(1).heard_brand == Approx(now.heard_creative));
        most = std::max(most, now.heard_creative);
        last = e.at;
        heard_last = 1 + now.heard_creative;
        return 0;
      },
      [](const ListeningEvent&, const Shown*) {});
  CHECK(most > 10);
  const HiddenMoment fresh, tired{.heard_brand = 5, .heard_creative = 5};
  CHECK(TrueResponse(tired, {}).click < 0.2 * TrueResponse(fresh, {}).click);
}

TEST_CASE("a break within a song that was left alone is asked for again when it ends") {
  Run wait(Options("music", 10, 400)), take(Options("music", 10, 400));
  std::set<Slot> within, after;
  wait.Play(
      [&](const ListeningWorld&, const ListeningEvent& e) -> std::optional<uint32_t> {
        if (e.request->imps[0].tagid == "mid_song") {
          within.insert({e.session, e.slot});
          return std::nullopt;
        }
        if (within.count({e.session, e.slot - 1}) != 0) after.insert({e.session, e.slot - 1});
        return 0;
      },
      [](const ListeningEvent&, const Shown*) {});
  CHECK(within.size() > 50);
  CHECK(after.size() > 0.8 * static_cast<double>(within.size()));  // the other sessions ended
  std::set<Slot> taken;
  take.Play(
      [&](const ListeningWorld&, const ListeningEvent& e) -> std::optional<uint32_t> {
        if (e.request->imps[0].tagid == "mid_song") taken.insert({e.session, e.slot});
        CHECK(taken.count({e.session, e.slot - 1}) == 0);
        return 0;
      },
      [](const ListeningEvent&, const Shown*) {});
  CHECK(taken.size() > 50);
}

TEST_CASE("players report what happens in its order") {
  Run run(Options("music", 11, 300));
  std::map<std::string, ads::PlaybackKind> last;
  std::map<std::string, absl::Time> at;
  std::map<ads::PlaybackKind, int> kinds;
  std::set<std::string> asked;
  run.Play(AnyAd, [&](const ListeningEvent& e, const Shown* s) {
    if (e.kind == Kind::kRequest) {
      const ads::User& user = e.request->user;
      REQUIRE(user.eids.size() == 1);
      REQUIRE(user.eids[0].source == ListeningWorld::kSessionSource);
      const std::string session(user.eids[0].uids[0].id);
      REQUIRE(last.count(session) == 1);
      REQUIRE(last[session] != ads::PlaybackKind::kSessionEnd);
      if (e.request->imps[0].tagid != "mid_song") {
        REQUIRE((last[session] == ads::PlaybackKind::kEnd ||
                 last[session] == ads::PlaybackKind::kSkip));
      }
      if (s->won && s->moment.where != SlotKind::kMidSong) {
        at[session] += absl::Seconds(7);  // the shortest that is heard for half
      }
      return;
    }
    if (e.kind != Kind::kPlayback) return;
    const ads::PlaybackEvent& p = e.playback;
    const std::string session(p.session);
    const bool fresh = last.count(session) == 0;
    REQUIRE(fresh == (p.kind == ads::PlaybackKind::kSessionStart));
    if (!fresh) {
      REQUIRE(last[session] != ads::PlaybackKind::kSessionEnd);
      REQUIRE(p.at >= at[session]);
      REQUIRE((last[session] == ads::PlaybackKind::kPause) ==
              (p.kind == ads::PlaybackKind::kResume));
    }
    last[session] = p.kind;
    at[session] = p.at;
    ++kinds[p.kind];
  });
  CHECK(last.size() == 300);
  for (const auto& [session, kind] : last) CHECK(kind == ads::PlaybackKind::kSessionEnd);
  CHECK(kinds.size() == 11);  // each kind that there is
}

TEST_CASE("notices come late, twice, or never, and losers hear of losses alone") {
  ListeningOptions options = Options("music", 12, 600);
  options.lost = 0.1;
  options.doubled = 0.1;
  options.very_late = 0.05;
  Run run(options, 6);
  std::map<uint64_t, std::set<ads::OutcomeKind>> told;
  std::map<uint64_t, Shown> answers;
  std::map<uint64_t, absl::Time> decided;
  size_t repeated = 0, notices = 0, conversions = 0;
  run.Play(AnyAd, [&](const ListeningEvent& e, const Shown* s) {
    if (s != nullptr) {
      answers[run.decisions] = *s;
      decided[run.decisions] = e.at;
    }
    if (e.kind != Kind::kOutcome) return;
    ++notices;
    repeated += e.repeated ? 1 : 0;
    conversions += e.outcome.kind == ads::OutcomeKind::kConversion ? 1 : 0;
    CHECK(e.at > decided.at(e.outcome.decision));
    told[e.outcome.decision].insert(e.outcome.kind);
  });
  size_t wins = 0, expected = 0;
  for (const auto& [id, shown] : answers) {
    REQUIRE(shown.bid);
    const auto& kinds = told[id];
    using K = ads::OutcomeKind;
    if (!shown.won) {
      REQUIRE((kinds.empty() || kinds == std::set<K>{K::kLoss}));
      ++expected;
      continue;
    }
    ++wins;
    REQUIRE(kinds.count(K::kLoss) == 0);
    REQUIRE((kinds.count(K::kClick) == 0 || shown.clicked));
    REQUIRE((kinds.count(K::kCompletion) == 0 || shown.completed));
    REQUIRE((kinds.count(K::kConversion) == 0 || shown.converted));
    expected += 1u + shown.clicked + shown.completed + shown.converted;
  }
  CHECK(wins > 0.3 * static_cast<double>(answers.size()));
  CHECK(wins < 0.7 * static_cast<double>(answers.size()));
  const ListeningTruth& truth = run.world->truth();
  CHECK(static_cast<double>(truth.notices_lost) ==
        Approx(0.1 * static_cast<double>(expected)).epsilon(0.2));
  CHECK(truth.notices_doubled == repeated);
  CHECK(notices == expected - truth.notices_lost + truth.notices_doubled);
}

TEST_CASE("bots and click farms click, and are worth nothing") {
  ListeningOptions options = Options("music", 13, 600);
  options.bots = 0.1;
  options.click_farms = 0.1;
  Run run(options);
  size_t human = 0, others = 0, clicks = 0, converted = 0;
  run.Play(
      [&](const ListeningWorld& world, const ListeningEvent&) {
        if (!world.human()) CHECK(world.Odds(0).click == 0);
        return 0;
      },
      [&](const ListeningEvent& e, const Shown* s) {
        if (s == nullptr) return;
        ++(s->human ? human : others);
        if (s->human) return;
        CHECK(s->completed);
        CHECK(e.request->device.ip.substr(0, 10) == "203.0.113.");
        clicks += s->clicked;
        converted += s->converted;
      });
  CHECK(others > 200);
  CHECK(static_cast<double>(clicks) > 0.08 * static_cast<double>(others));
  CHECK(converted == 0);
  CHECK(run.world->truth().requests == human);
  CHECK(run.world->truth().requests_of_bots == others);
}

TEST_CASE("what the world sells and asks for goes through an engine") {
  ListeningOptions world_options = Options("podcasts", 14, 60);
  VirtualClock clock;
  auto world = *ListeningWorld::Create(world_options, &clock);
  ads::EngineOptions options;
  options.catalog = world->MakeCatalog();
  options.runtime.clock = &clock;
  options.runtime.inline_scheduler.emplace();
  auto engine = ads::Engine::Create(std::move(options));
  REQUIRE(engine.ok());
  size_t bids = 0, won = 0, limited = 0, requests = 0;
  ListeningEvent e;
  while (world->Next(&e)) {
    if (e.kind == Kind::kOutcome) {
      REQUIRE((*engine)->Record(e.outcome).ok());
    } else if (e.kind == Kind::kRequest) {
      ++requests;
      limited += e.request->consent.may_identify ? 0 : 1;
      auto shown = world->Answer((*engine)->Decide(e.request).value);
      REQUIRE(shown.ok());
      bids += shown->bid;
      won += shown->won;
      CHECK(world->Answer({}).status().code() == absl::StatusCode::kFailedPrecondition);
    }
  }
  CHECK(requests > 100);
  CHECK(bids == requests);
  CHECK(won > 0);
  CHECK(limited > 0);
  CHECK(limited < requests / 4);
}

TEST_CASE("where only clicks count, all campaigns pay the same for them") {
  Run direct(Options("direct", 15, 10)), music(Options("music", 15, 10));
  std::set<ads::Objective> objectives;
  for (uint32_t i = 0; i < direct.catalog->index_end(); ++i) {
    const ads::CampaignFacts& facts = direct.catalog->facts(i);
    CHECK(facts.action == ads::Action::kClick);
    CHECK(facts.value_per_action == direct.catalog->facts(0).value_per_action);
    objectives.insert(music.catalog->facts(i).objective);
  }
  CHECK(objectives.size() == 3);
  // A bid of any size wins, and pays the least.
  Run cheap(Options("direct", 16, 100), 0.02);
  size_t won = 0;
  cheap.Play(AnyAd, [&](const ListeningEvent& e, const Shown* s) {
    if (s == nullptr) return;
    CHECK(s->won);
    CHECK(s->price == (e.request->at == 1 ? *Micros::FromUnits(0.02) : *Micros::FromUnits(0.01)));
    ++won;
  });
  CHECK(won > 100);
}

TEST_CASE("wrong options and answers are named") {
  VirtualClock clock;
  const auto error = [&](auto change) {
    ListeningOptions options;
    change(options);
    return std::string(ListeningWorld::Create(options, &clock).status().message());
  };
  CHECK(error([](auto& o) { o.structure = 1.5; }) == "structure must be from 0 to 1, got 1.5");
  CHECK(error([](auto& o) { o.bots = std::nan(""); }) == "bots must be from 0 to 1, got nan");
  CHECK(error([](auto& o) { o.bots = o.click_farms = 0.6; }) ==
        "bots and click_farms together must be from 0 to 1, got 1.2");
  CHECK(error([](auto& o) { o.sessions = 0; }) == "sessions must be at least 1");
  CHECK(error([](auto& o) { o.listeners = 0; }) == "listeners must be at least 1");
  CHECK(error([](auto& o) { o.sessions_a_day = 0; }) == "sessions_a_day must be above 0");
  CHECK(error([](auto& o) { o.brands = 101; }) == "brands must be from 1 to 100, got 101");
  CHECK(error([](auto& o) { o.late_delay = absl::InfiniteDuration(); }) ==
        "late_delay must be from 0 to 30 days");
  CHECK(ListeningWorld::Create({}, nullptr).status().message() == "clock is null");
  CHECK(ListeningOptionsOf("rain").status().message() ==
        "no world is named 'rain'; there are music, direct, podcasts, flat");
  for (const std::string_view name : ListeningWorldNames()) CHECK(ListeningOptionsOf(name).ok());
  ListeningOptions most;
  most.brands = 100;
  CHECK(Run(most).catalog->creative_total() == 600);

  Run run(Options("music", 1, 10));
  CHECK(run.world->Answer({}).status().code() == absl::StatusCode::kFailedPrecondition);
  ListeningEvent e;
  while (run.world->Next(&e) && e.kind != Kind::kRequest) {
  }
  ads::Campaign foreign;
  foreign.key = 1;
  ads::Creative creative;
  ads::Decision d;
  d.bids.push_back({});
  d.bids[0].campaign = &foreign;
  d.bids[0].creative = &creative;
  CHECK(run.world->Answer(d).status().code() == absl::StatusCode::kInvalidArgument);
  ads::Decision euros = run.Bids(0);
  euros.bids[0].cur = *Currency::Parse("EUR");
  CHECK(run.world->Answer(euros).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(run.world->Answer(run.Bids(0)).ok());
}

}  // namespace
}  // namespace adagents::testing
