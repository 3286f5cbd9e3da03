#include "ads/privacy_strings.h"

#include <algorithm>
#include <array>
#include <bit>
#include <span>

namespace adagents::ads {
namespace internal {
namespace {

constexpr int8_t kForeign = -1;

constexpr std::array<int8_t, 256> MakeBase64Url() {
  std::array<int8_t, 256> table{};
  for (int8_t& value : table) value = kForeign;
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<int8_t>(i);
  }
  return table;
}
constexpr std::array<int8_t, 256> kBase64Url = MakeBase64Url();

constexpr int kUsPrivacy = 6, kFirstUs = 7, kLastUs = 12;  // GPP sections

/// Which 2-bit fields after the version are opt-outs (1: opted out), by GPP section 7 to 12, from
/// the Global Privacy Platform's section specifications.
constexpr int kUsNational[] = {6, 7, 8};  // sale, sharing, targeted advertising
constexpr int kCalifornia[] = {3, 4};     // sale, sharing
constexpr int kVirginia[] = {3, 4};       // sale, targeted advertising; Colorado, Connecticut alike
constexpr int kUtah[] = {4, 5};
constexpr std::span<const int> kOptOuts[] = {kUsNational, kCalifornia, kVirginia,
                                             kVirginia,   kUtah,       kVirginia};

}  // namespace

uint64_t BitReader::Read(int n) {
  uint64_t value = 0;
  while (n > 0) {
    const size_t index = at_ / 6;
    const int8_t six =
        index < text_.size() ? kBase64Url[static_cast<unsigned char>(text_[index])] : kForeign;
    if (six == kForeign) {
      failed_ = true;
      return 0;
    }
    const int left = 6 - static_cast<int>(at_ % 6);  // bits of this character
    const int taken = std::min(n, left);
    value = value << taken | (static_cast<uint64_t>(six) >> (left - taken) & ((1u << taken) - 1));
    at_ += static_cast<size_t>(taken);
    n -= taken;
  }
  return value;
}

uint32_t BitReader::ReadFibonacci() {
  uint32_t value = 0, step = 1, next = 2;
  bool previous = false;
  for (int i = 0; i < 24 && !failed_; ++i) {  // 24 digits: up to 121,392
    const bool bit = Read(1) != 0;
    if (bit && previous) return value;
    if (bit) value += step;
    previous = bit;
    const uint32_t sum = step + next;
    step = next;
    next = sum;
  }
  failed_ = true;
  return 0;
}

GppString::GppString(std::string_view text) : text_(text) {
  const auto follow = std::count(text.begin(), text.end(), '~');
  readable_ = ReadHeader(text.substr(0, text.find('~'))) && std::popcount(sections_) == follow;
  if (!readable_) sections_ = 0;
}

bool GppString::ReadHeader(std::string_view text) {
  BitReader header(text);
  if (header.Read(6) != 3 || header.Read(6) != 1) return false;  // type and version
  const uint64_t items = header.Read(12);
  uint32_t last = 0;
  for (uint64_t i = 0; i < items; ++i) {
    const bool range = header.Read(1) != 0;
    const uint32_t first = last + header.ReadFibonacci();
    last = range ? first + header.ReadFibonacci() : first;
    if (header.failed() || last > kLargestSection) return false;
    for (uint32_t id = first; id <= last; ++id) sections_ |= uint64_t{1} << (id - 1);
  }
  return !header.failed();
}

std::string_view GppString::Section(int id) const {
  const uint64_t bit = uint64_t{1} << (id - 1);
  if ((sections_ & bit) == 0) return {};
  std::string_view rest = text_;
  // Past the header and, for ids ascend, the sections of smaller ids.
  for (int skip = std::popcount(sections_ & (bit - 1)); skip >= 0; --skip) {
    rest.remove_prefix(rest.find('~') + 1);
  }
  return rest.substr(0, rest.find('~'));
}

bool GppOptsOut(std::string_view section, int id) {
  if (id == kUsPrivacy) return UsPrivacyOptsOut(section);
  if (id < kFirstUs || id > kLastUs) return true;
  const size_t dot = section.find('.');
  BitReader core(section.substr(0, dot));
  const uint64_t version = core.Read(6);
  if (version < 1 || version > 2) return true;
  bool out = false;
  int at = 0;
  for (int field : kOptOuts[id - kFirstUs]) {
    core.Skip(static_cast<size_t>(field - at) * 2);
    out |= (core.Read(2) & 1) != 0;  // 3 is no value of theirs
    at = field + 1;
  }
  if (core.failed()) return true;
  if (dot == std::string_view::npos) return out;
  BitReader control(section.substr(dot + 1));
  const bool is_control = control.Read(2) == 1;
  out |= is_control && control.Read(1) == 1;
  return out || control.failed();
}

bool UsPrivacyOptsOut(std::string_view text) {
  if (text.size() != 4 || text[0] != '1') return true;
  for (char c : text.substr(1)) {
    if (c != 'Y' && c != 'N' && c != '-' && c != 'y' && c != 'n') return true;
  }
  return text[2] == 'Y' || text[2] == 'y';
}

}  // namespace internal

bool DecodeTcf(std::string_view text, TcfCore* core) {
  // Created, LastUpdated, CmpId, CmpVersion, ConsentScreen, ConsentLanguage, VendorListVersion,
  // TcfPolicyVersion, IsServiceSpecific, UseNonStandardTexts.
  constexpr size_t kBeforeFeatures = 36 + 36 + 12 + 12 + 6 + 12 + 12 + 6 + 1 + 1;
  // PublisherCC, MaxVendorId and IsRangeEncoding follow the purposes in every valid string.
  constexpr int kAfterPurposes = 12 + 16 + 1;
  internal::BitReader bits(text.substr(0, text.find('.')));
  core->version = static_cast<int>(bits.Read(6));
  if (core->version != 2) return false;
  for (size_t left = kBeforeFeatures; left > 0;) {  // read, for foreign characters count
    const int n = left < 64 ? static_cast<int>(left) : 64;
    (void)bits.Read(n);
    left -= static_cast<size_t>(n);
  }
  // Item 1 is the first bit of each field.
  const auto read = [&bits](int size, int keep) {
    const uint64_t field = bits.Read(size);
    uint16_t out = 0;
    for (int i = 0; i < keep; ++i) {
      out = static_cast<uint16_t>(out | (field >> (size - 1 - i) & 1) << i);
    }
    return out;
  };
  core->special_features = read(12, 12);
  core->consents = read(24, 16);
  core->legitimate_interests = read(24, 16);
  // PurposeOneTreatment: purpose 1 was not put to the user at all, so nothing was agreed to.
  if (bits.Read(1) != 0) core->consents &= static_cast<uint16_t>(~1u);
  (void)bits.Read(kAfterPurposes);
  return !bits.failed();
}

}  // namespace adagents::ads
