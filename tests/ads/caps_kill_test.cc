// Kills a process while four of its threads reserve and count under frequency caps in a region,
// over and over, and compares the region with what they had said they were about to do and had
// done: no window is ever exceeded, and what was counted is there. With ADAGENTS_LONG set: a
// thousand kills. Times are of a clock that both share.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/blackboard/region_view.h"
#include "ads/caps_crash.h"
#include "blackboard/killed_writer.h"
#include "blackboard/region_files.h"
#include "catch.h"

namespace adagents::crash {
namespace {

using ads::CapUse;
using ads::CapWindow;
using ads::FrequencyCaps;

/// What became of one listener's bids, as the page has it.
struct Listener {
  struct Impression {
    int64_t from, by;
    uint32_t reports;
    bool sure;  // that it was counted
  };
  std::vector<Impression> played;
  std::vector<int64_t> held, maybe;  // when bids were made that hold a place, or may hold one
};

/// A slice of a window and the unit of time; see ads/cap_word.h.
int64_t SlackOf(const CapWindow& w) { return int64_t{w.seconds} * kSecond / 6 + 8 * kSecond; }

class Check {
 public:
  Check(const FrequencyCaps& caps, Acks& acks) : caps_(caps), now_(acks.now) {
    for (auto& thread : acks.threads) {
      for (Bid& bid : thread.bids) Read(bid);
    }
    for (const auto& [id, listener] : listeners_) {
      for (const CapWindow& window : WindowsOf(id)) {
        NeverExceeded(listener, window);
        IsThere(listener, window);
      }
    }
  }
  uint64_t played() const { return played_; }

 private:
  void Read(Bid& bid) {
    if (bid.is == Bid::kFree || bid.reserved_at < now_ - 2 * kLongest) return;
    Listener& listener = listeners_[bid.listener];
    const bool sure = bid.is == Bid::kCounted;
    if (sure || bid.is == Bid::kCounting) {
      listener.played.push_back({bid.played_from, sure ? bid.by.load() : now_, bid.reports, sure});
      ++played_;
    }
    if (bid.is == Bid::kSent) listener.held.push_back(bid.reserved_at);
    if (!sure && bid.is != Bid::kReleased) listener.maybe.push_back(bid.reserved_at);
  }

  /// No more impressions than its limit in any stretch as long as the window: what was played for
  /// certain between two moments that are less than that apart.
  static void NeverExceeded(const Listener& listener, const CapWindow& window) {
    const int64_t length = int64_t{window.seconds} * kSecond;
    for (const auto& first : listener.played) {
      const auto in = std::count_if(
          listener.played.begin(), listener.played.end(),
          [&](const auto& i) { return i.from >= first.from && i.by < first.from + length; });
      REQUIRE(in <= window.limit);
    }
  }

  /// What the caps say of the window is what the page says.
  void IsThere(const Listener& listener, const CapWindow& window) const {
    const CapUse use = caps_.Look(window);
    const int64_t begin = now_ - int64_t{window.seconds} * kSecond;
    int32_t least = 0, most = 0, repeated = 0;
    for (const auto& i : listener.played) {
      if (i.from >= begin) least += i.sure ? 1 : 0;
      if (i.by < begin - SlackOf(window)) continue;
      most += static_cast<int32_t>(i.reports);
      repeated += static_cast<int32_t>(i.reports) - 1;
    }
    const int64_t ttl = absl::ToInt64Nanoseconds(kTtl);
    const auto held = Since(now_ - ttl + 8 * kSecond, listener.held);
    // A place that is given back just after its generation's end may be one of the generation
    // before, of a bid that then counts for that much longer: up to three times to live.
    const auto maybe = Since(now_ - 3 * ttl - 8 * kSecond, listener.maybe);
    INFO("shown " << use.shown << ", reserved " << use.reserved << "; played " << least << " to "
                  << most << ", " << held << " to " << maybe << " places");
    REQUIRE(use.shown >= least);
    REQUIRE(use.shown <= most);
    REQUIRE(use.reserved <= maybe);
    // An impression whose counting was cut short is counted again, and takes the place of a bid
    // that is out: together they are as many as before.
    REQUIRE(use.shown + use.reserved >= least + held);
    REQUIRE(use.shown + use.reserved <= window.limit + repeated);
  }
  static int64_t Since(int64_t time, const std::vector<int64_t>& times) {
    return std::count_if(times.begin(), times.end(), [&](int64_t at) { return at >= time; });
  }

  const FrequencyCaps& caps_;
  const int64_t now_;
  std::map<uint64_t, Listener> listeners_;
  uint64_t played_ = 0;
};

uint64_t CheckRegion(const std::string& path, Page<Acks>& page) {
  const PageClock clock(*page.operator->());
  auto region = Region::Open(path, Options(clock));
  INFO(region.status().ToString());
  REQUIRE(region.ok());
  const FrequencyCaps caps(CapsIn(*region, clock));
  REQUIRE(region->status().ok());
  return Check(caps, *page.operator->()).played();
}

/// Looks into the region while its writer is at work.
void LookAtLiveRegion(const std::string& path) {
  const auto view = RegionView::Open(path);
  INFO(view.status().ToString());
  REQUIRE(view.ok());
  bool found = false;
  for (size_t i = 0; i < view->objects().size(); ++i) {
    if (view->objects()[i].Name() != "caps/windows") continue;
    const auto windows = view->Windows(i);
    REQUIRE(windows.has_value());
    REQUIRE(windows->opened <= windows->slots);
    found = windows->opened > 0;
  }
  REQUIRE(found);
}

uint64_t DoneOn(const Page<Acks>& page) {
  uint64_t sum = 0;
  for (const auto& thread : page->threads) sum += thread.done.load(std::memory_order_relaxed);
  return sum;
}

TEST_CASE(
    "caps of a process that is killed again and again are kept, and nothing counted is lost") {
  const uint64_t seed = SeedOfTests();
  std::printf("ADAGENTS_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Random random(seed);
  const Folder folder;
  const std::string path = folder / "state";
  Page<Acks> page;
  const uint64_t lives = Kills(50, 1000);
  uint64_t done = 0, played = 0;
  for (uint64_t life = 1; life <= lives; ++life) {
    INFO("ADAGENTS_SEED=" << seed << ", life " << life);
    page->ready = 0;
    for (auto& thread : page->threads) thread.done = 0;
    KilledWriter writer(ADAGENTS_CAPS_WRITER, path, page.fd(), seed + life);
    if (random.Below(8) == 0) {  // while it repairs what the last one left, or soon after
      const bool ready = random.Below(2) == 0;
      writer.AwaitThat([&] { return !ready || page->ready.load() == 1; });
    } else {
      const uint64_t bids = 1 + random.Below(5000);
      writer.AwaitThat([&] { return DoneOn(page) >= bids; });
      if (life % 4 == 0) LookAtLiveRegion(path);
    }
    writer.Kill();
    done += DoneOn(page);
    played += CheckRegion(path, page);
  }
  std::printf(
      "%llu kills, %llu bids, %llu refused (%llu for want of room), %llu impressions compared\n",
      static_cast<unsigned long long>(lives), static_cast<unsigned long long>(done),
      static_cast<unsigned long long>(page->refused.load()),
      static_cast<unsigned long long>(page->full.load()), static_cast<unsigned long long>(played));
  CHECK(page->refused.load() > done / 100);  // caps were reached
  CHECK(page->full.load() < done / 100);
}

}  // namespace
}  // namespace adagents::crash
