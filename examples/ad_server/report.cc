#include "report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application
using nlohmann::ordered_json;

double Micro(double nanos) { return nanos / 1000.0; }
double Rounded(double value) { return std::round(value * 1000.0) / 1000.0; }

std::string RateText(const Options& o) {
  if (o.inline_scheduler) return "inline, virtual clock";
  if (o.rate < 0) return "as recorded";
  return o.rate > 0 ? fmt::format("{:.0f} requests/s", o.rate) : "as fast as possible";
}
std::string ModeText(const Options& o) {
  return o.mode == Mode::kAsync ? "async" : o.mode == Mode::kStrict ? "strict" : "trusted";
}

double PerSecond(const ReplayResult& r) {
  return r.wall_seconds > 0 ? static_cast<double>(r.tally.decided) / r.wall_seconds : 0;
}
double CpuPerDecision(const ReplayResult& r) {
  return r.tally.decided > 0 ? r.cpu_seconds * 1e6 / static_cast<double>(r.tally.decided) : 0;
}

std::string Share(uint64_t part, uint64_t whole) {
  if (whole == 0) return "";
  return fmt::format("{:5.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

}  // namespace

std::string ReportTable(const Options& options, const ReplayResult& result, const Setting& setting,
                        const MoneyReport& money) {
  const Tally& t = result.tally;
  std::string out;
  const auto line = [&](std::string_view name, const std::string& value) {
    out += fmt::format("  {:<34} {}\n", name, value);
  };
  const auto count = [&](std::string_view name, uint64_t n, uint64_t of) {
    out += fmt::format("  {:<34} {:>12}  {}\n", name, n, Share(n, of));
  };
  out += fmt::format("{} campaigns, {} creatives; {}; {} on {} thread{}\n\n", setting.campaigns,
                     setting.creatives, RateText(options), ModeText(options), options.threads,
                     options.threads == 1 ? "" : "s");
  count("requests", t.requests, 0);
  count("refused: no valid OpenRTB", t.refused, t.requests);
  count("decided", t.decided, t.requests);
  count("with a bid", t.with_bids, t.decided);
  for (const auto& [nbr, n] : t.no_bids) {
    count(fmt::format("no bid: {} ({})", ads::NbrText(nbr), static_cast<int>(nbr)), n, t.decided);
  }
  count("late", t.late, t.decided);
  if (t.degraded > 0) count("degraded", t.degraded, t.decided);
  out += "\n";
  line("creatives scored per decision", fmt::format("{:>12.1f}", result.candidates_per_decision));
  for (const auto& [cur, prices] : t.prices) {
    line(fmt::format("mean price, CPM in {}", cur), fmt::format("{:>12.2f}", prices.mean()));
  }
  line("decisions per second", fmt::format("{:>12.0f}", PerSecond(result)));
  line("processor time per decision", fmt::format("{:>12.2f} us", CpuPerDecision(result)));
  const std::vector<AgentStats> agents = setting.engine->GetStats().runtime.agents;
  size_t width = 16;
  for (const AgentStats& agent : agents) width = std::max(width, agent.name.size() + 6);
  out += fmt::format("\n  {:<{}}{:>10}{:>10}{:>10}{:>10}{:>10}   (us)\n", "", width, "mean", "p50",
                     "p99", "p99.9", "max");
  const auto row = [&](std::string_view name, const Histogram& h) {
    out += fmt::format("  {:<{}}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}{:>10.2f}\n", name, width,
                       Micro(h.Mean()), Micro(h.Quantile(0.5)), Micro(h.Quantile(0.99)),
                       Micro(h.Quantile(0.999)), Micro(static_cast<double>(h.max())));
  };
  row("latency", t.latency);
  row("  parse", t.parse);
  row("  decide", t.decide);
  for (const AgentStats& agent : agents) {
    if (agent.mean_nanos == 0) continue;
    out += fmt::format("  {:<{}}{:>10.2f}{:>10}{:>10.2f}\n", "    " + agent.name, width,
                       Micro(static_cast<double>(agent.mean_nanos)), "",
                       Micro(static_cast<double>(agent.p99_nanos)));
  }
  row("  write", t.write);
  out += MoneyTable(money);
  if (setting.trace != nullptr) {
    const uint64_t left_out =
        setting.trace->left_out() + setting.engine->GetStats().runtime.traces_dropped;
    out += fmt::format("\n  {} decisions traced in {}", setting.trace->written(), options.trace);
    out += left_out > 0 ? fmt::format("; {} left out for want of room\n", left_out) : "\n";
  }
  if (!t.refused_lines.empty()) {
    out += "\n  refused lines:\n";
    for (const auto& [number, error] : t.refused_lines) {
      out += fmt::format("  line {:>6}: {}\n", number, error);
    }
    if (t.refused > t.refused_lines.size()) {
      out += fmt::format("  ... and {} more\n", t.refused - t.refused_lines.size());
    }
  }
  return out;
}

std::string ReportJson(const Options& options, const ReplayResult& result, const Setting& setting,
                       const MoneyReport& money) {
  const Tally& t = result.tally;
  ordered_json out;
  out["requests"] = t.requests;
  out["decided"] = t.decided;
  out["bids"] = t.bids;
  out["with_bids"] = t.with_bids;
  out["no_bids"] = ordered_json::object();
  for (const auto& [nbr, n] : t.no_bids) out["no_bids"][std::to_string(static_cast<int>(nbr))] = n;
  out["refused"] = ordered_json::object();
  for (const auto& [error, n] : t.refusals) out["refused"][error] = n;
  out["refused_total"] = t.refused;
  out["late"] = t.late;
  out["degraded"] = t.degraded;
  const auto us = [](double nanos) { return Rounded(Micro(nanos)); };
  out["p50_us"] = us(t.latency.Quantile(0.5));
  out["p99_us"] = us(t.latency.Quantile(0.99));
  out["p999_us"] = us(t.latency.Quantile(0.999));
  out["max_us"] = us(static_cast<double>(t.latency.max()));
  out["decisions_per_s"] = std::round(PerSecond(result));
  out["cpu_us_per_decision"] = Rounded(CpuPerDecision(result));
  out["candidates_per_decision"] = Rounded(result.candidates_per_decision);
  ordered_json stages;
  stages["parse_us"] = us(t.parse.Mean());
  stages["decide_us"] = us(t.decide.Mean());
  stages["write_us"] = us(t.write.Mean());
  for (const AgentStats& agent : setting.engine->GetStats().runtime.agents) {
    stages["agents"][agent.name + "_us"] = us(static_cast<double>(agent.mean_nanos));
  }
  out["stages"] = std::move(stages);
  out["mean_price_cpm"] = ordered_json::object();
  for (const auto& [cur, prices] : t.prices) out["mean_price_cpm"][cur] = Rounded(prices.mean());
  AddMoneyJson(money, &out);
  out["wall_s"] = Rounded(result.wall_seconds);
  out["campaigns"] = setting.campaigns;
  out["creatives"] = setting.creatives;
  out["threads"] = options.threads;
  out["mode"] = ModeText(options);
  out["rate"] = options.rate < 0    ? ordered_json("recorded")
                : options.rate == 0 ? ordered_json("max")
                                    : ordered_json(options.rate);
  return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace ad_server
