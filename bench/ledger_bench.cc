// Reserving and committing on one budget: the ledger beside its floors (a plain atomic add, a
// bounded one) and beside what one writes without it (a mutex, a balance and a map of decisions).
// Each iteration reserves for one decision and commits it. Threads share the budget; time is wall
// time, so items_per_second is the throughput of all threads together.
//
// The mutex's row does what the ledger does: it knows duplicates for as long (a second), has a time
// to live for reservations, and refuses what is not there. It has no leases, no accounts beside the
// one, no report, and makes nothing durable.
#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "adagents/ads/ledger.h"
#include "adagents/blackboard/counter.h"

#ifdef ADAGENTS_BENCH_LEDGER_SQLITE
#include <filesystem>

#include "adagents/adapters/ledger_sqlite.h"
#endif

namespace adagents::ads {
namespace {

constexpr uint64_t kCampaign = 7;
constexpr int64_t kAmount = 2500, kPrice = 2000;
constexpr int64_t kBudget = int64_t{1} << 60;
constexpr uint64_t kNewThread = uint64_t{1} << 24;  // decisions of one thread and run

/// Ids that no thread and no run shares.
uint64_t FirstDecision(uint32_t epoch) {
  static std::atomic<uint64_t> runs{0};
  return uint64_t{epoch} << 40 | (runs.fetch_add(1) % 65536) * kNewThread;
}

LedgerOptions Options() {
  LedgerOptions options;
  options.max_accounts = 16;
  options.max_reservations = size_t{1} << 22;  // more than are remembered of a second
  options.max_waiting_wins = size_t{1} << 18;
  options.ttl = absl::Seconds(2);
  options.remember = absl::Seconds(1);
  options.tick = absl::Milliseconds(1);
  return options;
}

void AtomicAdd(benchmark::State& state) {
  static std::atomic<int64_t> reserved{0}, spent{0};
  for (auto _ : state) {
    benchmark::DoNotOptimize(reserved.fetch_add(kAmount, std::memory_order_relaxed));
    benchmark::DoNotOptimize(spent.fetch_add(kPrice, std::memory_order_relaxed));
  }
  state.SetItemsProcessed(state.iterations());
}

void BoundedAdd(benchmark::State& state) {
  static BoundedCounter budget(kBudget);
  for (auto _ : state) {
    benchmark::DoNotOptimize(budget.TryAdd(kAmount));
    benchmark::DoNotOptimize(budget.Release(kAmount));
  }
  state.SetItemsProcessed(state.iterations());
}

/// What one writes first.
class MutexLedger {
 public:
  bool Reserve(uint64_t decision, int64_t amount) {
    const int64_t now = clock_.Now();
    const std::lock_guard lock(mutex_);
    Expire(now);
    if (free_ < amount) return false;
    const auto [at, is_new] = records_.try_emplace(decision, Record{amount, false});
    if (!is_new) return false;
    free_ -= amount;
    due_.push_back({decision, now + kTtl});
    return true;
  }
  bool Commit(uint64_t decision, int64_t price) {
    const int64_t now = clock_.Now();
    const std::lock_guard lock(mutex_);
    const auto at = records_.find(decision);
    if (at == records_.end() || at->second.settled) return false;
    at->second.settled = true;
    free_ += at->second.amount - price;
    spent_ += price;
    forget_.push_back({decision, now + kRemember});
    return true;
  }

 private:
  static constexpr int64_t kTtl = 2'000'000'000, kRemember = 1'000'000'000;
  struct Record {
    int64_t amount;
    bool settled;
  };
  struct Due {
    uint64_t decision;
    int64_t at;
  };
  void Expire(int64_t now) {
    while (!due_.empty() && due_.front().at <= now) {
      const auto at = records_.find(due_.front().decision);
      if (at != records_.end() && !at->second.settled) {
        free_ += at->second.amount;
        records_.erase(at);
      }
      due_.pop_front();
    }
    while (!forget_.empty() && forget_.front().at <= now) {
      records_.erase(forget_.front().decision);
      forget_.pop_front();
    }
  }

