// The creative agent's work, shared by the agent and WhyNot().
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "adagents/ads/agents/creative.h"

namespace adagents::ads::internal {

/// Thread-compatible: it has memory that it reuses.
class Fitter {
 public:
  explicit Fitter(const CreativeOptions& options)
      : options_(options), drawn_(kActions * CreativeFeatures::kTraitRows) {}

  /// `decision` seeds what is drawn. `explore`: CreativeOptions::explore, or 0 for what is
  /// believed.
  void Run(const Candidates& candidates, const Listener& listener, const Intents& intents,
           const MomentModel& model, uint64_t decision, float explore, CreativeFits* out);

 private:
  static constexpr size_t kActions = 3;
  struct Drawn {
    float effect = 0;
    float mean = 0;
    uint32_t call = 0;  // of which Run()
  };
  void Forbid(const Candidates& candidates, const Listener& listener, const Intents& intents,
              CreativeFits* out) const;
  void FitImp(const Candidates& candidates, const ImpRange& range,
              const MomentModel::RowTerms& terms, const MomentModel& model, uint64_t decision,
              float explore, CreativeFits* out);
  const Drawn& Draw(Action action, uint16_t row, const MomentModel::RowTerms& terms,
                    const MomentModel& model, uint64_t decision, float explore);

  const CreativeOptions& options_;
  std::vector<Drawn> drawn_;
  uint32_t call_ = 0;
};

}  // namespace adagents::ads::internal
