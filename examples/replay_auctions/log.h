// A log of auctions: one `click price predicted_ctr` a line, separated by blanks or tabs. click: 0
// or 1, whether the impression that was shown then was clicked; price: what it took to win, a
// number from 0; predicted_ctr: in [0, 1]. Blank lines do not count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace replay_auctions {

struct Auction {
  float price = 0;
  float ctr = 0;
  bool click = false;
};
using Log = std::vector<Auction>;

/// InvalidArgument names the line and what is wrong with it.
absl::StatusOr<Log> ParseLog(std::string_view name, std::string_view text);
/// The file, .xz too. InvalidArgument also when it holds no auction.
absl::StatusOr<Log> ReadLog(const std::string& path);

/// A made-up log for trying this out: rates lognormal and calibrated, prices lognormal, correlated
/// with the rates and drifting slowly, between 1 and 300. The same for the same seed.
std::string GenerateLog(int64_t lines, uint64_t seed);

/// What an auction costs on average, 0 for none.
double AveragePrice(const Log& log);

}  // namespace replay_auctions
