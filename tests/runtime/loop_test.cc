// Negotiation in rounds: what a loop carries over, when it ends, and what it refuses.
#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

constexpr Key<int> kAsk{"ask"};
constexpr Key<int> kOffer{"offer"};
constexpr Key<int> kDemand{"demand"};
constexpr Key<int> kDeal{"deal"};
constexpr Key<std::string> kTerms{"terms"};
using Team = Runtime<int, int>;

// Comes half of the way towards what is demanded.
class Buyer final : public Agent {
  In<int> ask_{this, kAsk};
  In<int> demand_{this, kDemand};
  Out<int> offer_{this, kOffer};
  std::atomic<int>* calls_;
  int fails_in_;

 public:
  explicit Buyer(std::atomic<int>* calls = nullptr, int fails_in = -1)
      : Agent({.name = "buyer"}), calls_(calls), fails_in_(fails_in) {}
  absl::Status Run(Context& ctx) override {
    if (calls_ != nullptr) calls_->fetch_add(1);
    if (ctx[offer_] != 0) return absl::InternalError("the output is not new");
    ctx[offer_] = (ctx[ask_] + ctx[demand_]) / 2;
    if (static_cast<int>(ctx.round()) == fails_in_) return absl::InternalError("gives up");
    return absl::OkStatus();
  }
};

// Demands 100 at first, then comes down to a tenth above what was offered.
class Seller final : public Agent {
  In<int> offer_{this, kOffer, 0};
  Out<int> demand_{this, kDemand};

 public:
  Seller() : Agent({.name = "seller"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[demand_] = ctx.round() == 0 ? 100 : ctx[offer_] + ctx[offer_] / 10;
    return absl::OkStatus();
  }
};

class Notary final : public Agent {
  In<int> offer_{this, kOffer, -1};
  Out<int> deal_{this, kDeal};

 public:
  Notary() : Agent({.name = "notary"}) {}
  absl::Status Run(Context& ctx) override {
    if (ctx.round() != 0) return absl::InternalError("outside there are no rounds");
    ctx[deal_] = ctx[offer_];
    return absl::OkStatus();
  }
};

// The same by hand: how the rounds go.
int Negotiated(int ask, int rounds) {
  int offer = (ask + 100) / 2;
  for (int i = 1; i < rounds; ++i) {
    const int next = (ask + offer + offer / 10) / 2;
    if (next == offer) break;
    offer = next;
  }
  return offer;
}

Team::Builder Negotiators(int rounds, std::atomic<int>* calls = nullptr, int fails_in = -1) {
  Team::Builder builder(kAsk, kDeal);
  builder.Add<Notary>().Add<Buyer>(calls, fails_in).Add<Seller>().Loop(kOffer, rounds);
  return builder;
}

TEST_CASE("a loop runs in rounds until its value settles, and those outside see the last") {
  RuntimeOptions options;
  options.inline_scheduler = InlineScheduler{};
  for (const uint64_t seed : {0, 1, 2, 3}) {
    options.inline_scheduler->seed = seed;
    for (const int rounds : {1, 2, 3, 100}) {
      auto team = Negotiators(rounds).Options(options).Build();
      REQUIRE(team.ok());
      for (const int ask : {0, 10, 50, 1000}) {
        INFO("seed " << seed << ", " << rounds << " rounds, ask " << ask);
        const Answer<int> answer = (*team)->Decide(ask);
        CHECK(answer.value == Negotiated(ask, rounds));
        CHECK(answer.verdict == Verdict::kDecided);
        CHECK_FALSE(answer.degraded());
      }
    }
  }
}

TEST_CASE("a loop ends with the first round that changes nothing") {
  std::atomic<int> calls{0};
  auto team = Negotiators(100, &calls).Build();
  REQUIRE(team.ok());
  int rounds = 1;
  while (Negotiated(0, rounds) != Negotiated(0, rounds + 1)) ++rounds;
  REQUIRE(rounds > 3);
  for (const bool trusted : {false, true}) {
    calls = 0;
    CHECK((*team)->Decide(0, {.trusted = trusted}).value == Negotiated(0, 100));
    CHECK(calls == rounds + 1);
  }
}

TEST_CASE("a round whose writer fails is the last, and counts") {
  std::atomic<int> calls{0};
  auto team = Negotiators(100, &calls, 2).Build();
  REQUIRE(team.ok());
  const Answer<int> answer = (*team)->Decide(0, {.explain = true});
  CHECK(calls == 3);
  CHECK(answer.value == -1);  // the notary's absent value: a failed agent leaves nothing behind
  REQUIRE(answer.trace != nullptr);
  for (const auto& agent : answer.trace->agents) {
    CHECK(agent.outcome == (agent.name == "buyer" ? Outcome::kFailed : Outcome::kRan));
  }
}

// Advances a virtual clock by what one round takes.
class Slow final : public Agent {
  In<int> offer_{this, kOffer, 0};
  Out<int> next_{this, kOffer};
  VirtualClock* clock_;
  absl::Duration takes_;

