#include "compare.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using nlohmann::json;
using namespace adagents;  // NOLINT: an application

constexpr size_t kMostShown = 20;

struct Decided {
  std::string request;
  std::string what;     // "bid" or why there is none
  std::string winners;  // campaigns and creatives
  double price = 0;     // of all bids
  bool bids = false;
};

struct Side {
  std::map<size_t, Decided> by_line;
  size_t with_bids = 0, refused = 0;
  double price = 0;
};

absl::StatusOr<Side> Read(const std::string& name, const std::vector<std::string>& lines) {
  Side side;
  for (size_t i = 0; i < lines.size(); ++i) {
    const json parsed = json::parse(lines[i], nullptr, false);
    if (!parsed.is_object() || !parsed.contains("line")) {
      return InvalidArgument(fmt::format("{}, line {}: is no decision of --out", name, i + 1));
    }
    Decided d;
    d.request = parsed.value("request", "");
    if (parsed.contains("refused")) {
      ++side.refused;
      d.what = "refused";
    } else if (parsed["bids"].empty()) {
      d.what = "no bid: " + parsed.value("why", "");
    } else {
      d.bids = true;
      ++side.with_bids;
      for (const json& bid : parsed["bids"]) {
        if (!d.winners.empty()) d.winners += ", ";
        d.winners += bid.value("creative", "") + " of " + bid.value("campaign", "");
        d.price += bid.value("price", 0.0);
      }
      d.what = fmt::format("{} at {:.2f}", d.winners, d.price);
    }
    side.price += d.price;
    side.by_line[parsed["line"].get<size_t>()] = std::move(d);
  }
  return side;
}

}  // namespace

bool HoldsDecisions(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return false;
  const json parsed = json::parse(line, nullptr, false);
  return parsed.is_object() && parsed.contains("line");
}

absl::StatusOr<std::vector<std::string>> ReadDecisions(const std::string& path) {
  std::ifstream file(path);
  if (!file) return NotFound(fmt::format("cannot read '{}'", path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

absl::StatusOr<std::string> Compare(const std::string& name_a, const std::vector<std::string>& a,
                                    const std::string& name_b, const std::vector<std::string>& b) {
  const auto side_a = Read(name_a, a), side_b = Read(name_b, b);
  if (!side_a.ok()) return side_a.status();
  if (!side_b.ok()) return side_b.status();
  size_t both = 0, same = 0, other_winner = 0, other_price = 0, gained = 0, lost = 0, other_why = 0;
  size_t only_a = 0;
  std::string shown;
  size_t changes = 0;
  for (const auto& [line, before] : side_a->by_line) {
    const auto hit = side_b->by_line.find(line);
    if (hit == side_b->by_line.end()) {
      ++only_a;
      continue;
    }
    const Decided& after = hit->second;
    ++both;
    if (before.what == after.what && before.price == after.price) {
      ++same;
      continue;
    }
    if (before.bids && after.bids) {
      ++(before.winners != after.winners ? other_winner : other_price);
    } else if (before.bids != after.bids) {
      ++(after.bids ? gained : lost);
    } else {
      ++other_why;
    }
    if (++changes <= kMostShown) {
      shown += fmt::format("  line {:>6} {}\n    A: {}\n    B: {}\n", line, before.request,
                           before.what, after.what);
    }
  }
  std::string out = fmt::format("A: {}\nB: {}\n\n", name_a, name_b);
  out += fmt::format("  {:<36}{:>12}{:>12}\n", "", "A", "B");
  out += fmt::format("  {:<36}{:>12}{:>12}\n", "decisions", side_a->by_line.size(),
                     side_b->by_line.size());
  out += fmt::format("  {:<36}{:>12}{:>12}\n", "with a bid", side_a->with_bids, side_b->with_bids);
  out += fmt::format("  {:<36}{:>12.2f}{:>12.2f}\n", "sum of prices, CPM", side_a->price,
                     side_b->price);
  out += fmt::format("\n  of {} lines in both, {} are decided alike\n", both, same);
  const auto row = [&](std::string_view name, size_t n) {
    if (n > 0) out += fmt::format("  {:>8} {}\n", n, name);
  };
  row("have another winner", other_winner);
  row("have the same winner at another price", other_price);
  row("have a bid only in B", gained);
  row("have a bid only in A", lost);
  row("have no bid for another reason", other_why);
  row("are only in A", only_a);
  row("are only in B", side_b->by_line.size() - both);
  if (changes > 0) {
    out += fmt::format("\n  the first {} changes:\n", std::min(changes, kMostShown)) + shown;
  }
  return out;
}

}  // namespace ad_server
