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

/// What was given and would do nothing, or not what was meant.
std::string CheckTogether(const CLI::App& app, const Options& o) {
  for (const CLI::Option* option : app.get_options()) {  // "" would mean that it was not given
    if (option->count() > 0 && option->results().front().empty()) {
      return option->get_name() + ": must not be empty";
    }
  }
  if (o.inline_scheduler && (o.threads > 1 || o.rate != 0 || o.mode != Mode::kTrusted)) {
    return "--inline decides on one thread at full speed: it goes with neither --threads, --rate "
           "nor --mode";
  }
  if (app.count("--in-flight") > 0 && o.mode != Mode::kAsync) {
    return "--in-flight: only --mode async has decisions in flight";
  }
  for (const char* name : {"--event-delay", "--event-faults"}) {
    if (app.count(name) > 0 && !o.simulate_events && o.events_out.empty()) {
      return std::string(name) + ": needs --simulate-events or --events-out";
    }
  }
  return {};
}

void AddMoneyOptions(CLI::App& app, Options& o) {
  const std::string kGroup = "Budgets, caps and pacing";
  auto* ledger =
      app.add_option("--ledger", o.ledger,
                     "Bound budgets, and keep what was spent in this file (SQLite), over runs and "
                     "crashes; ':memory:' forgets it")
          ->group(kGroup);
  app.add_option("--durability", o.durability,
                 "What spend survives: machine (a power loss) or process (kill -9, faster)")
      ->check(CLI::IsMember({"machine", "process"}))
      ->needs(ledger)
      ->group(kGroup);
  app.add_option("--budget-share", o.budget_share,
                 "Work with this share of each budget, so that a short replay gets to its end")
      ->check(CLI::Range(1e-6, 1.0))
      ->needs(ledger)
      ->group(kGroup);
  app.add_option("--open-bids", o.open_bids,
                 "Bids that may wait to be heard of, or were heard of within an hour; 100 bytes "
                 "each, and more are not made")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 28))
      ->needs(ledger)
      ->group(kGroup);
  app.add_option("--bid-ttl", o.bid_ttl,
                 "Seconds after which a bid that nothing was heard of gives its money back")
      ->check(CLI::Range(1.0, 72'000.0))
      ->needs(ledger)
      ->group(kGroup);
  auto* pacing =
      app.add_flag("--pacing", o.pacing, "Spend each budget as its campaign's \"pacing\" says")
          ->needs(ledger)
          ->group(kGroup);
  app.add_option("--forecast", o.forecast,
                 "Requests an hour to plan for; without it --rate's or --inline-step's, or a "
                 "million; how wrong it is is found out")
      ->check(CLI::Range(1e-3, 1e12))
      ->needs(pacing)
      ->group(kGroup);
  app.add_option("--pacing-tick", o.pacing_tick, "Seconds between two looks at the plans")
      ->check(CLI::Range(0.01, 3600.0))
      ->needs(pacing)
      ->group(kGroup);
  app.add_option("--cap-windows", o.cap_windows,
                 "Frequency caps: windows that count something at one time; 21 bytes each")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 32))
      ->group(kGroup);
  app.add_option("--cap-bids", o.cap_bids,
                 "Frequency caps: bids with caps that may be out at one time; 250 bytes each")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 28))
      ->group(kGroup);
  app.add_option("--without-id", o.without_id,
                 "What is capped, where a request does not say for whom: per_request (once) or "
                 "block")
      ->check(CLI::IsMember({"per_request", "block"}))
      ->group(kGroup);
}

