#include "team.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace adagents::bench {

__attribute__((noinline)) uint64_t Spin(uint64_t x, uint32_t rounds) noexcept {
  for (uint32_t i = 0; i < rounds; ++i) x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
  return x;
}

double CalibrateRoundsPerMicrosecond() {
  constexpr uint32_t kRounds = 100'000;  // some 200 us: long beside a clock read, short beside a
  constexpr int kTrials = 200;           // scheduler's time slice, so the best trial is undisturbed
  volatile uint64_t seed = 1;
  double best_ns = 1e18;
  for (int i = 0; i < kTrials; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    seed = Spin(seed, kRounds);
    const auto end = std::chrono::steady_clock::now();
    best_ns = std::min(best_ns, std::chrono::duration<double, std::nano>(end - begin).count());
  }
  return kRounds / best_ns * 1e3;
}

Team MakeTeam(char body, double rounds_per_us) {
  const auto rounds = [&](double us) {
    return static_cast<uint32_t>(std::lround(us * rounds_per_us));
  };
  Team team;
  team.body = body;
  switch (body) {
    case 'B':
      team.work.fill(rounds(2));
      break;
    case 'C':
      team.work.fill(rounds(20));
      break;
    case 'D':
      team.work.fill(rounds(2));
      team.work[kRelevance] = rounds(200);
      break;
    case 'E':
      team.work.fill(rounds(2));
      team.work[kRelevance] = rounds(200);
      team.work[kCreative] = rounds(200);
      break;
    default:
      break;  // A: no work at all
  }
  return team;
}

std::string_view Describe(char body) {
  switch (body) {
    case 'A':
      return "14 empty agents";
    case 'B':
      return "14 agents of 2 us";
    case 'C':
      return "14 agents of 20 us";
    case 'D':
      return "one agent of 200 us, the rest 2 us";
    case 'E':
      return "two independent agents of 200 us, the rest 2 us";
    default:
      return "";
  }
}

Script MakeScript(const Team& team) {
  Script script;
  CompactBoard board;
  for (uint32_t i = 0; i < Script::kRequests; ++i) {
    script.request[i] = Fold(0x13198a2e03707344ull, i);
    script.expected[i] = RunInARow(team, board, script.request[i]);
  }
  return script;
}

}  // namespace adagents::bench
