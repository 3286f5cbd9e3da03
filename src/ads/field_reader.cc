#include "ads/field_reader.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "ads/campaign_check.h"
#include "fmt/format.h"

namespace adagents::ads::internal {
namespace {

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      next[j] = std::min({replaced, row[j] + 1, next[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        next[j] = std::min(next[j], before[j - 2] + 1);
      }
    }
    before = row;
    row.swap(next);
  }
  return row[b.size()];
}

bool StartsWithPart(std::string_view path, std::string_view start) {
  return path.starts_with(start) &&
         (path.size() == start.size() || path[start.size()] == '.' || path[start.size()] == '[');
}

}  // namespace

void FaultList::Add(int line, std::string_view path, std::string what) {
  ++count_;
  if (faults_.size() < most_) faults_.push_back({line, std::string(path), std::move(what)});
}

bool FaultList::Mentions(size_t first, std::string_view path) const {
  for (size_t i = first; i < faults_.size(); ++i) {
    if (StartsWithPart(path, faults_[i].path)) return true;
  }
  return false;
}

std::string FaultList::Text() const {
  std::string out;
  for (const JsonFault& f : faults_) {
    if (!out.empty()) out += '\n';
    out += f.path.empty() ? fmt::format("line {}: {}", f.line, f.what)
                          : fmt::format("line {}, {}: {}", f.line, f.path, f.what);
  }
  if (count_ > faults_.size()) out += fmt::format("\nand {} more", count_ - faults_.size());
  return out;
}

int LineOf(const JsonNode& node, std::string_view path) {
  const JsonNode* at = &node;
  while (!path.empty()) {
    const JsonNode* next = nullptr;
    size_t taken = 0;
    if (path[0] == '[') {
      size_t index = 0;
      for (taken = 1; taken < path.size() && path[taken] != ']'; ++taken) {
        index = index * 10 + static_cast<size_t>(path[taken] - '0');
      }
      ++taken;
      // A list that stands where an object with "include" may is that include list.
      if (index < at->items.size()) next = &at->items[index];
    } else {
      taken = std::min(path.find_first_of(".["), path.size());
      const std::string_view key = path.substr(0, taken);
      next = at->Find(key);
      if (next == nullptr && key == "include" && at->kind == JsonNode::Kind::kList) next = at;
    }
    if (next == nullptr) break;
    at = next;
    path.remove_prefix(std::min(taken, path.size()));
    if (path.starts_with('.')) path.remove_prefix(1);
  }
  return at->line;
}

