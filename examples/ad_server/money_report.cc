#include "money_report.h"

#include <algorithm>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application
using nlohmann::ordered_json;

constexpr size_t kMostLines = 20;  // of the table; --json has all
constexpr size_t kMostIdBytes = 22;

ordered_json TallyJson(const ads::LedgerTally& tally) {
  ordered_json out;
  out["count"] = tally.count;
  out["amount"] = tally.amount.units();
  return out;
}

ordered_json LineJson(const MoneyReport::Line& line) {
  const ads::AccountReport& a = line.account;
  ordered_json out;
  out["campaign"] = line.id;
  out["currency"] = std::string(a.currency.code());
  if (line.budget.daily.value > 0) out["daily"] = line.budget.daily.units();
  if (line.budget.lifetime.value > 0) out["lifetime"] = line.budget.lifetime.units();
  for (const auto& [name, amount] : {std::pair{"leased", a.leased},
                                     {"spent", a.spent},
                                     {"reserved", a.reserved},
                                     {"free", a.free},
                                     {"returned", a.returned}}) {
    out[name] = amount.units();
  }
  out["balanced"] = a.Balanced();
  for (const auto& [name, tally] : {std::pair{"committed", &a.committed},
                                    {"released", &a.released},
                                    {"expired", &a.expired},
                                    {"late", &a.late},
                                    {"late_uncharged", &a.late_uncharged},
                                    {"carried_over", &a.carried_over},
                                    {"duplicate", &a.duplicate},
                                    {"capped", &a.capped}}) {
    out[name] = TallyJson(*tally);
  }
  if (line.all_runs) {
    ordered_json& all = out["all_runs"];
    all["leased"] = Micros{line.all_runs->leased}.units();
    all["spent"] = Micros{line.all_runs->spent}.units();
    all["returned"] = Micros{line.all_runs->returned}.units();
    all["open"] = Micros{line.all_runs->open}.units();
    all["lost"] = Micros{line.all_runs->lost}.units();
  }
  if (line.pace) {
    ordered_json& pace = out["pacing"];
    pace["budget"] = line.pace->budget.units();
    pace["planned"] = line.pace->planned.units();
    pace["spent"] = line.pace->spent.units();
    pace["multiplier"] = line.pace->pace.multiplier;
    pace["sits_out"] = line.pace->pace.sits_out;
  }
  return out;
}

std::string BudgetText(const ads::Budget& budget) {
  if (budget.daily.value > 0) return fmt::format("{:.2f}/day", budget.daily.units());
  return fmt::format("{:.2f}", budget.lifetime.units());
}

std::string LineText(const MoneyReport::Line& line) {
  const ads::AccountReport& a = line.account;
  std::string out = fmt::format(
      "  {:<22} {:>12} {} {:>9.3f} {:>9.3f} {:>7} {:>9.3f} {:>9.3f} {:>8.3f} {:>8.3f} "
      "{:>8.3f}",
      line.id.substr(0, kMostIdBytes), BudgetText(line.budget), a.currency.code(), a.leased.units(),
      a.spent.units(), a.committed.count + a.late.count, a.reserved.units(), a.returned.units(),
      a.late.amount.units(), a.carried_over.amount.units(), a.late_uncharged.amount.units());
  if (line.pace) {
    out += fmt::format(" {:>9.3f} {:>9.3f} {:>6.1f} %", line.pace->spent.units(),
                       line.pace->planned.units(),
                       line.pace->pace.sits_out ? 0.0 : 100.0 * line.pace->pace.multiplier);
  }
  return out + (a.Balanced() ? "\n" : "  NOT BALANCED\n");
}

