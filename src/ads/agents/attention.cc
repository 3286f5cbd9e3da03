#include "adagents/ads/agents/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adagents/ads/agents/session_keeper.h"
#include "adagents/ads/agents/user_intent.h"
#include "adagents/ads/prior_rates.h"
#include "adagents/ads/reasons.h"
#include "adagents/runtime/context.h"

namespace adagents::ads {
namespace {

constexpr std::array kActions = {Action::kClick, Action::kCompletion, Action::kConversion};

}  // namespace

float LogOdds(float rate) {
  const float p = std::clamp(rate, 1e-6f, 1.0f - 1e-6f);
  return std::log(p / (1.0f - p));
}

float Shifted(float rate, float shift) {
  // p e^s / (1 - p + p e^s), which is exact where the rate is tiny.
  const float odds = rate * std::exp(shift);
  return odds / (1.0f - rate + odds);
}

absl::Status AttentionKeeper::Run(Context& ctx) {
  const ListenEvent& event = ctx[event_];
  const MomentModel& model = moments_->model();
  (void)sessions_->Update(event.session, [&](SessionState& s) {
    const int64_t now = std::max(s.last_ms, event.at_ms);
    const Moment moment = MomentOf(s, IntentsOf(s, now, HourAt(now, s.utcoffset)), now);
    for (size_t i = 0; i < kActions.size(); ++i) {
      s.attention[i] = model.Attention(kActions[i], moment);
    }
    if (s.attended < std::numeric_limits<uint16_t>::max()) ++s.attended;
  });
  return absl::OkStatus();
}

AttentionSignal AttentionOf(const Listener& listener, const Intents& intents, const Device& device,
                            const MomentModel& model) {
  AttentionSignal out;
  if (!listener.known || listener.state.attended == 0) return out;
  out.known = true;
  out.session = listener.session;
  out.moment = MomentOf(listener.state, intents, listener.now_ms);
  out.moment.network = NetworkOf(device);
  for (size_t i = 0; i < out.shift.size(); ++i) {
    out.shift[i] = model.Attention(kActions[i], out.moment);
  }
  out.level =
      Shifted(static_cast<float>(PriorRate(Action::kCompletion)), out.ShiftOf(Action::kCompletion));
  return out;
}

absl::Status Attention::Run(Context& ctx) {
  const Listener& listener = ctx[listener_];
  if (!listener.known) return absl::OkStatus();
  AttentionSignal& out = ctx[attention_];
  out = AttentionOf(listener, ctx[intents_], ctx[request_].device, moments_->model());
  if (out.known && ctx.explaining()) {
    ctx.Because({&reasons::kAttention, 0, 100 * static_cast<double>(out.level),
                 100 * PriorRate(Action::kCompletion)});
  }
  return absl::OkStatus();
}

absl::Status MomentKeeper::Run(Context& ctx) {
  const OutcomeEvent& event = ctx[outcome_];
  if (event.kind == OutcomeKind::kLoss) return absl::OkStatus();
  const uint64_t session = moments_->Seen(event.decision, event.bid);
  if (session == 0) return absl::OkStatus();
  const int64_t now = absl::ToUnixMillis(ctx.clock().WallNow());
  (void)sessions_->Update(session, [&](SessionState& s) {
    DecayCounts(now, &s);
    s.ads += 1;
    s.ad_ms = std::max(s.ad_ms, now);
    if (event.kind == OutcomeKind::kClick) s.touched_ms = std::max(s.touched_ms, now);
  });
  return absl::OkStatus();
}

}  // namespace adagents::ads
