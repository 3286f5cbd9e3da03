// What may be told of listeners: how many there are and what they listen to, all together, with
// noise that hides each of them, and an account of how much has been told.
//
//   PrivacyBudget budget({.milli_epsilon = 1000});              // epsilon 1 a day
//   auto audience = ExportAudience(sessions, 500, &budget, now);
//   if (audience.ok()) Send(audience->genres, audience->noise_sd());
//
// Differential privacy (Dwork, McSherry, Nissim, Smith, "Calibrating noise to sensitivity in
// private data analysis", TCC 2006): whether any one listener is among those counted changes the
// probability of any result by a factor of e^epsilon at most. One listener counts once, with the
// latest of its sessions, and adds at most one to the count, one to all genres together and one to
// all moods together, in thousandths; so one listener moves the results by kSensitivity at most in
// the L1 norm, and each number gets noise of the discrete Laplace distribution of scale
// kSensitivity / epsilon. It is drawn exactly, without floating point, by which the plain Laplace
// mechanism leaks (Mironov, CCS 2012): Canonne, Kamath, Steinke, "The discrete Gaussian for
// differential privacy", NeurIPS 2020, algorithms 1 and 2.
//
// Budget: epsilons of one period add up (sequential composition), and what would exceed the budget
// is refused. Each period has a budget of its own: who listens every day is protected by the sum of
// all days that somebody looks at. In a region the account outlives the process.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/session.h"
#include "adagents/ads/sessions.h"
#include "adagents/blackboard/cell.h"

namespace adagents {
class Region;
}

namespace adagents::ads {

struct PrivacyBudgetOptions {
  /// A thousand times the epsilon that may be spent in one period; at least 1.
  uint32_t milli_epsilon = 1000;
  /// At least a minute. Periods begin at multiples of it since 1970.
  absl::Duration period = absl::Hours(24);
};

/// What a budget keeps. Trivially copyable.
struct PrivacyAccount {
  static constexpr std::string_view kRegionFields = "period i64, spent u64";
  int64_t period = 0;
  uint64_t spent = 0;  ///< thousandths of an epsilon
};

/// Thread-safe.
class PrivacyBudget {
 public:
  /// With a region, which must outlive this, the account is kept there under `name`; if it cannot
  /// be, Region::status() says why.
  explicit PrivacyBudget(const PrivacyBudgetOptions& options = {}, Region* region = nullptr,
                         std::string_view name = "privacy_budget");
  PrivacyBudget(const PrivacyBudget&) = delete;
  PrivacyBudget& operator=(const PrivacyBudget&) = delete;

  /// Takes it from the budget of the period of `now`. InvalidArgument for 0; ResourceExhausted,
  /// with what is left and until when, when it is more than that. A clock that goes back does not
  /// refill.
  absl::Status Spend(uint32_t milli_epsilon, absl::Time now);
  /// A thousand times the epsilon that is left in the period of `now`.
  [[nodiscard]] uint32_t Left(absl::Time now) const;

 private:
  [[nodiscard]] int64_t PeriodOf(absl::Time now) const;
  [[nodiscard]] uint64_t SpentIn(int64_t period) const;

  const PrivacyBudgetOptions options_;
  mutable std::mutex mutex_;  // of spending
  Cell<PrivacyAccount> own_;
  Cell<PrivacyAccount>* const account_;  // in the region, or own_
};

/// Noisy numbers, which may be negative: clamping them would bias sums. Plain value.
struct AudienceExport {
  int64_t listeners = 0;                      ///< in thousandths of a listener, as all that follows
  std::array<int64_t, kGenreCount> genres{};  ///< by GenreBinOf(); 0: nothing known
  std::array<int64_t, kMoodCount> moods{};    ///< by Mood
  uint32_t milli_epsilon = 0;                 ///< what it has cost

  /// Standard deviation of the noise of each number.
  [[nodiscard]] double noise_sd() const;
};

/// What one listener can change in all numbers together, in thousandths.
inline constexpr uint64_t kSensitivity = 3000;

/// Random bits, 64 at a time. Unless a test says otherwise: the system's.
using RandomBits = absl::FunctionRef<uint64_t()>;

/// A draw of the discrete Laplace distribution: P(x) is proportional to exp(-|x| s / t). `t`, `s`:
/// 1 to 2^40. Exact if the bits are random. Thread-safe as `random` is.
[[nodiscard]] int64_t DiscreteLaplace(uint64_t t, uint64_t s, RandomBits random);

/// Counts the living sessions' listeners, and spends `milli_epsilon` of the budget on it.
/// Reads the whole table and holds a word or two for each session meanwhile: for a thread that has
/// time. Errors are the budget's, and nothing is told then.
absl::StatusOr<AudienceExport> ExportAudience(const Sessions& sessions, uint32_t milli_epsilon,
                                              PrivacyBudget* budget, absl::Time now);
absl::StatusOr<AudienceExport> ExportAudience(const Sessions& sessions, uint32_t milli_epsilon,
                                              PrivacyBudget* budget, absl::Time now,
                                              RandomBits random);

}  // namespace adagents::ads
