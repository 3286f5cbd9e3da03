// oneTBB's flow graph with a node per agent: continue_node<continue_msg>, the fastest node it has
// for joins, with values on a board.
//   reused       each client owns a graph, built once on the client's thread, so that it runs in
//                the arena that the client joins when it waits; 64 in flight are shared among a
//                client per core, which is faster than the pool
//   lightweight  the same with bodies that run on the thread that sent the message
//   rebuilt      a graph made for each request
//   pool of 64   only with 64 in flight: as many graphs in one arena with a thread per core. Each
//                answer enqueues its graph's next request, behind those that wait: spawned instead,
//                the two newest would take turns and the other 62 starve.
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/task_arena.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>

#include "loops.h"

namespace adagents::bench {
namespace {

namespace flow = oneapi::tbb::flow;

using TaskNode = flow::continue_node<flow::continue_msg>;
using LightNode = flow::continue_node<flow::continue_msg, flow::lightweight>;

struct NoNext {
  void operator()(uint64_t) const noexcept {}
};

/// The 14 nodes and their edges in a graph. `Next` is called with explain's value.
template <class AgentNode, class Next = NoNext>
class Wired {
 public:
  Wired(const Team& team, flow::graph& graph, Next next = {}) : next_(next) {
    ForEachAgent([&]<int I>() {
      auto body = [this, &team](flow::continue_msg) noexcept {
        RunAgent<I>(team, board_);
        if constexpr (I == kExplain) next_(board_.slot[I].value);
      };
      node_[I].emplace(graph, std::move(body));
      for (int k = 0; k < kGraph[I].inputs; ++k) {
        flow::make_edge(
            *node_[static_cast<std::size_t>(kGraph[I].input[static_cast<std::size_t>(k)])],
            *node_[I]);
      }
    });
  }
  Wired(const Wired&) = delete;
  Wired& operator=(const Wired&) = delete;

  void Start(uint64_t request) {
    board_.request = request;
    node_[kRequestAgent]->try_put(flow::continue_msg{});
  }
  uint64_t answer() const { return board_.slot[kExplain].value; }

 private:
  SpreadBoard board_;
  [[no_unique_address]] Next next_;
  std::array<std::optional<AgentNode>, kAgents> node_;
};

template <class AgentNode>
struct Reused {
  Reused(const Team& t, unsigned) : team(t) {}
  struct Client {
    explicit Client(Reused& of) : wired(of.team, graph) {}
    uint64_t Decide(uint64_t request) {
      wired.Start(request);
      graph.wait_for_all();
      return wired.answer();
    }
    flow::graph graph;
    Wired<AgentNode> wired;
  };
  const Team& team;
};

struct Rebuilt {
  Rebuilt(const Team& t, unsigned) : team(t) {}
  struct Client {
    explicit Client(Rebuilt& of) : team(of.team) {}
    uint64_t Decide(uint64_t request) {
      flow::graph graph;
      Wired<TaskNode> wired(team, graph);
      wired.Start(request);
      graph.wait_for_all();
      return wired.answer();
    }
    const Team& team;
  };
  const Team& team;
};

/// 64 graphs whose last node hands in the next request.
class Pool {
 public:
  Pool(const Team& team, const Script& script, unsigned cores)
      : script_(script), arena_(static_cast<int>(cores)) {
    arena_.execute([&] {
      graph_.emplace();
      for (uint32_t i = 0; i < kInFlightRequests; ++i) place_.emplace_back(*this, team, *graph_);
    });
  }
  Slice Run(const SliceOptions& options) {
    std::thread client([&] {
      arena_.execute([&] {
        for (Place& p : place_) {
          graph_->reserve_wait();  // an enqueued request is not yet the graph's
          p.Start();
        }
        graph_->wait_for_all();
      });
    });
    window_.Watch(options);
    client.join();
    return Sum(window_, records_.all());
  }

 private:
  struct Place;
  struct Again {
    void operator()(uint64_t value) const noexcept { place->Answer(value); }
    Place* place;
  };
  struct Place {
    Place(Pool& p, const Team& team, flow::graph& graph)
        : pool(p), wired(team, graph, Again{this}) {}
    void Start() {
      handed_in = Ticks::Now();
      wired.Start(pool.script_.request[next % Script::kRequests]);
    }
    void Answer(uint64_t value) noexcept {
      Record& record = pool.records_.OfThisThread();
      const uint64_t now = Ticks::Now();
      record.Check(value, pool.script_.expected[next % Script::kRequests]);
      if (!record.Follow(pool.window_.phase())) {
        pool.graph_->release_wait();
        return;
      }
      record.histogram.Add(now - handed_in);
      ++next;
      handed_in = now;
      pool.arena_.enqueue([this] { wired.Start(pool.script_.request[next % Script::kRequests]); });
    }
    Pool& pool;
    uint64_t handed_in = 0;
    uint32_t next = 0;
    Wired<TaskNode, Again> wired;
  };

  const Script& script_;
  Window window_;
  ThreadRecords records_;
  oneapi::tbb::task_arena arena_;
  std::optional<flow::graph> graph_;
  std::deque<Place> place_;
};

class PooledGraphs final : public Contestant {
 public:
  using Contestant::Contestant;
  bool Takes(Mode mode) const override { return mode == Mode::kInFlight; }
  Slice Run(const Team& team, const Script& script, Mode, const SliceOptions& options) override {
    return Pool(team, script, options.cores).Run(options);
  }
};

}  // namespace

void AddFlowGraph(Contestants& to) {
  to.push_back(std::make_unique<Caller<Reused<TaskNode>>>("flow graph, reused"));
  to.push_back(std::make_unique<Caller<Reused<LightNode>>>("flow graph, lightweight"));
  to.push_back(std::make_unique<Caller<Rebuilt>>("flow graph, rebuilt"));
  to.push_back(std::make_unique<PooledGraphs>("flow graph, pool of 64"));
}

}  // namespace adagents::bench
