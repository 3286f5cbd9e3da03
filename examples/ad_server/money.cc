#include "money.h"

#include <algorithm>

#include "adagents/adapters/ledger_sqlite.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application

constexpr std::string_view kInMemory = ":memory:";
constexpr double kSecondsAnHour = 3600;
constexpr double kForecast = 1e6;  // requests an hour, when nothing is known of them

absl::StatusOr<std::unique_ptr<ads::LeaseSource>> OpenSource(const Options& options,
                                                             const Clock& clock) {
  if (options.ledger == kInMemory) return {ads::MemoryLeaseSource::Create()};
  ledger_sqlite::LocalLeaseOptions local;
  local.clock = &clock;
  local.durability = options.durability == "process" ? ledger_sqlite::Durability::kProcess
                                                     : ledger_sqlite::Durability::kMachine;
  auto opened = ledger_sqlite::LocalLeaseSource::Open(options.ledger, local);
  if (!opened.ok()) {
    return MakeStatus(opened.status().code(),
                      fmt::format("--ledger {}: {}", options.ledger, Message(opened.status())));
  }
  return {*std::move(opened)};
}

double ForecastOf(const Options& options) {
  if (options.forecast > 0) return options.forecast;
  if (options.inline_step_ms > 0) return kSecondsAnHour * 1000 / options.inline_step_ms;
  return options.rate > 0 ? options.rate * kSecondsAnHour : kForecast;
}

}  // namespace

absl::StatusOr<Money> OpenMoney(const Options& options, size_t campaigns, const Clock& clock) {
  Money money;
  if (options.ledger.empty()) return money;
  auto source = OpenSource(options, clock);
  if (!source.ok()) return source.status();
  money.source = *std::move(source);
  ads::LedgerOptions ledger;
  ledger.max_accounts = campaigns + 1;
  ledger.max_reservations = static_cast<size_t>(options.open_bids);
  ledger.ttl = absl::Seconds(options.bid_ttl);
  ledger.background = !options.inline_scheduler;
  ledger.clock = &clock;
  auto made = ads::Ledger::Create(money.source.get(), ledger);
  if (!made.ok()) return made.status();
  money.ledger = *std::move(made);
  if (!options.pacing) return money;
  ads::PacerOptions pacer;
  pacer.forecast = ads::TrafficForecast::Flat(ForecastOf(options));
  pacer.tick = absl::Seconds(options.pacing_tick);
  pacer.capacity = std::max<size_t>(campaigns, 8);
  money.pacer = std::make_shared<ads::Pacer>(pacer);
  return money;
}

}  // namespace ad_server
