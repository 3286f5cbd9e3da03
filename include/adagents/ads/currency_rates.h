// Exchange rates, as the host knows them: one table, set when the engine is made.
//
//   auto rates = CurrencyRates::Create(*Currency::Parse("EUR"), {{*Currency::Parse("USD"), 1.08}});
//   std::optional<double> factor = rates->Factor(usd, eur);      // nullopt: not known, so no bid
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads/request.h"
#include "adagents/base/money.h"

namespace adagents::ads {

/// Immutable, so thread-safe.
class CurrencyRates {
 public:
  /// Only the base, which is USD.
  CurrencyRates() = default;
  /// `per_base`: how many units of each currency one unit of `base` buys. InvalidArgument that
  /// names the currency when a rate is not a positive finite number or a currency comes twice.
  static absl::StatusOr<CurrencyRates> Create(Currency base,
                                              std::vector<std::pair<Currency, double>> per_base);

  [[nodiscard]] Currency base() const { return base_; }
  /// What one unit of `from` is worth in `to`; nullopt when a rate is not known. 1 for equals,
  /// known or not.
  [[nodiscard]] std::optional<double> Factor(Currency from, Currency to) const;
  /// The currency to bid in: the base when `request` allows it, else the first that it allows and
  /// for which there is a rate; nullopt when there is none.
  [[nodiscard]] std::optional<Currency> Pick(const Request& request) const;

 private:
  [[nodiscard]] std::optional<double> PerBase(Currency currency) const;

  Currency base_;
  std::vector<std::pair<Currency, double>> per_base_;
};

}  // namespace adagents::ads