std::string BudgetsTable(const MoneyReport& report) {
  std::string out = fmt::format(
      "\n  {:<22} {:>12} {:3} {:>9} {:>9} {:>7} {:>9} {:>9} {:>8} {:>8} {:>8}", "budgets", "", "",
      "leased", "spent", "shown", "reserved", "returned", "late", "earlier", "unpaid");
  if (report.has_pacer) out += fmt::format(" {:>9} {:>9} {:>8}", "in period", "planned", "bids");
  out += "\n";
  size_t active = 0;
  for (const MoneyReport::Line& line : report.lines) {
    if (!line.active()) continue;
    if (++active <= kMostLines) out += LineText(line);
  }
  if (active > kMostLines) out += fmt::format("  ... and {} more\n", active - kMostLines);
  out += fmt::format(
      "  {} campaigns sold nothing; leased = spent + reserved + returned; spent is for the "
      "impressions shown, and\n"
      "  late is the part of it that came after its bid was given up; beside it are earlier runs' "
      "impressions,\n"
      "  charged to their leases, and unpaid ones, too late to be charged\n",
      report.lines.size() - active);
  if (report.late_wins > 0) {
    out += fmt::format("  {} late wins are listed in the ledger\n", report.late_wins);
  }
  if (!report.health.leasing) {
    out += fmt::format("  the ledger cannot lease: {}\n", Message(report.health.status));
  }
  if (report.health.full > 0) {
    out += fmt::format("  {} bids were not made for want of --open-bids\n", report.health.full);
  }
  if (report.has_pacer) {
    out += fmt::format(
        "  in period, planned and the share of their value that they bid are of the last request; "
        "{}\n",
        report.traffic_scale
            ? fmt::format("traffic was {:.2f} times what was forecast", *report.traffic_scale)
            : "it was too short a time to tell the forecast's error");
  }
  return out;
}

std::string EventsTable(const MoneyReport& report) {
  std::string out = fmt::format("\n  {:<34} {:>12}\n", "events", report.events.lines);
  for (const auto& [name, n] : report.events.by_name) {
    out += fmt::format("    {:<32} {:>12}\n", name, n);
  }
  out += fmt::format("    {:<32} {:>12}\n", "refused", report.events.refused);
  if (report.actions_unknown > 0) {
    out += fmt::format("  {} clicks, completions or conversions are of no bid that is remembered\n",
                       report.actions_unknown);
  }
  if (report.truth) {
    const testing::TrafficTruth& t = *report.truth;
    out += fmt::format(
        "  simulated: {} of {} bids won; of their notices {} never came, {} came twice and {} very "
        "late\n",
        t.wins, t.bids, t.lost_notices, t.doubled_notices, t.very_late_notices);
  }
  for (const std::string& error : report.events.first_errors) out += "  " + error + "\n";
  if (report.events.refused > report.events.first_errors.size()) {
    out += fmt::format("  ... and {} more\n",
                       report.events.refused - report.events.first_errors.size());
  }
  return out;
}

}  // namespace

bool MoneyReport::Line::active() const {
  const auto any = [](const ads::LedgerTally& t) { return t.count > 0; };
  return account.spent.value > 0 || account.reserved.value > 0 || any(account.committed) ||
         any(account.released) || any(account.expired) || any(account.late) ||
         any(account.late_uncharged) || any(account.carried_over) || any(account.duplicate);
}

PacingReport MakePacingReport(const Setting& setting) {
  PacingReport report;
  if (setting.money.pacer == nullptr) return report;
  // Exactly 1 until the pacer has seen its first traffic.
  const double scale = setting.money.pacer->traffic_scale();
  if (scale != 1) report.traffic_scale = scale;
  for (const ads::AccountReport& account : setting.money.ledger->Report()) {
    const auto pace = setting.money.pacer->Report(account.campaign);
    if (pace) report.campaigns.emplace(account.campaign, *pace);
  }
  return report;
}

