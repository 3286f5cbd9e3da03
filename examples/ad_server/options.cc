#include "options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

namespace ad_server {
namespace {

/// "EUR=0.9" and so on.
std::string CheckRates(const std::vector<std::string>& texts,
                       std::vector<std::pair<std::string, double>>* rates) {
  if (!texts.empty()) rates->clear();
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    char* end = nullptr;
    const double rate =
        equals == std::string::npos ? 0 : std::strtod(text.c_str() + equals + 1, &end);
    if (equals != 3 || end != text.c_str() + text.size() || !(rate > 0)) {
      return "--rates: '" + text + "' is not like EUR=0.9";
    }
    rates->emplace_back(text.substr(0, equals), rate);
  }
  return {};
}

std::string CheckRate(std::string& text, double* rate) {
  if (text == "max") {
    *rate = 0;
  } else if (text == "recorded") {
    *rate = -1;
  } else {
    try {
      size_t end = 0;
      *rate = std::stod(text, &end);
      if (end == text.size() && *rate > 0) return {};
    } catch (const std::exception&) {
    }
    return "--rate: '" + text + "' is neither a positive number, nor max, nor recorded";
  }
  return {};
}

}  // namespace

bool ParseOptions(int argc, char** argv, Options* options, int* exit_code) {
  Options& o = *options;
  CLI::App app{
      "Decides recorded OpenRTB requests with a team of agents, and says how fast and how well.\n"
      "Without options it decides the bundled samples."};
  std::string rate = "max";
  std::string mode = "trusted";
  app.add_option("--replay", o.replay,
                 "Requests, one JSON a line: OpenRTB, or {\"source\": ..., \"request\": ...}; "
                 ".xz is unpacked");
  auto* campaigns = app.add_option("--campaigns", o.campaigns, "Campaigns to decide over (JSON)");
  app.add_option("--generate-campaigns", o.generate_campaigns, "Make up so many campaigns instead")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
      ->excludes(campaigns);
  app.add_option("--open", o.open,
                 "Share of generated campaigns that leave an attribute open: more find more "
                 "candidates")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--max-candidates", o.max_candidates, "Most creatives scored for one imp")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 20));
  app.add_flag("--stop-when-certain", o.stop_when_certain,
               "Score no more creatives once no other can change the winner or its price");
  app.add_option("--pricing", o.pricing,
                 "What winners pay: as_requested (by the request's at), first, second, or gsp "
                 "(generalised second price, in pods)")
      ->check(CLI::IsMember({"as_requested", "first", "second", "gsp"}));
  std::vector<std::string> rates;
  app.add_option("--rates", rates,
                 "What a dollar buys of other currencies, as EUR=0.9,GBP=0.8; without it round "
                 "numbers for EUR, GBP, CAD and JPY")
      ->delimiter(',');
  app.add_option("--rate", rate, "Requests a second, or 'max', or 'recorded' (by ext.arrival)");
  app.add_option("--threads", o.threads, "Threads that read, decide and write")
      ->check(CLI::Range(1, 256));
  app.add_option("--mode", mode, "How to decide: trusted, strict or async")
      ->check(CLI::IsMember({"trusted", "strict", "async"}));
  app.add_option("--in-flight", o.in_flight, "With --mode async: most decisions at one time")
      ->check(CLI::Range(1, 1024));
  app.add_option("--deadline-ms", o.deadline_ms, "Longest time for a decision; tmax shortens it")
      ->check(CLI::Range(0.001, 60'000.0));
  app.add_flag("--inline", o.inline_scheduler,
               "One thread and a virtual clock: the same decisions, byte for byte, each time");
  app.add_option("--seed", o.seed, "Of generated campaigns, and of --inline's order of agents");
  app.add_option("--loop", o.loop, "Decide all requests so many times")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40));
  app.add_option("--seconds", o.seconds, "Loop until so much time has passed")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--warm-up", o.warm_up, "Seconds at the beginning that are not measured")
      ->check(CLI::Range(0.0, 1e6));
  app.add_option("--out", o.out, "Write each decision there, one JSON a line, with its trace");
  auto* trace = app.add_option("--trace", o.trace,
                               "Write there where and when every so many decisions ran, in "
                               "Chrome's trace format: ui.perfetto.dev shows it");
  app.add_option("--trace-every", o.trace_every, "With --trace: every so many decisions")
      ->check(CLI::Range(1, 1 << 30))
      ->needs(trace);
  app.add_option("--plan", o.plan,
                 "Write the plan there at the end, with measured costs, for Graphviz (dot -Tsvg)");
  app.add_flag("--json", o.json, "Print the results as one JSON object on the last line");
  app.add_option("--explain", o.explain, "Print how the request with this id is decided");
  app.add_option("--why-not", o.why_not,
                 "With --explain: why the campaign with this id is not shown")
      ->needs("--explain");
  app.add_option("--diff", o.diff,
                 "Compare two: --out files, or campaign files that both decide --replay")
      ->expected(2);
  app.footer(
      "Exit codes: 0 done; 1 a file cannot be read or written, or is wrong; 2 wrong usage.\n"
      "Lines that are no valid request are counted and named, and do not stop the run.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error) == 0 ? 0 : 2;
    return false;
  }
  std::string wrong = CheckRate(rate, &o.rate);
  if (wrong.empty()) wrong = CheckRates(rates, &o.rates);
  if (!wrong.empty()) {
    std::cerr << wrong << "\n";
    *exit_code = 2;
    return false;
  }
  o.mode = mode == "strict" ? Mode::kStrict : mode == "async" ? Mode::kAsync : Mode::kTrusted;
  if (o.inline_scheduler && (o.threads > 1 || o.rate != 0 || o.mode != Mode::kTrusted)) {
    std::cerr << "--inline decides on one thread at full speed: it goes with neither --threads, "
                 "--rate nor --mode\n";
    *exit_code = 2;
    return false;
  }
  return true;
}

}  // namespace ad_server
