// The program that caps_kill_test.cc kills: four threads reserve places under caps in a region,
// play, release or abandon, for ever, and say so on a page that they share with the test.
//
//   caps_writer PATH PAGE SEED
#include <sys/mman.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "ads/caps_crash.h"

namespace adagents::crash {
namespace {

using ads::FrequencyCaps;

/// The world has played it and says so; the same again after a crash in between.
void Play(FrequencyCaps& caps, const Clock& clock, Bid& bid) {
  if (bid.is != Bid::kCounting) bid.played_from = clock.Now();
  ++bid.reports;
  bid.is = Bid::kCounting;
  const FrequencyCaps::Counted counted = caps.Count(bid.decision, 0);
  // Not late, as the clock waits for it. Again: it had been counted when the process was killed.
  if (counted != FrequencyCaps::Counted::kYes &&
      (counted != FrequencyCaps::Counted::kAgain || bid.reports == 1)) {
    std::fprintf(stderr, "counted as %d\n", static_cast<int>(counted));
    std::abort();
  }
  bid.by = clock.Now();
  bid.is = Bid::kCounted;
}

void Release(FrequencyCaps& caps, Bid& bid) {
  bid.is = Bid::kReleasing;
  if (!caps.Release(bid.decision, 0)) std::abort();
  bid.is = Bid::kReleased;
}

class Thread {
 public:
  Thread(FrequencyCaps& caps, Acks& acks, size_t me, uint64_t seed)
      : caps_(caps),
        acks_(acks),
        clock_(acks),
        mine_(acks.threads[me]),
        me_(me),
        random_(seed * kThreads + me) {}

  /// Goes on with what an earlier process had begun. What it had sent is played.
  void Recover() {
    for (Bid& bid : mine_.bids) {
      if (bid.is == Bid::kSent || bid.is == Bid::kCounting) Play(caps_, clock_, bid);
      if (bid.is == Bid::kReleasing || bid.is == Bid::kReserving) bid.is = Bid::kGone;
    }
    mine_.since = INT64_MAX;
  }

  void Run() {
    for (;;) {
      if (open_.size() < 1 + random_.Below(4)) {
        if (Reserve()) mine_.done.fetch_add(1, std::memory_order_relaxed);
      } else {
        Settle();
      }
      const auto nanos = static_cast<int64_t>(random_.Below(kSecond / 2));
      if (!clock_.Advance(nanos)) std::this_thread::yield();  // to whom the clock waits for
    }
  }

 private:
  bool Reserve() {
    const uint64_t number = mine_.next.load();
    Bid& bid = mine_.bids[number % kBids];
    if (open_.empty()) mine_.since = clock_.Now();
    const auto shift = static_cast<uint64_t>(clock_.Now() / kShift);
    bid.is = Bid::kFree;
    bid.decision = number * kThreads + me_ + 1;
    bid.listener = shift * kListeners + random_.Below(kListeners);
    bid.reports = 0;
    bid.reserved_at = clock_.Now();
    bid.is = Bid::kReserving;
    mine_.next = number + 1;
    const ListenerWindows windows = WindowsOf(bid.listener);
    const FrequencyCaps::Reservation reserved = caps_.Reserve(bid.decision, 0, windows);
    if (!reserved.ok) {
      bid.is = Bid::kGone;
      mine_.next = number;
      acks_.refused.fetch_add(1);
      if (reserved.full) acks_.full.fetch_add(1);
      if (open_.empty()) mine_.since = INT64_MAX;
      return false;
    }
    bid.is = Bid::kSent;
    open_.push_back(&bid);
    return true;
  }

  void Settle() {
    Bid& bid = *open_.front();
    open_.pop_front();
    const uint64_t what = random_.Below(10);
    if (what < 7) {
      Play(caps_, clock_, bid);
    } else if (what < 9) {
      Release(caps_, bid);
    } else {
      bid.is = Bid::kGone;  // nobody says what became of it
    }
    mine_.since = open_.empty() ? INT64_MAX : open_.front()->reserved_at.load();
  }

  FrequencyCaps& caps_;
  Acks& acks_;
  PageClock clock_;
  Acks::Thread& mine_;
  const size_t me_;
  Random random_;
  std::deque<Bid*> open_;
};

int Fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 3;
}

int Main(char** args) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // of a test that has failed nothing stays behind
  void* page =
      mmap(nullptr, sizeof(Acks), PROT_READ | PROT_WRITE, MAP_SHARED, std::atoi(args[2]), 0);
  if (page == MAP_FAILED) return 4;
  auto& acks = *static_cast<Acks*>(page);
  const uint64_t seed = std::strtoull(args[3], nullptr, 10);
  const PageClock clock(acks);
  auto region = Region::Open(args[1], Options(clock));
  if (!region.ok()) return Fail(region.status());
  FrequencyCaps caps(CapsIn(*region, clock));
  if (!region->status().ok()) return Fail(region->status());
  std::deque<Thread> workers;
  for (size_t me = 0; me < kThreads; ++me) workers.emplace_back(caps, acks, me, seed).Recover();
  acks.ready = 1;
  std::vector<std::thread> threads;
  for (Thread& worker : workers) threads.emplace_back([&worker] { worker.Run(); });
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace adagents::crash

int main(int argc, char** argv) { return argc == 4 ? adagents::crash::Main(argv) : 2; }
