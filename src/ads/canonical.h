// Canonical() without memory of its own, for the path of every request.
#pragma once

#include <span>
#include <string_view>

#include "adagents/ads/campaign.h"

namespace adagents::ads::internal {

/// Longest value of a condition. A catalog with a longer one is refused, so a request's longer
/// value cannot match any and need not be looked at.
inline constexpr size_t kMaxValueBytes = 255;
using CanonicalBuffer = char[kMaxValueBytes + 1];

/// The spelling in which values of `a` are compared, in `buffer` or within `value`. Empty when
/// `value` is blank or longer than kMaxValueBytes.
std::string_view CanonicalInto(Attribute a, std::string_view value, CanonicalBuffer& buffer);

/// Without blanks at either end.
std::string_view Trimmed(std::string_view s);

}  // namespace adagents::ads::internal
