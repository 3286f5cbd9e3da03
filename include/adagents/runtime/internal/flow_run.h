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
#include "adagents/runtime/internal/strands.h"

namespace adagents::internal {

/// Built once for a version of the strands and used again. One owner at a time calls Build() and
/// Run(); HasRoom() and Help() are thread-safe.
class FlowRun {
 public:
  /// Runs one strand, on whichever thread the arena puts it.
  using RunStrand = std::function<void(Crew&, uint32_t strand)>;

  FlowRun(int helpers, RunStrand run_strand);
  ~FlowRun();

  void Build(const Strands& strands);
  /// Runs all strands; returns when none is running any more. `opened` is called once helpers may
  /// enter. False, and nothing run, while a helper is on its way out of the decision before.
  bool Run(Crew& crew, const std::function<void()>& opened);

  /// A moment's guess.
  [[nodiscard]] bool HasRoom() const;
  /// Takes part until the decision ends, when there is one and `may` says so of it. True if it did.
  bool Help(Crew& crew, const std::function<bool()>& may);

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
};

}  // namespace adagents::internal
