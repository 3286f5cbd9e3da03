// The floor: the 14 bodies as plain calls in a row, on the client's own thread. With 64 in flight
// there is one thread per core, each with its share of the requests.
#include "loops.h"

namespace adagents::bench {
namespace {

struct InARow {
  InARow(const Team& t, unsigned) : team(t) {}
  struct Client {
    explicit Client(InARow& of) : team(of.team) {}
    uint64_t Decide(uint64_t request) { return RunInARow(team, board, request); }
    const Team& team;
    CompactBoard board;
  };
  const Team& team;
};

}  // namespace

void AddFloor(Contestants& to) {
  to.push_back(std::make_unique<Caller<InARow>>(std::string(kFloorName)));
}

}  // namespace adagents::bench
