// Reads a request with the installed package, from the lowest layer to the adapter.
#include <cstdio>
#include <string_view>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/model/model.h"
#include "adagents/version.h"

int main() {
  constexpr std::string_view kJson =
      R"({"id":"r1","imp":[{"id":"1","audio":{"mimes":["audio/mpeg"]}}],"app":{"id":"radio"}})";
  adagents::openrtb::Reader reader;
  const auto request = reader.Read(kJson);
  if (!request.ok()) {
    std::fprintf(stderr, "%s\n", request.status().ToString().c_str());
    return 1;
  }
  std::printf("adagents %s read a request with %zu imp\n", adagents::kVersion.data(),
              (*request)->imps.size());
  const auto model = adagents::model::LoadModel("/no/such.model");
  std::printf("%s\n", model.status().ToString().c_str());
  return (*request)->imps.size() == 1 && !model.ok() ? 0 : 1;
}
