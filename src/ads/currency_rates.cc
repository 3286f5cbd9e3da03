#include "adagents/ads/currency_rates.h"

#include <cmath>

#include "adagents/base/status.h"
#include "fmt/format.h"

namespace adagents::ads {

absl::StatusOr<CurrencyRates> CurrencyRates::Create(
    Currency base, std::vector<std::pair<Currency, double>> per_base) {
  CurrencyRates rates;
  rates.base_ = base;
  for (const auto& [currency, rate] : per_base) {
    if (!std::isfinite(rate) || rate <= 0) {
      return InvalidArgument(
          fmt::format("rates: {} {} is not a positive number", currency.code(), rate));
    }
    if (currency == base || rates.PerBase(currency)) {
      return InvalidArgument(fmt::format("rates: {} comes twice", currency.code()));
    }
    rates.per_base_.emplace_back(currency, rate);
  }
  return rates;
}

std::optional<double> CurrencyRates::PerBase(Currency currency) const {
  if (currency == base_) return 1.0;
  for (const auto& [known, rate] : per_base_) {
    if (known == currency) return rate;
  }
  return std::nullopt;
}

std::optional<double> CurrencyRates::Factor(Currency from, Currency to) const {
  if (from == to) return 1.0;
  const std::optional<double> a = PerBase(from), b = PerBase(to);
  if (!a || !b) return std::nullopt;
  return *b / *a;
}

std::optional<Currency> CurrencyRates::Pick(const Request& request) const {
  if (request.cur.empty()) {  // OpenRTB's default is USD alone
    const Currency usd;
    return PerBase(usd) ? std::optional<Currency>(usd) : std::nullopt;
  }
  std::optional<Currency> first;
  for (const Currency currency : request.cur) {
    if (currency == base_) return currency;
    if (!first && PerBase(currency)) first = currency;
  }
  return first;
}

}  // namespace adagents::ads