  SystemClock clock_;
  std::mutex mutex_;
  int64_t free_ = kBudget, spent_ = 0;
  absl::flat_hash_map<uint64_t, Record> records_;
  std::deque<Due> due_, forget_;
};

void MutexAndMap(benchmark::State& state) {
  static MutexLedger ledger;
  uint64_t decision = FirstDecision(1);
  int64_t failed = 0;
  for (auto _ : state) {
    ++decision;
    failed += !ledger.Reserve(decision, kAmount);
    failed += !ledger.Commit(decision, kPrice);
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["failed"] = static_cast<double>(failed);
}

/// Grants everything and remembers nothing: what is measured is the ledger.
class Plenty final : public LeaseSource {
 public:
  uint32_t epoch() const override { return 1; }
  absl::Status Apply(LeaseBatch* batch) override {
    for (LeaseAsk& ask : batch->asks) ask.granted = ask.want;
    return absl::OkStatus();
  }
  absl::Status Close(int64_t) override { return absl::OkStatus(); }
  std::optional<LeaseTotals> Totals(uint64_t) const override { return std::nullopt; }
  int64_t Gone(uint64_t, int64_t) const override { return 0; }
  absl::StatusOr<std::vector<LateWin>> LateWins() const override { return std::vector<LateWin>(); }
};

struct Running {
  explicit Running(LeaseSource* source) {
    ledger = *Ledger::Create(source, Options());
    (void)ledger->SetAccount({kCampaign, Currency(), {}, {kBudget}});
    uint64_t decision = FirstDecision(ledger->epoch());
    while (!ledger->Reserve({++decision, 0, kCampaign, {kAmount}, Currency()}).ok()) {
    }
  }
  std::unique_ptr<Ledger> ledger;
};

void ReserveAndCommit(benchmark::State& state, Ledger& ledger) {
  uint64_t decision = FirstDecision(ledger.epoch());
  int64_t failed = 0;
  for (auto _ : state) {
    ++decision;
    failed += !ledger.Reserve({decision, 0, kCampaign, {kAmount}, Currency()}).ok();
    failed +=
        ledger.Commit({decision, 0, kCampaign, {kPrice}, Currency(), {}}).charged.value != kPrice;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["failed"] = static_cast<double>(failed);
}

void LedgerReserveAndCommit(benchmark::State& state) {
  static Plenty source;
  static Running running(&source);
  ReserveAndCommit(state, *running.ledger);
}

/// Without the commit: what a decision pays for a reservation that it then gives up.
void LedgerReserveAndUndo(benchmark::State& state) {
  static Plenty source;
  static Running running(&source);
  Ledger& ledger = *running.ledger;
  uint64_t decision = FirstDecision(ledger.epoch());
  int64_t failed = 0;
  for (auto _ : state) {
    const Reservation r = ledger.Reserve({++decision, 0, kCampaign, {kAmount}, Currency()});
    failed += ledger.Release(r.id, ReleaseCause::kNotSent) != ReleaseResult::kReleased;
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["failed"] = static_cast<double>(failed);
}

#define LEDGER_ROW(name) \
  BENCHMARK(name)->Threads(1)->Threads(2)->Threads(64)->MinTime(2)->UseRealTime()
LEDGER_ROW(AtomicAdd);
LEDGER_ROW(BoundedAdd);
LEDGER_ROW(MutexAndMap);
LEDGER_ROW(LedgerReserveAndCommit);
LEDGER_ROW(LedgerReserveAndUndo);

#ifdef ADAGENTS_BENCH_LEDGER_SQLITE
/// Reserved, committed and durable, `range` wins at a time: what a machine can acknowledge.
void LedgerDurable(benchmark::State& state) {
  const auto folder = std::filesystem::temp_directory_path() / "ledger_bench";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directory(folder);
  {
    auto source = ledger_sqlite::LocalLeaseSource::Open((folder / "ledger").string());
    if (!source.ok()) return state.SkipWithError(source.status().ToString().c_str());
    Running running(source->get());
    Ledger& ledger = *running.ledger;
    uint64_t decision = FirstDecision(ledger.epoch());
    int64_t failed = 0;
    for (auto _ : state) {
      for (int64_t i = 0; i < state.range(0); ++i) {
        ++decision;
        failed += !ledger.Reserve({decision, 0, kCampaign, {kAmount}, Currency()}).ok();
        ledger.Commit({decision, 0, kCampaign, {kPrice}, Currency(), {}});
      }
      failed += !ledger.Sync().ok();
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    state.counters["failed"] = static_cast<double>(failed);
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(LedgerDurable)->Arg(1)->Arg(100)->Arg(10'000)->UseRealTime();
#endif

}  // namespace
}  // namespace adagents::ads
