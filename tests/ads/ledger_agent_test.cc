// A ledger under a team: what an agent reserves ends with its decision.
#include <memory>

#include "adagents/runtime/runtime.h"
#include "ads/ledger_kit.h"

namespace adagents::ads {
namespace {

struct Ask {
  bool fails = false;
};
struct Sold {
  uint64_t reservation = 0;  // as Bid::reservation
};
constexpr Key<Ask> kAsk{"ask"};
constexpr Key<Sold> kSold{"sold"};

/// Reserves for two campaigns and sells the second.
class Buyer final : public Agent {
 public:
  explicit Buyer(Ledger* ledger) : Agent({.name = "buyer"}), ledger_(ledger) {}
  absl::Status Run(Context& ctx) override {
    for (const uint64_t campaign : {uint64_t{1}, uint64_t{2}}) {
      const Reservation reservation =
          ledger_->Reserve({ctx.decision_id(), 0, campaign, {1000}, kEur});
      if (!reservation.ok()) continue;
      const absl::Status taken = ctx.Take(ledger_->HoldOf(reservation));
      if (!taken.ok()) return taken;
      ctx[sold_].reservation = reservation.id;
    }
    return ctx[ask_].fails ? absl::InternalError("as asked") : absl::OkStatus();
  }

 private:
  Ledger* ledger_;
  In<Ask> ask_{this, kAsk};
  Out<Sold> sold_{this, kSold};
};

TEST_CASE("a decision keeps the reservation that it sells, and undoes the others") {
  LedgerKit kit;
  for (const uint64_t campaign : {uint64_t{1}, uint64_t{2}}) {
    kit.Account({100'000'000}, {}, absl::UTCTimeZone(), campaign);
    REQUIRE(kit.Reserve(1, campaign).ok());
  }
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  options.clock = &kit.clock;
  auto team = Runtime<Ask, Sold>::Builder(kAsk, kSold)
                  .Add<Buyer>(kit.ledger.get())
                  .Keeps([](const Sold& sold, const Hold& hold) {
                    return hold.subject == sold.reservation;
                  })
                  .Options(options)
                  .Build();
  REQUIRE(team.ok());
  CallOptions call;
  call.id = kit.NextDecision();
  const Answer<Sold> answer = (*team)->Decide({}, call);
  REQUIRE(answer.verdict == Verdict::kDecided);
  CHECK(answer.value.reservation == ReservationId(call.id, 0, 2));
  CHECK(kit.Report(1).reserved.value == 1);
  CHECK(kit.Report(2).reserved.value == 1001);
  CHECK(kit.Commit(900, call.id, 2).outcome == CommitOutcome::kCommitted);
  CHECK(kit.Commit(900, call.id, 1).outcome == CommitOutcome::kUnknown);  // it was never sent

  call.id = kit.NextDecision();
  CHECK((*team)->Decide({.fails = true}, call).verdict != Verdict::kDecided);
  CHECK(kit.Report(1).reserved.value == 1);
  CHECK(kit.Report(2).reserved.value == 1);
}

}  // namespace
}  // namespace adagents::ads
