#include "adagents/runtime/internal/flow_run.h"

#include <tbb/flow_graph.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <utility>
#include <vector>

#include "adagents/runtime/internal/entrance.h"

namespace adagents::internal {
namespace {

// The crew whose thread this is, for nodes: they run wherever the arena puts them.
thread_local Crew* t_crew = nullptr;

}  // namespace

struct FlowRun::Graph {
  using Node = tbb::flow::continue_node<tbb::flow::continue_msg>;

  Graph(int helpers, RunStrand run)
      : run_strand(std::move(run)),
        arena(helpers + 1, static_cast<unsigned>(helpers + 1)),
        groups(static_cast<size_t>(helpers)),
        handles(static_cast<size_t>(helpers)) {}
  ~Graph() {
    handles.clear();
    for (auto& group : groups) group.wait();
  }
  int most() const { return static_cast<int>(groups.size()); }

  const RunStrand run_strand;
  Entrance<> entrance;
  tbb::task_arena arena;
  std::vector<tbb::task_group> groups;    // one per helper: what it waits on in the arena
  std::vector<tbb::task_handle> handles;  // held while the decision runs: keeps the groups waiting
  std::unique_ptr<tbb::flow::graph> graph;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<uint32_t> first;  // nodes to start with
};

FlowRun::FlowRun(int helpers, RunStrand run_strand)
    : graph_(std::make_unique<Graph>(helpers, std::move(run_strand))) {}

FlowRun::~FlowRun() = default;

void FlowRun::Build(const Strands& strands) {
  Graph& g = *graph_;
  g.nodes.clear();
  g.first.clear();
  g.graph.reset();
  const auto& list = strands.strands;
  g.arena.execute([&] { g.graph = std::make_unique<tbb::flow::graph>(); });
  for (uint32_t i = 0; i < list.size(); ++i) {
    g.nodes.push_back(std::make_unique<Graph::Node>(
        *g.graph, [&g, i](const tbb::flow::continue_msg&) { g.run_strand(*t_crew, i); }));
  }
  for (uint32_t i = 0; i < list.size(); ++i) {
    for (const uint32_t before : list[i].after) {
      tbb::flow::make_edge(*g.nodes[before], *g.nodes[i]);
    }
    if (list[i].after.empty()) g.first.push_back(i);
  }
}

bool FlowRun::Run(Crew& crew, const std::function<void()>& opened) {
  Graph& g = *graph_;
  if (!g.entrance.EnterAsOwner()) return false;
  Crew* const outer = std::exchange(t_crew, &crew);
  for (size_t i = 0; i < g.groups.size(); ++i) g.handles[i] = g.groups[i].defer([] {});
  g.entrance.Open();
  opened();
  g.arena.execute([&g] {
    // Isolated: while it waits, the owner takes only strands of its own decision.
    tbb::this_task_arena::isolate([&g] {
      for (const uint32_t node : g.first) g.nodes[node]->try_put(tbb::flow::continue_msg());
      g.graph->wait_for_all();
    });
  });
  g.entrance.Close();
  for (auto& handle : g.handles) handle = tbb::task_handle();
  t_crew = outer;
  g.entrance.LeaveAsOwner();
  return true;
}

bool FlowRun::HasRoom() const { return graph_->entrance.HasRoom(graph_->most()); }

bool FlowRun::Help(Crew& crew, const std::function<bool()>& may) {
  Graph& g = *graph_;
  const int number = g.entrance.EnterAsHelper(g.most());
  if (number < 0) return false;
  const bool helps = may();
  if (helps) {
    Crew* const outer = std::exchange(t_crew, &crew);
    g.arena.execute([&] { g.groups[static_cast<size_t>(number)].wait(); });
    t_crew = outer;
  }
  g.entrance.LeaveAsHelper(number);
  return helps;
}

}  // namespace adagents::internal
