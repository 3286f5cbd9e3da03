#include "screen.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "fmt/format.h"
#include "value.h"

namespace inspect {
namespace {

using namespace adagents;  // NOLINT: an application

constexpr size_t kNameColumns = 20;

std::string Grouped(int64_t n) {
  const std::string digits = std::to_string(n);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    const size_t left = digits.size() - i;
    if (i > 0 && left % 3 == 0 && digits[i - 1] != '-') out += ',';
    out += digits[i];
  }
  return out;
}
std::string Grouped(uint64_t n) {
  return n > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())
             ? std::to_string(n)
             : Grouped(static_cast<int64_t>(n));
}
std::string About(bool exact, uint64_t n) {
  return exact ? Grouped(n) : fmt::format("~{}", Grouped(n));
}
std::string Size(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double size = static_cast<double>(bytes);
  size_t unit = 0;
  while (size >= 1024 && unit < 4) size /= 1024, ++unit;
  return unit == 0 ? fmt::format("{} bytes", bytes) : fmt::format("{:.1f} {}", size, kUnits[unit]);
}
std::string TypeOf(const RegionObject& o) {
  const std::string value = Printable(o.ValueType());
  return o.kind == ObjectKind::kTable ? fmt::format("{} -> {}", Printable(o.KeyType()), value)
                                      : value;
}
const char* NameOf(Writer writer) {
  return writer == Writer::kRunning ? "running" : writer == Writer::kClosed ? "closed" : "gone";
}
std::string In(int64_t nanos) {
  if (nanos == std::numeric_limits<int64_t>::max()) return "never expires";
  if (nanos <= 0) return "expired";
  return "expires in " +
         absl::FormatDuration(absl::Trunc(absl::Nanoseconds(nanos), absl::Milliseconds(100)));
}

/// What is counted up in an object, for its rate.
std::optional<uint64_t> Progress(const Object& object) {
  if (const auto* cell = std::get_if<CellView>(&object.view)) return cell->version;
  if (const auto* sum = std::get_if<int64_t>(&object.view)) return static_cast<uint64_t>(*sum);
  if (const auto* table = std::get_if<TableView>(&object.view)) return table->versions;
  if (const auto* stream = std::get_if<StreamView>(&object.view)) return stream->published;
  if (const auto* windows = std::get_if<WindowsView>(&object.view)) return windows->opened;
  return std::nullopt;
}

class Printer {
 public:
  Printer(const Look& look, const Look* before) : look_(look) {
    if (before != nullptr && before->header.owner_epoch == look.header.owner_epoch &&
        before->header.writer_pid == look.header.writer_pid) {
      before_ = before;
    }
  }

  std::string Print() {
    const RegionHeader& h = look_.header;
    Line("{}  {}, {} used  writer {} ({})  epoch {}  schema {}  {}\n", Printable(look_.path),
         Size(h.bytes), Size(h.used), h.writer_pid, NameOf(look_.writer), h.owner_epoch,
         h.schema_version, absl::FormatTime("%H:%M:%S", look_.time, absl::LocalTimeZone()));
    if (look_.objects.empty()) Line("\nnothing is in it yet\n");
    for (const ObjectKind kind :
         {ObjectKind::kCell, ObjectKind::kCounter, ObjectKind::kBoundedCounter, ObjectKind::kTable,
          ObjectKind::kStream, ObjectKind::kWindows}) {
      bool first = true;
      for (const Object& object : look_.objects) {
        if (object.facts.kind != kind) continue;
        if (std::exchange(first, false)) Heading(kind);
        Show(object);
      }
    }
    return std::move(out_);
  }

