// The program that ledger_kill_test.cc kills: an ad server's money without the ad server. Four
// threads reserve, play and lose for ever, and report each step through a pipe.
//
//   ledger_writer STORE PIPE LIFE SEED LATE_WINS_FILE
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <thread>
#include <vector>

#include "adagents/adapters/ledger_sqlite.h"
#include "adapters/ledger_kill.h"

namespace adagents::testing {
namespace {

const Currency kEur = *Currency::Parse("EUR");
int pipe_end = -1;

void Tell(LedgerDid did, uint64_t decision = 0, uint64_t campaign = 0, int64_t amount = 0) {
  const LedgerReport report{did, decision, campaign, amount};
  // When nobody listens any more this process is over.
  if (write(pipe_end, &report, sizeof(report)) != static_cast<ssize_t>(sizeof(report))) _exit(0);
}

void Fail(const char* what) {
  std::fprintf(stderr, "ledger_writer: %s\n", what);
  _exit(5);
}

struct Waiting {
  LedgerDid did;
  uint64_t decision, ticket;
};

void TellAcked(const ads::Ledger& ledger, std::deque<Waiting>* waiting) {
  while (!waiting->empty() && ledger.Durable(waiting->front().ticket)) {
    Tell(waiting->front().did, waiting->front().decision);
    waiting->pop_front();
  }
}

void TakeLateWins(ads::Ledger& ledger, const char* path) {
  std::ifstream file(path, std::ios::binary);
  LateWinTold told;
  std::deque<Waiting> waiting;
  while (file.read(reinterpret_cast<char*>(&told), sizeof(told))) {
    const ads::CommitResult win = ledger.Commit(
        {told.decision, 0, told.campaign, {told.price}, kEur, absl::Now() - absl::Minutes(1)});
    if (win.outcome != ads::CommitOutcome::kPending) Fail(Name(win.outcome).data());
    waiting.push_back({LedgerDid::kLateAcked, told.decision, win.ticket});
  }
  while (!waiting.empty()) {
    TellAcked(ledger, &waiting);
    std::this_thread::yield();
  }
}

void Serve(ads::Ledger& ledger, uint64_t thread, uint64_t life, uint64_t seed) {
  const std::vector<CampaignPlan> plans = PlansOf(life);
  Random random(seed * 16 + thread);
  std::deque<Waiting> waiting;
  uint64_t decision = uint64_t{ledger.epoch()} << 40 | thread << 32;
  for (;;) {
    const CampaignPlan& plan = plans[random.Below(plans.size())];
    const auto amount = static_cast<int64_t>(1 + random.Below(kLedgerUnit / 20));
    const ads::Reservation reservation =
        ledger.Reserve({++decision, 0, plan.campaign, {amount}, kEur});
    if (reservation.result == ads::ReserveResult::kBudgetSpent) {
      Tell(LedgerDid::kSpentAll, 0, plan.campaign);
    }
    if (!reservation.ok()) {
      TellAcked(ledger, &waiting);
      std::this_thread::yield();
      continue;
    }
    Tell(LedgerDid::kSent, decision, plan.campaign, amount);
    if (random.Chance(0.6)) {
      const auto price = static_cast<int64_t>(1 + random.Below(static_cast<uint64_t>(amount)));
      Tell(LedgerDid::kPlayed, decision, plan.campaign, price);
      const auto win = ledger.Commit({decision, 0, plan.campaign, {price}, kEur, {}});
      if (win.charged.value != price) Fail("a win was not charged");
      waiting.push_back({LedgerDid::kAcked, decision, win.ticket});
    } else if (random.Chance(0.8)) {
      Tell(LedgerDid::kReleased, decision, plan.campaign);
      if (ledger.Release(reservation.id, ads::ReleaseCause::kLoss) !=
          ads::ReleaseResult::kReleased) {
        Fail("a reservation was gone");
      }
    }
    TellAcked(ledger, &waiting);
  }
}

int Main(char** args) {
  pipe_end = std::atoi(args[2]);
  const uint64_t life = std::strtoull(args[3], nullptr, 10);
  const uint64_t seed = std::strtoull(args[4], nullptr, 10);
  auto source = ledger_sqlite::LocalLeaseSource::Open(args[1]);
  if (!source.ok()) Fail(source.status().ToString().c_str());
  auto made = ads::Ledger::Create(source->get(), OptionsOfWriter());
  if (!made.ok()) Fail(made.status().ToString().c_str());
  ads::Ledger& ledger = **made;
  for (const CampaignPlan& plan : PlansOf(life)) {
    const absl::Status set =
        ledger.SetAccount({plan.campaign, kEur, {}, {plan.lifetime}, Noon(absl::Now())});
    if (!set.ok()) Fail(set.ToString().c_str());
    if (ledger.MaxOpen(plan.campaign).value != plan.max_open) Fail("another bound than was agreed");
  }
  Tell(LedgerDid::kOpened, ledger.epoch());
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] { Serve(ledger, t, life, seed); });
  }
  TakeLateWins(ledger, args[5]);
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace adagents::testing

int main(int count, char** args) { return count == 6 ? adagents::testing::Main(args) : 2; }
