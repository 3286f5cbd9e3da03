// In steady state a decision touches the heap nowhere, from text to text. An executable of its
// own, because it replaces operator new.
#include <fstream>
#include <string>
#include <vector>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/engine.h"
#include "allocations.h"
#include "catch.h"

namespace adagents::ads {
namespace {

TEST_CASE("deciding the sample requests allocates nothing once warm") {
  std::ifstream file(std::string(ADAGENTS_SOURCE_DIR) +
                     "/examples/ad_server/sample-requests.ndjson");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  REQUIRE(lines.size() >= 200);
  EngineOptions options;
  options.catalog = GenerateCatalog({.campaigns = 1000, .seed = 5});
  options.relevance.rows = 1024;
  options.rates = {{*Currency::Parse("EUR"), 0.9}, {*Currency::Parse("GBP"), 0.8}};
  auto engine = Engine::Create(std::move(options));
  REQUIRE(engine.ok());
  openrtb::Reader reader;
  const openrtb::Writer writer;
  std::string out;
  long counted = 0;
  size_t bids = 0;
  for (int round = 0; round < 4; ++round) {
    for (const std::string& line : lines) {
      const long before = testing::thread_allocations;
      size_t won = 0;
      {
        const auto request = reader.Read(line);
        if (!request.ok()) continue;
        const auto answer = (*engine)->Decide(*request, {.trusted = true});
        out.clear();
        writer.Write(**request, answer.value, absl::Now(), &out);
        won = answer.value.bids.size();
      }
      if (round < 2 || won > 4) continue;  // a decision holds four bids by itself
      counted += testing::thread_allocations - before;
      bids += won;
    }
  }
  CHECK(bids > 100);
  CHECK(counted == 0);
}

}  // namespace
}  // namespace adagents::ads
