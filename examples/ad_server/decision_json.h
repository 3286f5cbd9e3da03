// One decision as one line of JSON, for --out.
#pragma once

#include <string>
#include <string_view>

#include "adagents/ads/decision.h"
#include "adagents/ads/request.h"
#include "adagents/runtime/options.h"

namespace ad_server {

std::string DecisionJson(size_t line, const adagents::ads::Request& request,
                         const adagents::Answer<adagents::ads::Decision>& answer);
/// The same for a line that is no request.
std::string RefusalJson(size_t line, std::string_view error);

}  // namespace ad_server
