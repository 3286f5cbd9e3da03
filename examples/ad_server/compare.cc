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

using Prices = std::map<std::string, double>;  // by currency

struct Decided {
  std::string request;
  std::string what;     // "bid" or why there is none
  std::string winners;  // campaigns and creatives
  Prices prices;        // of all bids
  bool bids = false;
};

struct Side {
  std::map<size_t, Decided> by_line;
  size_t with_bids = 0, refused = 0;
  Prices prices;
};

/// Reads the members of one line, and keeps the first error.
class Members {
 public:
  Members(const std::string& name, size_t number) : name_(name), number_(number) {}

  std::string Text(const json& object, std::string_view key, const std::string& within = {}) {
    const json* value = Find(object, key, within, &json::is_string, "a text");
    return value == nullptr ? std::string() : value->get<std::string>();
  }
  double Number(const json& object, std::string_view key, const std::string& within) {
    const json* value = Find(object, key, within, &json::is_number, "a number");
    return value == nullptr ? 0 : value->get<double>();
  }
  size_t Count(const json& object, std::string_view key) {
    const json* value = Find(object, key, {}, &json::is_number_unsigned, "a whole number from 0");
    return value == nullptr ? 0 : value->get<size_t>();
  }
  json::array_t Array(const json& object, std::string_view key) {
    const json* value = Find(object, key, {}, &json::is_array, "an array");
    return value == nullptr ? json::array_t() : value->get<json::array_t>();
  }
  const absl::Status& status() const { return status_; }

 private:
  /// The member if it is there and of its kind, else null.
  const json* Find(const json& object, std::string_view key, const std::string& within,
                   bool (json::*is_right)() const noexcept, std::string_view kind) {
    const auto found = object.find(std::string(key));
    if (found != object.end() && ((*found).*is_right)()) return &*found;
    if (status_.ok()) {
      status_ =
          InvalidArgument(fmt::format("{}, line {}, {}{}: must be {}{}", name_, number_, within,
                                      key, kind, found == object.end() ? ", and is missing" : ""));
    }
    return nullptr;
  }

  const std::string& name_;
  const size_t number_;
  absl::Status status_;
};

std::string PricesText(const Prices& prices) {
  std::string out;
  for (const auto& [cur, price] : prices) {
    out += fmt::format("{}{:.2f} {}", out.empty() ? "" : " + ", price, cur);
  }
  return out;
}

absl::StatusOr<Side> Read(const std::string& name, const std::vector<std::string>& lines) {
  Side side;
  for (size_t i = 0; i < lines.size(); ++i) {
    const json parsed = json::parse(lines[i], nullptr, false);
    if (!parsed.is_object()) {
      return InvalidArgument(fmt::format("{}, line {}: is no decision of --out", name, i + 1));
    }
    Members members(name, i + 1);
    const size_t line = members.Count(parsed, "line");
    Decided d;
    if (parsed.contains("refused")) {
      ++side.refused;
      d.what = "refused";
    } else {
      d.request = members.Text(parsed, "request");
      const json::array_t bids = members.Array(parsed, "bids");
      d.bids = !bids.empty();
      for (size_t b = 0; b < bids.size(); ++b) {
        if (!bids[b].is_object()) {
          return InvalidArgument(
              fmt::format("{}, line {}, bids[{}]: must be an object", name, i + 1, b));
        }
        const std::string within = fmt::format("bids[{}].", b);
        if (!d.winners.empty()) d.winners += ", ";
        d.winners += members.Text(bids[b], "creative", within);
        d.winners += " of " + members.Text(bids[b], "campaign", within);
        d.prices[members.Text(bids[b], "cur", within)] += members.Number(bids[b], "price", within);
      }
      if (d.bids) {
        ++side.with_bids;
        d.what = fmt::format("{} at {}", d.winners, PricesText(d.prices));
      } else if (members.status().ok()) {
        d.what = "no bid: " + members.Text(parsed, "why");
      }
    }
    if (!members.status().ok()) return members.status();
    for (const auto& [cur, price] : d.prices) side.prices[cur] += price;
    side.by_line[line] = std::move(d);
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
    if (before.what == after.what && before.prices == after.prices) {
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
  Prices currencies = side_a->prices;
  currencies.insert(side_b->prices.begin(), side_b->prices.end());
  const auto sum = [](const Prices& prices, const std::string& cur) {
    const auto found = prices.find(cur);
    return found == prices.end() ? 0.0 : found->second;
  };
  for (const auto& [cur, unused] : currencies) {
    out += fmt::format("  {:<36}{:>12.2f}{:>12.2f}\n", "sum of prices, CPM in " + cur,
                       sum(side_a->prices, cur), sum(side_b->prices, cur));
  }
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
