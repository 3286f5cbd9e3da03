// What the world knows of a ledger whose process dies again and again: which bids were sent, which
// were played at which price, which spends were acknowledged. It lives outside that process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "adagents/adapters/ledger_sqlite.h"
#include "adagents/ads/ledger.h"
#include "adagents/base/random.h"
#include "catch.h"

namespace adagents::testing {

/// What one campaign of these tests may spend, and the most that a crash may cost it.
struct CampaignPlan {
  uint64_t campaign = 0;
  int64_t lifetime = 0;
  int64_t max_open = 0;
};

struct LedgerOracle {
  struct Bid {
    uint64_t campaign = 0;
    int64_t amount = 0;
    int64_t price = -1;      // that it was played at
    bool acked = false;      // the ledger said that the spend is durable
    bool known = false;      // the store knew it after the last crash
    bool must_list = false;  // was delivered late, and that was acknowledged
  };

  void Sent(uint64_t decision, uint64_t campaign, int64_t amount) {
    REQUIRE(bids.emplace(decision, Bid{campaign, amount}).second);
  }
  void Played(uint64_t decision, int64_t price) {
    Bid& bid = bids.at(decision);
    REQUIRE(price <= bid.amount);
    bid.price = price;
  }
  void Acked(uint64_t decision) {
    bids.at(decision).acked = true;
    ++acked;
  }
  void LateAcked(uint64_t decision) {
    Bid& bid = bids.at(decision);
    bid.must_list = !bid.known && !bid.acked;
    bid.acked = true;
    ++late;
  }

  /// Wins that reach the next process: most of the bids that were in flight, those whose report was
  /// lost with the process, and some that are reported once more.
  std::vector<uint64_t> LateWins(Random& random, size_t most = 200) {
    std::vector<uint64_t> out;
    for (auto at = bids.rbegin(); at != bids.rend() && out.size() < most; ++at) {
      Bid& bid = at->second;
      if (bid.price < 0) {
        if (!random.Chance(0.7)) continue;
        bid.price = 1 + static_cast<int64_t>(random.Below(static_cast<uint64_t>(bid.amount)));
      } else if (bid.known && !random.Chance(0.1)) {
        continue;
      }
      out.push_back(at->first);
    }
    return out;
  }

  /// After a crash. `all`: also looks up again what was found after an earlier one.
  void Check(const ledger_sqlite::LocalLeaseSource& store,
             const std::vector<CampaignPlan>& campaigns, bool all) {
    std::map<uint64_t, int64_t> real, noted, promised;
    std::set<uint64_t> listed;
    const auto lates = store.LateWins();
    REQUIRE(lates.ok());
    for (const ads::LateWin& win : *lates) {
      if (win.outcome == ads::LateOutcome::kCharged) listed.insert(win.decision);
    }
    for (auto& [decision, bid] : bids) {
      if (bid.price < 0) continue;
      if (all || !bid.known) {
        const auto known = store.Knows(decision, 0, bid.campaign);
        bid.known = known.ok() && *known;
      }
      const bool lost = bid.acked && !bid.known;  // acknowledged spend lost: 0
      const bool unlisted = bid.must_list && listed.count(decision) == 0;
      if (lost || unlisted) {  // most are not, and Catch takes its time
        INFO("decision " << decision << " of campaign " << bid.campaign);
        REQUIRE_FALSE(lost);
        REQUIRE_FALSE(unlisted);
      }
      real[bid.campaign] += bid.price;
      if (bid.known) noted[bid.campaign] += bid.price;
      if (bid.acked) promised[bid.campaign] += bid.price;
    }
    for (const CampaignPlan& plan : campaigns) {
      INFO("campaign " << plan.campaign);
      const auto totals = store.Totals(plan.campaign);
      if (!totals) {
        REQUIRE(real[plan.campaign] == 0);
        continue;
      }
      REQUIRE(real[plan.campaign] <= plan.lifetime);  // overspend: 0
      REQUIRE(totals->leased - totals->returned <= plan.lifetime);
      REQUIRE(totals->spent == noted[plan.campaign]);
      REQUIRE(totals->spent >= promised[plan.campaign]);
      // What this crash has cost, before late wins.
      const int64_t open = totals->open + totals->lost;
      REQUIRE(open - open_before[plan.campaign] <= plan.max_open);
      worst_cost = std::max(worst_cost, static_cast<double>(open - open_before[plan.campaign]) /
                                            static_cast<double>(plan.max_open));
      open_before[plan.campaign] = open;
    }
  }

  std::map<uint64_t, Bid> bids;
  std::map<uint64_t, int64_t> open_before;
  int64_t acked = 0, late = 0;
  double worst_cost = 0;  // of a crash, as a share of its bound
};

}  // namespace adagents::testing
