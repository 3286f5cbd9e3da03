#include "adagents/runtime/internal/flow_run.h"

#include <tbb/flow_graph.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace adagents::internal {
namespace {

// The crew whose thread this is, for nodes: they run wherever the arena puts them.
thread_local Crew* t_crew = nullptr;

}  // namespace

struct FlowRun::Graph {
  using Node = tbb::flow::continue_node<tbb::flow::continue_msg>;

  Graph(Entrance<>* door, int helpers, RunStrand run)
      : entrance(door),
        run_strand(std::move(run)),
        arena(helpers + 1, static_cast<unsigned>(helpers + 1)),
        groups(static_cast<size_t>(helpers) + 1),
        handles(static_cast<size_t>(helpers) + 1) {}
  ~Graph() {
    handles.clear();
    for (auto& group : groups) group.wait();
  }
  void Close() {
    const std::lock_guard<std::mutex> lock(mutex);
    CloseLocked();
  }
  void RunNode(uint32_t strand) {
    run_strand(*t_crew, strand);
    // Acq_rel: the owner sees what all strands have done.
    if (remaining.fetch_sub(1, std::memory_order_acq_rel) == 1) Close();
  }
  void CloseLocked() {
    entrance->Close();
    for (auto& handle : handles) handle = tbb::task_handle();
    open = false;
  }

  Entrance<>* const entrance;
  const RunStrand run_strand;
  tbb::task_arena arena;
  std::vector<tbb::task_group> groups;    // what helpers, and last the owner, wait on in the arena
  std::mutex mutex;                       // guards the next five
  std::vector<tbb::task_handle> handles;  // held while open: keeps the groups waiting
  bool open = false;
  int64_t due = 0;
  int inside = 0;                    // helpers that may hold strands in the arena
  bool left = false;                 // by the owner: the last helper inside runs what is left
  std::atomic<size_t> remaining{0};  // strands that are not done
  std::unique_ptr<tbb::flow::graph> graph;
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<uint32_t> first;  // nodes to start with
};

FlowRun::FlowRun(Entrance<>* entrance, int helpers, RunStrand run_strand)
    : graph_(std::make_unique<Graph>(entrance, helpers, std::move(run_strand))) {}

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
        *g.graph, [&g, i](const tbb::flow::continue_msg&) { g.RunNode(i); }));
  }
  for (uint32_t i = 0; i < list.size(); ++i) {
    for (const uint32_t before : list[i].after) {
      tbb::flow::make_edge(*g.nodes[before], *g.nodes[i]);
    }
    if (list[i].after.empty()) g.first.push_back(i);
  }
}

bool FlowRun::Run(Crew& crew, int64_t due, const std::function<void()>& opened) {
  Graph& g = *graph_;
  {
    const std::lock_guard<std::mutex> lock(g.mutex);
    for (size_t i = 0; i < g.groups.size(); ++i) g.handles[i] = g.groups[i].defer([] {});
    g.due = due;
    g.open = true;
    g.remaining.store(g.nodes.size(), std::memory_order_relaxed);
    g.entrance->Open();
  }
  opened();
  Crew* const outer = std::exchange(t_crew, &crew);
  g.arena.execute([&g] {
    // Isolated: while it waits, the owner takes only strands of its own decision.
    tbb::this_task_arena::isolate([&g] {
      for (const uint32_t node : g.first) g.nodes[node]->try_put(tbb::flow::continue_msg());
      g.groups.back().wait();  // until all is done, or LetGo()
    });
  });
  t_crew = outer;
  if (g.remaining.load(std::memory_order_acquire) != 0) return false;
  Finish(crew);
  return true;
}

bool FlowRun::Leave() {
  Graph& g = *graph_;
  const std::lock_guard<std::mutex> lock(g.mutex);
  return g.left = g.inside > 0;
}

void FlowRun::Finish(Crew& crew) {
  Graph& g = *graph_;
  Crew* const outer = std::exchange(t_crew, &crew);
  g.arena.execute([&g] { g.graph->wait_for_all(); });
  t_crew = outer;
}

bool FlowRun::Help(Crew& crew, int number) {
  Graph& g = *graph_;
  {
    const std::lock_guard<std::mutex> lock(g.mutex);
    if (!g.open) return false;
    ++g.inside;
  }
  Crew* const outer = std::exchange(t_crew, &crew);
  g.arena.execute([&] { g.groups[static_cast<size_t>(number)].wait(); });
  t_crew = outer;
  {
    const std::lock_guard<std::mutex> lock(g.mutex);
    // Whoever is still inside runs what this one leaves in the arena.
    if (--g.inside > 0 || !g.left) return false;
    g.left = false;
  }
  Finish(crew);
  return true;
}

void FlowRun::LetGo(int64_t now) {
  Graph& g = *graph_;
  const std::lock_guard<std::mutex> lock(g.mutex);
  if (g.open && g.due <= now) g.CloseLocked();
}

}  // namespace adagents::internal
