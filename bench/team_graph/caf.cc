// The C++ Actor Framework with an actor per agent. An actor receives the number of a request,
// counts until all its inputs for that request are there, runs its agent on the request's board and
// tells the actors that read it. Messages carry only the number: the board's values are ordered by
// the messages, and nothing is copied or boxed beyond what CAF needs for a message. Sends come from
// inside an actor with its own execution unit, so that they land on the worker's own queue.
//
// Compiled against 0.17 (Debian 12) and, by CAF_VERSION, 0.18 to 1.x.
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "caf/all.hpp"
#include "loops.h"

namespace adagents::bench {
namespace {

#ifndef CAF_VERSION  // 1.x says it in another way
#define CAF_VERSION 10000
#endif

/// What the actors share.
struct Shared {
  const Team& team;
  std::vector<SpreadBoard> board;
  Answered answered;
  void* who;
  std::array<caf::actor, kAgents> actor;
};

template <class Self>
void Tell(Self* self, const caf::actor& to, uint32_t slot) {
#if CAF_VERSION >= 10000
  self->mail(slot).send(to);
#else
  self->send(to, slot);
#endif
}

template <int I>
caf::behavior Serve(caf::event_based_actor* self, Shared* shared) {
  constexpr int kInputs = kGraph[I].inputs;
  return {
      [self, shared, arrived = std::vector<uint8_t>(shared->board.size())](uint32_t slot) mutable {
        if constexpr (kInputs > 1) {
          if (++arrived[slot] < kInputs) return;
          arrived[slot] = 0;
        }
        SpreadBoard& board = shared->board[slot];
        RunAgent<I>(shared->team, board);
        if constexpr (I == kExplain) shared->answered(shared->who, slot, board.slot[I].value);
        ForEachAgent([&]<int J>() {
          constexpr bool kReads = [] {
            for (int k = 0; k < kGraph[J].inputs; ++k) {
              if (kGraph[J].input[static_cast<std::size_t>(k)] == I) return true;
            }
            return false;
          }();
          if constexpr (kReads) Tell(self, shared->actor[J], slot);
        });
      },
  };
}

// Back to back, idle workers poll for some milliseconds before they begin to sleep between looks:
// with CAF's own setting (100 looks) one request at a time takes 100 us and more for empty agents,
// ten times as long. Paced and with 64 in flight its own setting is the faster one.
constexpr std::size_t kHotPolls = 100'000;

caf::actor_system_config& Configure(caf::actor_system_config& config, unsigned cores, bool hot) {
#if CAF_VERSION < 1800
  const std::string prefix;
#else
  const std::string prefix = "caf.";
#endif
  config.set(prefix + "scheduler.max-threads", static_cast<std::size_t>(cores));
  if (hot) config.set(prefix + "work-stealing.aggressive-poll-attempts", kHotPolls);
  return config;
}

class Actors {
 public:
  Actors(const Team& team, unsigned cores, Mode mode, uint32_t slots, Answered answered, void* who)
      : shared_{team, std::vector<SpreadBoard>(slots), answered, who, {}},
        system_(Configure(config_, cores, mode == Mode::kAlone || mode == Mode::kTwoClients)) {
    ForEachAgent([&]<int I>() { shared_.actor[I] = system_.spawn(Serve<I>, &shared_); });
  }
  ~Actors() {
    for (caf::actor& a : shared_.actor) {
      caf::anon_send_exit(a, caf::exit_reason::user_shutdown);
      a = nullptr;
    }
  }
  void Submit(uint32_t slot, uint64_t request) {
    shared_.board[slot].request = request;
#if CAF_VERSION >= 10000
    caf::anon_mail(slot).send(shared_.actor[kRequestAgent]);
#else
    caf::anon_send(shared_.actor[kRequestAgent], slot);
#endif
  }

 private:
  caf::actor_system_config config_;
  Shared shared_;
  caf::actor_system system_;  // last: it waits for its actors to have ended
};

}  // namespace

void AddCaf(Contestants& to) {
#if CAF_VERSION >= 1800
  caf::core::init_global_meta_objects();
#endif
  to.push_back(std::make_unique<Callback<Actors>>("CAF, an actor per agent"));
}

}  // namespace adagents::bench
