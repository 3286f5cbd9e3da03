// The bit fields of privacy strings: IAB TCF v2 core segments and GPP.
#pragma once

#include <cstdint>
#include <string_view>

#include "adagents/ads/consent.h"

namespace adagents::ads::internal {

/// Bits of base64url text without padding, most significant first. Never allocates.
/// Thread-compatible.
class BitReader {
 public:
  explicit BitReader(std::string_view text) : text_(text) {}

  /// The next `n` (at most 64) bits; 0 and failed() once they run out or a character is foreign.
  uint64_t Read(int n);
  void Skip(size_t n) { at_ += n; }
  /// A Fibonacci-coded number (ending in two ones), as GPP headers have them; 0 when malformed.
  uint32_t ReadFibonacci();
  bool failed() const { return failed_; }
  size_t size() const { return text_.size() * 6; }

 private:
  std::string_view text_;
  size_t at_ = 0;
  bool failed_ = false;
};

/// The text of section `id` in a GPP string; false if it has none or does not decode.
bool FindGppSection(std::string_view gpp, int id, std::string_view* section);

/// Whether a GPP section of the United States (7 to 12) opts out of sale, sharing or targeted
/// advertising, or sends the Global Privacy Control. False in `*readable` if it does not decode.
bool GppOptsOut(std::string_view section, int id, bool* readable);

/// Whether a US Privacy string ("1YNN") opts out of sale; malformed ones do.
bool UsPrivacyOptsOut(std::string_view text);

}  // namespace adagents::ads::internal
