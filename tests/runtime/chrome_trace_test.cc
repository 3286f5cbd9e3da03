// Timelines as Chrome trace files: the format, and that a file is whole at every moment.
#include "adagents/runtime/chrome_trace.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

using nlohmann::json;
using Kind = Timeline::Kind;

class TraceFile {
 public:
  TraceFile()
      : path_((std::filesystem::temp_directory_path() /
               fmt::format("adagents-trace-{}-{}.json", getpid(), next_++))
                  .string()) {}
  ~TraceFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }
  json Parse() const {
    std::ifstream in(path_, std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    return json::parse(text.str());  // throws where it is no JSON
  }

 private:
  static inline int next_ = 0;
  const std::string path_;
};

int64_t Nanos(const json& micros) { return std::llround(micros.get<double>() * 1000); }

/// What the format asks of a file (Google, "Trace Event Format"): names for processes and threads,
/// spans of a thread that lie apart or in one another, spans of a row that open and close in turn.
void CheckFormat(const json& document) {
  REQUIRE(document.is_object());
  REQUIRE(document["traceEvents"].is_array());
  struct Open {
    int64_t begin, end;
  };
  std::set<int64_t> named, used;
  std::map<int64_t, std::vector<Open>> by_thread;
  struct Step {
    int64_t at;
    char phase;
    std::string name;
  };
  std::map<std::string, std::vector<Step>> rows;
  int processes = 0;
  for (const json& event : document["traceEvents"]) {
    INFO(event.dump());
    const std::string phase = event.at("ph");
    REQUIRE(event.at("name").is_string());
    REQUIRE(event.at("pid").is_number_integer());
    REQUIRE(event.at("tid").is_number_integer());
    if (phase == "M") {
      REQUIRE(event.at("args").at("name").is_string());
      if (event["name"] == "process_name") ++processes;
      if (event["name"] == "thread_name") named.insert(event["tid"].get<int64_t>());
      continue;
    }
    REQUIRE(event.at("ts").is_number());
    REQUIRE(event.at("cat").is_string());
    if (phase == "X") {
      REQUIRE(event.at("dur").get<double>() >= 0);
      const int64_t begin = Nanos(event["ts"]);
      by_thread[event["tid"]].push_back({begin, begin + Nanos(event["dur"])});
      used.insert(event["tid"].get<int64_t>());
    } else if (phase == "i") {
      REQUIRE(event.at("s") == "t");
      used.insert(event["tid"].get<int64_t>());
    } else {
      REQUIRE((phase == "b" || phase == "e" || phase == "n"));
      REQUIRE(event.at("id").is_string());
      rows[event["cat"].get<std::string>() + event["id"].get<std::string>()].push_back(
          {Nanos(event["ts"]), phase[0], event["name"]});
    }
  }
  CHECK(processes == 1);
  for (const int64_t thread : used) CHECK(named.count(thread) == 1);
  for (auto& [thread, spans] : by_thread) {
    std::stable_sort(spans.begin(), spans.end(), [](const Open& a, const Open& b) {
      return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
    });
    std::vector<Open> stack;
    for (const Open& span : spans) {
      while (!stack.empty() && stack.back().end <= span.begin) stack.pop_back();
      if (!stack.empty()) CHECK(span.end <= stack.back().end);
      stack.push_back(span);
    }
  }
  for (const auto& [row, steps] : rows) {
    std::vector<std::string> open;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (i > 0) CHECK(steps[i - 1].at <= steps[i].at);
      if (steps[i].phase == 'b') open.push_back(steps[i].name);
      if (steps[i].phase != 'e') continue;
      REQUIRE(!open.empty());
      CHECK(open.back() == steps[i].name);
      open.pop_back();
    }
    CHECK(open.empty());
  }
}

Timeline Made(uint64_t id) {
  Timeline t;
  t.id = id;
  t.mode = "async";
  t.arrival = t.admitted = 1'000'000'001;
  t.begun = 1'000'002'000;
  t.deadline = 1'049'500'001;
  t.settled = 1'000'009'000;
  t.settled_by = 7;
  t.ended = 1'000'010'000;
  t.threads = {{7, "worker \"one\"\n\xff"}};
  t.spans.push_back({.kind = Kind::kAgent,
                     .outcome = Outcome::kRan,
                     .thread = 7,
                     .round = 2,
                     .begin = 1'000'003'000,
                     .end = 1'000'004'500,
                     .agent = "na\\me \xe2\x82\xac \xc3"});
  t.spans.push_back(
      {.kind = Kind::kRun, .thread = 7, .begin = 1'000'002'500, .end = 1'000'009'500, .agent = {}});
  t.spans.push_back({.kind = Kind::kNotRun,
                     .outcome = Outcome::kSkipped,
                     .cause = Cause::kNoTime,
                     .thread = 7,
                     .begin = 1'000'005'000,
                     .end = 1'000'005'000,
                     .agent = "left out"});
  t.spans.push_back(
      {.kind = Kind::kReplica, .begin = 1'000'006'000, .end = 1'000'007'000, .agent = "single"});
  return t;
}

const json& Find(const json& document, const std::string& phase, const std::string& name) {
  for (const json& event : document["traceEvents"]) {
    if (event["ph"] == phase && event["name"] == name) return event;
  }
  FAIL("no " << phase << " event is called " << name);
  return document;
}

