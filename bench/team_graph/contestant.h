// What a contestant is, and what one slice of measuring it yields.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "team.h"

namespace adagents::bench {

enum class Mode {
  kAlone,       // one client, back to back: workers stay hot
  kPaced,       // one client, 0.5 ms between an answer and the next request: workers cool down
  kTwoClients,  // two clients, back to back
  kInFlight,    // 64 requests in flight at all times
};
inline constexpr int kModes = 4;
std::string_view Name(Mode mode);

inline constexpr uint32_t kInFlightRequests = 64;
inline constexpr double kPacedGapMicroseconds = 500;

struct SliceOptions {
  double warm_ms = 12;
  double measure_ms = 150;
  unsigned cores = 2;
};

/// One contestant, body, mode and round.
struct Slice {
  double p50_us = 0;  // from handing the request in to having the answer, the clock's own cost off
  double p99_us = 0;
  double per_second = 0;
  double cpu_us = 0;  // processor time of the whole process per decision, a paced client's gaps off
  double allocations = 0;  // heap allocations of the whole process per decision
  uint64_t decisions = 0;
  double others_share = 0;  // of the machine, used by other processes meanwhile, warm-up included
  uint64_t degraded = 0;    // decisions, warm-up included, that were cut short and say so
  uint64_t wrong = 0;       // decisions, warm-up included, that differ from the floor's
};

/// Not thread-safe: one slice at a time. Whatever it starts is stopped when Run returns, so that
/// one contestant's idle threads never disturb the next one.
class Contestant {
 public:
  explicit Contestant(std::string name, bool ours = false) : name_(std::move(name)), ours_(ours) {}
  virtual ~Contestant() = default;
  const std::string& name() const { return name_; }
  bool ours() const { return ours_; }
  virtual bool Takes(Mode) const { return true; }
  virtual Slice Run(const Team& team, const Script& script, Mode mode,
                    const SliceOptions& options) = 0;

 private:
  std::string name_;
  bool ours_;
};

using Contestants = std::vector<std::unique_ptr<Contestant>>;
void AddFloor(Contestants& to);  // first: all ratios are to it
void AddFlowGraph(Contestants& to);
void AddTaskGroup(Contestants& to);
void AddCaf(Contestants& to);
void AddTaskflow(Contestants& to);
void AddAdagents(Contestants& to);

inline constexpr std::string_view kFloorName = "calls in a row (floor)";

}  // namespace adagents::bench
