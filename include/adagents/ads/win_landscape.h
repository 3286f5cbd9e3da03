// Which bids win, and what to bid in a first-price auction, where bidding the value gains nothing.
//
//   WinLandscape landscape;
//   Micros bid = landscape.Shade(value, decision_id);  // decision path
//   landscape.OnBid(bid, won);             // when a notice tells, or has not come after a while
//   landscape.OnPriceToWin(price);         // instead, where the exchange tells
//   landscape.Update();                    // every minute or so, off the path
//
// Units: all amounts are CPM in micros of `currency`.
//
// The bid is the b that maximises (value - b) * W(b), with W(b) the estimated chance that b wins. W
// comes from counts of bids and wins in bins of the bid's logarithm, made non-decreasing by
// isotonic regression (pool adjacent violators: Ayer et al., Annals of Mathematical Statistics 26,
// 1955); a known price to win counts as a win for every bid above it and a loss below. Old counts
// are forgotten by half-lives of observations. This is the two-step scheme of Pan et al., "Bid
// shading by win-rate estimation and surplus maximization", AdKDD 2020, without its model of
// features. With a budget, shade the paced value: the maximiser of (value - (1 + mu) b) W(b) is
// that of (value / (1 + mu) - b) W(b).
//
// A share of the bids (`explore`) is drawn between half the shaded bid and the value, or W would be
// known only where it was bid before; which decisions do so depends on their ids alone.
//
// Thread-safe. Shade(), OnBid() and OnPriceToWin() are wait-free, and all their accesses relaxed:
// each count and each table entry is a fact by itself. Update() calls wait for each other.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "adagents/base/money.h"

namespace adagents::ads {

struct WinLandscapeOptions {
  Currency currency{};
  double explore = 0.05;      ///< share of bids, [0, 1]
  double half_life = 20'000;  ///< observations
  double enough = 200;        ///< observations before which the value is bid
};

class WinLandscape {
 public:
  /// A bin is 5.5 % wide; amounts outside [0.001, 1000] units count as the nearest.
  static constexpr int kBins = 256;

  explicit WinLandscape(const WinLandscapeOptions& options = {});

  /// What to bid for an impression that is worth `value`: in (0, value]. The same for the same
  /// decision and state. Values that are not positive come back as they are.
  [[nodiscard]] Micros Shade(Micros value, uint64_t decision) const;

  void OnBid(Micros bid, bool won);
  /// The lowest bid that would have won. Not together with OnBid() for the same auction.
  void OnPriceToWin(Micros price);
  void Update();

  /// The chance that `bid` wins, by the last Update(); 0 before enough was seen.
  [[nodiscard]] double WinRate(Micros bid) const;
  [[nodiscard]] Currency currency() const { return options_.currency; }

 private:
  static double PlaceOf(Micros amount);  // in bins, from 0
  static double UpperEdge(int bin);      // micros
  void Forget();
  void Smooth();
  void Choose();

  const WinLandscapeOptions options_;
  struct Counts {
    std::atomic<uint32_t> bids{0}, wins{0}, prices{0};  // since the last Update()
  };
  std::array<Counts, kBins> counts_;
  std::array<std::atomic<float>, kBins> share_;  // bid / value at the bin's upper edge
  std::array<std::atomic<float>, kBins> rate_;   // W at the bin's upper edge

  std::mutex mutex_;  // of what follows
  std::array<double, kBins> bids_{}, wins_{}, prices_{};
  std::array<double, kBins> win_rate_{};
  double seen_ = 0;
};

}  // namespace adagents::ads
