// Kills a process while four of its threads write every state type of a region, over and over, and
// compares what the region holds with what the threads had reported as done.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "blackboard/region_crash.h"
#include "blackboard/region_files.h"
#include "catch.h"

namespace adagents::crash {
namespace {

/// Runs the writer until it has reported so many times, kills it, and returns all its reports.
std::vector<Report> KillAfter(size_t reports, const std::string& path, uint64_t life,
                              uint64_t seed) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const std::string pipe_end = std::to_string(ends[1]);
  const std::string life_text = std::to_string(life);
  const std::string seed_text = std::to_string(seed);
  const pid_t writer = fork();
  REQUIRE(writer >= 0);
  if (writer == 0) {
    close(ends[0]);
    execl(ADAGENTS_REGION_WRITER, ADAGENTS_REGION_WRITER, path.c_str(), pipe_end.c_str(),
          life_text.c_str(), seed_text.c_str(), nullptr);
    _exit(9);
  }
  close(ends[1]);
  std::vector<Report> out;
  bool killed = false;
  for (;;) {
    if (!killed && out.size() >= reports) {
      kill(writer, SIGKILL);
      killed = true;
    }
    Report report{};
    const ssize_t got = read(ends[0], &report, sizeof(report));
    if (got == 0) break;
    REQUIRE(got == static_cast<ssize_t>(sizeof(report)));
    out.push_back(report);
  }
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(writer, &status, 0) == writer);
  INFO("the writer ended by itself, with status " << status);
  REQUIRE((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
  return out;
}

/// What is known to have been done. Each life of the writer may have done one thing more per thread
/// than it could report; Check() finds these, and believes them from then on.
class Oracle {
 public:
  void Believe(const std::vector<Report>& reports) {
    for (const Report& report : reports) {
      const uint64_t own_key = uint64_t{report.thread} << 8 | report.key;
      switch (report.did) {
        case Did::kStep:
          break;
        case Did::kWrote:
          cells_[report.thread] = report.number;
          break;
        case Did::kShared:
          ++shared_writes_;
          break;
        case Did::kPut:
          own_[own_key] = report.number;
          break;
        case Did::kErased:
          own_.erase(own_key);
          break;
        case Did::kCounted:
          ++counts_[report.key];
          break;
        case Did::kAdded:
          ++added_;
          break;
        case Did::kTook:
          ++budget_;
          break;
        case Did::kGaveBack:
          --budget_;
          break;
        case Did::kPublished:
          events_[report.thread].push_back(report.number);
      }
    }
  }

  /// Against the region that a life left.
  void Check(const Objects& all, uint64_t life) {
    first_of_life_ = life << 32;
    unreported_ = 0;
    CheckCells(all);
    CheckTable(all);
    CheckCounters(all);
    CheckStream(all);
    REQUIRE(unreported_ <= kThreads);
  }

 private:
  // What a thread has done and could not report any more is of its last life.
  void Unreported(uint64_t number) {
    REQUIRE(number > first_of_life_);
    ++unreported_;
  }

  void CheckCells(const Objects& all) {
    for (uint64_t i = 0; i < kThreads; ++i) {
      const Value value = all.cells[i]->Read();
      REQUIRE(value.ok());
      REQUIRE(value.words[0] >= cells_[i]);
      if (value.words[0] != cells_[i]) Unreported(value.words[0]);
      cells_[i] = value.words[0];
    }
    REQUIRE(all.shared->Read().ok());
    REQUIRE(all.shared->version() >= shared_writes_);
    unreported_ += all.shared->version() - shared_writes_;
    shared_writes_ = all.shared->version();
  }

  void CheckTable(const Objects& all) {
    std::map<uint64_t, uint64_t> found;
    bool whole = true, single = true;
    all.sessions->ForEach([&](uint64_t key, const Session& session) {
      whole &= session.ok();
      single &= found.emplace(key, session.words[0]).second;
    });
    REQUIRE(whole);
    REQUIRE(single);
    REQUIRE(all.sessions->SizeGuess() == found.size());
    for (const auto& [key, number] : found) {
      Session session;
      REQUIRE(all.sessions->Find(key, &session));
      REQUIRE(session.words[0] == number);
      if (key >= kSharedKey) {
        REQUIRE(number >= counts_[key - kSharedKey]);
        unreported_ += number - counts_[key - kSharedKey];
        counts_[key - kSharedKey] = number;
      } else if (const auto known = own_.find(key); known == own_.end()) {
        Unreported(number);
      } else if (number != known->second) {
        REQUIRE(number > known->second);
        Unreported(number);
      }
    }
    for (uint64_t key = 0; key < kSharedKeys; ++key) {
      REQUIRE((counts_[key] == 0 || found.count(kSharedKey + key) == 1));
      found.erase(kSharedKey + key);
    }
    for (const auto& [key, number] : own_) {
      if (found.count(key) == 0) ++unreported_;  // an erasure
    }
    own_ = found;
  }

  void CheckCounters(const Objects& all) {
    REQUIRE(all.counter->Sum() >= added_);
    unreported_ += static_cast<uint64_t>(all.counter->Sum() - added_);
    added_ = all.counter->Sum();
    const int64_t value = all.bounded->value();
    REQUIRE((value >= 0 && value <= kBudget));
    // One thread may have taken and another given back; then neither is seen here.
    unreported_ += static_cast<uint64_t>(std::abs(value - budget_));
    budget_ = value;
  }

  void CheckStream(const Objects& all) {
    std::array<std::vector<uint64_t>, kThreads> kept;
    auto reader = all.events->SubscribeFromOldest();
    const uint64_t oldest = reader.position();
    Event event{};
    while (reader.Next(&event)) {
      REQUIRE((event.number.ok() && event.thread < kThreads));
      kept[event.thread].push_back(event.number.words[0]);
    }
    REQUIRE(reader.dropped() == 0);
    REQUIRE(reader.position() == all.events->published());
    uint64_t total = 0;
    for (uint64_t i = 0; i < kThreads; ++i) {
      auto& known = events_[i];
      if (!kept[i].empty() && (known.empty() || kept[i].back() > known.back())) {
        Unreported(kept[i].back());
        known.push_back(kept[i].back());
      }
      // What is kept is the end of what was published, without a gap.
      REQUIRE(kept[i].size() <= known.size());
      REQUIRE(std::equal(kept[i].rbegin(), kept[i].rend(), known.rbegin()));
      total += known.size();
    }
    REQUIRE(all.events->published() == total);
    REQUIRE(oldest == (total > kEvents ? total - kEvents : 0));
  }

  std::array<uint64_t, kThreads> cells_{};
  uint64_t shared_writes_ = 0;
  std::map<uint64_t, uint64_t> own_;
  std::array<uint64_t, kSharedKeys> counts_{};
  int64_t added_ = 0, budget_ = 0;
  std::array<std::vector<uint64_t>, kThreads> events_;
  uint64_t first_of_life_ = 0;
  uint64_t unreported_ = 0;
};

void CheckRegion(const std::string& path, Oracle& oracle, uint64_t life) {
  auto region = Region::Open(path, Options());
  INFO(region.status().ToString());
  REQUIRE(region.ok());
  const Objects objects(*region, [] {});
  REQUIRE(region->status().ok());
  oracle.Check(objects, life);
}

uint64_t Kills(uint64_t few, uint64_t many) {
  return std::getenv("ADAGENTS_LONG") != nullptr ? many : few;
}

TEST_CASE("a writer that is killed again and again loses nothing that it had published") {
  const uint64_t seed = SeedOfTests();
  Random random(seed);
  const Folder folder;
  Oracle oracle;
  for (uint64_t life = 1; life <= Kills(25, 1000); ++life) {
    INFO("ADAGENTS_SEED=" << seed << ", life " << life);
    // From the first steps of opening to well into the work.
    const uint64_t reports = random.Below(random.Below(4) == 0 ? 20 : 4000);
    oracle.Believe(KillAfter(reports, folder / "state", life, seed + life));
    CheckRegion(folder / "state", oracle, life);
  }
}

TEST_CASE("a writer that is killed while it makes a region leaves none, or one that goes on") {
  const uint64_t seed = SeedOfTests();
  Random random(seed);
  const Folder folder;
  for (uint64_t life = 1; life <= Kills(25, 200); ++life) {
    INFO("ADAGENTS_SEED=" << seed << ", life " << life);
    const std::string path = folder / std::to_string(life);
    Oracle oracle;
    oracle.Believe(KillAfter(random.Below(kSteps + 1), path, life, seed + life));
    CheckRegion(path, oracle, life);
    oracle.Believe(KillAfter(kSteps + 100, path, life + 1, seed + life));
    CheckRegion(path, oracle, life + 1);
  }
}

}  // namespace
}  // namespace adagents::crash
