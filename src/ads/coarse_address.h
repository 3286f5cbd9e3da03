// Network addresses without the part that tells homes apart.
#pragma once

#include <netinet/in.h>

#include <array>

#include "adagents/ads/request.h"

namespace adagents::ads::internal {

using AddressText = std::array<char, INET6_ADDRSTRLEN>;

/// The /24 of an IPv4 address in its usual spelling ("203.0.113.0"), written into `out`; empty if
/// `address` is none. Never allocates. Thread-safe.
Text CoarseIpv4(Text address, AddressText* out);

/// Likewise the /48 of an IPv6 address ("2001:db8:1234::").
Text CoarseIpv6(Text address, AddressText* out);

}  // namespace adagents::ads::internal
