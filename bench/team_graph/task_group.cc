// oneTBB's task_group, level by level: all agents of a level but the last are tasks, the last runs
// on the calling thread, and the level ends with a wait. A level of one agent is a plain call.
#include <oneapi/tbb/task_group.h>

#include "loops.h"

namespace adagents::bench {
namespace {

struct ByLevels {
  ByLevels(const Team& t, unsigned) : team(t) {}
  struct Client {
    explicit Client(ByLevels& of) : team(of.team) {}

    template <int I, int kEnd>
    void RunLevel() {
      if constexpr (I + 1 < kEnd) {
        group.run([this] { RunAgent<I>(team, board); });
        RunLevel<I + 1, kEnd>();
      } else {
        RunAgent<I>(team, board);
      }
    }
    template <int kLevel = 0>
    void RunFrom() {
      constexpr auto kRange = kLevelRange[kLevel];
      RunLevel<kRange.first, kRange.second>();
      if constexpr (kRange.second - kRange.first > 1) group.wait();
      if constexpr (kLevel + 1 < kLevels) RunFrom<kLevel + 1>();
    }
    uint64_t Decide(uint64_t request) {
      board.request = request;
      RunFrom();
      return board.slot[kExplain].value;
    }

    const Team& team;
    SpreadBoard board;
    oneapi::tbb::task_group group;
  };
  const Team& team;
};

}  // namespace

void AddTaskGroup(Contestants& to) {
  to.push_back(std::make_unique<Caller<ByLevels>>("task_group by levels"));
}

}  // namespace adagents::bench
