// Money: whole millionths of a currency unit in 64 bits, never floating point once accepted.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace adagents {

/// ISO 4217 alphabetic code, three upper-case letters. A value type; thread-compatible.
class Currency {
 public:
  constexpr Currency() = default;  // USD, OpenRTB's default
  /// From text; accepts lower case as exchanges send it. nullopt unless exactly three letters.
  static constexpr std::optional<Currency> Parse(std::string_view code) {
    if (code.size() != 3) return std::nullopt;
    Currency out;
    for (size_t i = 0; i < 3; ++i) {
      char c = code[i];
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
      if (c < 'A' || c > 'Z') return std::nullopt;
      out.code_[i] = c;
    }
    return out;
  }
  constexpr std::string_view code() const { return {code_.data(), 3}; }
  constexpr auto operator<=>(const Currency&) const = default;

 private:
  std::array<char, 3> code_{'U', 'S', 'D'};
};

/// An amount in micros (1,000,000 micros = 1 unit of the currency). Prices are CPM as in OpenRTB:
/// a bid of 2.50 is 2,500,000 micros for 1,000 impressions. Arithmetic saturates instead of
/// overflowing. A value type without its currency: every API says which currency it is in.
/// Thread-compatible.
struct Micros {
  int64_t value = 0;

  static constexpr int64_t kUnit = 1'000'000;

  /// From a decimal number of units, rounded half away from zero. nullopt when it is NaN, infinite
  /// or beyond +-9.2e12 units: money never comes from such a number.
  static constexpr std::optional<Micros> FromUnits(double units) {
    const double scaled = units * static_cast<double>(kUnit);
    if (!(scaled > -9.2e18 && scaled < 9.2e18)) return std::nullopt;  // also false for NaN
    return Micros{static_cast<int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5))};
  }
  constexpr double units() const { return static_cast<double>(value) / static_cast<double>(kUnit); }

  constexpr auto operator<=>(const Micros&) const = default;

  friend constexpr Micros operator+(Micros a, Micros b) {
    int64_t sum = 0;
    if (__builtin_add_overflow(a.value, b.value, &sum)) return {a.value < 0 ? INT64_MIN : INT64_MAX};
    return {sum};
  }
  friend constexpr Micros operator-(Micros a, Micros b) {
    int64_t diff = 0;
    if (__builtin_sub_overflow(a.value, b.value, &diff)) return {a.value < 0 ? INT64_MIN : INT64_MAX};
    return {diff};
  }
};

}  // namespace adagents
