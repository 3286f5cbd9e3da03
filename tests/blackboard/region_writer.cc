// The program that region_kill_test.cc kills: writes every state type of a region from four threads
// for ever, and acknowledges each finished work on a page that it shares with the test.
//
//   region_writer PATH PAGE SEED
#include <sys/mman.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "blackboard/region_crash.h"

namespace adagents::crash {
namespace {

class Thread {
 public:
  Thread(Objects& objects, Acks::Thread& acks, size_t me, uint64_t seed)
      : all_(objects), acks_(acks), me_(me), random_(seed * kThreads + me) {}

  void Run() {
    for (;;) {
      Work(random_.Below(kOfEach));
      acks_.done.fetch_add(1, std::memory_order_relaxed);
    }
  }

 private:
  static void Acknowledge(Acks::Word& word, uint64_t number) {
    word.store(number, std::memory_order_release);
  }
  static uint64_t Next(const Acks::Word& word) { return word.load(std::memory_order_relaxed) + 1; }

  void Work(size_t i) {
    switch (random_.Below(9)) {
      case 0: {
        const uint64_t number = Next(acks_.wrote_cell[i]);
        all_.cells[me_ * kOfEach + i]->Write(Value::Of(number));
        return Acknowledge(acks_.wrote_cell[i], number);
      }
      case 1: {
        Acks::Word& ack = acks_.updated_shared_cell[i];
        all_.shared_cells[i]->Update([](const Value& v) { return Value::Of(v.words[0] + 1); });
        return Acknowledge(ack, Next(ack));
      }
      case 2:
      case 3:
        return ChangeOwnKey(i, random_.Below(kOwnKeys));
      case 4: {
        const size_t key = random_.Below(kSharedKeys);
        Acks::Word& ack = acks_.updated_shared_key[i][key];
        all_.tables[i]->Upsert(SharedKey(key),
                               [](Session& s, bool) { s = Session::Of(s.words[0] + 1); });
        return Acknowledge(ack, Next(ack));
      }
      case 5:
        all_.counters[i]->Add(1);
        return Acknowledge(acks_.added[i], Next(acks_.added[i]));
      case 6:
        if (!all_.budgets[i]->TryAdd(1)) return;
        return Acknowledge(acks_.took[i], Next(acks_.took[i]));
      case 7:
        if (!all_.budgets[i]->Release(1)) return;
        return Acknowledge(acks_.gave_back[i], Next(acks_.gave_back[i]));
      default: {
        const uint64_t number = Next(acks_.published[i]);
        if (!all_.streams[i]->Publish({me_, Whole<6>::Of(number)})) std::abort();
        return Acknowledge(acks_.published[i], number);
      }
    }
  }

  void ChangeOwnKey(size_t i, size_t key) {
    Acks::Word& ack = acks_.own_key[i][key];
    const uint64_t number = (ack.load(std::memory_order_relaxed) >> 1) + 1;
    const bool erase = random_.Below(3) == 0;
    if (erase) {
      all_.tables[i]->Erase(OwnKey(me_, key));
    } else if (all_.tables[i]->Put(OwnKey(me_, key), Session::Of(number)) == Upserted::kFull) {
      std::abort();
    }
    Acknowledge(ack, number << 1 | (erase ? 1 : 0));
  }

  Objects& all_;
  Acks::Thread& acks_;
  const size_t me_;
  Random random_;
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
  const auto step = [&acks] { acks.steps.fetch_add(1, std::memory_order_release); };
  auto region = Region::Open(args[1], Options());
  if (!region.ok()) return Fail(region.status());
  step();
  Objects objects(*region, step);
  if (!region->status().ok()) return Fail(region->status());
  std::vector<std::thread> threads;
  for (size_t me = 0; me < kThreads; ++me) {
    threads.emplace_back([&, me] { Thread(objects, acks.threads[me], me, seed).Run(); });
  }
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace adagents::crash

int main(int count, char** args) { return count == 4 ? adagents::crash::Main(args) : 2; }
