// In steady state a decision touches the heap nowhere, from text to text. An executable of its
// own, because it replaces operator new.
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>
#include <vector>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/engine.h"
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
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

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
      const long before = allocations;
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
      counted += allocations - before;
      bids += won;
    }
  }
  CHECK(bids > 100);
  CHECK(counted == 0);
}

}  // namespace
}  // namespace adagents::ads
