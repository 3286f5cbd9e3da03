#include "events.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "adagents/base/ids.h"
#include "adagents/base/money.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application
using ads::OutcomeKind;
using nlohmann::json;

/// In the year 2255. Clocks end in 2262, and "infinite-future" is a time that never comes.
const absl::Time kLatest = absl::FromUnixSeconds(9'000'000'000);

struct EventName {
  std::string_view name;
  std::optional<OutcomeKind> kind;
};
constexpr std::array<EventName, 8> kEvents = {{{"win", std::nullopt},
                                               {"impression", OutcomeKind::kImpression},
                                               {"click", OutcomeKind::kClick},
                                               {"completion", OutcomeKind::kCompletion},
                                               {"conversion", OutcomeKind::kConversion},
                                               {"loss", OutcomeKind::kLoss},
                                               {"no_render", OutcomeKind::kLoss},
                                               {"expired", OutcomeKind::kLoss}}};

/// Shortened, and without what would spoil a terminal. What nests is named only: dump() calls
/// itself for each level, and the depth is the sender's to choose.
std::string Shown(const json& value) {
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  constexpr size_t kMost = 40;
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  return text;
}

/// Reads the members of one object, keeps the first error, and knows what nobody asked for.
class Fields {
 public:
  explicit Fields(const json& object) : object_(object) {}

  /// The member, or null when it is absent; whatever its kind.
  const json* Take(std::string_view key) {
    known_.push_back(key);
    const auto found = object_.find(std::string(key));
    return found == object_.end() ? nullptr : &*found;
  }
  void Fault(std::string_view key, std::string_view what) {
    if (status_.ok()) status_ = InvalidArgument(fmt::format("{}: {}", key, what));
  }
  void Wrong(std::string_view key, std::string_view what, const json& got) {
    Fault(key, fmt::format("must be {}, got {}", what, Shown(got)));
  }
  std::optional<std::string> Text(std::string_view key, std::string_view what = "a text") {
    const json* value = Take(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    Wrong(key, what, *value);
    return std::nullopt;
  }
  std::optional<absl::Time> Time(std::string_view key) {
    const std::string_view kWhat = "a time such as \"2026-07-01T12:00:00Z\", from 1970 to 2254";
    const auto text = Text(key, kWhat);
    absl::Time time;
    std::string error;
    if (!text) return std::nullopt;
    if (absl::ParseTime(absl::RFC3339_full, *text, &time, &error) && time >= absl::UnixEpoch() &&
        time <= kLatest) {
      return time;
    }
    Wrong(key, kWhat, *text);
    return std::nullopt;
  }
  absl::Status Finish() {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      Fault(Shown(key), fmt::format("unknown field; {} may be here", fmt::join(known_, ", ")));
    }
    return status_;
  }

 private:
  const json& object_;
  std::vector<std::string_view> known_;
  absl::Status status_;
};

void ReadPrice(Fields& fields, const EventName& event, ads::OutcomeEvent* out) {
  const json* price = fields.Take("price");
  if (price == nullptr) {
    if (event.kind == OutcomeKind::kImpression) fields.Fault("price", "is missing");
  } else {
    const auto micros =
        price->is_number() ? Micros::FromUnits(price->get<double>()) : std::optional<Micros>();
    if (!micros || micros->value < 0) {
      fields.Wrong("price", "an amount of money from 0", *price);
    } else {
      out->price = *micros;
    }
  }
  if (const auto text = fields.Text("cur")) {
    const auto cur = Currency::Parse(*text);
    if (!cur) fields.Wrong("cur", "an ISO 4217 code such as \"USD\"", *text);
    out->cur = cur.value_or(Currency());
  }
}

void ReadIds(Fields& fields, const EventName& event, ads::OutcomeEvent* out) {
  constexpr std::string_view kId = "an id of up to 16 hexadecimal digits";
  if (const auto text = fields.Text("decision", kId)) {
    const char* const end = text->data() + text->size();
    const auto [stop, error] = std::from_chars(text->data(), end, out->decision, 16);
    if (error != std::errc() || stop != end || text->empty()) {
      fields.Wrong("decision", kId, *text);
    }
  } else {
    fields.Fault("decision", "is missing");
  }
  if (const json* bid = fields.Take("bid")) {
    if (bid->is_number_unsigned() && bid->get<uint64_t>() <= std::numeric_limits<uint32_t>::max()) {
      out->bid = bid->get<uint32_t>();
    } else {
      fields.Wrong("bid", "a whole number from 0", *bid);
    }
  }
  if (const auto campaign = fields.Text("campaign")) {
    out->campaign = StableHash64(*campaign);
  } else if (event.kind == OutcomeKind::kImpression || event.kind == OutcomeKind::kLoss) {
    fields.Fault("campaign", "is missing");
  }
}

void ReadPlain(Fields& fields, EventLine* out) {
  const auto name = fields.Text("event");
  if (!name) return fields.Fault("event", "is missing, as is a notice");
  const auto* event = std::find_if(kEvents.begin(), kEvents.end(),
                                   [&](const EventName& e) { return e.name == *name; });
  if (event == kEvents.end()) {
    std::vector<std::string_view> names;
    for (const EventName& e : kEvents) names.push_back(e.name);
    return fields.Wrong("event", fmt::format("one of {}", fmt::join(names, ", ")), *name);
  }
  out->name = *name;
  ads::OutcomeEvent outcome;
  ReadIds(fields, *event, &outcome);
  ReadPrice(fields, *event, &outcome);
  outcome.issued = fields.Time("issued").value_or(absl::Time());
  if (!event->kind) return;
  outcome.kind = *event->kind;
  out->outcome = outcome;
}

}  // namespace

absl::StatusOr<EventLine> ParseEvent(std::string_view line) {
  const json object = json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return InvalidArgument("the line: is no JSON object");
  EventLine out;
  Fields fields(object);
  out.at = fields.Time("at");
  if (const auto notice = fields.Text("notice", "a notice's URL")) {
    out.notice = *notice;
    if (notice->empty()) fields.Fault("notice", "must not be empty");
  } else if (!object.contains("notice")) {
    ReadPlain(fields, &out);
  }
  if (absl::Status status = fields.Finish(); !status.ok()) return status;
  return out;
}

std::string NoticeLine(absl::Time at, std::string_view url) {
  // A URL of ours has nothing that JSON would escape.
  return fmt::format(R"({{"at":"{}","notice":"{}"}})",
                     absl::FormatTime(absl::RFC3339_full, at, absl::UTCTimeZone()), url);
}

}  // namespace ad_server
