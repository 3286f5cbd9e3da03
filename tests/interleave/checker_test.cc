// The checker itself: it finds what the memory model allows and nothing that it forbids.
#include <memory>
#include <string>

#include "adagents/testing/interleave.h"
#include "catch.h"

namespace adagents::testing {
namespace {

enum Site : int { kStore, kLoad, kBump, kOther };

using Word = ModelAtomics::Atomic<uint32_t>;

struct Pair {
  Word x{0}, y{0};
  ModelAtomics::Plain<int> data{0};
  uint32_t seen_x = 9, seen_y = 9;
};

constexpr auto kRelaxed = std::memory_order_relaxed;
auto At(Site site, std::memory_order order) { return ModelAtomics::At(site, order); }

ProgramMaker MessagePassing(std::memory_order store, std::memory_order load) {
  return [=](Program& p) {
    auto s = std::make_shared<Pair>();
    p.Thread([s, store] {
      s->x.store(1, kRelaxed);
      s->y.store(1, At(kStore, store));
    });
    p.Thread([s, load] {
      if (s->y.load(At(kLoad, load)) == 1) Ensure(s->x.load(kRelaxed) == 1, "stale x");
    });
  };
}

TEST_CASE("message passing holds with release and acquire, and with neither alone") {
  const ExploreOptions options{.schedules = 5000};
  CHECK(Explore(options, MessagePassing(std::memory_order_release, std::memory_order_acquire)).ok);
  CHECK_FALSE(Explore(options, MessagePassing(kRelaxed, std::memory_order_acquire)).ok);
  CHECK_FALSE(Explore(options, MessagePassing(std::memory_order_release, kRelaxed)).ok);
}

TEST_CASE("a failure repeats with its seed and names the order sites") {
  const auto program = MessagePassing(std::memory_order_release, kRelaxed);
  const ExploreResult found = Explore({.schedules = 5000}, program);
  REQUIRE_FALSE(found.ok);
  const ExploreResult again = Explore({.schedules = 1, .seed = found.seed}, program);
  CHECK_FALSE(again.ok);
  CHECK(again.report == found.report);
  CHECK(found.report.find("stale x") == 0);
  CHECK(found.report.find("release kStore") != std::string::npos);
}

TEST_CASE("store buffering is excluded by seq_cst only") {
  auto program = [](std::memory_order store, std::memory_order load) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      p.Thread([=] {
        s->x.store(1, At(kStore, store));
        s->seen_y = s->y.load(At(kLoad, load));
      });
      p.Thread([=] {
        s->y.store(1, At(kStore, store));
        s->seen_x = s->x.load(At(kLoad, load));
      });
      p.Finally([s] { Ensure(s->seen_x + s->seen_y > 0, "both loads missed the other's store"); });
    };
  };
  const ExploreOptions options{.schedules = 20000};
  const auto seq_cst = std::memory_order_seq_cst;
  CHECK(Explore(options, program(seq_cst, seq_cst)).ok);
  CHECK_FALSE(Explore(options, program(seq_cst, std::memory_order_acquire)).ok);
  CHECK_FALSE(Explore(options, program(std::memory_order_release, seq_cst)).ok);
}

TEST_CASE("one location never goes back in time, even relaxed") {
  CHECK(Explore({.schedules = 20000}, [](Program& p) {
          auto s = std::make_shared<Pair>();
          p.Thread([s] {
            for (uint32_t i = 1; i < 5; ++i) s->x.store(i, kRelaxed);
          });
          p.Thread([s] {
            uint32_t last = 0;
            for (int i = 0; i < 5; ++i) {
              const uint32_t now = s->x.load(kRelaxed);
              Ensure(now >= last, "went back");
              last = now;
            }
          });
        }).ok);
}

TEST_CASE("stores of two threads to two locations may land in different orders") {
  auto program = [](std::memory_order store) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      p.Thread([=] {
        s->x.store(1, At(kStore, store));
        s->y.store(2, At(kStore, store));
      });
      p.Thread([=] {
        s->y.store(1, At(kStore, store));
        s->x.store(2, At(kStore, store));
      });
      p.Finally([s] {
        Ensure(s->x.load(kRelaxed) == 2 || s->y.load(kRelaxed) == 2, "both second stores lost");
      });
    };
  };
  CHECK(Explore({.schedules = 20000}, program(std::memory_order_seq_cst)).ok);
  CHECK_FALSE(Explore({.schedules = 20000}, program(std::memory_order_release)).ok);
}

TEST_CASE("a read-modify-write continues a release sequence, a store breaks it") {
  auto program = [](bool modify) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      p.Thread([=] {
        s->x.store(1, kRelaxed);
        s->y.store(1, At(kStore, std::memory_order_release));
      });
      p.Thread([=] {
        if (modify) {
          s->y.fetch_add(10, kRelaxed);
        } else if (s->y.load(kRelaxed) == 1) {
          s->y.store(11, kRelaxed);
        }
      });
      p.Thread([=] {
        if (s->y.load(At(kLoad, std::memory_order_acquire)) == 11) {
          Ensure(s->x.load(kRelaxed) == 1, "stale x");
        }
      });
    };
  };
  CHECK(Explore({.schedules = 20000}, program(true)).ok);
  CHECK_FALSE(Explore({.schedules = 20000}, program(false)).ok);
}

