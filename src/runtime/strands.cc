#include "adagents/runtime/internal/strands.h"

#include <algorithm>
#include <numeric>
#include <queue>
#include <utility>

#include "adagents/runtime/internal/plan.h"
#include "adagents/runtime/internal/strand_claims.h"

namespace adagents::internal {
namespace {

// What it costs to hand an agent to another thread that is awake, in nanoseconds: through the claim
// word, and as a task of a flow graph that is stolen.
constexpr int64_t kByClaim = 200;
constexpr int64_t kByTask = 700;

// Agents that take this many times as long as their handing over are strands of their own.
constexpr int64_t kApart = 8;

struct Placed {
  int processor = 0;
  int64_t end = 0;
};

// Longest path from each agent's start to the end of the plan.
std::vector<int64_t> Ranks(const Plan& plan, const std::vector<int64_t>& costs) {
  std::vector<int64_t> ranks(plan.agents().size(), 0);
  for (auto at = plan.order().rbegin(); at != plan.order().rend(); ++at) {
    int64_t longest = 0;
    for (const uint32_t after : plan.agents()[*at].successors) {
      longest = std::max(longest, ranks[after]);
    }
    ranks[*at] = longest + costs[*at];
  }
  return ranks;
}

Strands Cut(const Plan& plan, const std::vector<int64_t>& costs, int processors,
            int64_t hand_over) {
  const auto& agents = plan.agents();
  const std::vector<int64_t> ranks = Ranks(plan, costs);
  std::vector<Placed> placed(agents.size());
  std::vector<std::vector<uint32_t>> sequence(static_cast<size_t>(processors));
  std::vector<int64_t> free_at(static_cast<size_t>(processors), 0);
  std::vector<uint32_t> scheduled;  // in order of start

  struct Ready {
    int64_t rank;
    uint32_t agent;
    bool operator<(const Ready& other) const {
      return rank != other.rank ? rank < other.rank : agent > other.agent;
    }
  };
  std::priority_queue<Ready> ready;
  std::vector<size_t> waiting(agents.size());
  for (const uint32_t agent : plan.order()) {
    waiting[agent] = agents[agent].predecessors.size();
    if (waiting[agent] == 0) ready.push({ranks[agent], agent});
  }
  Strands result;
  while (!ready.empty()) {
    const uint32_t agent = ready.top().agent;
    ready.pop();
    int best = 0;
    int64_t best_start = INT64_MAX;
    for (int p = 0; p < processors; ++p) {
      int64_t start = free_at[static_cast<size_t>(p)];
      for (const uint32_t before : agents[agent].predecessors) {
        start =
            std::max(start, placed[before].end + (placed[before].processor == p ? 0 : hand_over));
      }
      if (start < best_start) {
        best = p;
        best_start = start;
      }
    }
    placed[agent] = {best, best_start + costs[agent]};
    free_at[static_cast<size_t>(best)] = placed[agent].end;
    sequence[static_cast<size_t>(best)].push_back(agent);
    scheduled.push_back(agent);
    result.total_nanos += costs[agent];
    result.makespan_nanos = std::max(result.makespan_nanos, placed[agent].end);
    for (const uint32_t after : agents[agent].successors) {
      if (--waiting[after] == 0) ready.push({ranks[after], after});
    }
  }
  result.costs = costs;

  // Cut. Scheduling order is a topological order and each strand is a run of one processor's
  // sequence whose outside needs are all at its head, so the strands' graph has no cycle.
  std::vector<uint32_t> strand_of(agents.size(), UINT32_MAX);
  std::vector<uint32_t> open(static_cast<size_t>(processors), UINT32_MAX);
  for (const uint32_t agent : scheduled) {
    const int p = placed[agent].processor;
    uint32_t& current = open[static_cast<size_t>(p)];
    const bool waits =
        std::any_of(agents[agent].predecessors.begin(), agents[agent].predecessors.end(),
                    [&](uint32_t before) { return placed[before].processor != p; });
    // A chain stays together all the same: nobody else could go on sooner.
    const bool chained = agents[agent].predecessors.size() == 1 &&
                         agents[agents[agent].predecessors[0]].successors.size() == 1;
    const bool apart = costs[agent] > kApart * hand_over && !chained;
    if (waits || current == UINT32_MAX || apart) {
      current = static_cast<uint32_t>(result.strands.size());
      result.strands.emplace_back();
    }
    Strands::Strand& strand = result.strands[current];
    strand.agents.push_back(agent);
    strand.nanos += costs[agent];
    strand_of[agent] = current;
    for (const uint32_t before : agents[agent].predecessors) {
      if (strand_of[before] != current) strand.after.push_back(strand_of[before]);
    }
    const bool awaited =
        std::any_of(agents[agent].successors.begin(), agents[agent].successors.end(),
                    [&](uint32_t after) { return placed[after].processor != p; });
    if (awaited) current = UINT32_MAX;
  }
  // Number them by longest remaining path. What a strand waits for, its head waits for, so that has
  // a longer one.
  std::vector<uint32_t> by_rank(result.strands.size());
  std::iota(by_rank.begin(), by_rank.end(), 0);
  const auto rank = [&](uint32_t strand) { return ranks[result.strands[strand].agents[0]]; };
  std::stable_sort(by_rank.begin(), by_rank.end(),
                   [&](uint32_t a, uint32_t b) { return rank(a) > rank(b); });
  std::vector<uint32_t> number(by_rank.size());
  for (uint32_t i = 0; i < by_rank.size(); ++i) number[by_rank[i]] = i;
  std::vector<Strands::Strand> numbered;
  for (const uint32_t strand : by_rank) {
    numbered.push_back(std::move(result.strands[strand]));
    std::vector<uint32_t>& after = numbered.back().after;
    for (uint32_t& before : after) before = number[before];
    std::sort(after.begin(), after.end());
    after.erase(std::unique(after.begin(), after.end()), after.end());
  }
  result.strands = std::move(numbered);
  return result;
}

}  // namespace

Strands MakeStrands(const Plan& plan, const std::vector<int64_t>& costs, int processors) {
  Strands strands = Cut(plan, costs, processors, kByClaim);
  if (strands.strands.size() <= StrandClaims<>::kMaxStrands) return strands;
  return Cut(plan, costs, processors, kByTask);
}

}  // namespace adagents::internal
