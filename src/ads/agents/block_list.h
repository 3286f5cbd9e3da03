// What a request does not want: categories, advertisers, apps and seats.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/ads/request.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads::internal {

/// Reading costs as much as sorting the request's lists; judging a creative depends on their
/// lengths by a logarithm only, for exchanges pass on lists of thousands.
///
/// Thread-compatible. Reading another request reuses the memory; the request need not outlive it.
class BlockList {
 public:
  void Read(const Request& request);

  /// Why the request does not want this creative (a code of reasons.h); nullptr when it does.
  const ReasonCode* Judge(const Catalog& catalog, uint32_t campaign, uint16_t creative,
                          std::string_view seat) const;

 private:
  bool BlocksAdvertiser(const Campaign& campaign) const;
  bool BlocksSeat(std::string_view seat) const;
  bool BlocksApp(std::string_view url) const;

  // Hashes, sorted; of categories and domains of their canonical spellings.
  std::vector<uint64_t> categories_, domains_, apps_, blocked_seats_, wanted_seats_;
};

}  // namespace adagents::ads::internal
