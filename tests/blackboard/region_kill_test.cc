// Kills a process while four of its threads write every state type of a region, over and over, and
// compares what the region holds with what the threads had acknowledged as done. With ADAGENTS_LONG
// set: a thousand kills.
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "adagents/base/random.h"
#include "adagents/blackboard/region_view.h"
#include "blackboard/killed_writer.h"
#include "blackboard/region_crash.h"
#include "blackboard/region_files.h"
#include "catch.h"

namespace adagents::crash {
namespace {

using AckPage = Page<Acks>;

uint64_t DoneOn(const AckPage& page) {
  uint64_t sum = 0;
  for (const auto& thread : page->threads) sum += thread.done.load(std::memory_order_relaxed);
  return sum;
}

class Writer : public KilledWriter {
 public:
  Writer(const std::string& path, AckPage& page, uint64_t seed)
      : KilledWriter(ADAGENTS_REGION_WRITER, path, Ready(page), seed), page_(page) {}
  void AwaitSteps(uint64_t steps) {
    AwaitThat([&] { return page_->steps.load(std::memory_order_acquire) >= steps; });
  }
  void AwaitDone(uint64_t done) {
    AwaitThat([&] { return DoneOn(page_) >= done; });
  }

 private:
  static int Ready(AckPage& page) {
    page->steps = 0;
    for (auto& thread : page->threads) thread.done = 0;
    return page.fd();
  }
  AckPage& page_;
};

/// Compares a region that a killed writer left with the page. Each thread may have done one thing
/// that it could not acknowledge any more; that is believed, and written to the page for the next.
class Check {
 public:
  Check(const Objects& all, AckPage& page) : all_(all), page_(page) {
    for (size_t i = 0; i < kOfEach; ++i) {
      CheckCells(i);
      CheckTable(i);
      CheckCounters(i);
      CheckStream(i);
    }
    uint64_t total = shared_;
    for (const uint64_t own : own_) {
      REQUIRE(own <= 1);
      total += own;
    }
    REQUIRE(total <= kThreads);
  }

 private:
  static uint64_t Get(const Acks::Word& word) { return word.load(std::memory_order_acquire); }
  /// `found` is what a thread acknowledged, or one more.
  void Own(size_t thread, Acks::Word& ack, uint64_t found) {
    REQUIRE(found >= Get(ack));
    own_[thread] += found - Get(ack);
    ack = found;
  }
  /// `found` is what all threads together acknowledged, or a little more. Whoever it was, the first
  /// is said to have done it: only the sum matters.
  template <class F>
  void Shared(F&& word_of, uint64_t found) {
    uint64_t sum = 0;
    for (auto& thread : page_->threads) sum += Get(word_of(thread));
    REQUIRE(found >= sum);
    shared_ += found - sum;
    word_of(page_->threads[0]) += found - sum;
  }

  void CheckCells(size_t i) {
    for (size_t t = 0; t < kThreads; ++t) {
      const Value value = all_.cells[t * kOfEach + i]->Read();
      REQUIRE(value.ok());
      Own(t, page_->threads[t].wrote_cell[i], value.words[0]);
      REQUIRE(all_.cells[t * kOfEach + i]->version() == value.words[0]);
    }
    const Value value = all_.shared_cells[i]->Read();
    REQUIRE(value.ok());
    REQUIRE(value.words[0] == all_.shared_cells[i]->version());
    Shared(
        [i](auto& thread) -> auto& { return thread.updated_shared_cell[i]; }, value.words[0]);
  }

  void CheckTable(size_t i) {
    const auto& table = *all_.tables[i];
    std::map<uint64_t, uint64_t> found;
    bool whole = true, single = true;
    table.ForEach([&](uint64_t key, const Session& session) {
      whole &= session.ok();
      single &= found.emplace(key, session.words[0]).second;
    });
    REQUIRE(whole);
    REQUIRE(single);
    REQUIRE(table.SizeGuess() == found.size());
    const auto take = [&](uint64_t key) {  // 0 when absent
      Session session;
      const auto it = found.find(key);
      REQUIRE(table.Find(key, &session) == (it != found.end()));
      if (it == found.end()) return uint64_t{0};
      REQUIRE((session.ok() && session.words[0] == it->second));
      return found.extract(it).mapped();
    };
    for (size_t t = 0; t < kThreads; ++t) {
      for (size_t k = 0; k < kOwnKeys; ++k) {
        Acks::Word& ack = page_->threads[t].own_key[i][k];
        const uint64_t number = Get(ack) >> 1;
        const bool there = number > 0 && (Get(ack) & 1) == 0;
        const uint64_t is = take(OwnKey(t, k));
        if (is == (there ? number : 0)) continue;
        REQUIRE((is == 0 || is == number + 1));  // erased or put, and not acknowledged
        ++own_[t];
        ack = (number + 1) << 1 | (is == 0 ? 1 : 0);
      }
    }
    for (size_t k = 0; k < kSharedKeys; ++k) {
      Shared(
          [ i, k ](auto& thread) -> auto& { return thread.updated_shared_key[i][k]; },
          take(SharedKey(k)));
    }
    REQUIRE(found.empty());
  }