void AddEventOptions(CLI::App& app, Options& o) {
  const std::string kGroup = "What becomes of bids";
  app.add_option("--events", o.events,
                 "Wins, impressions, clicks, completions and losses, one JSON a line (see below); "
                 "'-' is standard input, .xz is unpacked, a pipe may go on")
      ->group(kGroup);
  app.add_flag("--simulate-events", o.simulate_events,
               "Let the bids meet a simulated exchange and its players, whose notices come back "
               "late, twice or never; without --inline those that are still to come when the last "
               "request was decided come at once")
      ->group(kGroup);
  app.add_option("--events-out", o.events_out,
                 "Write the simulated lines there, for --events; without --simulate-events that is "
                 "all that happens with them")
      ->group(kGroup);
  app.add_option("--event-delay", o.event_delay, "Simulated seconds to an impression, on average")
      ->check(CLI::Range(0.0, 86'400.0))
      ->group(kGroup);
  app.add_option("--event-faults", o.event_faults,
                 "Share of simulated notices that are lost; as many come twice, a quarter as many "
                 "very late")
      ->check(CLI::Range(0.0, 1.0))
      ->group(kGroup);
}

constexpr const char* kFooter =
    "Lines of --events, * where needed:\n"
    "  {\"at\": TIME, \"notice\"*: URL}  a nurl, burl, lurl or tracker of a response, as it was "
    "called;\n"
    "      it counts if its signature is ours and it is not older than four hours\n"
    "  {\"at\": TIME, \"event\"*: NAME, \"decision\"*: HEX (as in --out), \"bid\": 0, "
    "\"campaign\": ID,\n"
    "   \"price\": CPM, \"cur\": \"USD\", \"issued\": TIME}  believed as it is; NAME is win, "
    "impression*, click,\n"
    "      completion, conversion, loss*, no_render* or expired*: those with * need campaign; an "
    "impression\n"
    "      needs price, and issued if an earlier process decided it\n"
    "  With --inline a line waits until the virtual clock has come to its TIME (RFC 3339). Else "
    "lines count as\n"
    "  they are read. The whole loop: --inline --inline-step 1000 --loop 360 --ledger FILE "
    "--pacing "
    "--simulate-events\n\n"
    "Keys of --json: requests; refused (by error) and refused_total, lines that are no valid "
    "request; decided;\n"
    "  bids and with_bids, decisions with at least one; no_bids (by nbr); late, answered after "
    "their "
    "deadline;\n"
    "  degraded, decided without some agent; p50_us, p99_us, p999_us and max_us, from when a "
    "request "
    "was due to\n"
    "  its written response; decisions_per_s; cpu_us_per_decision, of the whole process; "
    "candidates_per_decision,\n"
    "  creatives scored; stages, mean microseconds of each and of each agent's calls; "
    "mean_price_cpm, by currency;\n"
    "  budgets, caps and events, if there are any, with amounts in the campaign's currency; "
    "wall_s\n\n"
    "Exit codes: 0 done; 1 a file cannot be read or written, or is wrong; 2 wrong usage.\n"
    "Lines that are no valid request or event are counted and named, and do not stop the run.";

}  // namespace

bool ParseOptions(int argc, char** argv, Options* options, int* exit_code) {
  Options& o = *options;
  CLI::App app{
      "Decides recorded OpenRTB requests with a team of agents, and says how fast and how well.\n"
      "Without options it decides the bundled samples."};
  app.option_defaults()->always_capture_default();
  std::string rate = "max";
  std::string mode = "trusted";
  app.add_option("--replay", o.replay,
                 "Requests, one JSON a line: OpenRTB, or {\"source\": ..., \"request\": ...}; "
                 ".xz is unpacked");
  auto* campaigns = app.add_option("--campaigns", o.campaigns, "Campaigns to decide over (JSON)");
  auto* generate = app.add_option("--generate-campaigns", o.generate_campaigns,
                                  "Make up so many campaigns instead")
                       ->check(CLI::Range(int64_t{1}, int64_t{1} << 24))
                       ->excludes(campaigns);
  app.add_option("--open", o.open,
                 "Share of generated campaigns that leave an attribute open: more find more "
                 "candidates")
      ->check(CLI::Range(0.0, 1.0))
      ->needs(generate);
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
      ->delimiter(',')
      ->default_str("");
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
  app.add_option("--inline-step", o.inline_step_ms,
                 "With --inline: virtual milliseconds between two requests; without it as they "
                 "were recorded (ext.arrival), or 1")
      ->check(CLI::Range(1e-3, 1e9))
      ->needs("--inline");
  app.add_option("--seed", o.seed,
                 "Of generated campaigns, of simulated events, and of --inline's order of agents");
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
  auto* json =
      app.add_flag("--json", o.json, "Print the results as one JSON object on the last line");
  AddMoneyOptions(app, o);
  AddEventOptions(app, o);
  auto* explain =
      app.add_option("--explain", o.explain, "Print how the request with this id is decided");
  app.add_option("--why-not", o.why_not,
                 "With --explain: why the campaign with this id is not shown")
      ->needs(explain);
  auto* diff = app.add_option("--diff", o.diff,
                              "Compare two: --out files, or campaign files that both decide "
                              "--replay")
                   ->expected(2)
                   ->default_str("");
  // These decide no whole replay, so nothing is recorded of it.
  for (auto* other :
       {json, app.get_option("--out"), trace, app.get_option("--plan"), app.get_option("--events"),
        app.get_option("--simulate-events"), app.get_option("--events-out")}) {
    explain->excludes(other);
    diff->excludes(other);
  }
  explain->excludes(diff);
  app.footer(kFooter);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    *exit_code = app.exit(error) == 0 ? 0 : 2;
    return false;
  }
  std::string wrong = CheckRate(rate, &o.rate);
  if (wrong.empty()) wrong = CheckRates(rates, &o.rates);
  o.mode = mode == "strict" ? Mode::kStrict : mode == "async" ? Mode::kAsync : Mode::kTrusted;
  if (wrong.empty()) wrong = CheckTogether(app, o);
  if (!wrong.empty()) {
    std::cerr << wrong << "\n";
    *exit_code = 2;
    return false;
  }
  return true;
}

}  // namespace ad_server
