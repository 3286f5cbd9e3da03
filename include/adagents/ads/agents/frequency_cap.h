// The frequency cap agent: which candidates the listener has met often enough, and what to offer
// instead.
//
// Caps stand in the catalog, on campaigns, on creatives and on brands:
//   {"brands": [{"brand": "Acme", "caps": [{"count": 6, "window": "7d"}]}],
//    "campaigns": [{..., "caps": [{"count": 3, "window": "24h", "per": "listener"}],
//                   "creatives": [{..., "caps": [{"count": 1, "window": "2h"}]}]}]}
// `per` is listener (when absent), household, session or device; windows reach from "1m" to "31d".
//
// A capped creative is not just blocked. If it can be, another creative of its brand is offered: of
// the same campaign first, then of another campaign of the brand that is a candidate; of several
// the one that differs most in format, tone, pace, voice and call to action. It is under its own
// caps and wins by its own value. A creative of the campaign that differs in none of them is held
// back then: to the listener it is the same ad. Where nothing can be offered, the brand has no ad
// here.
//
// The agent looks; the auction takes: for the winner it reserves a place in every window at once,
// and the next candidate has its turn when somebody else was faster. The reservation is undone with
// the decision, counts when the impression is reported (Engine::Record) and ends by itself when it
// never is. If the agent could not run in time, nothing that is capped is sold.
//
// Whom a request is for: only keyed hashes (SipHash) of identifiers are kept, and consent has
// removed those that may not be used before any agent sees the request; counting for a cap is
// part of TCF purpose 2. With AvailabilityOptions::stop_when_certain or a small max_candidates
// there may be no other candidate left to offer.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap, but for the
// counter's, which is reentrant.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "adagents/ads/keys.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads {

/// What to do with a cap when the request identifies neither whom it counts for nor a stand-in.
enum class WithoutId : uint8_t {
  kPerRequest,  ///< bid, but at most FrequencyCapPolicy::per_request times in one request
  kBlock,       ///< do not bid with what is capped
};

struct FrequencyCapPolicy {
  /// Offer another creative of the brand; else a capped creative takes its campaign out of the imp.
  bool substitute = true;

  /// Which eids are of a household or a session: their `source`. Other eids, user.id and
  /// user.buyeruid are of the listener, device.ifa is of the device.
  std::vector<std::string> household_sources, session_sources;
  /// Overrides all of that where it returns something; called for each kind once a request. Must be
  /// thread-safe; the text must live as long as the request.
  std::function<std::string_view(const Request&, CapPer)> identify;

  /// Whose counts stand in, in this order, when the request does not give the one that a cap is
  /// for.
  std::vector<CapPer> stand_ins = {CapPer::kDevice, CapPer::kSession};
  /// After those: the network (the address's first 24 bits, 48 of IPv6) and the user agent, where
  /// consent allows identifiers. Many listeners may share them: that caps more, never less.
  bool network_stands_in = true;
  WithoutId without_id = WithoutId::kPerRequest;
  int32_t per_request = 1;

  /// Of the hashes that identifiers become; 16 random bytes that stay as long as the counts do.
  /// Zeros: drawn at random when the engine is made, or fixed with the inline scheduler.
  std::array<uint64_t, 2> hash_key{};
};

/// Optional: see above for what happens without it. Costs next to nothing where no candidate is
/// capped.
class FrequencyCapAgent final : public Agent {
 public:
  explicit FrequencyCapAgent(std::shared_ptr<const FrequencyCapPolicy> policy);
  ~FrequencyCapAgent() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  In<Request> request_{this, kRequest};
  In<Candidates> candidates_{this, kCandidates};
  State<FrequencyCaps> counts_{this, kFrequencyCaps};
  Out<CapVerdicts> caps_{this, kCaps, CapVerdicts{}};
  const std::shared_ptr<const FrequencyCapPolicy> policy_;
  std::unique_ptr<Scratch> scratch_;
};

/// Runs once per OutcomeEvent: whatever is reported of a bid implies its impression,
/// except a loss, which releases it.
class FrequencyCapCounter final : public Agent {
 public:
  FrequencyCapCounter() : Agent({.name = "frequency_cap_counter", .reentrant = true}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<OutcomeEvent> outcome_{this};
  State<FrequencyCaps> counts_{this, kFrequencyCaps};
};

}  // namespace adagents::ads
