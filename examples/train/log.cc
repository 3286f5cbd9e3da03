#include "log.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace train {
namespace {

using adagents::InvalidArgument;

/// The next record's cells; false at the end. A quoted cell may hold commas, quotes and newlines.
/// `lines` counts what was passed. `broken`: a quote is not closed, or text follows it.
bool NextRecord(std::string_view* text, std::vector<std::string>* cells, size_t* lines,
                bool* broken) {
  cells->clear();
  if (text->empty()) return false;
  cells->emplace_back();
  bool quoted = false, was_quoted = false;
  size_t at = 0;
  for (; at < text->size(); ++at) {
    const char c = (*text)[at];
    if (quoted) {
      if (c == '\n') ++*lines;
      if (c != '"') {
        cells->back() += c;
      } else if (at + 1 < text->size() && (*text)[at + 1] == '"') {
        cells->back() += '"';
        ++at;
      } else {
        quoted = false;
      }
    } else if (c == ',') {
      cells->emplace_back();
      was_quoted = false;
    } else if (c == '\n') {
      ++at;
      break;
    } else if (c == '"' && cells->back().empty() && !was_quoted) {
      quoted = was_quoted = true;
    } else if (c != '\r' || (at + 1 < text->size() && (*text)[at + 1] != '\n')) {
      if (was_quoted) *broken = true;
      cells->back() += c;
    }
  }
  if (quoted) *broken = true;
  ++*lines;
  text->remove_prefix(at);
  return true;
}

template <class T>
bool ReadNumber(std::string_view word, T* number) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), *number);
  return error == std::errc() && end == word.data() + word.size();
}

struct Timed {
  double number = 0;
  bool is_number = false;
  std::string text;
  bool operator<(const Timed& other) const {
    if (is_number && other.is_number) return number < other.number;
    return text < other.text;
  }
};

}  // namespace

absl::StatusOr<std::vector<Row>> ParseCsv(std::string_view name, std::string_view text,
                                          const Columns& columns) {
  std::vector<std::string> header, cells;
  size_t lines = 0;
  bool broken = false;
  if (!NextRecord(&text, &header, &lines, &broken) || broken) {
    return InvalidArgument(fmt::format("{}:1: there is no header line of column names", name));
  }
  std::optional<std::string> missing;
  const auto place = [&](const std::string& column) -> size_t {
    const auto at = std::find(header.begin(), header.end(), column);
    if (at == header.end() && !missing) missing = column;
    return static_cast<size_t>(at - header.begin());
  };
  const auto places = [&](const std::vector<std::string>& names) {
    std::vector<size_t> out;
    for (const std::string& column : names) out.push_back(place(column));
    return out;
  };
  const size_t label = place(columns.label);
  const size_t time = columns.time.empty() ? header.size() : place(columns.time);
  const size_t session = columns.session.empty() ? header.size() : place(columns.session);
  const auto token = places(columns.token), numbers = places(columns.token_numbers),
             features = places(columns.features);
  if (missing) {
    return InvalidArgument(fmt::format("{}:1: there is no column '{}'; there are: {}", name,
                                       *missing, fmt::join(header, ", ")));
  }
  std::vector<std::pair<Timed, Row>> rows;
  while (true) {
    const size_t line = lines + 1;
    if (!NextRecord(&text, &cells, &lines, &broken)) break;
    if (cells.size() == 1 && cells[0].empty() && !broken) continue;  // a blank line
    if (broken) return InvalidArgument(fmt::format("{}:{}: a quote is not closed", name, line));
    if (cells.size() != header.size()) {
      return InvalidArgument(fmt::format("{}:{}: column {}: has {} columns, the header {}", name,
                                         line, std::min(cells.size(), header.size()) + 1,
                                         cells.size(), header.size()));
    }
    const auto wrong = [&](size_t column, std::string_view what) {
      return InvalidArgument(fmt::format("{}:{}: column {} ({}): '{}' {}", name, line, column + 1,
                                         header[column], cells[column], what));
    };
    auto& [when, row] = rows.emplace_back();
    if (cells[label] == "0" || cells[label] == "1") {
      row.label = cells[label] == "1";
    } else if (!cells[label].empty()) {
      return wrong(label, "is neither 0, 1 nor empty");
    }
    if (time < header.size()) {
      if (cells[time].empty()) return wrong(time, "is no time");
      when.text = cells[time];
      when.is_number = ReadNumber(cells[time], &when.number);
    }
    if (session < header.size()) row.session = cells[session];
    for (const size_t at : token) row.token.push_back(cells[at]);
    for (const size_t at : numbers) {
      float value = std::numeric_limits<float>::quiet_NaN();
      if (!cells[at].empty() && (!ReadNumber(cells[at], &value) || !std::isfinite(value))) {
        return wrong(at, "is no number");
      }
      row.token_numbers.push_back(value);
    }
    for (const size_t at : features) row.features.push_back(cells[at]);
  }
  if (time < header.size()) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  std::vector<Row> out;
  for (auto& [when, row] : rows) out.push_back(std::move(row));
  if (out.empty()) return InvalidArgument(fmt::format("{}: holds no row", name));
  return out;
}

