// One shared decision as a oneTBB flow graph with a node per strand: for plans with more strands
// than the claim word has room for.
//
// Helpers are the runtime's own idle workers, which enter the arena for one decision and leave with
// it; the arena reserves every slot for threads that enter it, so oneTBB's own workers are neither
// used nor started and nothing of the host's oneTBB settings changes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "adagents/runtime/internal/crew.h"
#include "adagents/runtime/internal/entrance.h"
#include "adagents/runtime/internal/strands.h"

namespace adagents::internal {

/// Built once for a version of the strands and used again. Whoever is the owner inside `entrance`
/// calls Build() and Run(); the rest is thread-safe.
class FlowRun {
 public:
  /// Runs one strand, on whichever thread the arena puts it.
  using RunStrand = std::function<void(Crew&, uint32_t strand)>;

  FlowRun(Entrance<>* entrance, int helpers, RunStrand run_strand);
  ~FlowRun();

  void Build(const Strands& strands);
  /// Runs all strands; true when none is running any more. `opened` is called once helpers may
  /// enter, which they may until `due`. False when the decision is overdue: Leave() or Finish() it.
  [[nodiscard]] bool Run(Crew& crew, int64_t due, const std::function<void()>& opened);
  /// Leaves the rest to the helpers inside; false when there are none.
  [[nodiscard]] bool Leave();
  /// Runs what is left and waits for all.
  void Finish(Crew& crew);

  /// Takes part until the decision ends or is overdue; by helper `number` of the entrance. True
  /// when the owner has left and all is done now: the caller takes its place.
  [[nodiscard]] bool Help(Crew& crew, int number);
  /// Lets those go that only wait in a decision that is overdue at `now`: an agent hangs there.
  void LetGo(int64_t now);

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace adagents::internal
