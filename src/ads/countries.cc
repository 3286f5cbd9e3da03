#include "ads/countries.h"

#include <algorithm>

namespace adagents::ads::internal {
namespace {

constexpr Country kCountries[] = {
#include "ads/country_codes.inc"
};

}  // namespace

std::span<const Country> Countries() { return kCountries; }

std::string_view Alpha3(std::string_view two) {
  const Country* hit =
      std::lower_bound(std::begin(kCountries), std::end(kCountries), two,
                       [](const Country& c, std::string_view code) { return c.two < code; });
  return hit != std::end(kCountries) && hit->two == two ? hit->three : std::string_view();
}

}  // namespace adagents::ads::internal
