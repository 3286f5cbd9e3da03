#include "run.h"

#include <algorithm>
#include <cmath>
#include <queue>

namespace pacing_bench {
namespace {

struct Notice {
  double at, paid;
  bool operator<(const Notice& other) const { return at > other.at; }  // earliest on top
};

void Count(const Auction& a, DayResult* result) {
  const auto paid = static_cast<double>(a.price);
  result->spent += paid;
  result->value += static_cast<double>(a.value);
  result->hours[std::min<size_t>(23, static_cast<size_t>(static_cast<double>(a.at) / kHour))] +=
      paid;
  if (static_cast<double>(a.at) >= 0.99 * kDay) result->last_percent += paid;
  ++result->impressions;
}

/// Buys the best bargains among `all` for at most `money`; returns what is left of it.
double Buy(std::vector<const Auction*>* all, double money, DayResult* result) {
  std::sort(all->begin(), all->end(), [](const Auction* a, const Auction* b) {
    return a->value * b->price > b->value * a->price;
  });
  for (const Auction* a : *all) {
    if (a->price > a->value) break;
    if (static_cast<double>(a->price) > money) continue;
    money -= static_cast<double>(a->price);
    Count(*a, result);
  }
  return money;
}

}  // namespace

DayResult Play(const CampaignWorld& campaign, const std::vector<Auction>& day, int number,
               Policy& policy) {
  DayResult result;
  std::priority_queue<Notice> notices;
  policy.BeginDay(number);
  double next_tick = kTick;
  const auto advance = [&](double to) {
    for (;;) {
      const double notice = notices.empty() ? 2 * kDay : notices.top().at;
      if (std::min(notice, next_tick) > to) return;
      if (notice <= next_tick) {
        policy.OnWin(notices.top().paid);
        notices.pop();
      } else {
        policy.Tick(next_tick);
        next_tick += kTick;
      }
    }
  };
  uint64_t id = static_cast<uint64_t>(number) << 32;
  for (const Auction& a : day) {
    advance(static_cast<double>(a.at));
    const double bid = policy.Bid(a, ++id);
    if (bid <= 0 || bid < static_cast<double>(a.price)) continue;
    // The ledger's word: what the bid could cost has to be there.
    if (result.spent + bid > campaign.budget) continue;
    Count(a, &result);
    notices.push(
        {static_cast<double>(a.at) + static_cast<double>(a.delay), static_cast<double>(a.price)});
  }
  advance(kDay - 1e-3);
  while (!notices.empty()) {  // known by midnight: the day is closed
    policy.OnWin(notices.top().paid);
    notices.pop();
  }
  return result;
}

DayResult PlayOracle(const CampaignWorld& campaign, const std::vector<Auction>& day) {
  DayResult result;
  std::vector<const Auction*> all;
  for (const Auction& a : day) all.push_back(&a);
  Buy(&all, campaign.budget, &result);
  return result;
}

DayResult PlayPlanOracle(const CampaignWorld& campaign, const std::vector<Auction>& day) {
  DayResult result;
  const std::array<double, 24> profile = Profile();
  double left = 0;
  size_t next = 0;
  for (size_t h = 0; h < 24; ++h) {
    std::vector<const Auction*> hour;
    while (next < day.size() &&
           static_cast<double>(day[next].at) < kHour * static_cast<double>(h + 1)) {
      hour.push_back(&day[next++]);
    }
    left = Buy(&hour, left + campaign.budget * profile[h], &result);
  }
  return result;
}

DayErrors ErrorsOf(const CampaignWorld& campaign, const DayResult& result) {
  const std::array<double, 24> profile = Profile();
  DayErrors errors;
  errors.spend = std::abs(result.spent - campaign.budget) / campaign.budget;
  for (size_t h = 0; h < 24; ++h) {
    const double planned = campaign.budget * profile[h];
    errors.hourly += std::abs(result.hours[h] - planned) / campaign.budget;
    errors.worst_hour = std::max(errors.worst_hour, std::abs(result.hours[h] - planned) / planned);
  }
  errors.last = result.last_percent / campaign.budget;
  return errors;
}

}  // namespace pacing_bench
