#include "ads/coarse_address.h"

#include <arpa/inet.h>

#include <algorithm>

namespace adagents::ads::internal {
namespace {

Text KeepPrefix(Text address, int family, size_t prefix_bytes, AddressText* out) {
  if (address.empty() || address.size() >= out->size()) return {};
  *std::copy(address.begin(), address.end(), out->begin()) = '\0';
  unsigned char bytes[16] = {};
  if (inet_pton(family, out->data(), bytes) != 1) return {};
  std::fill(bytes + prefix_bytes, bytes + sizeof(bytes), static_cast<unsigned char>(0));
  constexpr socklen_t kSize = INET6_ADDRSTRLEN;
  if (inet_ntop(family, bytes, out->data(), kSize) == nullptr) return {};
  return out->data();
}

}  // namespace

Text CoarseIpv4(Text address, AddressText* out) { return KeepPrefix(address, AF_INET, 3, out); }
Text CoarseIpv6(Text address, AddressText* out) { return KeepPrefix(address, AF_INET6, 6, out); }

}  // namespace adagents::ads::internal
