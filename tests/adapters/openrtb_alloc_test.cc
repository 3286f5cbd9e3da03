// In steady state neither reading nor writing touches the heap. An executable of its own, because
// it replaces operator new.
#include <fstream>
#include <string>
#include <vector>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adapters/sample_campaign.h"
#include "allocations.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

TEST_CASE("reading and writing the sample requests allocates nothing once warm") {
  std::ifstream file(std::string(ADAGENTS_SOURCE_DIR) +
                     "/examples/ad_server/sample-requests.ndjson");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  REQUIRE(lines.size() >= 200);

  const ads::Campaign campaign = test::SampleCampaign();
  const absl::StatusOr<NoticeSigner> signer = NoticeSigner::Create(
      {.base_url = "https://ads.example.com/n", .keys = {{"k1", "0123456789abcdef"}}});
  REQUIRE(signer.ok());
  Reader reader;
  const Writer writer({.seat = "house", .signer = &*signer});
  std::string out;
  const auto all = [&] {
    ads::RequestPtr straggler;  // holds one request while the next are read
    for (const std::string& line : lines) {
      absl::StatusOr<ads::RequestPtr> request = reader.Read(line);
      if (!request.ok()) return false;
      ads::Decision decision;
      for (const ads::Imp& imp : (*request)->imps) {
        ads::Bid bid;
        bid.imp = static_cast<uint32_t>(&imp - (*request)->imps.data());
        bid.campaign = &campaign;
        const size_t kind = imp.audio != nullptr    ? 0
                            : imp.video != nullptr  ? 1
                            : imp.banner != nullptr ? 2
                                                    : 3;
        bid.creative = &campaign.creatives[kind];
        decision.bids.push_back(bid);
      }
      out.clear();
      writer.Write(**request, decision, absl::FromUnixSeconds(1'800'000'000), &out);
      straggler = *std::move(request);
    }
    return true;
  };
  for (int warm = 0; warm < 3; ++warm) REQUIRE(all());
  const long before = testing::thread_allocations;
  const bool ok = all();
  const long after = testing::thread_allocations;
  CHECK(ok);
  CHECK(after - before == 0);
}

}  // namespace
}  // namespace adagents::openrtb
