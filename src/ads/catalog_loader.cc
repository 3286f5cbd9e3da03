#include "adagents/ads/catalog_loader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "adagents/base/status.h"
#include "ads/campaign_check.h"
#include "ads/field_reader.h"
#include "ads/json_tree.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

using internal::FaultList;
using internal::FieldReader;
using internal::JsonNode;
using internal::Quoted;

constexpr size_t kMaxFaults = 100;  // listed; the rest is counted

absl::Time ReadTime(FieldReader& fields, std::string_view key, absl::Time otherwise) {
  const JsonNode* node = fields.Take(key, JsonNode::Kind::kText);
  if (node == nullptr) return otherwise;
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, node->text, &time, &error) ||
      absl::ParseTime("%Y-%m-%d", node->text, &time, &error)) {
    return time;
  }
  fields.Fault(
      key, "must be a time such as \"2026-03-01T00:00:00Z\" or a date, got " + Quoted(node->text));
  return otherwise;
}

constexpr std::string_view kDays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

/// Bit n for day n of the week.
unsigned ReadDays(FieldReader& fields) {
  constexpr unsigned kAll = 0x7f, kWeekdays = 0x1f, kWeekend = 0x60;
  const JsonNode* node = fields.TakeAny("days");
  if (node == nullptr) return kAll;
  if (node->kind == JsonNode::Kind::kText) {
    if (node->text == "all") return kAll;
    if (node->text == "weekdays") return kWeekdays;
    if (node->text == "weekend") return kWeekend;
  }
  unsigned days = 0;
  if (node->kind == JsonNode::Kind::kList) {
    for (const JsonNode& item : node->items) {
      const auto* day = std::find(std::begin(kDays), std::end(kDays), item.text);
      if (day == std::end(kDays)) {
        days = 0;
        break;
      }
      days |= 1u << (day - std::begin(kDays));
    }
  }
  if (days == 0) {
    fields.Fault("days", "must be \"weekdays\", \"weekend\", \"all\" or a list of " +
                             fmt::format("{}", fmt::join(kDays, ", ")));
  }
  return days;
}

void ReadHours(FieldReader& fields, HoursOfWeek* hours) {
  fields.ForEach("hours", [&](FieldReader& item) {
    const unsigned days = ReadDays(item);
    int64_t from = -1, to = -1;
    item.Require("from");
    item.Require("to");
    item.Integer("from", 0, 23, &from);
    item.Integer("to", 0, 24, &to);
    if (from >= 0 && from == to) item.Fault("to", "must differ from \"from\"");
    if (from < 0 || to < 0 || from == to) return;
    const int64_t length = to > from ? to - from : to + 24 - from;
    for (int64_t day = 0; day < 7; ++day) {
      if ((days >> day & 1) == 0) continue;
      for (int64_t h = 0; h < length; ++h) {
        hours->set(static_cast<size_t>((day * 24 + from + h) % 168));
      }
    }
  });
}

void ReadTargeting(FieldReader& fields, Targeting* targeting) {
  for (int i = 0; i < kAttributeCount; ++i) {
    const auto attribute = static_cast<Attribute>(i);
    const std::string_view name = Name(attribute);
    const JsonNode* node = fields.TakeAny(name);
    if (node == nullptr) continue;
    const auto add = [&](bool exclude, std::vector<std::string> values) {
      targeting->conditions.push_back({attribute, exclude, std::move(values)});
    };
    if (node->kind == JsonNode::Kind::kList) {
      std::vector<std::string> values;
      fields.Texts(name, &values);
      add(false, std::move(values));
    } else if (node->kind == JsonNode::Kind::kObject) {
      fields.Object(name, [&](FieldReader& lists) {
        for (const bool exclude : {false, true}) {
          std::vector<std::string> values;
          if (lists.Texts(exclude ? "exclude" : "include", &values)) {
            add(exclude, std::move(values));
          }
        }
      });
    } else {
      fields.Fault(name, "must be a list, or an object with \"include\" and \"exclude\"");
    }
  }
  ReadHours(fields, &targeting->hours);
}

/// "90s", "30m", "12h", "7d" or "4w".
void ReadWindow(FieldReader& fields, absl::Duration* out) {
  const JsonNode* node = fields.Take("window", JsonNode::Kind::kText);
  if (node == nullptr) return;
  constexpr std::pair<char, int> kUnits[] = {
      {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 7 * 86400}};
  constexpr int64_t kMost = 10'000'000;  // of any unit: far above the longest window
  const std::string& text = node->text;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  for (const auto& [letter, seconds] : kUnits) {
    if (error != std::errc() || number < 0 || number > kMost) break;
    if (end + 1 != text.data() + text.size() || *end != letter) continue;
    *out = absl::Seconds(number * seconds);
    return;
  }
  fields.Fault("window",
               "must be a length of time such as \"90s\", \"30m\", \"12h\", \"7d\" or "
               "\"4w\", got " +
                   Quoted(text));
}

