// Any bytes as the texts of a catalog: the response stays JSON, its markup well-formed.
#include <cstddef>
#include <cstdint>

#include "fuzz/openrtb_properties.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace adagents;
  constexpr size_t kLongest =
      2048;  // every text is this long, some stand in a response dozens of times
  if (size > kLongest) return 0;
  static const ads::RequestPtr* request = [] {
    openrtb::Reader reader;
    return new ads::RequestPtr(*reader.Read(
        R"({"id":"r","imp":[{"id":"1","audio":{"mimes":["audio/mpeg"],"companionad":[{}]},
        "video":{"mimes":["video/mp4"]},"banner":{"w":300,"h":250},
        "native":{"request":"{\"assets\":[{\"id\":1,\"title\":{\"len\":5}},{\"id\":2,\"img\":{}},{\"id\":3,\"data\":{\"type\":1}},{\"id\":4,\"data\":{\"type\":2,\"len\":3}},{\"id\":5,\"data\":{\"type\":12}}]}"},
        "pmp":{"deals":[{"id":"d"}]}}]})"));
  }();
  fuzz::CheckResponse(**request,
                      fuzz::HostileCampaign({reinterpret_cast<const char*>(data), size}));
  return 0;
}
