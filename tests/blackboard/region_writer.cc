// The program that region_kill_test.cc kills: writes every state type of a region from four threads
// for ever, and reports each finished work through a pipe.
//
//   region_writer PATH PIPE LIFE SEED
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "blackboard/region_crash.h"

namespace adagents::crash {
namespace {

void Send(int pipe, const Report& report) {
  // When nobody listens any more this process is over.
  if (write(pipe, &report, sizeof(report)) != static_cast<ssize_t>(sizeof(report))) _exit(0);
}

class Thread {
 public:
  Thread(Objects& objects, int pipe, uint64_t me, uint64_t life, uint64_t seed)
      : all_(objects), pipe_(pipe), me_(me), number_(life << 32), random_(seed * kThreads + me) {}

  void Run() {
    for (;;) {
      ++number_;
      const uint64_t key = random_.Below(kOwnKeys);
      switch (random_.Below(9)) {
        case 0:
          all_.cells[me_]->Write(Value::Of(number_));
          Tell(Did::kWrote);
          break;
        case 1:
          all_.shared->Update([this](const Value&) { return Value::Of(number_ << 3 | me_); });
          Tell(Did::kShared);
          break;
        case 2:
          all_.sessions->Put(me_ << 8 | key, Session::Of(number_));
          Tell(Did::kPut, key);
          break;
        case 3:
          if (all_.sessions->Erase(me_ << 8 | key)) Tell(Did::kErased, key);
          break;
        case 4: {
          const uint64_t shared = random_.Below(kSharedKeys);
          all_.sessions->Upsert(kSharedKey + shared,
                                [](Session& s, bool) { s = Session::Of(s.words[0] + 1); });
          Tell(Did::kCounted, shared);
          break;
        }
        case 5:
          all_.counter->Add(1);
          Tell(Did::kAdded);
          break;
        case 6:
          if (all_.bounded->TryAdd(1)) Tell(Did::kTook);
          break;
        case 7:
          if (all_.bounded->Release(1)) Tell(Did::kGaveBack);
          break;
        default:
          if (!all_.events->Publish({me_, Whole<6>::Of(number_)})) std::abort();
          Tell(Did::kPublished);
      }
    }
  }

 private:
  void Tell(Did did, uint64_t key = 0) {
    Send(pipe_, {static_cast<uint16_t>(me_), did, static_cast<uint32_t>(key), number_});
  }

  Objects& all_;
  const int pipe_;
  const uint64_t me_;
  uint64_t number_;
  Random random_;
};

int Main(char** args) {
  const int pipe = std::atoi(args[2]);
  const uint64_t life = std::strtoull(args[3], nullptr, 10);
  const uint64_t seed = std::strtoull(args[4], nullptr, 10);
  const auto step = [pipe] { Send(pipe, {0, Did::kStep, 0, 0}); };
  auto region = Region::Open(args[1], Options());
  if (!region.ok()) {
    std::fprintf(stderr, "%s\n", region.status().ToString().c_str());
    return 3;
  }
  step();
  Objects objects(*region, step);
  if (!region->status().ok()) {
    std::fprintf(stderr, "%s\n", region->status().ToString().c_str());
    return 4;
  }
  std::vector<std::thread> threads;
  for (uint64_t me = 0; me < kThreads; ++me) {
    threads.emplace_back([&, me] { Thread(objects, pipe, me, life, seed).Run(); });
  }
  for (auto& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace adagents::crash

int main(int count, char** args) { return count == 5 ? adagents::crash::Main(args) : 2; }