TEST_CASE("a timeline becomes spans on its threads and a row of its own") {
  const TraceFile file;
  auto trace = ChromeTraceFile::Create(file.path(), {.process = "a \"server\""});
  REQUIRE(trace.ok());
  (*trace)->Add(Made(0xfedcba9876543210));
  const json document = file.Parse();
  CheckFormat(document);
  CHECK(Find(document, "M", "process_name")["args"]["name"] == "a \"server\"");
  CHECK(Find(document, "M", "thread_name")["args"]["name"] == "worker \"one\"\n\xef\xbf\xbd");
  const json agent = Find(document, "X", "na\\me \xe2\x82\xac \xef\xbf\xbd");
  CHECK(Nanos(agent["ts"]) == 1'000'003'000);
  CHECK(Nanos(agent["dur"]) == 1'500);
  CHECK(agent["tid"] == 7);
  CHECK(agent["args"]["outcome"] == "ran");
  CHECK(agent["args"]["round"] == 2);
  CHECK(agent["args"]["decision"] == "0xfedcba9876543210");
  CHECK(Find(document, "i", "left out skipped")["args"]["cause"] == "no time left");
  const json row = Find(document, "b", "decision");
  CHECK(row["args"]["verdict"] == "decided");
  CHECK(Nanos(row["args"]["deadline_us"]) == 49'500'000);
  CHECK(Nanos(Find(document, "b", "waits in the lane")["ts"]) == 1'000'000'001);
  CHECK(Nanos(Find(document, "e", "waits in the lane")["ts"]) == 1'000'002'000);
  CHECK(Nanos(Find(document, "b", "waits for a replica of single")["ts"]) == 1'000'006'000);
  CHECK(Nanos(Find(document, "n", "settled: decided")["ts"]) == 1'000'009'000);
  for (const json& event : document["traceEvents"]) CHECK(event["name"] != "deadline");

  Timeline late = Made(2);
  late.verdict = Verdict::kExpired;
  late.settled = late.deadline + 5;
  late.ended = late.deadline + 100;
  (*trace)->Add(late);
  CHECK(Nanos(Find(file.Parse(), "n", "deadline")["ts"]) == late.deadline);
}

TEST_CASE("the file is whole after each timeline, and ends at its bound") {
  const TraceFile file;
  auto trace = ChromeTraceFile::Create(file.path(), {.max_bytes = 20'000});
  REQUIRE(trace.ok());
  size_t before = file.Parse()["traceEvents"].size();
  uint64_t id = 0;
  while ((*trace)->left_out() == 0) {
    REQUIRE(id < 1000);
    (*trace)->Add(Made(++id));
    const json document = file.Parse();
    CheckFormat(document);
    const size_t events = document["traceEvents"].size();
    CHECK((events > before) == ((*trace)->left_out() == 0));
    before = events;
  }
  CHECK((*trace)->written() == id - 1);
  CHECK(std::filesystem::file_size(file.path()) <= 20'000);
  CHECK((*trace)->status().ok());
}

TEST_CASE("a file that cannot be written is an error that names it") {
  const auto nowhere = ChromeTraceFile::Create("/nowhere/trace.json");
  REQUIRE(!nowhere.ok());
  CHECK(std::string(Message(nowhere.status())) ==
        "cannot write '/nowhere/trace.json': No such file or directory");
  if (!std::filesystem::exists("/dev/full")) return;
  const auto full = ChromeTraceFile::Create("/dev/full");
  REQUIRE(!full.ok());
  CHECK(std::string(Message(full.status())).find("No space left") != std::string::npos);
}

TEST_CASE("what a running team does is a file of the right format") {
  const TraceFile file;
  auto trace = ChromeTraceFile::Create(file.path());
  REQUIRE(trace.ok());
  RuntimeOptions options;
  options.workers = 2;
  options.keep_one_hot = true;
  options.trace_every = 1;
  options.trace_sink = [&](const Timeline& timeline) { (*trace)->Add(timeline); };
  const auto burns = [](Context& ctx, Node& node) {
    const auto until = SteadyClock::now() + std::chrono::microseconds(20);
    while (SteadyClock::now() < until) {
    }
    node.out(ctx) = node.Sum(ctx);
    return absl::OkStatus();
  };
  auto team = MakeTeam({{.name = "first", .in = {"ask"}, .out = "x"},
                        {.name = "left", .in = {"x"}, .out = "l", .otherwise = 0, .body = burns},
                        {.name = "right", .in = {"x"}, .out = "r", .otherwise = 0, .body = burns},
                        {.name = "fails",
                         .in = {"x"},
                         .out = "f",
                         .otherwise = 0,
                         .body = [](auto&, auto&) { return absl::InternalError("always"); }},
                        {.name = "last", .in = {"l", "r", "f"}, .out = "say"}},
                       options);
  std::vector<std::thread> askers;
  for (const Way way : kWays) {
    askers.emplace_back([&team, way] {
      for (int i = 0; i < 200; ++i) (void)Ask(*team, way, i);
    });
  }
  for (std::thread& asker : askers) asker.join();
  CHECK(LeftBehind(*team) == "");
  const Stats stats = team->GetStats();
  CHECK(stats.traces > 0);
  CHECK(stats.traces + stats.traces_dropped == 600);
  CHECK((*trace)->written() == stats.traces);
  CHECK((*trace)->status().ok());
  CheckFormat(file.Parse());
}

}  // namespace
}  // namespace adagents::testing