 private:
  template <class... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    out_ += fmt::format(format, std::forward<Args>(args)...);
  }

  void Heading(ObjectKind kind) {
    switch (kind) {
      case ObjectKind::kCell:
        Line("\n{:<20} {:>14} {:>11} {:>8}  value\n", "CELL", "version", "a second", "writing");
        break;
      case ObjectKind::kCounter:
        Line("\n{:<20} {:>14} {:>11}\n", "COUNTER", "value", "a second");
        break;
      case ObjectKind::kBoundedCounter:
        Line("\n{:<20} {:>14} {:>14} {:>14}\n", "BOUNDED COUNTER", "value", "limit", "left");
        break;
      case ObjectKind::kTable:
        Line("\n{:<20} {:>14} {:>11} {:>12} {:>12} {:>10} {:>8}  types\n", "TABLE", "changes",
             "a second", "entries", "room for", "expired", "writing");
        break;
      case ObjectKind::kStream:
        Line("\n{:<20} {:>14} {:>11} {:>12}  newest\n", "STREAM", "published", "a second", "keeps");
        break;
      case ObjectKind::kWindows:
        Line("\n{:<20} {:>14} {:>11} {:>12} {:>8}  terms\n", "WINDOWS", "opened", "a second",
             "room for", "opening");
    }
  }

  std::string Name(const Object& object) const {
    std::string name = Printable(object.facts.Name());
    return name.size() > kNameColumns ? name.substr(0, kNameColumns - 1).append("~") : name;
  }

  std::string Rate(const Object& object) const {
    if (before_ == nullptr) return "";
    const double seconds = absl::ToDoubleSeconds(look_.time - before_->time);
    for (const Object& old : before_->objects) {
      if (old.facts.Name() != object.facts.Name() || old.facts.kind != object.facts.kind) continue;
      const auto was = Progress(old), is = Progress(object);
      if (!was || !is || seconds <= 0) return "";
      return fmt::format("{:.1f}", static_cast<double>(static_cast<int64_t>(*is - *was)) / seconds);
    }
    return "";
  }

  void Show(const Object& object) {
    const RegionObject& facts = object.facts;
    if (std::holds_alternative<std::monostate>(object.view)) {
      Line("{:<20} {:>14}\n", Name(object), "(no view)");
    } else if (const auto* cell = std::get_if<CellView>(&object.view)) {
      Line("{:<20} {:>14} {:>11} {:>8}  {}\n", Name(object), Grouped(cell->version), Rate(object),
           cell->writing, ShowValue(facts.ValueFields(), cell->value));
    } else if (const auto* sum = std::get_if<int64_t>(&object.view)) {
      Line("{:<20} {:>14} {:>11}\n", Name(object), Grouped(*sum), Rate(object));
    } else if (const auto* bounded = std::get_if<BoundedCounterView>(&object.view)) {
      // A limit may have been lowered under the value.
      const int64_t left = std::max<int64_t>(
          0, std::max<int64_t>(0, bounded->limit) - std::max<int64_t>(0, bounded->value));
      Line("{:<20} {:>14} {:>14} {:>14}\n", Name(object), Grouped(bounded->value),
           Grouped(bounded->limit), Grouped(left));
    } else if (const auto* table = std::get_if<TableView>(&object.view)) {
      ShowTable(object, *table);
    } else if (const auto* stream = std::get_if<StreamView>(&object.view)) {
      Line("{:<20} {:>14} {:>11} {:>12}  {}\n", Name(object), Grouped(stream->published),
           Rate(object), Grouped(stream->capacity),
           stream->newest.empty() ? "" : ShowValue(facts.ValueFields(), stream->newest));
    } else if (const auto* windows = std::get_if<WindowsView>(&object.view)) {
      Line("{:<20} {:>14} {:>11} {:>12} {:>8}  {}\n", Name(object),
           About(windows->looked == windows->lines, windows->opened), Rate(object),
           Grouped(windows->slots), windows->opening, Printable(facts.ValueFields()));
    }
  }

  void ShowTable(const Object& object, const TableView& table) {
    const auto about = [exact = table.looked == table.sets](uint64_t n) { return About(exact, n); };
    Line("{:<20} {:>14} {:>11} {:>12} {:>12} {:>10} {:>8}  {}\n", Name(object),
         about(table.versions), Rate(object), about(table.live), Grouped(table.slots),
         about(table.expired), table.writing, TypeOf(object.facts));
    for (const TableView::Entry& entry : table.some) {
      Line("    {} -> {}  ({})\n", ShowValue(object.facts.KeyFields(), entry.key),
           ShowValue(object.facts.ValueFields(), entry.value), In(entry.expires_in));
    }
  }

  const Look& look_;
  const Look* before_ = nullptr;
  std::string out_;
};

