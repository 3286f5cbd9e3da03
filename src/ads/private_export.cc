#include "adagents/ads/private_export.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "adagents/base/status.h"
#include "adagents/blackboard/region.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

constexpr uint64_t kWhole = 1000;  // thousandths of a listener
constexpr uint64_t kMilli = 1000;  // of an epsilon
constexpr uint64_t kMostTerm = uint64_t{1} << 40;

/// Uniform in [0, n), without bias.
uint64_t Below(uint64_t n, RandomBits random) {
  const uint64_t rest = (UINT64_MAX % n + 1) % n;  // 2^64 mod n
  for (;;) {
    const uint64_t bits = random();
    if (bits <= UINT64_MAX - rest) return bits % n;
  }
}

/// True with probability exp(-num / den), num <= den: algorithm 1.
bool ChanceOfExp(uint64_t num, uint64_t den, RandomBits random) {
  uint64_t k = 1;
  while (Below(den * k, random) < num) ++k;
  return k % 2 == 1;
}

/// What one session tells, in thousandths: at most kWhole in each histogram.
template <size_t kN>
void AddShares(const std::array<uint16_t, kN>& weights, std::array<int64_t, kN>* sums) {
  uint64_t total = 0;
  for (const uint16_t w : weights) total += w;
  if (total == 0) {
    (*sums)[0] += kWhole;
    return;
  }
  for (size_t i = 0; i < kN; ++i) {
    (*sums)[i] += static_cast<int64_t>(weights[i] * kWhole / total);
  }
}

/// A session that may count for its listener.
struct Heard {
  uint64_t who;
  int64_t last_ms;
  uint64_t session;
};

absl::Status BeyondBudget(uint32_t wanted, uint64_t left, absl::Time until) {
  return ResourceExhausted(
      fmt::format("an export of epsilon {:.3f} exceeds the privacy budget: {:.3f} is left until {}",
                  wanted / 1000.0, static_cast<double>(left) / 1000.0,
                  absl::FormatTime(absl::RFC3339_sec, until, absl::UTCTimeZone())));
}

}  // namespace

PrivacyBudget::PrivacyBudget(const PrivacyBudgetOptions& options, Region* region,
                             std::string_view name)
    : options_{std::max<uint32_t>(options.milli_epsilon, 1),
               std::max(options.period, absl::Minutes(1))},
      account_([&]() -> Cell<PrivacyAccount>* {
        if (region == nullptr) return &own_;
        auto placed = region->Place<Cell<PrivacyAccount>>(name, PrivacyAccount{});
        return placed.ok() ? &**placed : &own_;
      }()) {}

int64_t PrivacyBudget::PeriodOf(absl::Time now) const {
  return absl::ToUnixSeconds(now) / absl::ToInt64Seconds(options_.period);
}

uint64_t PrivacyBudget::SpentIn(int64_t period) const {
  const PrivacyAccount account = account_->Read();
  // A period before the last one is taken for the last one.
  return period > account.period ? 0 : account.spent;
}

uint32_t PrivacyBudget::Left(absl::Time now) const {
  const uint64_t spent = SpentIn(PeriodOf(now));
  return spent >= options_.milli_epsilon ? 0
                                         : options_.milli_epsilon - static_cast<uint32_t>(spent);
}

absl::Status PrivacyBudget::Spend(uint32_t milli_epsilon, absl::Time now) {
  if (milli_epsilon == 0) return InvalidArgument("an export needs an epsilon of 0.001 at least");
  const std::lock_guard<std::mutex> lock(mutex_);
  const int64_t period = std::max(PeriodOf(now), account_->Read().period);
  const uint64_t spent = SpentIn(period);
  if (spent + milli_epsilon > options_.milli_epsilon) {
    return BeyondBudget(milli_epsilon,
                        options_.milli_epsilon - std::min<uint64_t>(spent, options_.milli_epsilon),
                        absl::UnixEpoch() + (period + 1) * options_.period);
  }
  account_->Write({period, spent + milli_epsilon});
  return absl::OkStatus();
}

double AudienceExport::noise_sd() const {
  if (milli_epsilon == 0) return 0;
  // Var = 2 q / (1 - q)^2 with q = exp(-epsilon / sensitivity).
  const double q = std::exp(-static_cast<double>(milli_epsilon) / (kMilli * kSensitivity));
  return std::sqrt(2 * q) / (1 - q);
}

int64_t DiscreteLaplace(uint64_t t, uint64_t s, RandomBits random) {
  t = std::clamp<uint64_t>(t, 1, kMostTerm);
  s = std::clamp<uint64_t>(s, 1, kMostTerm);
  for (;;) {  // algorithm 2: ends with a probability of more than a half each time
    const uint64_t u = Below(t, random);
    if (!ChanceOfExp(u, t, random)) continue;
    uint64_t v = 0;
    while (ChanceOfExp(1, 1, random)) ++v;
    const auto y = static_cast<int64_t>((u + t * v) / s);
    const bool negative = Below(2, random) == 1;
    if (negative && y == 0) continue;
    return negative ? -y : y;
  }
}

absl::StatusOr<AudienceExport> ExportAudience(const Sessions& sessions, uint32_t milli_epsilon,
                                              PrivacyBudget* budget, absl::Time now) {
  std::random_device random;
  return ExportAudience(sessions, milli_epsilon, budget, now,
                        [&random] { return uint64_t{random()} << 32 | random(); });
}

absl::StatusOr<AudienceExport> ExportAudience(const Sessions& sessions, uint32_t milli_epsilon,
                                              PrivacyBudget* budget, absl::Time now,
                                              RandomBits random) {
  if (absl::Status status = budget->Spend(milli_epsilon, now); !status.ok()) return status;
  std::vector<Heard> heard;
  sessions.ForEach([&](uint64_t session, const SessionState& s) {
    heard.push_back({s.listener != 0 ? s.listener : session, s.last_ms, session});
  });
  std::sort(heard.begin(), heard.end(), [](const Heard& a, const Heard& b) {
    return a.who != b.who ? a.who < b.who : a.last_ms > b.last_ms;
  });
  heard.erase(std::unique(heard.begin(), heard.end(),
                          [](const Heard& a, const Heard& b) { return a.who == b.who; }),
              heard.end());
  std::vector<uint64_t> counted;
  for (const Heard& h : heard) counted.push_back(h.session);
  std::sort(counted.begin(), counted.end());
  std::vector<bool> added(counted.size());  // a session that came anew meanwhile comes twice

  AudienceExport out;
  out.milli_epsilon = milli_epsilon;
  sessions.ForEach([&](uint64_t session, const SessionState& s) {
    const auto at = std::lower_bound(counted.begin(), counted.end(), session);
    if (at == counted.end() || *at != session) return;
    const auto place = static_cast<size_t>(at - counted.begin());
    if (added[place]) return;
    added[place] = true;
    out.listeners += kWhole;
    AddShares(s.genres, &out.genres);
    AddShares(s.moods, &out.moods);
  });
  const auto noisy = [&](int64_t* number) {
    *number += DiscreteLaplace(kSensitivity * kMilli, milli_epsilon, random);
  };
  noisy(&out.listeners);
  for (int64_t& g : out.genres) noisy(&g);
  for (int64_t& m : out.moods) noisy(&m);
  std::fill(heard.begin(), heard.end(), Heard());  // no hashes in memory that is given back
  std::fill(counted.begin(), counted.end(), 0);
  return out;
}

}  // namespace adagents::ads
