// Something to look at: writes a region as a small ad server would, until Ctrl-C or kill -9, and
// goes on where it was when it is started again.
//
//   inspect_demo /dev/shm/demo [SECONDS]
#include <csignal>
#include <cstring>
#include <thread>

#include "absl/strings/numbers.h"
#include "adagents/ads/frequency_caps.h"
#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "adagents/blackboard/cell.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/stream.h"
#include "adagents/blackboard/table.h"
#include "fmt/format.h"

namespace demo {

using namespace adagents;  // NOLINT: an application

struct Forecast {
  static constexpr std::string_view kRegionFields = "requests_per_s f64, floor_micros i64";
  double requests_per_s;
  int64_t floor_micros;
};
struct Session {
  static constexpr std::string_view kRegionFields =
      "requests u32, genre char[8], attention f32, last_campaigns u32[4]";
  uint32_t requests;
  char genre[8];
  float attention;
  uint32_t last_campaigns[4];
};
struct Last {  // whose fields are not told
  uint64_t shown;
};
struct Outcome {
  static constexpr std::string_view kRegionFields = "campaign u32, clicked bool, price_micros i64";
  uint32_t campaign;
  bool clicked;
  int64_t price_micros;
};

volatile sig_atomic_t stop = 0;

int Main(const char* path, double seconds) {
  auto region = Region::Open(path);
  if (!region.ok()) {
    fmt::print(stderr, "inspect_demo: {}\n", Message(region.status()));
    return 1;
  }
  auto forecast = region->Place<Cell<Forecast>>("forecast");
  auto requests = region->Place<Counter>("requests");
  auto budget = region->Place<BoundedCounter>("budget.micros", 5'000'000'000);
  Table<uint64_t, Session> sessions(
      {.capacity = 20'000, .ttl = absl::Minutes(30), .region = &*region, .name = "sessions"});
  Table<uint64_t, Last> last({.capacity = 5000,
                              .ttl = absl::Seconds(20),
                              .when_full = WhenFull::kRefuse,
                              .expiry = Expiry::kAfterCreation,
                              .region = &*region,
                              .name = "last"});
  // A bid is remembered for its notices for 90 minutes, and some twenty are won a second.
  ads::FrequencyCaps caps({.windows = 20'000, .bids = 150'000, .region = &*region});
  Stream<Outcome> outcomes(4096, &*region, "outcomes");
  if (!region->status().ok()) {
    fmt::print(stderr, "inspect_demo: {}\n", Message(region->status()));
    return 1;
  }
  fmt::print("{} {}, {} requests so far\n", region->reopened() ? "reopened" : "made", path,
             (*requests)->Sum());
  std::fflush(stdout);

  constexpr const char* kGenres[] = {"jazz", "rock", "podcast", "calm"};
  const Clock& clock = SystemClock::Get();
  const int64_t start = clock.Now();
  Random random(static_cast<uint64_t>(start));
  for (int64_t n = 0; stop == 0; ++n) {
    const int64_t now = clock.Now();
    if (seconds > 0 && now - start > static_cast<int64_t>(seconds * 1e9)) break;
    const uint64_t listener = random.Below(10'000);
    const auto campaign = static_cast<uint32_t>(random.Below(500));
    (*requests)->Add();
    sessions.Upsert(listener, [&](Session& s, bool existed) {
      if (!existed) std::strcpy(s.genre, kGenres[random.Below(4)]);
      s.attention =
          existed ? 0.9f * s.attention + 0.1f * static_cast<float>(random.Below(2)) : 0.5f;
      s.last_campaigns[s.requests++ % 4] = campaign;
    });
    const int64_t price = 500 + static_cast<int64_t>(random.Below(4000));
    const ads::CapWindow twice_a_minute{Mix64(listener), campaign, 60, 2};
    const uint64_t decision = random();
    if (random.Below(100) != 0) {
      // Most auctions are lost.
    } else if (!caps.Reserve(decision, 0, {&twice_a_minute, 1}).ok) {
      // This listener has met the campaign twice.
    } else if (!(*budget)->TryAdd(price)) {
      caps.Release(decision, 0);
    } else {
      caps.Count(decision, 0);
      last.Upsert(listener << 16 | campaign, [](Last& l, bool) { ++l.shown; });
      outcomes.Publish({campaign, random.Below(100) == 0, price});
    }
    if (n % 100 == 0) {
      const double passed = static_cast<double>(now - start + 1) / 1e9;
      (*forecast)->Write({static_cast<double>(n) / passed, price});
    }
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
  return 0;
}

}  // namespace demo

int main(int argc, char** argv) {
  double seconds = 0;
  if (argc < 2 || argc > 3 || argv[1][0] == '-' ||
      (argc == 3 && (!absl::SimpleAtod(argv[2], &seconds) || !(seconds > 0 && seconds < 1e9)))) {
    fmt::print(stderr, "usage: inspect_demo REGION [SECONDS]\n");
    return 2;
  }
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, [](int) { demo::stop = 1; });
  return demo::Main(argv[1], seconds);
}
