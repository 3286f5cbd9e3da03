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

// What is scheduled as one: an agent, or all agents of a loop.
struct Unit {
  std::vector<uint32_t> agents;  // in order
  std::vector<uint32_t> before;  // units
  std::vector<uint32_t> after;
  int64_t cost = 0;
  int64_t rank = 0;  // longest path from its start to the end of the plan
};

void Unique(std::vector<uint32_t>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

// In the plan's order.
std::vector<Unit> Units(const Plan& plan, const std::vector<int64_t>& costs) {
  constexpr int64_t kRounds = 2;  // that a loop takes as a rule
  std::vector<Unit> units;
  std::vector<uint32_t> number(plan.agents().size());
  for (const uint32_t agent : plan.order()) {
    if (plan.UnitOf(agent) == agent) units.emplace_back();
    number[agent] = static_cast<uint32_t>(units.size() - 1);  // a loop stands together
    units.back().agents.push_back(agent);
    units.back().cost += costs[agent] * (plan.LoopOf(agent) == nullptr ? 1 : kRounds);
  }
  for (uint32_t unit = 0; unit < units.size(); ++unit) {
    for (const uint32_t agent : units[unit].agents) {
      for (const uint32_t before : plan.agents()[agent].predecessors) {
        if (number[before] != unit) units[unit].before.push_back(number[before]);
      }
    }
    Unique(units[unit].before);
    for (const uint32_t before : units[unit].before) units[before].after.push_back(unit);
  }
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) {
    for (const uint32_t after : unit->after) unit->rank = std::max(unit->rank, units[after].rank);
    unit->rank += unit->cost;
  }
  return units;
}

Strands Cut(const Plan& plan, const std::vector<int64_t>& costs, int processors,
            int64_t hand_over) {
  const std::vector<Unit> units = Units(plan, costs);
  std::vector<Placed> placed(units.size());
  std::vector<int64_t> free_at(static_cast<size_t>(processors), 0);
  std::vector<uint32_t> scheduled;  // in order of start

  struct Ready {
    int64_t rank;
    uint32_t unit;
    bool operator<(const Ready& other) const {
      return rank != other.rank ? rank < other.rank : unit > other.unit;
    }
  };
  std::priority_queue<Ready> ready;
  std::vector<size_t> waiting(units.size());
  for (uint32_t unit = 0; unit < units.size(); ++unit) {
    waiting[unit] = units[unit].before.size();
    if (waiting[unit] == 0) ready.push({units[unit].rank, unit});
  }
  Strands result;
  while (!ready.empty()) {
    const uint32_t unit = ready.top().unit;
    ready.pop();
    int best = 0;
    int64_t best_start = INT64_MAX;
    for (int p = 0; p < processors; ++p) {
      int64_t start = free_at[static_cast<size_t>(p)];
      for (const uint32_t before : units[unit].before) {
        start =
            std::max(start, placed[before].end + (placed[before].processor == p ? 0 : hand_over));
      }
      if (start < best_start) {
        best = p;
        best_start = start;
      }
    }
    placed[unit] = {best, best_start + units[unit].cost};
    free_at[static_cast<size_t>(best)] = placed[unit].end;
    scheduled.push_back(unit);
    result.total_nanos += units[unit].cost;
    result.makespan_nanos = std::max(result.makespan_nanos, placed[unit].end);
    for (const uint32_t after : units[unit].after) {
      if (--waiting[after] == 0) ready.push({units[after].rank, after});
    }
  }

  // Cut. Scheduling order is a topological order and each strand is a run of one processor's
  // sequence whose outside needs are all at its head, so the strands' graph has no cycle.
  std::vector<uint32_t> strand_of(units.size(), UINT32_MAX);
  std::vector<uint32_t> open(static_cast<size_t>(processors), UINT32_MAX);
  std::vector<int64_t> ranks;  // of the strands
  for (const uint32_t at : scheduled) {
    const Unit& unit = units[at];
    const int p = placed[at].processor;
    const auto elsewhere = [&](uint32_t other) { return placed[other].processor != p; };
    uint32_t& current = open[static_cast<size_t>(p)];
    const bool waits = std::any_of(unit.before.begin(), unit.before.end(), elsewhere);
    // A chain stays together all the same: nobody else could go on sooner.
    const bool chained = unit.before.size() == 1 && units[unit.before[0]].after.size() == 1;
    const bool apart = unit.cost > kApart * hand_over && !chained;
    if (waits || current == UINT32_MAX || apart) {
      current = static_cast<uint32_t>(result.strands.size());
      result.strands.emplace_back();
      ranks.push_back(unit.rank);
    }
    Strands::Strand& strand = result.strands[current];
    strand.agents.insert(strand.agents.end(), unit.agents.begin(), unit.agents.end());
    strand.nanos += unit.cost;
    strand_of[at] = current;
    for (const uint32_t before : unit.before) {
      if (strand_of[before] != current) strand.after.push_back(strand_of[before]);
    }
    if (std::any_of(unit.after.begin(), unit.after.end(), elsewhere)) current = UINT32_MAX;
  }
  // Number them by longest remaining path. What a strand waits for, its head waits for, so that has
  // a longer one.
  std::vector<uint32_t> by_rank(result.strands.size());
  std::iota(by_rank.begin(), by_rank.end(), 0);
  std::stable_sort(by_rank.begin(), by_rank.end(),
                   [&](uint32_t a, uint32_t b) { return ranks[a] > ranks[b]; });
  std::vector<uint32_t> number(by_rank.size());
  for (uint32_t i = 0; i < by_rank.size(); ++i) number[by_rank[i]] = i;
  std::vector<Strands::Strand> numbered;
  for (const uint32_t strand : by_rank) {
    numbered.push_back(std::move(result.strands[strand]));
    std::vector<uint32_t>& after = numbered.back().after;
    for (uint32_t& before : after) before = number[before];
    Unique(after);
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
