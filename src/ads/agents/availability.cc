#include "adagents/ads/agents/availability.h"

#include "adagents/ads/reasons.h"
#include "adagents/base/status.h"
#include "adagents/runtime/context.h"
#include "ads/agents/matcher.h"

namespace adagents::ads {
namespace {

// Of the reasons that a decision keeps, those spent on campaigns that fell out here.
constexpr int kMostReasons = 48;

}  // namespace

struct Availability::Scratch {
  internal::Matcher matcher;
};

Availability::Availability(AvailabilityOptions options, std::shared_ptr<const CurrencyRates> rates)
    : Agent({.name = "availability"}),
      options_(std::move(options)),
      rates_(std::move(rates)),
      scratch_(std::make_unique<Scratch>()) {}
Availability::~Availability() = default;

absl::Status Availability::Run(Context& ctx) {
  Candidates& out = ctx[candidates_];
  out.catalog = catalog_->Pin();
  if (!out.catalog) return FailedPrecondition("no catalog");
  int reasons_left = kMostReasons;
  const auto say = [&](const Reason& reason) {
    if (reasons::IsAboutImp(*reason.code) || reasons_left-- > 0) ctx.Because(reason);
  };
  const internal::MatchBecause because = say;
  scratch_->matcher.Run(ctx[request_], *switches_, ctx.clock().WallNow(), options_, rates_.get(),
                        &out, ctx.explaining() ? &because : nullptr);
  return absl::OkStatus();
}

}  // namespace adagents::ads