std::string_view Nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  // Up to a third of the letters may be wrong, and at least one.
  size_t least = std::max<size_t>(2, word.size() / 3 + 1);
  constexpr size_t kLongest = 64;  // keys and names are shorter; keeps hostile input cheap
  if (word.size() > kLongest) return best;
  for (std::string_view candidate : known) {
    // "duration" for "duration_ms" is one slip, not three letters.
    const bool cut = word.size() >= 3 && candidate.starts_with(word);
    const size_t distance = cut ? 1 : Distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

FieldReader::FieldReader(const JsonNode& object, std::string path, FaultList* faults)
    : object_(object), path_(std::move(path)), faults_(faults) {}

FieldReader::~FieldReader() {
  for (const JsonNode& member : object_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    const std::string_view nearest = Nearest(member.key, known_);
    const std::string quoted = Quoted(member.key);
    FaultAt(member.line, PathOf(std::string_view(quoted).substr(1, quoted.size() - 2)),
            nearest.empty() ? "unknown key"
                            : fmt::format("unknown key, did you mean \"{}\"?", nearest));
  }
}

std::string FieldReader::PathOf(std::string_view key) const {
  return fmt::format("{}.{}", path_, key);
}

void FieldReader::FaultAt(int line, const std::string& path, std::string what) {
  faults_->Add(line, path, std::move(what));
}

void FieldReader::Fault(std::string_view key, std::string what) {
  const JsonNode* node = object_.Find(key);
  FaultAt(node == nullptr ? object_.line : node->line, PathOf(key), std::move(what));
}

void FieldReader::Require(std::string_view key) {
  if (object_.Find(key) == nullptr) Fault(key, "is missing");
}

const JsonNode* FieldReader::TakeAny(std::string_view key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.push_back(key);
  return object_.Find(key);
}

const JsonNode* FieldReader::Take(std::string_view key, JsonNode::Kind kind) {
  const JsonNode* node = TakeAny(key);
  if (node == nullptr || node->kind == kind) return node;
  Fault(key, fmt::format("must be {}, got {}", KindName(kind), KindName(node->kind)));
  return nullptr;
}

bool FieldReader::Text(std::string_view key, std::string* out) {
  const JsonNode* node = Take(key, JsonNode::Kind::kText);
  if (node == nullptr) return false;
  *out = node->text;
  return true;
}

bool FieldReader::Texts(std::string_view key, std::vector<std::string>* out) {
  const JsonNode* node = Take(key, JsonNode::Kind::kList);
  if (node == nullptr) return false;
  for (size_t i = 0; i < node->items.size(); ++i) {
    const JsonNode& item = node->items[i];
    if (item.kind == JsonNode::Kind::kText) {
      out->push_back(item.text);
    } else {
      FaultAt(item.line, fmt::format("{}[{}]", PathOf(key), i),
              fmt::format("must be text, got {}", KindName(item.kind)));
    }
  }
  return true;
}

bool FieldReader::Integer(std::string_view key, int64_t low, int64_t high, int64_t* out) {
  const JsonNode* node = Take(key, JsonNode::Kind::kNumber);
  if (node == nullptr) return false;
  const double value = node->number;
  if (value != std::floor(value) || value < static_cast<double>(low) ||
      value > static_cast<double>(high)) {
    Fault(key, fmt::format("must be a whole number from {} to {}, got {}", low, high, value));
    return false;
  }
  *out = static_cast<int64_t>(value);
  return true;
}

bool FieldReader::Int32(std::string_view key, int32_t* out) {
  int64_t value = 0;
  if (!Integer(key, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max(),
               &value)) {
    return false;
  }
  *out = static_cast<int32_t>(value);
  return true;
}

void FieldReader::Integers(std::string_view key, int64_t low, int64_t high,
                           absl::FunctionRef<void(int64_t)> each) {
  const JsonNode* node = Take(key, JsonNode::Kind::kList);
  if (node == nullptr) return;
  for (size_t i = 0; i < node->items.size(); ++i) {
    const JsonNode& item = node->items[i];
    const double value = item.number;
    if (item.kind == JsonNode::Kind::kNumber && value == std::floor(value) &&
        value >= static_cast<double>(low) && value <= static_cast<double>(high)) {
      each(static_cast<int64_t>(value));
      continue;
    }
    FaultAt(item.line, fmt::format("{}[{}]", PathOf(key), i),
            fmt::format("must be a whole number from {} to {}", low, high));
  }
}

bool FieldReader::Money(std::string_view key, Micros* out) {
  const JsonNode* node = Take(key, JsonNode::Kind::kNumber);
  if (node == nullptr) return false;
  const std::optional<Micros> money = Micros::FromUnits(node->number);
  if (!money) {
    Fault(key, fmt::format("is no amount of money: {}", node->number));
    return false;
  }
  *out = *money;
  return true;
}

size_t FieldReader::Choice(std::string_view key, const std::vector<std::string_view>& names) {
  const JsonNode* node = Take(key, JsonNode::Kind::kText);
  if (node == nullptr) return names.size();
  const auto hit = std::find(names.begin(), names.end(), node->text);
  if (hit != names.end()) return static_cast<size_t>(hit - names.begin());
  const std::string_view nearest = Nearest(node->text, names);
  Fault(key,
        nearest.empty()
            ? fmt::format("must be one of {}, got {}", fmt::join(names, ", "), Quoted(node->text))
            : fmt::format("unknown {}, did you mean \"{}\"?", Quoted(node->text), nearest));
  return names.size();
}

void FieldReader::Object(std::string_view key, absl::FunctionRef<void(FieldReader&)> read) {
  const JsonNode* node = Take(key, JsonNode::Kind::kObject);
  if (node == nullptr) return;
  FieldReader fields(*node, PathOf(key), faults_);
  read(fields);
}

void FieldReader::ForEach(std::string_view key, absl::FunctionRef<void(FieldReader&)> read) {
  const JsonNode* node = Take(key, JsonNode::Kind::kList);
  if (node == nullptr) return;
  for (size_t i = 0; i < node->items.size(); ++i) {
    const JsonNode& item = node->items[i];
    const std::string path = fmt::format("{}[{}]", PathOf(key), i);
    if (item.kind != JsonNode::Kind::kObject) {
      FaultAt(item.line, path, fmt::format("must be an object, got {}", KindName(item.kind)));
      continue;
    }
    FieldReader fields(item, path, faults_);
    read(fields);
  }
}

}  // namespace adagents::ads::internal
