// What the law and the listener allow in one request, from regs, user and device, computed once by
// the adapter before any agent runs.
//
// One rule table. The strictest row that applies wins; "ids" are user.id, user.buyeruid, user.eids
// and device.ifa; "traits" are user.yob, gender, keywords, data and customdata; "precise location"
// is device.ip, ipv6 and geo lat/lon (without it: /24, /48 and two decimals, about one kilometre).
//
// | signal                                              | ids      | traits   | precise location |
// |-----------------------------------------------------|----------|----------|------------------|
// | none of those below                                 | kept     | kept     | kept             |
// | GDPR applies and the TCF v2 string decodes          | kept if purposes 1, 2 and 4 | kept if  |
// |                                                     | are allowed (2: consent or  | special  |
// |                                                     | legitimate interest)        | feature 1|
// | GDPR applies, string missing or malformed           | removed  | removed  | coarse           |
// | regs.coppa = 1                                      | removed  | removed  | coarse, and no   |
// |                                                     |          |          | zip and no city  |
// | us_privacy opts out of sale ('Y'), or is malformed  | removed  | removed  | coarse           |
// | GPP section 6 (US privacy) applies and says so      | removed  | removed  | coarse           |
// | GPP sections 7 to 12 (US national and states) apply | removed  | removed  | coarse           |
// |   and opt out of sale, sharing or targeted ads      |          |          |                  |
// | another or unreadable GPP section that applies, or  | removed  | removed  | coarse           |
// |   an unreadable GPP string                          |          |          |                  |
// | device.lmt = 1 or device.dnt = 1                    | removed  | removed  | kept             |
//
// GPP sections apply that gpp_sid names. Where it is absent, or 0 (not known yet), all those apply
// that the string's header names; where it is -1, none does and the string is not looked at.
//
// GDPR applies if regs.gdpr = 1 or gpp_sid names section 2. Where regs.gdpr is absent, it applies if
// there is a TCF string (user.consent) or a GPP section 2 that gpp_sid does not rule out. Where
// regs.gdpr = 0, such strings are not looked at. If both strings are there and count, each must
// allow.
//
// It fails closed: what cannot be read allows nothing. Vendor consent and publisher restrictions
// name single companies and are not read (the vendor-agnostic case).
//
//   if (request.consent.may_profile) table.Update(request.user.id, ...);
#pragma once

#include <cstdint>
#include <string_view>

namespace adagents::ads {

struct Request;
class Arena;

/// Purposes of the IAB Transparency and Consent Framework, as bits of Consent::purposes.
enum class Purpose : int8_t {
  kStorage = 1,             ///< store or access information on a device
  kBasicAds = 2,            ///< use limited data to select advertising
  kCreateProfile = 3,       ///< create profiles for personalised advertising
  kPersonalisedAds = 4,     ///< use profiles to select personalised advertising
  kMeasureAds = 7,          ///< measure advertising performance
  kUnderstandAudience = 9,  ///< understand audiences through statistics
  kDevelop = 10,            ///< develop and improve services
};

/// How the TCF string fared.
enum class TcfState : int8_t {
  kNotNeeded,  ///< GDPR does not apply
  kMissing,    ///< it applies and there is no string
  kMalformed,  ///< it applies and the string does not decode
  kDecoded,    ///< `purposes` holds what it allows
};

/// A plain value; thread-compatible.
struct Consent {
  bool gdpr = false;  ///< GDPR applies
  TcfState tcf = TcfState::kNotNeeded;
  bool coppa = false;       ///< directed at children
  bool us_opt_out = false;  ///< opted out of sale (US privacy or a GPP section), or unreadable
  bool limited = false;     ///< device.lmt or device.dnt

  /// Bit n-1 for TCF purpose n, by consent, or by legitimate interest where the framework permits
  /// it (2, 7, 9, 10; never 1, 3 and 4). All set where GDPR does not apply.
  uint16_t purposes = 0xffff;

  bool may_identify = true;  ///< ids and traits may be seen by agents
  bool may_profile = true;   ///< state about this person may be written (purpose 3 as well)
  bool may_locate = true;    ///< precise location may be seen by agents
  bool may_measure = true;   ///< purpose 7

  constexpr bool Allows(Purpose p) const {
    return (purposes >> (static_cast<int>(p) - 1) & 1) != 0;
  }
};

/// The core segment of a TCF v2.x string, decoded.
struct TcfCore {
  int version = 0;
  uint16_t consents = 0;              ///< bit n-1 for purpose n, of the first 16 purposes
  uint16_t legitimate_interests = 0;  ///< likewise
  uint16_t special_features = 0;      ///< bit 0: precise geolocation
};

/// Decodes the core segment (up to the first '.'; base64url without padding). False and `core`
/// unspecified unless it is version 2 and holds all fixed fields. Never allocates. Thread-safe.
[[nodiscard]] bool DecodeTcf(std::string_view text, TcfCore* core);

/// The rule table above for `request` (its regs, user and device). Never allocates. Thread-safe.
[[nodiscard]] Consent ComputeConsent(const Request& request);

/// Removes from `request` what `request.consent` does not allow; shortened addresses are put into
/// `arena`. The adapter calls this before the request is visible to anyone else. Thread-compatible.
void ApplyConsent(Request* request, Arena* arena);

}  // namespace adagents::ads
