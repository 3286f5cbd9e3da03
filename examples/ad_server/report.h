// Results for people and for programs.
#pragma once

#include <string>

#include "money_report.h"
#include "options.h"
#include "replay.h"
#include "setting.h"

namespace ad_server {

std::string ReportTable(const Options& options, const ReplayResult& result, const Setting& setting,
                        const MoneyReport& money);
/// One object, without a line break.
std::string ReportJson(const Options& options, const ReplayResult& result, const Setting& setting,
                       const MoneyReport& money);

}  // namespace ad_server
