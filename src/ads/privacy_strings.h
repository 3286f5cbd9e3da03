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

/// A GPP string: which sections its header names, and their texts. Never allocates; keeps the view.
/// Immutable, so thread-safe.
class GppString {
 public:
  static constexpr int kLargestSection = 64;  ///< far above any that is assigned

  explicit GppString(std::string_view text);

  /// Whether the header decodes and is followed by as many sections as it names.
  bool readable() const { return readable_; }
  /// Bit id-1 for each section that is named; 0 unless readable.
  uint64_t sections() const { return sections_; }
  /// The text of section `id`, from 1 to kLargestSection; empty if there is none.
  std::string_view Section(int id) const;

 private:
  bool ReadHeader(std::string_view header);

  std::string_view text_;
  uint64_t sections_ = 0;
  bool readable_ = false;
};

/// Whether a GPP section of the United States (6 to 12) opts out of sale, sharing or targeted
/// advertising, or sends the Global Privacy Control; what does not decode and other sections do.
bool GppOptsOut(std::string_view section, int id);

/// Whether a US Privacy string ("1YNN") opts out of sale; malformed ones do.
bool UsPrivacyOptsOut(std::string_view text);

}  // namespace adagents::ads::internal
