#include "log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "fmt/format.h"
#include "shared/read_text.h"

namespace replay_auctions {
namespace {

using adagents::InvalidArgument;

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// The line's words; at most four, for there are three too many then.
size_t Split(std::string_view line, std::array<std::string_view, 4>* words) {
  size_t count = 0;
  for (size_t at = 0; at < line.size() && count < words->size();) {
    while (at < line.size() && IsBlank(line[at])) ++at;
    const size_t begin = at;
    while (at < line.size() && !IsBlank(line[at])) ++at;
    if (at > begin) (*words)[count++] = line.substr(begin, at - begin);
  }
  return count;
}

bool ReadNumber(std::string_view word, double* number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *number);
  return error == std::errc() && end == word.data() + word.size() && std::isfinite(*number);
}

}  // namespace

absl::StatusOr<Log> ParseLog(std::string_view name, std::string_view text) {
  Log log;
  std::array<std::string_view, 4> words;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const size_t count = Split(line, &words);
    if (count == 0) continue;
    const auto wrong = [&](std::string_view what) {
      return InvalidArgument(fmt::format("{}:{}: {}", name, number, what));
    };
    constexpr size_t kColumns = 3;
    if (count != kColumns) {
      return wrong(fmt::format("has {} columns, not 'click price predicted_ctr'",
                               count > kColumns ? "too many" : fmt::format("{}", count)));
    }
    double click = 0, price = 0, ctr = 0;
    if (!ReadNumber(words[0], &click) || (click != 0 && click != 1)) {
      return wrong(fmt::format("click is '{}', neither 0 nor 1", words[0]));
    }
    if (!ReadNumber(words[1], &price) || price < 0 || price > 1e9) {
      return wrong(fmt::format("price is '{}', no number from 0 to a billion", words[1]));
    }
    if (!ReadNumber(words[2], &ctr) || ctr < 0 || ctr > 1) {
      return wrong(fmt::format("predicted_ctr is '{}', no number from 0 to 1", words[2]));
    }
    log.push_back({static_cast<float>(price), static_cast<float>(ctr), click == 1});
  }
  if (log.empty()) return InvalidArgument(fmt::format("{}: holds no auction", name));
  return log;
}

absl::StatusOr<Log> ReadLog(const std::string& path) {
  auto text = examples::ReadText(path);
  if (!text.ok()) return text.status();
  return ParseLog(path, *text);
}

std::string GenerateLog(int64_t lines, uint64_t seed) {
  adagents::Random random(seed);
  std::string out;
  double drift = 0;
  for (int64_t i = 0; i < lines; ++i) {
    drift = 0.9999 * drift + 0.004 * random.Normal();  // sd 0.28
    const double z = random.Normal();
    const double ctr = std::min(0.5, 0.003 * std::exp(0.9 * z - 0.4));
    const double mixed = 0.4 * z + 0.9 * random.Normal();
    const double price = std::clamp(70 * std::exp(drift + 0.6 * mixed), 1.0, 300.0);
    out += fmt::format("{} {} {:.6f}\n", random.Chance(ctr) ? 1 : 0, std::lround(price), ctr);
  }
  return out;
}

double AveragePrice(const Log& log) {
  double sum = 0;
  for (const Auction& a : log) sum += static_cast<double>(a.price);
  return log.empty() ? 0 : sum / static_cast<double>(log.size());
}

}  // namespace replay_auctions
