// Plays a log in episodes of so many auctions, each with a budget of its own. An auction is won
// when the bid is at least the price; the price is paid (second price). A bid is at most `max_bid`,
// and at most what is left of the episode's budget. The last episode may be shorter; its budget is
// too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "log.h"

namespace replay_auctions {

struct Rules {
  size_t episode = 1000;  // auctions
  double budget = 0;      // of an episode, in the log's own unit of price
  double max_bid = 300;
};

struct Result {
  int64_t auctions = 0, impressions = 0, clicks = 0;
  double cost = 0;
  double expected_clicks = 0;  // the sum of the predicted rates of what was won
};

/// Chooses bids. Sees nothing of an auction but its predicted rate before it bids.
class Bidder {
 public:
  virtual ~Bidder() = default;
  virtual std::string_view name() const = 0;
  virtual void BeginEpisode(double budget, size_t auctions) {
    (void)budget;
    (void)auctions;
  }
  /// In the log's unit of price; negative: none.
  virtual double Bid(double ctr) = 0;
  /// After each auction: what was paid, 0 when it was lost.
  virtual void After(bool won, double paid) {
    (void)won;
    (void)paid;
  }
};

Result Play(const Log& log, const Rules& rules, Bidder& bidder);

}  // namespace replay_auctions