 public:
  Slow(VirtualClock* clock, absl::Duration takes)
      : Agent({.name = "slow", .budget = absl::Seconds(1)}), clock_(clock), takes_(takes) {}
  absl::Status Run(Context& ctx) override {
    clock_->Advance(takes_);
    ctx[next_] = ctx[offer_] + 1;
    return absl::OkStatus();
  }
};

class TakesOffer final : public Agent {
  In<int> offer_{this, kOffer};
  Out<int> deal_{this, kDeal};

 public:
  TakesOffer() : Agent({.name = "takes offer"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[deal_] = ctx[offer_];
    return absl::OkStatus();
  }
};

TEST_CASE("a loop of one agent ends in time for the others when its rounds would not") {
  VirtualClock clock;
  RuntimeOptions options;
  options.inline_scheduler = InlineScheduler{};
  options.clock = &clock;
  auto team = Team::Builder(kAsk, kDeal)
                  .Add<TakesOffer>()
                  .Add<Slow>(&clock, absl::Milliseconds(10))
                  .Loop(kOffer, 1000)
                  .Options(options)
                  .Build();
  REQUIRE(team.ok());
  // Once the cost is known.
  for (int i = 0; i < 40; ++i) (void)(*team)->Decide(0);
  const Answer<int> answer = (*team)->Decide(0);
  CHECK(answer.verdict == Verdict::kDecided);
  CHECK(answer.value >= 2);
  CHECK(answer.value <= 4);
}

class Writes final : public Agent {
  In<std::string> before_{this, kTerms, std::string("")};
  Out<std::string> terms_{this, kTerms};

 public:
  Writes() : Agent({.name = "writes"}) {}
  absl::Status Run(Context& ctx) override {
    if (!ctx[terms_].empty()) return absl::InternalError("the output is not new");
    ctx[terms_] = ctx[before_].size() >= 40 ? ctx[before_] : ctx[before_] + "0123456789";
    return absl::OkStatus();
  }
};

class Measures final : public Agent {
  In<std::string> terms_{this, kTerms};
  Out<int> deal_{this, kDeal};

 public:
  Measures() : Agent({.name = "measures"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[deal_] = static_cast<int>(ctx[terms_].size());
    return absl::OkStatus();
  }
};

TEST_CASE("what a loop carries over may own memory, and no decision sees another's") {
  auto team = Team::Builder(kAsk, kDeal).Add<Writes>().Add<Measures>().Loop(kTerms, 50).Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 10; ++i) {
    CHECK((*team)->Decide(0, {.trusted = i % 2 == 0}).value == 40);
  }
}

// Throws when a value of two is compared or copied, as it is told.
struct Touchy {
  enum When { kNever, kCompared, kComparedInt, kCopied };
  When when = kNever;
  int rounds = 0;

  Touchy() = default;
  Touchy(const Touchy&) = default;
  Touchy& operator=(const Touchy& other) {
    if (other.when == kCopied && other.rounds == 2) throw std::runtime_error("copied");
    when = other.when;
    rounds = other.rounds;
    return *this;
  }
  bool operator==(const Touchy& other) const {
    if (other.rounds == 2 && other.when == kCompared) throw std::runtime_error("compared");
    if (other.rounds == 2 && other.when == kComparedInt) throw 2;
    return rounds == other.rounds;
  }
};
constexpr Key<Touchy> kTouchy{"touchy"};

class Touches final : public Agent {
  In<int> ask_{this, kAsk};
  In<Touchy> before_{this, kTouchy, Touchy()};
  std::optional<Out<Touchy>> out_;

