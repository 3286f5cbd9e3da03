// Taskflow with a task per agent. "run().wait()" is what a host's own thread can do: hand a reused
// taskflow to the executor and wait. "corun in a worker" needs the whole client to be a task of the
// executor, and is the fastest that Taskflow has; with more clients there is a worker for each.
#include <array>
#include <future>
#include <taskflow/taskflow.hpp>

#include "loops.h"

namespace adagents::bench {
namespace {

class Flow {
 public:
  explicit Flow(const Team& team) {
    std::array<tf::Task, kAgents> task;
    ForEachAgent([&]<int I>() {
      task[I] = flow_.emplace([this, &team] { RunAgent<I>(team, board_); });
      for (int k = 0; k < kGraph[I].inputs; ++k) {
        task[I].succeed(
            task[static_cast<std::size_t>(kGraph[I].input[static_cast<std::size_t>(k)])]);
      }
    });
  }
  tf::Taskflow& For(uint64_t request) {
    board_.request = request;
    return flow_;
  }
  uint64_t answer() const { return board_.slot[kExplain].value; }

 private:
  SpreadBoard board_;
  tf::Taskflow flow_;
};

struct RunAndWait {
  RunAndWait(const Team& t, unsigned cores) : team(t), executor(cores) {}
  struct Client {
    explicit Client(RunAndWait& of) : executor(of.executor), flow(of.team) {}
    uint64_t Decide(uint64_t request) {
      executor.run(flow.For(request)).wait();
      return flow.answer();
    }
    tf::Executor& executor;
    Flow flow;
  };
  const Team& team;
  tf::Executor executor;
};

/// The client loops are tasks of the executor.
class InWorkers final : public Contestant {
 public:
  using Contestant::Contestant;
  Slice Run(const Team& team, const Script& script, Mode mode,
            const SliceOptions& options) override {
    const unsigned callers = mode == Mode::kInFlight     ? options.cores
                             : mode == Mode::kTwoClients ? 2
                                                         : 1;
    std::vector<Record> records(callers);
    Window window;
    std::atomic<unsigned> started{0};
    {
      tf::Executor executor(std::max(options.cores, callers));
      for (unsigned c = 0; c < callers; ++c) {
        executor.silent_async([&, c] {
          Client client{executor, Flow(team)};
          // No client may be stolen into another one's corun: it would never get out of it.
          started.fetch_add(1, std::memory_order_acq_rel);
          while (started.load(std::memory_order_acquire) < callers) Pause();
          if (mode == Mode::kInFlight) {
            LoopRing(client, script, window, records[c], kInFlightRequests / callers);
          } else if (mode == Mode::kPaced) {
            LoopPaced(client, script, window, records[c], options);
          } else {
            LoopBackToBack(client, script, window, records[c], c == 0 ? &options : nullptr);
          }
        });
      }
      if (mode == Mode::kInFlight) window.Watch(options);
      executor.wait_for_all();
    }
    return Sum(window, records);
  }

 private:
  struct Client {
    uint64_t Decide(uint64_t request) {
      executor.corun(flow.For(request));
      return flow.answer();
    }
    tf::Executor& executor;
    Flow flow;
  };
};

}  // namespace

void AddTaskflow(Contestants& to) {
  to.push_back(std::make_unique<Caller<RunAndWait>>("Taskflow, run().wait()"));
  to.push_back(std::make_unique<InWorkers>("Taskflow, corun in a worker"));
}

}  // namespace adagents::bench
