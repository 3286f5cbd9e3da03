#include "exchange.h"

#include <string_view>

#include "events.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application
using Kind = testing::TrafficEvent::Kind;

constexpr int kLostToHigherBid = 102;

testing::TrafficOptions MarketOf(const Options& options) {
  testing::TrafficOptions market;
  market.seed = options.seed;
  market.lost = market.doubled = options.event_faults;
  market.very_late = options.event_faults / 4;
  market.impression_delay = absl::Seconds(options.event_delay);
  market.click_delay = market.impression_delay;
  return market;
}

openrtb::NoticeKind NoticeOf(Kind kind) {
  switch (kind) {
    case Kind::kLoss:
      return openrtb::NoticeKind::kLoss;
    case Kind::kImpression:
      return openrtb::NoticeKind::kBilling;
    case Kind::kClick:
      return openrtb::NoticeKind::kClick;
    case Kind::kCompletion:
      return openrtb::NoticeKind::kComplete;
    default:
      return openrtb::NoticeKind::kWin;
  }
}

void Fill(std::string_view macro, const std::string& value, std::string* url) {
  const size_t at = url->find(macro);
  if (at != std::string::npos) url->replace(at, macro.size(), value);
}

/// Lines have nanoseconds, and come no earlier than they say.
absl::Time WholeNanos(absl::Time t) {
  return t == absl::InfiniteFuture() ? t : absl::FromUnixNanos(absl::ToUnixNanos(t));
}

}  // namespace

Exchange::Exchange(const Options& options, const openrtb::NoticeSigner& signer,
                   const ads::Engine& engine)
    : signer_(signer), catalog_(engine.PinCatalog()), market_(MarketOf(options)) {}

void Exchange::Answer(uint64_t number, absl::Time at, const ads::Request& request,
                      const ads::Decision& decision) {
  const std::lock_guard<std::mutex> lock(mutex_);
  market_.Answer(number, at, request.at, decision);
}

absl::Time Exchange::next() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return WholeNanos(market_.next());
}

bool Exchange::Take(std::string* line) {
  testing::TrafficEvent event;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!market_.Take(&event)) return false;
  }
  *line = NoticeLine(WholeNanos(event.at), UrlOf(event));
  return true;
}

testing::TrafficTruth Exchange::truth() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return market_.truth();
}

/// As it is called: with the macros filled in.
std::string Exchange::UrlOf(const testing::TrafficEvent& event) const {
  const uint32_t index = *catalog_->FindKey(event.campaign);
  std::string_view creative;
  for (const ads::CreativeFacts& c : catalog_->creative_facts(index)) {
    if (c.key == event.creative) creative = catalog_->creative(c).id;
  }
  std::string url = signer_.Url({.decision = event.decision,
                                 .bid = event.bid,
                                 .imp = event.imp,
                                 .campaign = catalog_->campaign(index).id,
                                 .creative = creative,
                                 .price = event.offer,
                                 .cur = event.cur,
                                 .reservation = event.reservation},
                                NoticeOf(event.kind), event.issued);
  Fill("${AUCTION_PRICE}", fmt::format("{:.6f}", event.price.units()), &url);
  Fill("${AUCTION_LOSS}", std::to_string(kLostToHigherBid), &url);
  return url;
}

}  // namespace ad_server