void ReadCaps(FieldReader& fields, std::vector<FrequencyCap>* caps) {
  fields.ForEach("caps", [&](FieldReader& item) {
    for (const char* key : {"count", "window"}) item.Require(key);
    FrequencyCap& cap = caps->emplace_back();
    item.Int32("count", &cap.count);
    ReadWindow(item, &cap.window);
    item.Enum("per", {CapPer::kListener, CapPer::kHousehold, CapPer::kSession, CapPer::kDevice},
              &cap.per);
  });
}

void ReadCompanion(FieldReader& fields, Companion* c) {
  for (const char* key : {"w", "h", "media_url"}) fields.Require(key);
  fields.Int32("w", &c->w);
  fields.Int32("h", &c->h);
  fields.Text("mime", &c->mime);
  fields.Text("media_url", &c->media_url);
  fields.Text("click_through", &c->click_through);
}

void ReadCreative(FieldReader& fields, Creative* c) {
  for (const char* key : {"id", "format"}) fields.Require(key);
  c->format = MarkupType::kUnset;
  fields.Enum("format",
              {MarkupType::kAudio, MarkupType::kVideo, MarkupType::kBanner, MarkupType::kNative},
              &c->format);
  for (const auto& [key, text] : {std::pair{"id", &c->id},
                                  {"title", &c->title},
                                  {"body", &c->body},
                                  {"brand", &c->brand},
                                  {"media_url", &c->media_url},
                                  {"markup", &c->markup},
                                  {"click_through", &c->click_through},
                                  {"language", &c->language},
                                  {"tone", &c->tone},
                                  {"pace", &c->pace},
                                  {"voice", &c->voice},
                                  {"call_to_action", &c->call_to_action}}) {
    fields.Text(key, text);
  }
  for (const auto& [key, number] : {std::pair{"w", &c->w},
                                    {"h", &c->h},
                                    {"duration_ms", &c->duration_ms},
                                    {"bitrate_kbps", &c->bitrate_kbps}}) {
    fields.Int32(key, number);
  }
  fields.Texts("mimes", &c->mimes);
  fields.Integers("attr", 1, 63, [&](int64_t a) { c->attr.push_back(static_cast<uint8_t>(a)); });
  ReadCaps(fields, &c->caps);
  fields.ForEach("companions",
                 [&](FieldReader& item) { ReadCompanion(item, &c->companions.emplace_back()); });
}

void ReadMoney(FieldReader& fields, Campaign* c) {
  std::string currency;
  if (fields.Text("currency", &currency)) {
    const std::optional<Currency> parsed = Currency::Parse(currency);
    if (!parsed) {
      fields.Fault("currency", "must be an ISO 4217 code such as \"USD\", got " + Quoted(currency));
    }
    c->currency = parsed.value_or(Currency());
  }
  fields.Object("budget", [&](FieldReader& budget) {
    budget.Money("daily", &c->budget.daily);
    budget.Money("lifetime", &c->budget.lifetime);
    budget.Text("time_zone", &c->budget.time_zone);
  });
  fields.Object("bid", [&](FieldReader& bid) {
    bid.Require("max_cpm");
    bid.Money("max_cpm", &c->bid.max_cpm);
    bid.Enum("action", {Action::kNone, Action::kClick, Action::kCompletion, Action::kConversion},
             &c->bid.action);
    bid.Money("value_per_action", &c->bid.value_per_action);
  });
}

/// At most one target, named after what it is the price of.
void ReadPacing(FieldReader& pacing, PacingTerms* out) {
  pacing.Enum("strategy", {Pace::kEven, Pace::kAsap, Pace::kFrontLoaded}, &out->pace);
  std::string_view first;
  for (const auto& [key, per] : {std::pair{"target_cpm", Action::kNone},
                                 {"target_cpc", Action::kClick},
                                 {"target_cpcv", Action::kCompletion},
                                 {"target_cpa", Action::kConversion}}) {
    Micros target;
    if (!pacing.Money(key, &target)) continue;
    if (!first.empty()) {
      pacing.Fault(key,
                   fmt::format("there is a {} already, and only one target can be kept", first));
      continue;
    }
    if (target.value <= 0) {
      pacing.Fault(key, fmt::format("must be > 0, got {}: leave it out when there is no target",
                                    target.units()));
      continue;
    }
    first = key;
    out->target = target;
    out->per = per;
  }
}