MoneyReport MakeMoneyReport(const Setting& setting, const Feedback& feedback,
                            const PacingReport& pacing) {
  MoneyReport report;
  const ads::EngineStats stats = setting.engine->GetStats();
  report.caps = stats.caps;
  report.events = feedback.counts();
  report.has_events = report.events.lines > 0 || feedback.exchange() != nullptr;
  if (feedback.exchange() != nullptr) report.truth = feedback.exchange()->truth();
  const Money& money = setting.money;
  if (money.ledger == nullptr) return report;
  report.has_ledger = true;
  report.has_pacer = money.pacer != nullptr;
  report.health = money.ledger->health();
  if (const auto late = money.source->LateWins(); late.ok()) report.late_wins = late->size();
  report.traffic_scale = pacing.traffic_scale;
  if (report.has_pacer) report.actions_unknown = stats.actions_unknown;
  const ads::CatalogPin catalog = setting.engine->PinCatalog();
  for (const ads::AccountReport& account : money.ledger->Report()) {
    const auto index = catalog->FindKey(account.campaign);
    if (!index) continue;
    MoneyReport::Line line;
    line.id = catalog->campaign(*index).id;
    line.budget = catalog->campaign(*index).budget;
    line.account = account;
    line.all_runs = money.source->Totals(account.campaign);
    const auto pace = pacing.campaigns.find(account.campaign);
    if (pace != pacing.campaigns.end()) line.pace = pace->second;
    report.lines.push_back(std::move(line));
  }
  std::sort(report.lines.begin(), report.lines.end(), [](const auto& a, const auto& b) {
    return a.account.spent != b.account.spent ? a.account.spent > b.account.spent : a.id < b.id;
  });
  return report;
}

std::string MoneyTable(const MoneyReport& report) {
  std::string out;
  if (report.has_ledger) out += BudgetsTable(report);
  const ads::FrequencyCaps::Counts& caps = report.caps;
  if (caps.reserved + caps.refused > 0) {
    out += fmt::format(
        "\n  frequency caps: {} places taken, {} bids refused, {} impressions counted ({} late), "
        "{} places given back\n",
        caps.reserved, caps.refused, caps.counted, caps.late, caps.released);
    if (caps.full > 0) {
      out += fmt::format("  {} of them were refused for want of --cap-windows or --cap-bids\n",
                         caps.full);
    }
  }
  if (report.has_events) out += EventsTable(report);
  return out;
}

void AddMoneyJson(const MoneyReport& report, ordered_json* out) {
  if (report.has_ledger) {
    ordered_json& budgets = (*out)["budgets"];
    budgets["leasing"] = report.health.leasing;
    budgets["late_wins"] = report.late_wins;
    budgets["refused_for_want_of_room"] = report.health.full;
    if (report.traffic_scale) budgets["traffic_scale"] = *report.traffic_scale;
    budgets["campaigns"] = ordered_json::array();
    size_t idle = 0;
    for (const MoneyReport::Line& line : report.lines) {
      if (line.active()) {
        budgets["campaigns"].push_back(LineJson(line));
      } else {
        ++idle;
      }
    }
    budgets["sold_nothing"] = idle;
  }
  const ads::FrequencyCaps::Counts& c = report.caps;
  (*out)["caps"] = {{"reserved", c.reserved}, {"refused", c.refused},   {"counted", c.counted},
                    {"late", c.late},         {"released", c.released}, {"full", c.full}};
  if (!report.has_events) return;
  ordered_json& events = (*out)["events"];
  events["lines"] = report.events.lines;
  events["refused"] = report.events.refused;
  events["by_name"] = ordered_json::object();
  for (const auto& [name, n] : report.events.by_name) events["by_name"][name] = n;
  if (report.has_pacer) events["actions_unknown"] = report.actions_unknown;
  events["first_errors"] = report.events.first_errors;
  if (!report.truth) return;
  const testing::TrafficTruth& t = *report.truth;
  events["simulated"] = {{"bids", t.bids},
                         {"wins", t.wins},
                         {"clicks", t.clicks},
                         {"completions", t.completions},
                         {"lost_notices", t.lost_notices},
                         {"doubled_notices", t.doubled_notices},
                         {"very_late_notices", t.very_late_notices}};
}

}  // namespace ad_server