 public:
  explicit Touches(bool optional) : Agent({.name = "touches"}) {
    if (optional) {
      out_.emplace(this, kTouchy, Touchy());
    } else {
      out_.emplace(this, kTouchy);
    }
  }
  absl::Status Run(Context& ctx) override {
    ctx[*out_].when = static_cast<Touchy::When>(ctx[ask_]);
    ctx[*out_].rounds = std::min(ctx[before_].rounds + 1, 4);
    return absl::OkStatus();
  }
};

class Felt final : public Agent {
  In<Touchy> touchy_{this, kTouchy};
  Out<int> deal_{this, kDeal};

 public:
  Felt() : Agent({.name = "felt"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[deal_] = 10 + ctx[touchy_].rounds;
    return absl::OkStatus();
  }
};

TEST_CASE("what is carried over throws as it is compared or copied: its writer has failed") {
  for (const bool optional : {true, false}) {
    auto team = Team::Builder(kAsk, kDeal)
                    .Add<Touches>(optional)
                    .Add<Felt>()
                    .Loop(kTouchy, 9)
                    .Fallback([](const int&, const Board&) { return -1; })
                    .Build();
    REQUIRE(team.ok());
    uint64_t failed = 0;
    for (const Way way : kWays) {
      for (const int when : {Touchy::kCompared, Touchy::kComparedInt, Touchy::kCopied}) {
        INFO(Name(way) << ", when " << when << ", optional " << optional);
        const Answer<int> answer = Ask(**team, way, when);
        CHECK(answer.verdict == (optional ? Verdict::kDecided : Verdict::kFallback));
        CHECK(answer.value == (optional ? 10 : -1));  // with the default
        CHECK(answer.defaulted == (optional ? 1 : 0));
        CHECK(CountOf((*team)->GetStats(), "touches", Outcome::kFailed) == ++failed);
      }
      const Answer<int> well = Ask(**team, way, int{Touchy::kNever});
      CHECK(well.verdict == Verdict::kDecided);
      CHECK(well.value == 14);
      CHECK_FALSE(well.degraded());
    }
    CHECK(LeftBehind(**team) == "");
  }
}

template <class Builder>
std::string ErrorOf(Builder& builder) {
  auto team = builder.Build();
  return team.ok() ? "" : std::string(team.status().message());
}

TEST_CASE("a loop that is none is refused") {
  Team::Builder no_circle(kAsk, kDeal);
  no_circle.Add<Notary>().Add<Buyer>(nullptr, -1).Add<Seller>().Loop(kDeal, 3);
  CHECK(ErrorOf(no_circle) ==
        "nobody whom the writer of 'deal', 'notary', waits for reads 'deal': no loop");

  Team::Builder no_writer(kAsk, kDeal);
  no_writer.Add<TakesOffer>().Loop(kTerms, 3);
  CHECK(ErrorOf(no_writer) ==
        "agent 'takes offer' reads 'offer', which nobody writes: add its writer or give the In an "
        "absent value");

  Team::Builder no_terms(kAsk, kDeal);
  no_terms.Add<Notary>().Add<Buyer>(nullptr, -1).Add<Seller>().Loop(kOffer, 2).Loop(kTerms, 3);
  CHECK(ErrorOf(no_terms) == "the loop over 'terms' has no writer of it");

  Team::Builder no_rounds = Negotiators(0);
  CHECK(ErrorOf(no_rounds) == "the loop over 'offer' has at most 0 rounds: at least 1");

  Team::Builder no_loop(kAsk, kDeal);
  no_loop.Add<Notary>().Add<Buyer>(nullptr, -1).Add<Seller>();
  CHECK(ErrorOf(no_loop).find("in a circle: buyer -> (offer) -> seller -> (demand) -> buyer") !=
        std::string::npos);

  // Cut at `demand`, whose reader has no value for the first round.
  Team::Builder no_first(kAsk, kDeal);
  no_first.Add<Notary>().Add<Buyer>(nullptr, -1).Add<Seller>().Loop(kDemand, 2);
  CHECK(ErrorOf(no_first) ==
        "agent 'buyer' reads 'demand', which its loop carries over: give the In an absent value "
        "for the first round");

  Team::Builder twice = Negotiators(2);
  twice.Loop(kOffer, 2);
  CHECK_FALSE(ErrorOf(twice).empty());
}

TEST_CASE("a loop in a plan that is shared runs whole on one thread") {
  RuntimeOptions options;
  options.workers = 2;
  auto team = Negotiators(100).Options(options).Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 2000; ++i) {
    const int ask = i % 60;
    REQUIRE((*team)->Decide(ask, {.trusted = i % 3 != 0}).value == Negotiated(ask, 100));
  }
}

}  // namespace
}  // namespace adagents::testing
