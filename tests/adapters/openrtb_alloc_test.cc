// In steady state neither reading nor writing touches the heap. An executable of its own, because
// it replaces operator new.
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adapters/sample_campaign.h"
#include "catch.h"

namespace {
thread_local long allocations = 0;
}  // namespace

// Not inlined, or g++ sees malloc() meet operator delete.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, std::align_val_t align) {
  ++allocations;
  const auto to = static_cast<size_t>(align);
  if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  return operator new(size, tag);
}

[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

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
  const long before = allocations;
  const bool ok = all();
  const long after = allocations;
  CHECK(ok);
  CHECK(after - before == 0);
}

}  // namespace
}  // namespace adagents::openrtb
