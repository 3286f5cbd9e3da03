#include "episodes.h"

#include <algorithm>

namespace replay_auctions {

Result Play(const Log& log, const Rules& rules, Bidder& bidder) {
  Result result;
  for (size_t begin = 0; begin < log.size(); begin += rules.episode) {
    const size_t end = std::min(log.size(), begin + rules.episode);
    double left =
        rules.budget * static_cast<double>(end - begin) / static_cast<double>(rules.episode);
    bidder.BeginEpisode(left, end - begin);
    for (size_t i = begin; i < end; ++i) {
      const Auction& a = log[i];
      const auto price = static_cast<double>(a.price);
      const double bid = std::min({bidder.Bid(static_cast<double>(a.ctr)), rules.max_bid, left});
      const bool won = bid >= price;
      if (won) {
        left -= price;
        result.cost += price;
        ++result.impressions;
        result.clicks += a.click ? 1 : 0;
        result.expected_clicks += static_cast<double>(a.ctr);
      }
      bidder.After(won, won ? price : 0);
      ++result.auctions;
    }
  }
  return result;
}

}  // namespace replay_auctions
