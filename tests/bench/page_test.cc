// The page of plots that bench/run.sh draws: from results of several runs, and from broken ones.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "adagents/base/status.h"
#include "catch.h"
#include "draw.h"
#include "fmt/format.h"
#include "results.h"

namespace adagents::bench {
namespace {

class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() / fmt::format("adagents-page-{}", getpid())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Put(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_;
};

size_t Times(const std::string& text, const std::string& part) {
  size_t times = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++times;
  return times;
}
bool Has(const std::string& text, const std::string& part) { return Times(text, part) > 0; }

TEST_CASE("a page shows the last run, beside earlier ones on the same processor") {
  const auto runs = ReadRuns(ADAGENTS_BENCH_RESULTS);
  REQUIRE(runs.ok());
  REQUIRE(runs->size() == 3);
  CHECK(runs->front().commit == "1111111");
  CHECK(runs->back().commit == "3333333-dirty");
  const std::string page = DrawPage(*runs);
  CHECK(page.rfind("<!doctype html>", 0) == 0);
  CHECK(Has(page, "commit 3333333-dirty, on A Processor 9000 with 2 cores"));
  CHECK(Has(page, "this and 1 earlier run on the same processor"));
  CHECK(Has(page, "1 result of other processors left out"));
  CHECK(!Has(page, "2222222"));
  for (const char* part :
       {"A, alone: p50", "A, 64 in flight: decisions", "calls in a row (floor)",
        "adagents, trusted", "CellRead, threads:1", "Match, scan of structs",
        "open again after kill -9, s", "&lt;= 2", "2026-11-20T10:00 1111111: "}) {
    INFO(part);
    CHECK(Has(page, part));
  }
  // Needs nothing from elsewhere, and is well-formed where it counts.
  CHECK(!Has(page, "http"));
  CHECK(!Has(page, "<script"));
  CHECK(Has(page, "prefers-color-scheme: dark"));
  CHECK(Times(page, "<svg") == Times(page, "</svg>"));
  CHECK(Times(page, "<text") == Times(page, "</text>"));
  CHECK(!Has(page, "nan"));
  // Each row of the last run has a line of two points.
  const Run& last = runs->back();
  CHECK(Times(page, "<polyline") == last.figures.size() + last.demands.size());
  CHECK(Times(page, "<circle") == 2 * Times(page, "<polyline"));
}

TEST_CASE("figures of both kinds of programs are read, each with its group and unit") {
  const auto run = ReadRun(std::string(ADAGENTS_BENCH_RESULTS) + "/3.json");
  REQUIRE(run.ok());
  const auto find = [&](const std::string& group, const std::string& row) {
    for (const Figure& figure : run->figures) {
      if (figure.group == group && figure.row == row) return figure;
    }
    FAIL("no figure '" << row << "' in '" << group << "'");
    return Figure{};
  };
  CHECK(find("CellRead, threads:1", "CellRead_Cell64").value == 6.9);
  CHECK(find("Match, 1000", "Match, scan of structs").value == Approx(400'500));
  CHECK(find("Build, 1000", "Build").value == Approx(8e6));  // the median of its repetitions
  CHECK(find("A, alone: p50", "adagents, trusted").unit == "ns");
  CHECK(find("A, 64 in flight: decisions", "adagents, trusted").unit == "/s");
  CHECK(std::count_if(run->figures.begin(), run->figures.end(),
                      [](const auto& f) { return f.row == "Build"; }) == 1);
}

TEST_CASE("what programs wrote is collected, of those without JSON the bars that they print") {
  const Folder folder;
  const std::string json = folder.Put(
      "a.json", R"({"benchmarks":[{"name":"Read/1","real_time":2.5,"time_unit":"us"}]})");
  const std::string text = folder.Put("b.txt",
                                      "a table\n"
                                      "Bars            limit     measured\n"
                                      "open, s          <= 2         0.25 pass  of 5\n"
                                      "throughput, ratio  >= 0.99    0.9 FAIL\n"
                                      "password <= 1\n"
                                      "odd  <= 1e999  -.e pass\n"
                                      "p50 of it        <= 3         1.5 pass\n"
                                      "two of them      <= 3         1.5 pass 7 FAIL\n");
  const std::string both = folder.Put("c.txt", "a table\nit all  >= 5  1e3 pass  so\n");
  const auto collected = Collect("abc", {{"a_bench", json}, {"b_bench", text}, {"a_bench", both}});
  REQUIRE(collected.ok());
  const auto run = ReadRun(folder.Put("run.json", *collected));
  INFO(run.status().ToString());
  REQUIRE(run.ok());
  CHECK(run->commit == "abc");
  CHECK(run->date.size() == 20);
  CHECK(!run->cpu.empty());
  CHECK(run->cores > 0);
  REQUIRE(run->figures.size() == 1);
  CHECK(run->figures[0].value == 2500);
  REQUIRE(run->demands.size() == 4);
  CHECK(run->demands[0].program == "a_bench");
  CHECK(run->demands[0].value == 1000);
  CHECK(run->demands[1].text == "open, s");
  CHECK(run->demands[1].pass);
  CHECK(run->demands[2].at_least);
  CHECK(run->demands[2].value == 0.9);
  CHECK(!run->demands[2].pass);
  CHECK(run->demands[3].text == "p50 of it");
  CHECK(!run->demands[3].at_least);
  CHECK(run->demands[3].limit == 3);
  CHECK(run->demands[3].value == 1.5);
  CHECK(run->demands[3].pass);
}

TEST_CASE("a result that is broken is named, with what is wrong in it") {
  const Folder folder;
  const auto error = [&](const std::string& text) {
    const std::string path = folder.Put("broken.json", text);
    const auto runs = ReadRuns(folder.path());
    REQUIRE(!runs.ok());
    const std::string message(Message(runs.status()));
    CHECK(message.rfind(path + ": ", 0) == 0);
    return message;
  };
  std::ifstream good(std::string(ADAGENTS_BENCH_RESULTS) + "/1.json");
  std::stringstream whole;
  whole << good.rdbuf();
  CHECK(Has(error(whole.str().substr(0, whole.str().size() / 2)), "parse error"));
  CHECK(Has(error(""), "parse error"));
  CHECK(Has(error("[]"), "array"));
  CHECK(Has(error("{}"), "commit"));
  const std::string head = R"({"commit":"c","date":"d","cpu":"p","cores":2,"programs":{"x":)";
  CHECK(Has(error(head + R"({"benchmarks":[{"name":"A","real_time":"fast"}]}}})"),
            "'real_time' is no number"));
  CHECK(Has(error(head + R"({"rows":[{"body":"A","mode":"alone"}]}}})"), "contestant"));
  CHECK(Has(error(head + R"({"bars":[{"bar":"x","limit":1,"kind":"at most"}]}}})"), "values"));

  std::filesystem::remove(folder.path() + "/broken.json");
  CHECK(std::string(Message(ReadRuns(folder.path()).status())) ==
        folder.path() + ": holds no results (*.json)");
  CHECK(Has(std::string(Message(ReadRuns("/nowhere").status())), "cannot read '/nowhere'"));
  CHECK(Has(std::string(Message(Collect("c", {{"x", "/nowhere"}}).status())), "'/nowhere'"));
  const std::string cut = folder.Put("cut.json", R"({"benchmarks":[)");
  CHECK(Has(std::string(Message(Collect("c", {{"x", cut}}).status())), "no JSON"));
}

TEST_CASE("names are shown as they are, whatever is in them") {
  Run run{"f", "<b>", "2026-01-01T00:00:00Z", "A & B \"C\"", 1, {}, {}};
  run.figures.push_back({"p", "<g>", "r&r", "ns", 0});
  run.figures.push_back({"p", "<g>", std::string(80, 'x'), "ns", -1});
  run.demands.push_back({"p", "a < b", "us", 0, false, 0, true});
  const std::string page = DrawPage({run});
  CHECK(Has(page, "&lt;b&gt;"));
  CHECK(Has(page, "r&amp;r"));
  CHECK(Has(page, "A &amp; B &quot;C&quot;"));
  CHECK(Has(page, "a &lt; b"));
  CHECK(Has(page, "No earlier results"));
  CHECK(!Has(page, "<polyline"));
  CHECK(!Has(page, "nan"));
  CHECK(!Has(page, "inf"));
}

}  // namespace
}  // namespace adagents::bench
