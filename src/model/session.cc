#include "adagents/model/session.h"

#include <cmath>
#include <limits>
#include <set>
#include <string_view>
#include <type_traits>

#include "adagents/base/ids.h"
#include "fmt/format.h"

namespace adagents::model {

static_assert(std::is_trivially_copyable_v<TokenWindow>);
static_assert(std::is_trivially_copyable_v<SessionVector>);

absl::Status TokenSchema::Check() const {
  if (categories_.size() > kMaxCategories || numbers_.size() > kMaxNumbers) {
    return InvalidArgument(
        fmt::format("token schema: {} categories and {} numbers, at most {} and {}",
                    categories_.size(), numbers_.size(), kMaxCategories, kMaxNumbers));
  }
  std::set<std::string_view> names;
  const auto named = [&names](const std::string& name) {
    return !name.empty() && name.size() <= 100 && names.insert(name).second;
  };
  for (const Category& c : categories_) {
    if (!named(c.name)) {
      return InvalidArgument(
          fmt::format("token schema: a name that is empty, over 100 bytes or there "
                      "twice: '{:.100}'",
                      c.name));
    }
    if (c.size < 2 || c.size > 65'536) {
      return InvalidArgument(
          fmt::format("token schema: '{}' has {} values; 2 to 65,536 may be", c.name, c.size));
    }
  }
  for (const Number& n : numbers_) {
    if (!named(n.name)) {
      return InvalidArgument(
          fmt::format("token schema: a name that is empty, over 100 bytes or there "
                      "twice: '{:.100}'",
                      n.name));
    }
    if (!std::isfinite(n.low) || !std::isfinite(n.high) || !(n.low < n.high)) {
      return InvalidArgument(
          fmt::format("token schema: '{}' ranges from {} to {}", n.name, n.low, n.high));
    }
  }
  return absl::OkStatus();
}

std::string TokenSchema::ToString() const {
  std::string text;
  for (const Category& c : categories_) text += fmt::format("{}[{}] ", c.name, c.size);
  for (const Number& n : numbers_) text += fmt::format("{}({} to {}) ", n.name, n.low, n.high);
  if (!text.empty()) text.pop_back();
  return text;
}

uint64_t TokenSchema::Hash() const {
  // Names come with their lengths, so that no two schemas make the same text.
  std::string text = "tokens";
  for (const Category& c : categories_) {
    text += fmt::format("|c{}:{}:{}", c.name.size(), c.name, c.size);
  }
  for (const Number& n : numbers_) {
    text += fmt::format("|n{}:{}:{:a}:{:a}", n.name.size(), n.name, n.low, n.high);
  }
  return StableHash64(text);
}

Token TokenSchema::Unknown() {
  Token token;
  for (float& n : token.number) n = std::numeric_limits<float>::quiet_NaN();
  return token;
}

}  // namespace adagents::model
