// Kills a process that spends budgets, again and again, and compares what its store holds with what
// the world outside has seen. As RocksDB's db_crashtest does it.
//
//   ADAGENTS_KILLS=2000 ADAGENTS_SEED=7 ledger_kill_test
#include "adapters/ledger_kill.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"

namespace adagents::testing {
namespace {

uint64_t Number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Runs the writer, kills it after so long from its start or from when it has opened its store, and
/// returns all that it has reported.
std::vector<LedgerReport> KillAfter(absl::Duration time, bool once_open, const std::string& store,
                                    const std::string& late_wins, uint64_t life, uint64_t seed) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const std::string pipe_end = std::to_string(ends[1]), life_text = std::to_string(life),
                    seed_text = std::to_string(seed);
  const pid_t writer = fork();
  REQUIRE(writer >= 0);
  if (writer == 0) {
    close(ends[0]);
    execl(ADAGENTS_LEDGER_WRITER, ADAGENTS_LEDGER_WRITER, store.c_str(), pipe_end.c_str(),
          life_text.c_str(), seed_text.c_str(), late_wins.c_str(), nullptr);
    _exit(9);
  }
  close(ends[1]);
  std::vector<LedgerReport> out;
  std::atomic<bool> begun{!once_open};
  std::thread reader([&] {
    LedgerReport report;
    while (read(ends[0], &report, sizeof(report)) == static_cast<ssize_t>(sizeof(report))) {
      out.push_back(report);
      if (!begun.exchange(true)) begun.notify_one();
    }
    begun = true;
    begun.notify_one();
  });
  begun.wait(false);
  // Not for anything to happen: any moment will do, and that is what is tested.
  std::this_thread::sleep_for(absl::ToChronoMicroseconds(time));
  kill(writer, SIGKILL);
  int status = 0;
  const pid_t ended = waitpid(writer, &status, 0);
  reader.join();
  close(ends[0]);
  REQUIRE(ended == writer);
  INFO("the writer ended by itself, with status " << status);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  return out;
}

/// One store and its world, for some lives.
class World {
 public:
  World(const std::string& store, uint64_t seed) : store_(store), random_(seed), seed_(seed) {}

  void Live(uint64_t life) {
    const std::string file = store_ + "-late-wins";
    Write(file, oracle.LateWins(random_));
    // From the first steps of opening to well into the work.
    const bool once_open = random_.Chance(0.75);
    const auto time =
        absl::Microseconds(static_cast<int64_t>(random_.Below(once_open ? 100'000 : 30'000)));
    for (const LedgerReport& report :
         KillAfter(time, once_open, store_, file, life, seed_ + life)) {
      Believe(report);
    }
    ++kills;
    Check(life);
  }

  LedgerOracle oracle;
  int kills = 0, opened = 0;
  std::set<uint64_t> spent_all;

 private:
  void Write(const std::string& file, const std::vector<uint64_t>& wins) {
    std::ofstream out(file, std::ios::binary);
    for (const uint64_t decision : wins) {
      const LedgerOracle::Bid& bid = oracle.bids.at(decision);
      const LateWinTold told{decision, bid.campaign, bid.price};
      out.write(reinterpret_cast<const char*>(&told), sizeof(told));
    }
  }
  void Believe(const LedgerReport& report) {
    switch (report.did) {
      case LedgerDid::kOpened:
        ++opened;
        break;
      case LedgerDid::kSent:
        oracle.Sent(report.decision, report.campaign, report.amount);
        break;
      case LedgerDid::kReleased:
        oracle.bids.erase(report.decision);
        break;
      case LedgerDid::kPlayed:
        oracle.Played(report.decision, report.amount);
        break;
      case LedgerDid::kAcked:
        oracle.Acked(report.decision);
        break;
      case LedgerDid::kLateAcked:
        oracle.LateAcked(report.decision);
        break;
      case LedgerDid::kSpentAll:
        spent_all.insert(report.campaign);
    }
  }
  void Check(uint64_t life) {
    auto source = ledger_sqlite::LocalLeaseSource::Open(store_);
    INFO(source.status().ToString());
    REQUIRE(source.ok());
    std::vector<CampaignPlan> all;
    for (uint64_t group = 0; group <= life; group += 10) {
      for (const CampaignPlan& plan : PlansOf(group)) all.push_back(plan);
    }
    oracle.Check(**source, all, life % 10 == 9);
  }

  const std::string store_;
  Random random_;
  const uint64_t seed_;
};

TEST_CASE("a process that is killed while it spends overspends nothing and loses no spend") {
  const uint64_t seed = Number("ADAGENTS_SEED", 1);
  const uint64_t kills = Number("ADAGENTS_KILLS", 50);
  std::string folder = (std::filesystem::temp_directory_path() / "ledger-kill-XXXXXX").string();
  REQUIRE(mkdtemp(folder.data()) != nullptr);
  int64_t acked = 0, late = 0;
  int opened = 0;
  size_t spent_all = 0;
  double worst = 0;
  uint64_t done = 0;
  for (uint64_t s = 0; done < kills; ++s) {  // a store for every 50 lives
    World world(folder + "/ledger-" + std::to_string(s), seed + s * 1000);
    for (uint64_t life = 0; life < 50 && done < kills; ++life, ++done) {
      INFO("ADAGENTS_SEED=" << seed << ", store " << s << ", life " << life);
      world.Live(life);
    }
    acked += world.oracle.acked;
    late += world.oracle.late;
    opened += world.opened;
    spent_all += world.spent_all.size();
    worst = std::max(worst, world.oracle.worst_cost);
  }
  std::filesystem::remove_all(folder);
  CHECK(opened > static_cast<int>(done) / 2);
  CHECK(acked > static_cast<int64_t>(kills) * 5);
  CHECK(late > static_cast<int64_t>(kills));
  CHECK(spent_all > 0);
  CHECK(worst <= 1);
  if (std::getenv("ADAGENTS_VERBOSE") != nullptr) {
    WARN(done << " kills, " << opened << " of them after opening; " << acked << " acknowledged, "
              << late << " late, " << spent_all << " campaigns spent all; the dearest crash cost "
              << worst << " of its bound");
  }
}

}  // namespace
}  // namespace adagents::testing
