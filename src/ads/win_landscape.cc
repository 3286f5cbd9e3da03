#include "adagents/ads/win_landscape.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "adagents/base/ids.h"
#include "adagents/base/random.h"

namespace adagents::ads {
namespace {

constexpr double kLeast = 1e3, kMost = 1e9;  // micros
const double kBinsPerLog = WinLandscape::kBins / std::log(kMost / kLeast);
constexpr uint64_t kExploring = 0x5ade;  // which of a decision's random streams this is

}  // namespace

WinLandscape::WinLandscape(const WinLandscapeOptions& options) : options_(options) {
  for (auto& share : share_) share.store(1.0f, std::memory_order_relaxed);
  for (auto& rate : rate_) rate.store(0.0f, std::memory_order_relaxed);
}

double WinLandscape::PlaceOf(Micros amount) {
  const double micros = std::max(1.0, static_cast<double>(amount.value));
  return std::clamp(std::log(micros / kLeast) * kBinsPerLog, 0.0, kBins - 1e-6);
}

double WinLandscape::UpperEdge(int bin) { return kLeast * std::exp((bin + 1) / kBinsPerLog); }

Micros WinLandscape::Shade(Micros value, uint64_t decision) const {
  if (value.value <= 0) return value;
  // Between the upper edges of two bins, along the line.
  const double place = std::max(0.0, PlaceOf(value) - 1);
  const auto low = static_cast<size_t>(place);
  const size_t high = std::min<size_t>(low + 1, kBins - 1);
  const double part = place - static_cast<double>(low);
  const auto a = static_cast<double>(share_[low].load(std::memory_order_relaxed));
  const auto b = static_cast<double>(share_[high].load(std::memory_order_relaxed));
  double share = a + (b - a) * part;
  Random random(decision, kExploring);
  if (random.Chance(options_.explore)) share = share / 2 + (1 - share / 2) * random.Uniform();
  const auto bid = static_cast<int64_t>(static_cast<double>(value.value) * share);
  return {std::clamp<int64_t>(bid, 1, value.value)};
}

void WinLandscape::OnBid(Micros bid, bool won) {
  if (bid.value <= 0) return;
  Counts& counts = counts_[static_cast<size_t>(PlaceOf(bid))];
  counts.bids.fetch_add(1, std::memory_order_relaxed);
  if (won) counts.wins.fetch_add(1, std::memory_order_relaxed);
}

void WinLandscape::OnPriceToWin(Micros price) {
  counts_[static_cast<size_t>(PlaceOf(price))].prices.fetch_add(1, std::memory_order_relaxed);
}

double WinLandscape::WinRate(Micros bid) const {
  if (bid.value <= 0) return 0;
  return static_cast<double>(
      rate_[static_cast<size_t>(PlaceOf(bid))].load(std::memory_order_relaxed));
}

void WinLandscape::Update() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Forget();
  if (seen_ < options_.enough) return;
  Smooth();
  Choose();
}

/// Takes the new counts in, and forgets as much of the old as they are new.
void WinLandscape::Forget() {
  std::array<double, kBins> bids{}, wins{}, prices{};
  double fresh = 0;
  for (size_t i = 0; i < kBins; ++i) {
    // A bid that comes in between is counted now and its win the next time; Smooth() bounds rates.
    wins[i] = counts_[i].wins.exchange(0, std::memory_order_relaxed);
    bids[i] = counts_[i].bids.exchange(0, std::memory_order_relaxed);
    prices[i] = counts_[i].prices.exchange(0, std::memory_order_relaxed);
    fresh += bids[i] + prices[i];
  }
  const double keep = std::exp2(-fresh / std::max(1.0, options_.half_life));
  seen_ = seen_ * keep + fresh;
  for (size_t i = 0; i < kBins; ++i) {
    bids_[i] = bids_[i] * keep + bids[i];
    wins_[i] = wins_[i] * keep + wins[i];
    prices_[i] = prices_[i] * keep + prices[i];
  }
}

/// The chance to win at each bin's upper edge: isotonic regression of wins over trials.
void WinLandscape::Smooth() {
  struct Block {
    double trials, wins;
    size_t end;
    double rate() const { return wins / trials; }
  };
  double known = 0;  // prices to win, of all bins
  for (const double p : prices_) known += p;
  std::vector<Block> blocks;
  double below = 0;
  for (size_t i = 0; i < kBins; ++i) {
    below += prices_[i];
    // What is just above nothing keeps bins without a trial in between their neighbours.
    constexpr double kLittle = 1e-9;
    const double trials = bids_[i] + known;
    const double wins = std::min(trials, wins_[i] + below);
    if (trials < kLittle) {
      if (!blocks.empty()) blocks.back().end = i + 1;
      continue;
    }
    blocks.push_back({trials, wins, i + 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].rate() >= blocks.back().rate()) {
      const Block last = blocks.back();
      blocks.pop_back();
      blocks.back() = {blocks.back().trials + last.trials, blocks.back().wins + last.wins,
                       last.end};
    }
  }
  size_t at = 0;
  for (const Block& block : blocks) {
    for (; at < block.end; ++at) win_rate_[at] = block.rate();
  }
  for (size_t i = 0; i < kBins; ++i) {
    rate_[i].store(static_cast<float>(win_rate_[i]), std::memory_order_relaxed);
  }
}

/// The best bid for the value at each bin's upper edge.
void WinLandscape::Choose() {
  for (int v = 0; v < kBins; ++v) {
    const double value = UpperEdge(v);
    double best = 0, bid = value;
    for (int b = 0; b < v; ++b) {
      const double surplus = (value - UpperEdge(b)) * win_rate_[static_cast<size_t>(b)];
      if (surplus > best) {
        best = surplus;
        bid = UpperEdge(b);
      }
    }
    share_[static_cast<size_t>(v)].store(static_cast<float>(bid / value),
                                         std::memory_order_relaxed);
  }
}

}  // namespace adagents::ads
