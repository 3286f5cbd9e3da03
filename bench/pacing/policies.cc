#include "policies.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "adagents/ads/pacer.h"

namespace pacing_bench {
namespace {

namespace ads = adagents::ads;

const absl::Time kMonday = absl::FromUnixSeconds(1'767'571'200);  // 2026-01-05 00:00 UTC

/// The forecast's share of the day before a second of it.
double Before(double second) {
  static const std::array<double, 24> kProfile = Profile();
  double sum = 0;
  const double hours = std::clamp(second / kHour, 0.0, 24.0);
  const auto whole = static_cast<size_t>(hours);
  for (size_t h = 0; h < whole; ++h) sum += kProfile[h];
  return whole < 24 ? sum + kProfile[whole] * (hours - static_cast<double>(whole)) : 1.0;
}

class Greedy final : public Policy {
 public:
  std::string_view name() const override { return "greedy"; }
  void BeginDay(int) override {}
  double Bid(const Auction& a, uint64_t) override { return static_cast<double>(a.value); }
  void OnWin(double) override {}
  void Tick(double) override {}
};

class EvenShare final : public Policy {
 public:
  explicit EvenShare(const CampaignWorld& c) : budget_(c.budget) {}
  std::string_view name() const override { return "even share"; }
  void BeginDay(int) override {
    spent_ = 0;
    Tick(0);
  }
  double Bid(const Auction& a, uint64_t) override {
    return spent_ < allowed_ ? static_cast<double>(a.value) : 0.0;
  }
  void OnWin(double paid) override { spent_ += paid; }
  void Tick(double second) override { allowed_ = budget_ * Before(second + kTick); }

 private:
  const double budget_;
  double spent_ = 0, allowed_ = 0;
};

class Pid final : public Policy {
 public:
  Pid(const CampaignWorld& c, PidGains gains) : budget_(c.budget), gains_(gains) {}
  std::string_view name() const override { return "PID"; }
  void BeginDay(int) override {
    spent_ = 0;
    std::fill(history_.begin(), history_.end(), 0.0);
    ticks_ = 0;
    sum_ = last_ = 0;
    base_ = x_;
    Tick(0);
  }
  double Bid(const Auction& a, uint64_t) override {
    return spent_ < allowed_ ? static_cast<double>(a.value) * std::exp(x_) : 0.0;
  }
  void OnWin(double paid) override { spent_ += paid; }
  void Tick(double second) override {
    const double before = history_[ticks_ % history_.size()];
    history_[ticks_++ % history_.size()] = spent_;
    const double window = kTick * static_cast<double>(history_.size());
    const double from = std::max(0.0, second - window);
    // The window's plan, and within an hour what was behind it before.
    const double wanted = budget_ * (Before(second) - Before(from)) +
                          (budget_ * Before(from) - before) * window / kHour;
    const double prior = budget_ * 1e-3;
    const double error =
        second > 0
            ? std::clamp(std::log((std::max(0.0, wanted) + prior) / (spent_ - before + prior)),
                         -1.0, 1.0)
            : 0.0;
    sum_ = std::clamp(sum_ + error * kTick / kHour, -20.0, 20.0);
    x_ = std::clamp(base_ + gains_.p * error + gains_.i * sum_ * 100 + gains_.d * (error - last_),
                    -6.0, 0.0);
    last_ = error;
    allowed_ = std::min(budget_, budget_ * Before(second + kTick) + budget_ * 0.01);
  }

 private:
  const double budget_;
  const PidGains gains_;
  double spent_ = 0, allowed_ = 0, x_ = -1, base_ = -1, sum_ = 0, last_ = 0;
  std::array<double, 30> history_{};  // spend at the last ticks: ten minutes
  size_t ticks_ = 0;
};

class Library final : public Policy {
 public:
  explicit Library(const CampaignWorld& c) : pacer_(Options(c)) {
    ads::PacingGoal goal;
    goal.daily = adagents::Micros{static_cast<int64_t>(c.budget)};
    (void)pacer_.Set(kKey, goal);
  }
  std::string_view name() const override { return "adagents"; }
  void BeginDay(int day) override {
    midnight_ = kMonday + absl::Hours(24) * day;
    Tick(0);
  }
  double Bid(const Auction& a, uint64_t id) override {
    pacer_.OnRequest();
    return static_cast<double>(a.value) * pacer_.Factor(kKey, id);
  }
  void OnWin(double paid) override {
    pacer_.OnSpend(kKey, adagents::Micros{static_cast<int64_t>(paid)});
  }
  void Tick(double second) override { pacer_.Tick(midnight_ + absl::Seconds(second)); }

 private:
  static constexpr uint64_t kKey = 12345;
  static ads::PacerOptions Options(const CampaignWorld& c) {
    ads::PacerOptions options;
    const std::array<double, 24> profile = Profile();
    for (size_t h = 0; h < options.forecast.size(); ++h) {
      options.forecast[h] = c.requests * profile[h % 24];
    }
    options.traffic.learning_rate = 0;  // other days' shapes are no help here
    options.capacity = 8;
    return options;
  }
  ads::Pacer pacer_;
  absl::Time midnight_;
};

}  // namespace

std::unique_ptr<Policy> MakeGreedy() { return std::make_unique<Greedy>(); }
std::unique_ptr<Policy> MakeEvenShare(const CampaignWorld& c) {
  return std::make_unique<EvenShare>(c);
}
std::unique_ptr<Policy> MakePid(const CampaignWorld& c, PidGains gains) {
  return std::make_unique<Pid>(c, gains);
}
std::unique_ptr<Policy> MakeLibrary(const CampaignWorld& c) { return std::make_unique<Library>(c); }

}  // namespace pacing_bench
