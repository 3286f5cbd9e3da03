// What programs that draw SVG have in common. Functions of their arguments: thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace adagents::bench {

/// `text` as it may stand in SVG and HTML, between tags and in attributes. Control characters
/// become blanks.
std::string Escaped(std::string_view text);
/// With three digits that count.
std::string Digits(double value);

}  // namespace adagents::bench
