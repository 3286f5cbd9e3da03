#include "adagents/ads/consent.h"

#include <bit>
#include <cmath>

#include "adagents/ads/request.h"
#include "ads/coarse_address.h"
#include "ads/privacy_strings.h"

namespace adagents::ads {
namespace {

constexpr int kGppTcfEu = 2;
constexpr int32_t kSectionUnknown = 0;  // gpp_sid while the platform does not know yet
constexpr int32_t kNoSection = -1;      // gpp_sid where none applies

constexpr uint16_t Bit(Purpose p) { return static_cast<uint16_t>(1u << (static_cast<int>(p) - 1)); }

/// Purposes for which the framework (policy version 4 and later) lets a legitimate interest stand
/// in for consent, among those that we use.
constexpr uint16_t kInterestPermitted = Bit(Purpose::kBasicAds) | Bit(Purpose::kMeasureAds) |
                                        Bit(Purpose::kUnderstandAudience) | Bit(Purpose::kDevelop);

/// What gpp and gpp_sid say together.
struct GppSignals {
  bool opt_out = false;
  bool tcf_applies = false;   // by gpp_sid
  bool tcf_possible = false;  // there is a TCF section and no gpp_sid to say whether it applies
  Text tcf;                   // that section, if any
};

GppSignals ReadGpp(const Regs& regs) {
  GppSignals out;
  if (regs.gpp.empty() && regs.gpp_sid.empty()) return out;
  const internal::GppString gpp(regs.gpp);
  const auto bit = [](int32_t sid) { return uint64_t{1} << (sid - 1); };
  uint64_t applying = 0;
  bool unknown = regs.gpp_sid.empty();
  for (int32_t sid : regs.gpp_sid) {
    if (sid == kNoSection) continue;
    if (sid == kSectionUnknown) {
      unknown = true;
    } else if (sid > 0 && sid <= internal::GppString::kLargestSection) {
      applying |= bit(sid);
    } else {
      out.opt_out = true;  // there is no such section
    }
  }
  out.tcf_applies = (applying & bit(kGppTcfEu)) != 0;
  if (unknown) applying |= gpp.sections();
  out.tcf_possible = !out.tcf_applies && (applying & bit(kGppTcfEu)) != 0;
  out.tcf = gpp.Section(kGppTcfEu);
  if ((unknown || applying != 0) && !gpp.readable() && !regs.gpp.empty()) out.opt_out = true;
  for (uint64_t left = applying & ~bit(kGppTcfEu); left != 0; left &= left - 1) {
    const int sid = std::countr_zero(left) + 1;
    out.opt_out |= internal::GppOptsOut(gpp.Section(sid), sid);
  }
  return out;
}

/// Reads the TCF strings into `consent`, which allows what both allow where there are two; true if
/// precise geolocation is among that.
bool ReadTcf(Text text, Text other, Consent* consent) {
  consent->purposes = 0;
  consent->tcf = TcfState::kMissing;
  uint16_t purposes = 0xffff;
  bool located = true;
  for (Text one : {text, other == text ? Text() : other}) {
    if (one.empty()) continue;
    TcfCore core;
    if (!DecodeTcf(one, &core)) {
      consent->tcf = TcfState::kMalformed;
      return false;
    }
    consent->tcf = TcfState::kDecoded;
    purposes &=
        static_cast<uint16_t>(core.consents | (core.legitimate_interests & kInterestPermitted));
    located = located && (core.special_features & 1) != 0;
  }
  if (consent->tcf == TcfState::kMissing) return false;
  consent->purposes = purposes;
  return located;
}

// --- Removal ------------------------------------------------------------------------------------

void Coarsen(std::optional<double>* degrees) {
  if (*degrees) *degrees = std::round(**degrees * 100) / 100;
}

void CoarsenGeo(Geo* geo, bool child) {
  Coarsen(&geo->lat);
  Coarsen(&geo->lon);
  geo->accuracy.reset();
  geo->lastfix.reset();
  if (child) geo->zip = geo->city = {};
}

}  // namespace

Consent ComputeConsent(const Request& request) {
  const Regs& regs = request.regs;
  Consent c;
  c.coppa = regs.coppa;
  c.limited = request.device.lmt || request.device.dnt;
  const GppSignals gpp = ReadGpp(regs);
  c.us_opt_out =
      gpp.opt_out || (!regs.us_privacy.empty() && internal::UsPrivacyOptsOut(regs.us_privacy));
  const Text tcf = request.user.consent;
  c.gdpr = gpp.tcf_applies || regs.gdpr.value_or(gpp.tcf_possible || !tcf.empty());
  const bool also_gpp = gpp.tcf_applies || gpp.tcf_possible || tcf.empty();
  const bool located = !c.gdpr || ReadTcf(tcf, also_gpp ? gpp.tcf : Text(), &c);
  const bool barred = c.coppa || c.us_opt_out || c.limited;
  c.may_identify = !barred && c.Allows(Purpose::kStorage) && c.Allows(Purpose::kBasicAds) &&
                   c.Allows(Purpose::kPersonalisedAds);
  c.may_profile = c.may_identify && c.Allows(Purpose::kCreateProfile);
  c.may_locate = located && !c.coppa && !c.us_opt_out;
  c.may_measure = c.Allows(Purpose::kMeasureAds);
  return c;
}

void ApplyConsent(Request* request, Arena* arena) {
  const Consent& c = request->consent;
  Device& device = request->device;
  User& user = request->user;
  if (!c.may_identify) {
    const Text consent = user.consent;
    const Geo geo = user.geo;
    user = User{};
    user.consent = consent;
    user.geo = geo;
    device.ifa = {};
  }
  if (!c.may_locate) {
    internal::AddressText text;
    device.ip = arena->Copy(internal::CoarseIpv4(device.ip, &text));
    device.ipv6 = arena->Copy(internal::CoarseIpv6(device.ipv6, &text));
    CoarsenGeo(&device.geo, c.coppa);
    CoarsenGeo(&user.geo, c.coppa);
  }
}

}  // namespace adagents::ads
