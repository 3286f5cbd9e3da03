// Where the money went: per campaign what was leased, spent, reserved and returned, what came late,
// and how it was paced; caps; events.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "feedback.h"
#include "setting.h"

namespace ad_server {

/// How campaigns were paced when the last request had been decided. Plain value.
struct PacingReport {
  std::map<uint64_t, adagents::ads::PaceReport> campaigns;  // by key
  std::optional<double> traffic_scale;                      // of the forecast; once it is known
};
PacingReport MakePacingReport(const Setting& setting);

/// All but that of one moment, after the ledger was shut down. Plain value.
struct MoneyReport {
  struct Line {
    std::string id;
    adagents::ads::Budget budget;
    adagents::ads::AccountReport account;
    std::optional<adagents::ads::LeaseTotals> all_runs;  // of a file, that of earlier runs included
    std::optional<adagents::ads::PaceReport> pace;
    bool active() const;  // anything was sold, or came
  };
  std::vector<Line> lines;  // of all campaigns, by what was spent
  adagents::ads::LedgerHealth health;
  size_t late_wins = 0;  // that the source has listed
  std::optional<double> traffic_scale;
  uint64_t actions_unknown = 0;  // with a pacer: of no bid that is remembered
  adagents::ads::FrequencyCaps::Counts caps;
  EventCounts events;
  std::optional<adagents::testing::TrafficTruth> truth;  // of simulated events
  bool has_ledger = false, has_pacer = false, has_events = false;
};

MoneyReport MakeMoneyReport(const Setting& setting, const Feedback& feedback,
                            const PacingReport& pacing);
/// Empty when there is nothing to say.
std::string MoneyTable(const MoneyReport& report);
/// Adds "budgets", "caps" and "events" to `out`.
void AddMoneyJson(const MoneyReport& report, nlohmann::ordered_json* out);

}  // namespace ad_server
