#include "adagents/ads/agents/frequency_cap.h"

#include "adagents/runtime/context.h"
#include "ads/agents/cap_rules.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent here: two for each capped candidate.
constexpr int kMostReasons = 32;

}  // namespace

struct FrequencyCapAgent::Scratch {
  explicit Scratch(const FrequencyCapPolicy& policy) : capper(policy) {}
  internal::Capper capper;
};

FrequencyCapAgent::FrequencyCapAgent(std::shared_ptr<const FrequencyCapPolicy> policy)
    : Agent({.name = "frequency_cap"}),
      policy_(std::move(policy)),
      scratch_(std::make_unique<Scratch>(*policy_)) {}
FrequencyCapAgent::~FrequencyCapAgent() = default;

absl::Status FrequencyCapAgent::Run(Context& ctx) {
  int reasons_left = kMostReasons;
  const auto say = [&](uint32_t, const Reason& reason) {
    if (reasons_left-- > 0) ctx.Because(reason);
  };
  const internal::CapBecause because = say;
  scratch_->capper.Run(ctx[request_], ctx[candidates_], *counts_, ctx.clock().Now(), &ctx[caps_],
                       ctx.explaining() ? &because : nullptr);
  return absl::OkStatus();
}

absl::Status FrequencyCapCounter::Run(Context& ctx) {
  const OutcomeEvent& event = ctx[outcome_];
  if (event.kind == OutcomeKind::kLoss) {
    (void)counts_->Release(event.decision, event.bid);
  } else {
    (void)counts_->Count(event.decision, event.bid);
  }
  return absl::OkStatus();
}

}  // namespace adagents::ads