nlohmann::ordered_json JsonObject(const Object& object) {
  const RegionObject& facts = object.facts;
  nlohmann::ordered_json out{{"name", facts.Name()},
                             {"kind", adagents::NameOf(facts.kind)},
                             {"type", facts.ValueType()},
                             {"bytes", facts.bytes}};
  if (const auto* cell = std::get_if<CellView>(&object.view)) {
    out["version"] = cell->version;
    out["writing"] = cell->writing;
    out["value"] = JsonValue(facts.ValueFields(), cell->value);
  } else if (const auto* sum = std::get_if<int64_t>(&object.view)) {
    out["value"] = *sum;
  } else if (const auto* bounded = std::get_if<BoundedCounterView>(&object.view)) {
    out["value"] = bounded->value;
    out["limit"] = bounded->limit;
  } else if (const auto* table = std::get_if<TableView>(&object.view)) {
    out["key_type"] = facts.KeyType();
    out["exact"] = table->looked == table->sets;
    out["changes"] = table->versions;
    out["entries"] = table->live;
    out["room_for"] = table->slots;
    out["expired"] = table->expired;
    out["full_sets"] = table->full;
    out["writing"] = table->writing;
    out["some"] = nlohmann::ordered_json::array();
    for (const TableView::Entry& entry : table->some) {
      nlohmann::ordered_json one{{"key", JsonValue(facts.KeyFields(), entry.key)},
                                 {"value", JsonValue(facts.ValueFields(), entry.value)}};
      if (entry.expires_in != std::numeric_limits<int64_t>::max()) {
        one["expires_in_ns"] = entry.expires_in;
      }
      out["some"].push_back(std::move(one));
    }
  } else if (const auto* stream = std::get_if<StreamView>(&object.view)) {
    out["published"] = stream->published;
    out["keeps"] = stream->capacity;
    if (!stream->newest.empty()) out["newest"] = JsonValue(facts.ValueFields(), stream->newest);
  } else if (const auto* windows = std::get_if<WindowsView>(&object.view)) {
    out["terms"] = Printable(facts.ValueFields());
    out["exact"] = windows->looked == windows->lines;
    out["opened"] = windows->opened;
    out["room_for"] = windows->slots;
    out["opening"] = windows->opening;
  } else {
    out["view"] = nullptr;
  }
  return out;
}

template <size_t N>
std::string FieldOf(const char (&text)[N]) {
  return {text, strnlen(text, N)};
}

}  // namespace

std::string Screen(const Look& look, const Look* before) { return Printer(look, before).Print(); }

std::string Json(const Look& look) {
  const RegionHeader& h = look.header;
  nlohmann::ordered_json out{
      {"path", look.path},
      {"time", absl::FormatTime(absl::RFC3339_full, look.time, absl::UTCTimeZone())},
      {"bytes", h.bytes},
      {"used", h.used},
      {"writer", {{"pid", h.writer_pid}, {"state", NameOf(look.writer)}, {"epoch", h.owner_epoch}}},
      {"schema_version", h.schema_version},
      {"schema_hash", fmt::format("{:016x}", h.schema_hash)},
      {"layout_version", h.layout_version},
      {"hash_function", FieldOf(h.hash_name)},
      {"host", FieldOf(h.host)},
      {"boot", FieldOf(h.boot)},
      {"objects", nlohmann::ordered_json::array()}};
  for (const Object& object : look.objects) out["objects"].push_back(JsonObject(object));
  // Texts come from a file and may be no UTF-8.
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

std::string Clipped(const std::string& text, size_t rows, size_t columns) {
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  const size_t kept = lines <= rows ? lines : rows - 1;
  std::string out;
  size_t at = 0;
  for (size_t i = 0; i < kept; ++i) {
    const size_t end = text.find('\n', at);
    out += text.substr(at, std::min(end - at, columns)) + "\n";
    at = end + 1;
  }
  if (kept < lines)
    out += fmt::format("... {} more lines; --object shows one alone\n", lines - kept);
  return out;
}

}  // namespace inspect
