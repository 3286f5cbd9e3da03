#include "results.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::bench {
namespace {

using nlohmann::ordered_json;

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return NotFound(fmt::format("cannot read '{}'", path));
  return text.str();
}

std::string CpuModel() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) != 0) continue;
    const size_t at = line.find(": ");
    if (at != std::string::npos) return line.substr(at + 2);
  }
  return "unknown";
}

std::string Now() {
  const std::time_t now = std::time(nullptr);
  char text[32] = {};
  std::tm utc{};
  (void)std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
  return text;
}

/// Lines such as "TEXT  <= 2  1.25 pass  (measured so)".
ordered_json DemandsIn(const std::string& text) {
  static const std::regex kBar(
      R"(^\s*(.*\S)\s+(<=|>=) ([-+0-9.eE]+)\s+([-+0-9.eE]+) (pass|FAIL)(  .*)?$)");
  ordered_json bars = ordered_json::array();
  const auto add = [&](const std::string& bar, const std::string& value, bool at_least,
                       const std::string& limit, bool pass) {
    ordered_json met = {{"contestant", "adagents"}, {"value", std::stod(value)}, {"pass", pass}};
    bars.push_back({{"bar", bar},
                    {"limit", std::stod(limit)},
                    {"kind", at_least ? "at least" : "at most"},
                    {"values", ordered_json::array({std::move(met)})}});
  };
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::smatch m;
    try {
      if (std::regex_match(line, m, kBar)) add(m[1], m[4], m[2] == ">=", m[3], m[5] == "pass");
    } catch (const std::logic_error&) {  // of stod(): no number after all, so no bar
    }
  }
  return {{"bars", std::move(bars)}};
}

// What follows throws, by nlohmann_json or by itself, where a field is missing or of another type.

double Number(const ordered_json& from, const char* name) {
  const ordered_json& value = from.at(name);
  if (!value.is_number() || !std::isfinite(value.get<double>())) {
    throw std::runtime_error(fmt::format("'{}' is no number", name));
  }
  return value.get<double>();
}

void TakeRowsAndBars(const std::string& program, const ordered_json& from, Run* run) {
  for (const ordered_json& row : from.value("rows", ordered_json::array())) {
    const std::string mode = row.at("mode");
    const bool by_time = mode == "alone" || mode == "paced";
    run->figures.push_back({program,
                            fmt::format("{}, {}: {}", row.at("body").get<std::string>(), mode,
                                        by_time ? "p50" : "decisions"),
                            row.at("contestant"), by_time ? "ns" : "/s",
                            by_time ? 1e3 * Number(row, "p50_us") : Number(row, "per_second")});
  }
  for (const ordered_json& bar : from.value("bars", ordered_json::array())) {
    for (const ordered_json& value : bar.at("values")) {
      run->demands.push_back({program, bar.at("bar"), value.at("contestant"), Number(bar, "limit"),
                              bar.at("kind") == "at least", Number(value, "value"),
                              value.at("pass")});
    }
  }
}

// Names are FAMILY/ARGUMENTS; families that begin alike, up to '_' or ',', measure the same by
// other means: CellRead_Bare64 and CellRead_Cell64, "Match" and "Match, scan of structs".
void TakeGoogleBenchmark(const std::string& program, const ordered_json& from, Run* run) {
  for (const ordered_json& row : from.at("benchmarks")) {
    if (row.value("error_occurred", false)) continue;
    const std::string kind = row.value("run_type", "iteration");
    if (kind == "aggregate" && row.value("aggregate_name", "") != "median") continue;
    const bool repeated = row.value("repetitions", 1) > 1;
    if (repeated && kind != "aggregate") continue;
    std::string name = row.value("run_name", row.at("name").get<std::string>());
    const size_t slash = name.find('/');
    const std::string family = name.substr(0, slash);
    const std::string arguments = slash == std::string::npos ? "" : name.substr(slash + 1);
    const std::string unit = row.value("time_unit", "ns");
    const double nanos = unit == "s" ? 1e9 : unit == "ms" ? 1e6 : unit == "us" ? 1e3 : 1;
    std::string group = family.substr(0, family.find_first_of("_,"));
    if (!arguments.empty()) group += ", " + arguments;
    run->figures.push_back({program, group, family, "ns", nanos * Number(row, "real_time")});
  }
}

Run Parse(const ordered_json& document) {
  Run run;
  run.commit = document.at("commit");
  run.date = document.at("date");
  run.cpu = document.at("cpu");
  run.cores = document.at("cores");
  for (const auto& [program, written] : document.at("programs").items()) {
    if (written.contains("benchmarks")) TakeGoogleBenchmark(program, written, &run);
    TakeRowsAndBars(program, written, &run);
  }
  return run;
}

}  // namespace

absl::StatusOr<std::string> Collect(
    const std::string& commit, const std::vector<std::pair<std::string, std::string>>& programs) {
  ordered_json all = ordered_json::object();
  for (const auto& [name, path] : programs) {
    const auto text = ReadFile(path);
    if (!text.ok()) return text.status();
    ordered_json parsed = ordered_json::parse(*text, nullptr, false);
    if (text->find_first_not_of(" \n\r\t") != std::string::npos &&
        text->at(text->find_first_not_of(" \n\r\t")) == '{' && parsed.is_discarded()) {
      return InvalidArgument(fmt::format("{}: what '{}' wrote is no JSON", path, name));
    }
    ordered_json& kept = all[name];
    if (parsed.is_object()) {
      kept.update(parsed);
    } else if (ordered_json printed = DemandsIn(*text); !kept.contains("bars")) {
      kept.update(printed);
    }
  }
  ordered_json out;
  out["commit"] = commit;
  out["date"] = Now();
  out["cpu"] = CpuModel();
  out["cores"] = sysconf(_SC_NPROCESSORS_ONLN);
  out["programs"] = std::move(all);
  return out.dump(1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Run> ReadRun(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return text.status();
  try {
    Run run = Parse(ordered_json::parse(*text));
    run.file = path;
    return run;
  } catch (const std::exception& error) {
    return InvalidArgument(fmt::format("{}: {}", path, error.what()));
  }
}

absl::StatusOr<std::vector<Run>> ReadRuns(const std::string& folder) {
  std::error_code error;
  std::vector<Run> runs;
  std::filesystem::directory_iterator files(folder, error);
  if (error) return NotFound(fmt::format("cannot read '{}': {}", folder, error.message()));
  for (const auto& file : files) {
    if (file.path().extension() != ".json") continue;
    auto run = ReadRun(file.path().string());
    if (!run.ok()) return run.status();
    runs.push_back(*std::move(run));
  }
  if (runs.empty()) return NotFound(fmt::format("{}: holds no results (*.json)", folder));
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
    return a.date != b.date ? a.date < b.date : a.file < b.file;
  });
  return runs;
}

}  // namespace adagents::bench
