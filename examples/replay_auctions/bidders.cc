#include "bidders.h"

#include <algorithm>

#include "adagents/base/status.h"
#include "fmt/format.h"
#include "team_bidder.h"

namespace replay_auctions {
namespace {

class Constant final : public Bidder {
 public:
  explicit Constant(double bid) : bid_(bid) {}
  std::string_view name() const override { return "constant"; }
  double Bid(double) override { return bid_; }

 private:
  const double bid_;
};

class Linear final : public Bidder {
 public:
  explicit Linear(double value_of_click) : value_(value_of_click) {}
  std::string_view name() const override { return "linear"; }
  double Bid(double ctr) override { return value_ * ctr; }

 private:
  const double value_;
};

/// Of a hundred bids up to the highest, the one with the most clicks in training, by prediction
/// where clicks are equal; `make` turns a bid into a bidder.
template <class Make>
double Tune(const Log& train, const Rules& rules, Make&& make) {
  constexpr int kTries = 100;
  double best_bid = rules.max_bid;
  Result best;
  for (int i = 1; i <= kTries; ++i) {
    const double bid = rules.max_bid * i / kTries;
    auto bidder = make(bid);
    const Result result = Play(train, rules, bidder);
    if (result.clicks > best.clicks ||
        (result.clicks == best.clicks && result.expected_clicks > best.expected_clicks)) {
      best = result;
      best_bid = bid;
    }
  }
  return best_bid;
}

double AverageRate(const Log& log) {
  double sum = 0;
  for (const Auction& a : log) sum += static_cast<double>(a.ctr);
  return log.empty() || sum <= 0 ? 1.0 : sum / static_cast<double>(log.size());
}

}  // namespace

const std::vector<std::string>& BidderNames() {
  static const auto& names = *new std::vector<std::string>{"constant", "linear", "adagents"};
  return names;
}

absl::StatusOr<std::unique_ptr<Bidder>> MakeBidder(std::string_view name, const Log& train,
                                                   const Rules& rules) {
  if (name == "constant") {
    return std::make_unique<Constant>(Tune(train, rules, [](double bid) { return Constant(bid); }));
  }
  if (name != "linear" && name != "adagents") {
    return adagents::InvalidArgument(
        fmt::format("there is no bidder '{}': constant, linear, adagents", name));
  }
  const double rate = AverageRate(train);  // the bid for an impression of this rate is tuned
  const double value = Tune(train, rules, [&](double bid) { return Linear(bid / rate); }) / rate;
  if (name == "linear") return std::make_unique<Linear>(value);
  auto bidder = MakeTeamBidder(value, rules);
  if (bidder.ok()) Play(train, rules, **bidder);
  return bidder;
}

}  // namespace replay_auctions
