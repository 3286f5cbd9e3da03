// The team that every contestant of this benchmark runs: 14 agents in 7 levels, each a pure
// function of its inputs whose cost is a fixed amount of work.
//
//   0 request
//   1 inventory, profile, intent, guard        (request)
//   2 attention (intent), cap (profile), timing (inventory, intent)
//   3 relevance (intent, inventory, cap), creative (intent, timing), pacing (inventory)
//   4 pricing (relevance, attention, pacing)
//   5 auction (pricing, creative, guard, cap)
//   6 explain (auction)                        its value is the decision
//
// The work is a dependent chain of multiplications whose length is fixed once, before anything is
// measured. It never looks at a clock: a loop that polls the clock until 2 us have passed ends on
// time even when another thread has taken the core, and so hides the cost of oversubscription.
//
// Every value depends on all of its inputs and on the work itself, so a contestant that skipped,
// reordered or raced an agent would end with another decision than the floor's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace adagents::bench {

enum AgentId : int {
  kRequestAgent,
  kInventory,
  kProfile,
  kIntent,
  kGuard,
  kAttention,
  kCap,
  kTiming,
  kRelevance,
  kCreative,
  kPacing,
  kPricing,
  kAuction,
  kExplain,
};

inline constexpr int kAgents = 14;
inline constexpr int kMaxInputs = 4;

struct Node {
  std::string_view name;
  int inputs;
  std::array<int, kMaxInputs> input;
};

/// In registration order, which is also a valid order of execution.
inline constexpr std::array<Node, kAgents> kGraph{{
    {"request", 0, {}},
    {"inventory", 1, {kRequestAgent}},
    {"profile", 1, {kRequestAgent}},
    {"intent", 1, {kRequestAgent}},
    {"guard", 1, {kRequestAgent}},
    {"attention", 1, {kIntent}},
    {"cap", 1, {kProfile}},
    {"timing", 2, {kInventory, kIntent}},
    {"relevance", 3, {kIntent, kInventory, kCap}},
    {"creative", 2, {kIntent, kTiming}},
    {"pacing", 1, {kInventory}},
    {"pricing", 3, {kRelevance, kAttention, kPacing}},
    {"auction", 4, {kPricing, kCreative, kGuard, kCap}},
    {"explain", 1, {kAuction}},
}};

/// The levels, for contestants that run one level after the other.
inline constexpr int kLevels = 7;
inline constexpr std::array<std::pair<int, int>, kLevels> kLevelRange{
    {{0, 1}, {1, 5}, {5, 8}, {8, 11}, {11, 12}, {12, 13}, {13, 14}}};

/// What one agent's run costs, in rounds of the chain; the letter names the row of the table.
struct Team {
  char body = 'A';
  std::array<uint32_t, kAgents> work{};
};

/// The bodies A to E: empty; 2 us each; 20 us each; one of 200 us and the rest 2; two independent
/// ones of 200 us and the rest 2.
Team MakeTeam(char body, double rounds_per_us);

/// One line that says what a body is.
std::string_view Describe(char body);

/// Rounds of the chain per microsecond on this machine: the best of many short trials.
double CalibrateRoundsPerMicrosecond();

/// The chain. Not inlined, so that every contestant runs the same instructions.
uint64_t Spin(uint64_t x, uint32_t rounds) noexcept;

constexpr uint64_t Fold(uint64_t x, uint64_t input) {
  x = (x ^ input) * 0x9e3779b97f4a7c15ull;
  return x ^ (x >> 32);
}

/// What agent I starts from, before it folds its inputs in.
template <int I>
inline constexpr uint64_t kSalt = Fold(0x243f6a8885a308d3ull, uint64_t{I} + 1);

/// The body of agent I, given its inputs in the graph's order (the request itself for agent 0).
template <int I, class... Inputs>
inline uint64_t Think(const Team& team, Inputs... inputs) noexcept {
  uint64_t x = kSalt<I>;
  ((x = Fold(x, inputs)), ...);
  return Spin(x, team.work[I]);
}

/// One value per agent. kSpread is the distance between values: contestants that run agents on
/// several threads keep each value on its own cache line, the floor keeps them together.
template <std::size_t kSpread>
struct alignas(64) Board {
  struct alignas(kSpread) Slot {
    uint64_t value = 0;
  };
  uint64_t request = 0;
  std::array<Slot, kAgents> slot;
};
using CompactBoard = Board<8>;
using SpreadBoard = Board<64>;

/// Runs agent I on a board: reads its inputs there and writes its output there.
template <int I, class B>
inline void RunAgent(const Team& team, B& board) noexcept {
  if constexpr (kGraph[I].inputs == 0) {
    board.slot[I].value = Think<I>(team, board.request);
  } else {
    [&]<std::size_t... K>(std::index_sequence<K...>) {
      board.slot[I].value = Think<I>(team, board.slot[kGraph[I].input[K]].value...);
    }
    (std::make_index_sequence<kGraph[I].inputs>{});
  }
}

/// Calls f.operator()<I>() for every agent in registration order.
template <class F>
inline void ForEachAgent(F&& f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f.template operator()<static_cast<int>(I)>(), ...);
  }
  (std::make_index_sequence<kAgents>{});
}

/// The floor: all agents in a row, as plain calls.
template <class B>
inline uint64_t RunInARow(const Team& team, B& board, uint64_t request) noexcept {
  board.request = request;
  ForEachAgent([&]<int I>() { RunAgent<I>(team, board); });
  return board.slot[kExplain].value;
}

/// What a contestant returns instead of a decision that it had to cut short: late, or with a
/// default in some agent's place.
inline constexpr uint64_t kDegraded = ~uint64_t{0};

/// A few requests with the decision that the floor takes on each; every decision of every
/// contestant is compared with it.
struct Script {
  static constexpr uint32_t kRequests = 16;
  std::array<uint64_t, kRequests> request{};
  std::array<uint64_t, kRequests> expected{};
};
Script MakeScript(const Team& team);

}  // namespace adagents::bench
