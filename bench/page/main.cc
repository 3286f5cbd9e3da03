// bench_page: keeps what a run of the benchmarks measured, and draws all that was kept.
//
//   bench_page collect COMMIT OUT NAME=FILE...   what each program wrote, as one result file
//   bench_page draw FOLDER PAGE                  a folder of result files, as one HTML page
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "draw.h"
#include "fmt/format.h"
#include "results.h"

namespace adagents::bench {
namespace {

/// All of it or nothing: to a file beside it, which then takes its place.
absl::Status Write(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(beside, path, error);
  if (!out || error) return DataLoss(fmt::format("cannot write '{}'", path));
  return absl::OkStatus();
}

absl::Status Do(const std::vector<std::string>& args) {
  if (args.size() >= 4 && args[0] == "collect") {
    std::vector<std::pair<std::string, std::string>> programs;
    for (size_t i = 3; i < args.size(); ++i) {
      const size_t equals = args[i].find('=');
      if (equals == std::string::npos) {
        return InvalidArgument(fmt::format("'{}' is not like NAME=FILE", args[i]));
      }
      programs.emplace_back(args[i].substr(0, equals), args[i].substr(equals + 1));
    }
    const auto text = Collect(args[1], programs);
    return text.ok() ? Write(args[2], *text) : text.status();
  }
  if (args.size() == 3 && args[0] == "draw") {
    const auto runs = ReadRuns(args[1]);
    return runs.ok() ? Write(args[2], DrawPage(*runs)) : runs.status();
  }
  return InvalidArgument("usage: bench_page collect COMMIT OUT NAME=FILE... | draw FOLDER PAGE");
}

}  // namespace
}  // namespace adagents::bench

int main(int argc, char** argv) {
  const absl::Status status = adagents::bench::Do({argv + 1, argv + argc});
  if (status.ok()) return 0;
  fmt::print(stderr, "bench_page: {}\n", adagents::Message(status));
  return 1;
}