  void CheckCounters(size_t i) {
    Shared(
        [i](auto& thread) -> auto& { return thread.added[i]; },
        static_cast<uint64_t>(all_.counters[i]->Sum()));
    int64_t expected = 0;
    for (const auto& thread : page_->threads) {
      expected += static_cast<int64_t>(Get(thread.took[i]) - Get(thread.gave_back[i]));
    }
    const int64_t value = all_.budgets[i]->value();
    REQUIRE((value >= 0 && value <= kBudget && all_.budgets[i]->limit() == kBudget));
    // One thread may have taken and another given back; then neither is seen here.
    shared_ += static_cast<uint64_t>(std::abs(value - expected));
    auto& first = page_->threads[0];
    (value > expected ? first.took[i] : first.gave_back[i]) +=
        static_cast<uint64_t>(std::abs(value - expected));
  }

  void CheckStream(size_t i) {
    std::array<uint64_t, kThreads> last{}, count{};
    auto reader = all_.streams[i]->SubscribeFromOldest();
    const uint64_t oldest = reader.position();
    Event event{};
    while (reader.Next(&event)) {
      REQUIRE((event.number.ok() && event.thread < kThreads));
      const uint64_t number = event.number.words[0];
      REQUIRE((count[event.thread] == 0 || number == last[event.thread] + 1));  // without a gap
      last[event.thread] = number;
      ++count[event.thread];
    }
    REQUIRE(reader.dropped() == 0);
    REQUIRE(reader.position() == all_.streams[i]->published());
    uint64_t total = 0, kept = 0;
    for (size_t t = 0; t < kThreads; ++t) {
      if (count[t] > 0) Own(t, page_->threads[t].published[i], last[t]);
      total += Get(page_->threads[t].published[i]);
      kept += count[t];
    }
    // One that could not be acknowledged may have been replaced already. Which of the threads of
    // which nothing is kept it was by, nobody can tell.
    const uint64_t published = all_.streams[i]->published();
    for (size_t t = 0; t < kThreads && total < published; ++t) {
      if (count[t] > 0) continue;
      ++shared_;
      ++page_->threads[t].published[i];
      ++total;
    }
    REQUIRE(published == total);
    REQUIRE(oldest == (total > kEvents ? total - kEvents : 0));
    REQUIRE(kept == total - oldest);
  }

  const Objects& all_;
  AckPage& page_;
  std::array<uint64_t, kThreads> own_{};  // done and not acknowledged
  uint64_t shared_ = 0;
};

void CheckRegion(const std::string& path, AckPage& page) {
  auto region = Region::Open(path, Options());
  INFO(region.status().ToString());
  REQUIRE(region.ok());
  const Objects objects(*region, [] {});
  REQUIRE(region->status().ok());
  Check(objects, page);
}

template <class T>
void RequireWhole(const std::vector<unsigned char>& bytes) {
  T value;
  REQUIRE(bytes.size() == sizeof(T));
  std::memcpy(&value, bytes.data(), sizeof(T));
  REQUIRE(value.ok());
}

/// Looks into the region while its writer is at work.
void LookAtLiveRegion(const std::string& path) {
  const auto view = RegionView::Open(path);
  INFO(view.status().ToString());
  REQUIRE(view.ok());
  for (size_t i = 0; i < view->objects().size(); ++i) {
    if (const auto cell = view->Cell(i)) RequireWhole<Value>(cell->value);
    if (const auto table = view->Table(i, {.entries = 1000})) {
      for (const auto& entry : table->some) RequireWhole<Session>(entry.value);
    }
    if (const auto stream = view->Stream(i); stream && !stream->newest.empty()) {
      Event event{};
      REQUIRE(stream->newest.size() == sizeof(event));
      std::memcpy(&event, stream->newest.data(), sizeof(event));
      REQUIRE((event.number.ok() && event.thread < kThreads));
    }
    if (const auto budget = view->BoundedCounter(i)) {
      REQUIRE((budget->value >= 0 && budget->value <= kBudget));
    }
  }
}

TEST_CASE("a writer that is killed again and again loses nothing that it had published") {
  const uint64_t seed = SeedOfTests();
  std::printf("ADAGENTS_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Random random(seed);
  const Folder folder;
  const std::string path = folder / "state";
  AckPage page;
  const uint64_t lives = Kills(50, 1000);
  uint64_t done = 0;
  for (uint64_t life = 1; life <= lives; ++life) {
    INFO("ADAGENTS_SEED=" << seed << ", life " << life);
    Writer writer(path, page, seed + life);
    if (random.Below(8) == 0) {
      writer.AwaitSteps(random.Below(kSteps + 1));  // while it opens the region and repairs it
    } else {
      writer.AwaitDone(1 + random.Below(20'000));
      if (life % 4 == 0) LookAtLiveRegion(path);
    }
    writer.Kill();
    done += DoneOn(page);
    CheckRegion(path, page);
  }
  std::printf("%llu kills, %llu works acknowledged\n", static_cast<unsigned long long>(lives),
              static_cast<unsigned long long>(done));
}

TEST_CASE("a writer that is killed while it makes a region leaves none, or one that goes on") {
  const uint64_t seed = SeedOfTests();
  Random random(seed);
  const Folder folder;
  for (uint64_t life = 1; life <= Kills(25, 200); ++life) {
    INFO("ADAGENTS_SEED=" << seed << ", life " << life);
    const std::string path = folder / std::to_string(life);
    AckPage page;
    for (const bool making : {true, false}) {
      Writer writer(path, page, seed + life);
      if (making) {
        writer.AwaitSteps(random.Below(kSteps + 1));
      } else {
        writer.AwaitDone(100);
      }
      writer.Kill();
      CheckRegion(path, page);
    }
  }
}

}  // namespace
}  // namespace adagents::crash
