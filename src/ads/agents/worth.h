// The arithmetic of pricing, shared by the agent, the fallback and WhyNot().
#pragma once

#include <optional>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "adagents/ads/agents/pricing.h"
#include "adagents/ads/currency_rates.h"
#include "adagents/ads/keys.h"
#include "adagents/runtime/trace.h"
#include "ads/agents/time_limit.h"

namespace adagents::ads::internal {

enum class PriceTrouble : uint8_t {
  kNone,
  kBelowFloor,
  kNoRate,
  kFloorCurrency,
  kNotANumber,
  kPacedOut
};

/// Prices candidates of one request one after the other; each floor is converted once. Floors are
/// rounded up to micros and values down, so that rounding never sells below a floor.
/// Thread-compatible.
class Pricer {
 public:
  /// All arguments outlive the pricer. `cur`: what values and floors are expressed in.
  Pricer(const Request& request, const Catalog& catalog, const CurrencyRates& rates, Currency cur)
      : request_(request), catalog_(catalog), rates_(rates), cur_(cur) {}

  /// Begins with the candidates of imp `index`; false when its floor's currency has no rate.
  bool BeginImp(size_t index);
  /// `rate`: the predicted rate; NaN is refused. `pace`: of the value; 0: sits this one out. With a
  /// landscape, the paced value is shaded; the shaded one meets the floor where the paced one does.
  PriceTrouble Price(const Candidate& candidate, float rate, Micros* value, Micros* floor,
                     float pace = 1.0f, const WinLandscape* landscape = nullptr,
                     uint64_t decision = 0);

 private:
  /// A floor in the currency of the prices. Not known: its currency has no rate.
  struct Floor {
    bool known = true;
    Micros amount{};
  };
  /// Of a deal, or of an imp's audio or video.
  struct Terms {
    Floor floor;              // of deals
    double per_second = 0.0;  // micros, 0: none
    bool known = true;        // per_second
  };
  Floor Converted(Micros amount, Currency cur) const;
  void ReadPerSecond(const std::optional<Micros>& amount, Currency cur, Terms* out) const;
  PriceTrouble FloorOf(const Candidate& candidate, Micros* floor) const;

  const Request& request_;
  const Catalog& catalog_;
  const CurrencyRates& rates_;
  const Currency cur_;
  const Imp* imp_ = nullptr;
  Floor imp_floor_;
  absl::InlinedVector<Terms, 4> deals_;  // as Imp::deals
  Terms audio_, video_;
  absl::InlinedVector<Floor, 4> audio_floors_;  // as Media::durfloors
  absl::InlinedVector<Floor, 4> video_floors_;
  bool plain_floor_ = true;  // one floor for all candidates of the imp
  Currency factor_of_;       // the campaign currency that `factor_` is for
  double factor_ = 1.0;
  bool factor_known_ = false;
};

/// What the listener's agents say of one request. Null: nobody says anything.
struct MomentView {
  const AttentionSignal* attention = nullptr;
  const CreativeFits* fits = nullptr;
  const Timings* timings = nullptr;
  MomentPricing terms = {};
  const Affinities* affinities = nullptr;
  const Wears* wears = nullptr;

  /// Whether it changes anything.
  [[nodiscard]] bool any() const {
    return (attention != nullptr && attention->known) ||
           (fits != nullptr &&
            (!fits->shift.empty() || !fits->forbid.empty() || fits->unchecked != nullptr)) ||
           (affinities != nullptr && !affinities->shift.empty()) ||
           (wears != nullptr && !wears->shift.empty()) ||
           (timings != nullptr && !timings->imps.empty());
  }
  /// Why the imp may not be filled now; null when it may.
  [[nodiscard]] const ReasonCode* NotNow(size_t imp) const;
  /// Why candidate `k` may not be played at this moment; null when it may. Then `rate` is moved by
  /// the moment, and `pace` by what that is worth to a campaign that pays per impression.
  const ReasonCode* Adjust(const Catalog& catalog, const Candidate& candidate, uint32_t k,
                           float* rate, float* pace) const;
};

/// Prices all candidates into `out`; after `limit`, those of later imps may not bid. `scores` may
/// be empty: prior rates are assumed then. So may `paces`: values are bid.
void PriceAll(const Request& request, const Candidates& candidates, const Scores& scores,
              const Paces& paces, const CurrencyRates& rates, Prices* out,
              absl::FunctionRef<void(const ReasonCode&, uint64_t subject, Micros, Micros)> because,
              const MomentView& moment = {}, const TimeLimit& limit = {});

}  // namespace adagents::ads::internal
