#include "ads/consent_guard.h"

#include <cmath>

#include "adagents/ads/consent.h"
#include "ads/coarse_address.h"

namespace adagents::ads::internal {
namespace {

class ClearedBuffer final : public RequestBuffer {
 public:
  explicit ClearedBuffer(RequestPtr original) : original_(std::move(original)) {}

 private:
  RequestPtr original_;  // the texts and lists are still its own
};

bool Same(const Consent& a, const Consent& b) {
  return a.gdpr == b.gdpr && a.tcf == b.tcf && a.coppa == b.coppa && a.us_opt_out == b.us_opt_out &&
         a.limited == b.limited && a.purposes == b.purposes && a.may_identify == b.may_identify &&
         a.may_profile == b.may_profile && a.may_locate == b.may_locate &&
         a.may_measure == b.may_measure;
}

bool IsCoarse(std::optional<double> degrees) {
  return !degrees || *degrees == std::round(*degrees * 100) / 100;
}
bool IsCoarse(const Geo& geo, bool child) {
  if (!IsCoarse(geo.lat) || !IsCoarse(geo.lon) || geo.accuracy || geo.lastfix) return false;
  return !child || (geo.zip.empty() && geo.city.empty());
}
bool IsCoarse(const Device& device) {
  AddressText text;
  return device.ip == CoarseIpv4(device.ip, &text) && device.ipv6 == CoarseIpv6(device.ipv6, &text);
}

/// Whether ApplyConsent() would find nothing to remove. When in doubt, false.
bool IsClear(const Request& r) {
  const Consent& c = r.consent;
  const User& u = r.user;
  if (!c.may_identify) {
    if (!u.id.empty() || !u.buyeruid.empty() || !u.eids.empty() || !r.device.ifa.empty() ||
        !u.gender.empty() || !u.keywords.empty() || !u.customdata.empty() || !u.data.empty() ||
        u.yob) {
      return false;
    }
  }
  if (!c.may_locate) {
    if (!IsCoarse(r.device.geo, c.coppa) || !IsCoarse(u.geo, c.coppa)) return false;
    if (!IsCoarse(r.device)) return false;
  }
  return true;
}

}  // namespace

RequestPtr WithConsent(const RequestPtr& request) {
  const Consent consent = ComputeConsent(*request);
  if (Same(consent, request->consent) && IsClear(*request)) return request;
  auto* buffer = new ClearedBuffer(request);
  RequestPtr copy(buffer);
  buffer->request = *request;
  buffer->request.consent = consent;
  ApplyConsent(&buffer->request, &buffer->arena);
  return copy;
}

}  // namespace adagents::ads::internal
