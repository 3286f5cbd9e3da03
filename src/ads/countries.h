// ISO 3166-1 countries with their main time zones.
#pragma once

#include <span>
#include <string_view>

namespace adagents::ads::internal {

struct Country {
  std::string_view two, three;  // alpha-2 and alpha-3 codes, upper case
  std::string_view zone;        // where most of its people live, a tz database name
};

/// All, by rising alpha-2 code.
std::span<const Country> Countries();

/// The alpha-3 code for an alpha-2 one, both upper case; empty when there is none.
std::string_view Alpha3(std::string_view two);

}  // namespace adagents::ads::internal