void ReadCampaign(FieldReader& fields, Campaign* c) {
  for (const char* key : {"id", "advertiser", "budget", "bid", "adomain", "creatives"}) {
    fields.Require(key);
  }
  for (const auto& [key, text] : {std::pair{"id", &c->id},
                                  {"name", &c->name},
                                  {"advertiser", &c->advertiser},
                                  {"brand", &c->brand},
                                  {"seat", &c->seat}}) {
    fields.Text(key, text);
  }
  fields.Enum("objective",
              {Objective::kBrandAwareness, Objective::kDirectResponse, Objective::kReach},
              &c->objective);
  fields.Enum("line", {Line::kOpen, Line::kGuaranteed, Line::kHouse}, &c->line);
  ReadMoney(fields, c);
  fields.Object("pacing", [&](FieldReader& pacing) { ReadPacing(pacing, &c->pacing); });
  fields.Object("flight", [&](FieldReader& flight) {
    c->start = ReadTime(flight, "start", c->start);
    c->end = ReadTime(flight, "end", c->end);
  });
  fields.Int32("priority", &c->priority);
  fields.Texts("adomain", &c->adomain);
  fields.Texts("cat", &c->cat);
  ReadCaps(fields, &c->caps);
  fields.Object("targeting", [&](FieldReader& t) { ReadTargeting(t, &c->targeting); });
  fields.ForEach("creatives",
                 [&](FieldReader& item) { ReadCreative(item, &c->creatives.emplace_back()); });
}

class Loader {
 public:
  absl::StatusOr<std::unique_ptr<Catalog>> Load(std::string_view json) {
    internal::JsonFault fault;
    const bool read = internal::ReadJsonList(
        json, "campaigns", [&](size_t i, JsonNode item) { Add(i, item); },
        [&](std::string_view key, const JsonNode& node) {
          if (key == "brands") return ReadBrands(node);
          faults_.Add(node.line, key, "unknown key; only \"campaigns\" and \"brands\" may be here");
        },
        &fault);
    if (!read) faults_.Add(fault.line, fault.path, std::move(fault.what));
    if (faults_.count() > 0) return InvalidArgument(faults_.Text());
    return Catalog::Build(std::move(campaigns_), std::move(brands_));
  }

 private:
  void ReadBrands(const JsonNode& list) {
    if (list.kind != JsonNode::Kind::kList) {
      faults_.Add(list.line, "brands",
                  fmt::format("must be a list, got {}", internal::KindName(list.kind)));
      return;
    }
    const size_t before = faults_.count();
    for (size_t i = 0; i < list.items.size(); ++i) {
      const JsonNode& item = list.items[i];
      const std::string path = fmt::format("brands[{}]", i);
      BrandCaps& brand = brands_.emplace_back();
      if (item.kind != JsonNode::Kind::kObject) {
        faults_.Add(item.line, path,
                    fmt::format("must be an object, got {}", internal::KindName(item.kind)));
        continue;
      }
      FieldReader fields(item, path, &faults_);
      for (const char* key : {"brand", "caps"}) fields.Require(key);
      fields.Text("brand", &brand.brand);
      ReadCaps(fields, &brand.caps);
    }
    internal::CheckBrands(brands_, [&](std::string_view field, std::string what) {
      if (faults_.Mentions(before, field)) return;
      const std::string_view in_list = field.substr(std::string_view("brands").size());
      faults_.Add(internal::LineOf(list, in_list), field, std::move(what));
    });
  }

  void Add(size_t index, const JsonNode& item) {
    const std::string path = fmt::format("campaigns[{}]", index);
    const size_t before = faults_.count();
    if (item.kind != JsonNode::Kind::kObject) {
      faults_.Add(item.line, path,
                  fmt::format("must be an object, got {}", internal::KindName(item.kind)));
      return;
    }
    Campaign c;
    {
      FieldReader fields(item, path, &faults_);
      ReadCampaign(fields, &c);
    }
    // What was already found wrong while reading is not reported again as out of range.
    internal::CheckCampaign(c, [&](std::string_view field, std::string what) {
      const std::string full = fmt::format("{}.{}", path, field);
      if (!faults_.Mentions(before, full)) {
        faults_.Add(internal::LineOf(item, field), full, std::move(what));
      }
    });
    const auto [first, fresh] = ids_.try_emplace(c.id, index, item.line);
    if (!fresh) {
      faults_.Add(internal::LineOf(item, "id"), path + ".id",
                  fmt::format("{} repeats the id of campaigns[{}] in line {}", Quoted(c.id),
                              first->second.first, first->second.second));
    }
    if (faults_.count() == 0) campaigns_.push_back(std::move(c));
  }

  FaultList faults_{kMaxFaults};
  std::vector<Campaign> campaigns_;
  std::vector<BrandCaps> brands_;
  std::map<std::string, std::pair<size_t, int>> ids_;  // place and line of each
};

}  // namespace

absl::StatusOr<std::unique_ptr<Catalog>> LoadCatalog(std::string_view json) {
  return Loader().Load(json);
}

}  // namespace adagents::ads