TEST_CASE("a lost update is found, and fetch_add loses none") {
  auto program = [](bool modify) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      for (int t = 0; t < 3; ++t) {
        p.Thread([=] {
          if (modify) {
            s->x.fetch_add(1, kRelaxed);
          } else {
            s->x.store(s->x.load(kRelaxed) + 1, kRelaxed);
          }
        });
      }
      p.Finally([s] { Ensure(s->x.load(kRelaxed) == 3, "lost"); });
    };
  };
  CHECK(Explore({.schedules = 5000}, program(true)).ok);
  CHECK_FALSE(Explore({.schedules = 5000}, program(false)).ok);
}

TEST_CASE("unordered access to plain memory is a data race") {
  auto program = [](std::memory_order store) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      p.Thread([=] {
        s->data = 7;
        s->y.store(1, At(kStore, store));
      });
      p.Thread([=] {
        if (s->y.load(At(kLoad, std::memory_order_acquire)) == 1) Ensure(s->data == 7, "torn");
      });
    };
  };
  CHECK(Explore({.schedules = 5000}, program(std::memory_order_release)).ok);
  const ExploreResult raced = Explore({.schedules = 5000}, program(kRelaxed));
  CHECK_FALSE(raced.ok);
  CHECK(raced.report.find("data race") == 0);
}

TEST_CASE("memory freed under a reader is caught, whichever comes first") {
  const ExploreResult result = Explore({.schedules = 5000}, [](Program& p) {
    auto s = std::make_shared<ModelAtomics::Atomic<Word*>>(new Word(1));
    p.Thread([s] {
      Word* old = s->exchange(nullptr, At(kBump, std::memory_order_acq_rel));
      delete old;
    });
    p.Thread([s] {
      Word* word = s->load(At(kLoad, std::memory_order_acquire));
      if (word != nullptr) (void)word->load(kRelaxed);
    });
  });
  CHECK_FALSE(result.ok);
  CHECK(result.report.find("freed") != std::string::npos);
}

TEST_CASE("a lost wake-up is a deadlock, and a correct one is not") {
  auto program = [](bool store_first) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      p.Thread([s] {
        while (s->x.load(kRelaxed) == 0) ModelAtomics::Wait(s->x, 0);
      });
      p.Thread([=] {
        if (store_first) s->x.store(1, kRelaxed);
        ModelAtomics::Wake(s->x, 1);
        if (!store_first) s->x.store(1, kRelaxed);
      });
    };
  };
  CHECK(Explore({.schedules = 5000}, program(true)).ok);
  const ExploreResult lost = Explore({.schedules = 5000}, program(false));
  CHECK_FALSE(lost.ok);
  CHECK(lost.report.find("deadlock") == 0);
}

TEST_CASE("waiting for a thread that was killed is no progress") {
  auto program = [](bool mortal) -> ProgramMaker {
    return [=](Program& p) {
      auto s = std::make_shared<Pair>();
      auto body = [s] {
        s->y.store(1, kRelaxed);
        s->x.store(1, kRelaxed);
      };
      if (mortal) {
        p.MortalThread(body);
      } else {
        p.Thread(body);
      }
      p.Thread([s] {
        while (s->x.load(kRelaxed) == 0) ModelAtomics::Pause();
      });
    };
  };
  CHECK(Explore({.schedules = 2000}, program(false)).ok);
  const ExploreResult stuck = Explore({.schedules = 2000}, program(true));
  CHECK_FALSE(stuck.ok);
  CHECK(stuck.report.find("no progress") == 0);
}

TEST_CASE("an order that no mutant could weaken is reported") {
  const ExploreResult result = Explore({.schedules = 1}, [](Program& p) {
    auto s = std::make_shared<Pair>();
    p.Thread([s] { s->x.store(1, std::memory_order_release); });
  });
  CHECK_FALSE(result.ok);
}

TEST_CASE("mutants: needed orders are caught, a needless one survives") {
  const auto needed = ExploreMutants(
      {.schedules = 5000}, {MessagePassing(std::memory_order_release, std::memory_order_acquire)});
  INFO(Describe(needed));
  CHECK(needed.size() == 2);
  CHECK(AllCaught(needed));

  const auto needless =
      ExploreMutants({.schedules = 2000}, {[](Program& p) {
                       auto s = std::make_shared<Pair>();
                       p.Thread([s] { s->x.fetch_add(1, At(kBump, std::memory_order_release)); });
                       p.Thread([s] { s->x.fetch_add(1, At(kBump, std::memory_order_release)); });
                       p.Finally([s] { Ensure(s->x.load(kRelaxed) == 2, "lost"); });
                     }});
  CHECK_FALSE(AllCaught(needless));
}

}  // namespace
}  // namespace adagents::testing
