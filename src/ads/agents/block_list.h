// What a request does not want: categories, advertisers, apps and seats.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "adagents/ads/catalog.h"
#include "adagents/ads/request.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads::internal {

/// Thread-compatible. Reading another request reuses the memory; the request must outlive the use.
class BlockList {
 public:
  void Read(const Request& request);

  /// Why the request does not want this creative (a code of reasons.h); nullptr when it does.
  const ReasonCode* Judge(const Catalog& catalog, uint32_t campaign, uint16_t creative,
                          std::string_view seat) const;

 private:
  bool BlocksAdvertiser(const Campaign& campaign) const;

  const Request* request_ = nullptr;
  std::vector<uint64_t> categories_, domains_;  // hashes of canonical spellings, sorted
};

}  // namespace adagents::ads::internal
