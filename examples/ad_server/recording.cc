#include "recording.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "adagents/adapters/openrtb/reader.h"
#include "shared/read_text.h"

namespace ad_server {
namespace {

/// The number behind the last `key` in the line, else 0.
double NumberAfter(std::string_view json, std::string_view key) {
  const size_t at = json.rfind(key);
  if (at == std::string_view::npos) return 0;
  return std::strtod(json.data() + at + key.size(), nullptr);  // a ',' or '}' ends it
}

double ArrivalOf(std::string_view json) {
  const double seconds = NumberAfter(json, "\"arrival\":");
  return seconds > 0 ? seconds : NumberAfter(json, "\"timestamp\":") / 1000.0;
}

}  // namespace

absl::Time TimeOf(double unix_seconds) {
  constexpr double kLatest = 9e9;  // the year 2255: recordings may say anything
  return absl::FromUnixMicros(static_cast<int64_t>(std::min(unix_seconds, kLatest) * 1e6));
}

absl::StatusOr<Recording> Recording::ReadFile(const std::string& path) {
  auto text = examples::ReadText(path);
  if (!text.ok()) return text.status();
  Recording recording;
  recording.text_ = *std::move(text);
  recording.Split();
  return recording;
}

void Recording::Split() {
  text_.append(adagents::openrtb::Reader::kPadding, '\0');
  simdjson::dom::parser parser;
  std::string_view left(text_.data(), text_.size() - adagents::openrtb::Reader::kPadding);
  for (size_t number = 1; !left.empty(); ++number) {
    const size_t end = left.find('\n');
    std::string_view line = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    // {"source": ..., "request": {...}}: the request alone. Native requests are named so too, but
    // stand deeper.
    if (line.find("\"request\"") != std::string_view::npos) {
      simdjson::dom::element document, request, imp;
      if (parser.parse(line.data(), line.size()).get(document) == simdjson::SUCCESS &&
          document["request"].get(request) == simdjson::SUCCESS &&
          document["imp"].get(imp) != simdjson::SUCCESS) {
        std::string text = simdjson::minify(request);
        const size_t size = text.size();
        text.append(adagents::openrtb::Reader::kPadding, '\0');
        taken_out_.push_back(std::move(text));
        line = std::string_view(taken_out_.back().data(), size);
      }
    }
    const double arrival = ArrivalOf(line);
    lines_.push_back({line, number, arrival});
    if (arrival <= 0) continue;
    first_ = first_ > 0 ? std::min(first_, arrival) : arrival;
    last_ = std::max(last_, arrival);
  }
}

}  // namespace ad_server
