// Some seconds of fuzzing that run everywhere: the sample requests, mutated by a seeded generator,
// must keep the properties that the fuzz targets check.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "catch.h"
#include "fuzz/openrtb_properties.h"

namespace adagents {
namespace {

constexpr const char* kTokens[] = {
    "null",   "true", "-1",      "0",           "1e400",      "1e-400",
    "\"\"",   "[]",   "{}",      "\"\\u0000\"", "2147483648", "18446744073709551615",
    "[[[[",   "\xff", "\\",      "\"",          ",",          ":",
    "\"id\"", "1.5",  "\xE2\x82"};

std::string Mutated(std::string text, const std::vector<std::string>& all, Random& random) {
  const uint64_t rounds = 1 + random.Below(4);
  for (uint64_t i = 0; i < rounds && !text.empty(); ++i) {
    const size_t at = random.Below(text.size());
    const size_t n = std::min<size_t>(random.Below(20), text.size() - at);
    switch (random.Below(6)) {
      case 0:
        text[at] = static_cast<char>(random.Below(256));
        break;
      case 1:
        text.erase(at, n);
        break;
      case 2:
        text.insert(at, kTokens[random.Below(std::size(kTokens))]);
        break;
      case 3:
        text.insert(at, text.substr(at, n));
        break;
      case 4: {  // a value for another: from after one colon to the next comma
        const size_t colon = text.find(':', at);
        if (colon == std::string::npos) break;
        const size_t comma = std::min(text.find_first_of(",}]", colon), text.size());
        text.replace(colon + 1, comma - colon - 1, kTokens[random.Below(std::size(kTokens))]);
        break;
      }
      default: {
        const std::string& other = all[random.Below(all.size())];
        const size_t from = random.Below(other.size());
        text.replace(at, n, other.substr(from, random.Below(60)));
      }
    }
  }
  return text;
}

TEST_CASE("mutated sample requests are refused or read, never mistaken") {
  std::ifstream file(std::string(ADAGENTS_SOURCE_DIR) +
                     "/examples/ad_server/sample-requests.ndjson");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  REQUIRE(!lines.empty());
  constexpr uint64_t kSeed = 20260701;
  std::printf("seed %llu\n", static_cast<unsigned long long>(kSeed));
  Random random(kSeed);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  size_t inputs = 0;
  while (std::chrono::steady_clock::now() < end) {
    const std::string text = Mutated(lines[random.Below(lines.size())], lines, random);
    fuzz::ReadAnything(text);
    ++inputs;
  }
  std::printf("%zu inputs\n", inputs);
  CHECK(inputs > 100);
}

}  // namespace
}  // namespace adagents
