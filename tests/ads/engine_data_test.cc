// Real requests, from text to text.
#include <map>
#include <string>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/engine.h"
#include "adapters/data_files.h"
#include "catch.h"

namespace adagents::ads {
namespace {

struct Counts {
  size_t lines = 0, refused = 0, decided = 0, late = 0, bids = 0;
};

Counts DecideAll(const std::string& path, bool trusted) {
  EngineOptions options;
  options.catalog = GenerateCatalog({.campaigns = 2000, .seed = 3});
  options.relevance.rows = 1024;
  auto engine = Engine::Create(std::move(options));
  REQUIRE(engine.ok());
  openrtb::Reader reader;
  const openrtb::Writer writer;
  Counts counts;
  std::string out;
  for (const std::string& line : test::Lines(path)) {
    ++counts.lines;
    const auto request = reader.Read(line);
    if (!request.ok()) {
      ++counts.refused;
      continue;
    }
    const auto answer = (*engine)->Decide(*request, {.trusted = trusted});
    out.clear();
    writer.Write(**request, answer.value, absl::Now(), &out);
    if (answer.verdict == Verdict::kDecided) ++counts.decided;
    if (answer.late > 0 || answer.verdict == Verdict::kExpired) ++counts.late;
    counts.bids += answer.value.bids.size();
    const bool has_bid = !answer.value.bids.empty();
    if (out.empty() || has_bid == (out.find("\"nbr\"") != std::string::npos)) {
      FAIL("request " << (*request)->id << " is answered by " << out);
    }
  }
  return counts;
}

TEST_CASE("all recorded web auctions are decided in time") {
  const std::string path = test::DataFile("openrtb/web-auctions-2012.ndjson.xz");
  if (path.empty()) return;
  const Counts counts = DecideAll(path, true);
  CHECK(counts.lines == 14'000);
  CHECK(counts.refused == 0);
  CHECK(counts.decided == 14'000);
  CHECK(counts.late == 0);
  CHECK(counts.bids > 1'000);
}

TEST_CASE("all recorded app requests are decided in time, by workers too") {
  const std::string path = test::DataFile("openrtb/app-requests-2016.ndjson.xz");
  if (path.empty()) return;
  const bool trusted = GENERATE(true, false);
  const Counts counts = DecideAll(path, trusted);
  CHECK(counts.lines == 700);
  CHECK(counts.decided == 700);
  CHECK(counts.late == 0);
}

}  // namespace
}  // namespace adagents::ads