absl::StatusOr<std::vector<Row>> ParseLibfm(std::string_view name, std::string_view text) {
  std::vector<Row> rows;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = text.find('\n');
    std::string_view left = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    Row row;
    for (size_t column = 1; !left.empty(); ++column) {
      const size_t begin = left.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) break;
      left.remove_prefix(begin);
      const std::string_view word = left.substr(0, left.find_first_of(" \t\r"));
      left.remove_prefix(word.size());
      const auto wrong = [&](std::string_view what) {
        return InvalidArgument(
            fmt::format("{}:{}: column {}: '{}' {}", name, line, column, word, what));
      };
      if (column == 1) {
        double label = 0;
        if (!ReadNumber(word, &label) || (label != 0 && label != 1 && label != -1)) {
          return wrong("is neither 0, 1 nor -1");
        }
        row.label = label == 1;
        continue;
      }
      const size_t colon = word.find(':');
      uint32_t index = 0;
      float value = 0;
      if (colon == std::string_view::npos || !ReadNumber(word.substr(0, colon), &index) ||
          !ReadNumber(word.substr(colon + 1), &value) || !std::isfinite(value)) {
        return wrong("is no index:value");
      }
      row.sparse.emplace_back(index, value);
    }
    if (row.label >= 0) rows.push_back(std::move(row));
  }
  if (rows.empty()) return InvalidArgument(fmt::format("{}: holds no row", name));
  return rows;
}

std::string GenerateLog(int sessions, uint64_t seed) {
  constexpr const char* kGenres[] = {"pop",  "rock",  "jazz",   "classical",
                                     "folk", "metal", "hiphop", "electronic"};
  adagents::Random random(seed);
  std::string out = "time,session,kind,genre,energy,hour,device,offer_genre,brand,click\n";
  int64_t time = 0;
  for (int s = 0; s < sessions; ++s) {
    const size_t favourite = random.Below(8), other = random.Below(8), hour = random.Below(24);
    const char* const device = random.Chance(0.6) ? "phone" : "speaker";
    double skips = 0.5;  // of late
    for (int i = 0; i < 20; ++i) {
      const size_t genre = random.Chance(0.7) ? favourite : other;
      const bool skip = random.Chance(genre == favourite ? 0.1 : 0.5);
      skips = 0.7 * skips + 0.3 * (skip ? 1 : 0);
      out += fmt::format("{},s{},{},{},{:.2f},{},{},,,\n", time++, s, skip ? "skip" : "end",
                         kGenres[genre], random.Uniform(), hour, device);
      if (i % 5 != 4) continue;
      const size_t offer = random.Below(8), brand = random.Below(30);
      double z = -2.2 + (offer == favourite ? 2.4 : 0) - 1.5 * skips;
      z += brand % 5 == 0 ? 0.8 : 0;
      z += hour >= 22 && brand % 2 == 0 ? -1.0 : 0;
      const bool click = random.Chance(1 / (1 + std::exp(-z)));
      out += fmt::format("{},s{},offer,,,{},{},{},b{},{}\n", time++, s, hour, device,
                         kGenres[offer], brand, click ? 1 : 0);
    }
  }
  return out;
}

}  // namespace train
