#include "adagents/testing/traffic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "adagents/ads/campaign.h"
#include "adagents/ads/consent.h"
#include "adagents/base/ids.h"

namespace adagents::testing {
namespace {

using Kind = TrafficEvent::Kind;

constexpr std::array<std::string_view, 6> kGenres = {"pop",       "rock", "jazz",
                                                     "classical", "news", "comedy"};
constexpr std::array<std::string_view, 4> kCountries = {"USA", "USA", "GBR", "DEU"};
constexpr std::array<std::string_view, 3> kOses = {"iOS", "Android", "Android"};
constexpr int32_t kFirstPrice = 1;
constexpr Micros kStep{Micros::kUnit / 100};  // above the second price
constexpr int32_t kPhone = 4;                 // OpenRTB's devicetype

double Exponential(Random& random) { return -std::log(1 - random.Uniform()); }

std::string Numbered(std::string_view word, uint64_t number) {
  return std::string(word).append(std::to_string(number));
}

/// Few listeners make many requests: the density falls with the square root.
uint64_t Listener(Random& random, size_t listeners) {
  const double u = random.Uniform();
  return static_cast<uint64_t>(u * u * static_cast<double>(std::max<size_t>(1, listeners)));
}

template <size_t N>
std::string_view Pick(uint64_t hash, const std::array<std::string_view, N>& words) {
  return words[hash % N];
}

}  // namespace

Traffic::Traffic(const TrafficOptions& options, VirtualClock* clock)
    : options_(options),
      clock_(clock),
      profile_(options.hours),
      arrivals_(options.seed, 0),
      next_request_(clock->WallNow()),
      market_(options) {
  ScheduleRequest();
}

/// Poisson with a rate that changes by the hour: an exponential amount of expected requests later.
void Traffic::ScheduleRequest() {
  double amount = Exponential(arrivals_) / std::max(1e-12, options_.scale);
  constexpr int kMostHours = 24 * 365;  // of a rate that is next to nothing
  for (int i = 0; i < kMostHours; ++i) {
    const int64_t hour = absl::ToInt64Hours(next_request_ - absl::UnixEpoch());
    const absl::Time end = absl::UnixEpoch() + absl::Hours(hour + 1);
    const double left = profile_.Profile(next_request_, end);
    if (amount < left) {
      next_request_ += (end - next_request_) * (amount / left);
      return;
    }
    amount -= left;
    next_request_ = end;
  }
}

void Traffic::MoveTo(absl::Time at) { clock_->Advance(at - clock_->WallNow()); }

bool Traffic::Next(absl::Time until, TrafficEvent* event) {
  const bool notice = market_.next() <= next_request_;
  const absl::Time at = notice ? market_.next() : next_request_;
  if (at >= until) {
    MoveTo(until);
    return false;
  }
  if (notice) return Drain(event);
  MoveTo(at);
  *event = TrafficEvent();
  event->at = at;
  event->number = ++requests_;
  event->request = MakeRequest(requests_);
  ScheduleRequest();
  return true;
}

bool Traffic::Drain(TrafficEvent* event) {
  if (!market_.Take(event)) return false;
  MoveTo(event->at);
  return true;
}

ads::RequestPtr Traffic::MakeRequest(uint64_t number) const {
  Random random(CombineHash(options_.seed, number), 1);
  const uint64_t listener = Listener(random, options_.listeners);
  const uint64_t traits = Mix64(CombineHash(options_.seed, listener));
  ads::NewRequest made = ads::MakeRequest();
  ads::Request& r = *made.request;
  ads::Audio audio;
  audio.mimes = made.arena->Copy<ads::Text>({"audio/mpeg", "audio/mp4"});
  audio.minduration = 5;
  audio.maxduration = 30;
  audio.startdelay = random.Chance(0.3) ? 0 : -1;
  ads::Imp imp;
  imp.id = "1";
  imp.audio = made.arena->New(audio);
  r.id = made.arena->Copy(Numbered("t", number));
  r.imps = made.arena->Copy({imp});
  r.at = options_.at;
  r.channel.kind = ads::ChannelKind::kApp;
  r.channel.bundle = "fm.radio";
  r.channel.content.genre = Pick(traits >> (random.Chance(0.7) ? 8 : 16), kGenres);
  r.device.devicetype = kPhone;
  r.device.os = Pick(traits >> 24, kOses);
  r.device.geo.country = Pick(traits >> 32, kCountries);
  if (random.Chance(options_.identified)) {
    r.user.id = made.arena->Copy(Numbered("listener-", listener));
  }
  r.consent = ads::ComputeConsent(r);
  return made.ptr;
}

absl::Time Market::next() const {
  return notices_.empty() ? absl::InfiniteFuture() : notices_.top().event.at;
}

bool Market::Take(TrafficEvent* event) {
  if (notices_.empty()) return false;
  *event = notices_.top().event;
  notices_.pop();
  return true;
}

/// Schedules `event` as a notice of `kind` after `delay`, unless it is lost; perhaps twice.
void Market::Send(Random& random, TrafficEvent event, Kind kind, absl::Duration delay) {
  event.kind = kind;
  event.at += delay;
  if (random.Chance(options_.very_late)) {
    event.at += options_.late_delay * Exponential(random);
    ++truth_.very_late_notices;
  }
  const bool lost = random.Chance(options_.lost), doubled = random.Chance(options_.doubled);
  if (lost) {
    ++truth_.lost_notices;
    return;
  }
  notices_.push({event, sequence_++});
  if (!doubled) return;
  ++truth_.doubled_notices;
  event.repeated = true;
  event.at += options_.impression_delay * Exponential(random);
  notices_.push({event, sequence_++});
}

void Market::Answer(uint64_t number, absl::Time at, int32_t auction,
                    const ads::Decision& decision) {
  ++truth_.requests;
  for (uint32_t b = 0; b < decision.bids.size(); ++b) {
    const ads::Bid& bid = decision.bids[b];
    TrafficEvent event;
    event.at = event.issued = at;
    event.number = number;
    event.decision = decision.id;
    event.bid = b;
    event.imp = bid.imp;
    event.campaign = bid.campaign->key;
    event.creative = CombineHash(bid.campaign->key, StableHash64(bid.creative->id));
    event.offer = bid.price;
    event.reservation = bid.reservation;
    event.cur = bid.cur;
    Meet(auction, bid, event);
  }
}

/// The bid meets its rival; what follows is scheduled.
void Market::Meet(int32_t auction_type, const ads::Bid& bid, TrafficEvent event) {
  ++truth_.bids;
  // The rival is the imp's, whoever bids; what follows is the bid's.
  Random market(CombineHash(options_.seed, event.number), 2 + bid.imp);
  const double logarithm =
      std::log(std::max(1.0, static_cast<double>(options_.rival_median.value))) +
      options_.rival_sigma * market.Normal();
  const auto rival = static_cast<int64_t>(std::min(9e18, std::exp(logarithm)));
  Random random(market(), event.campaign);
  const auto outcome = [&](ads::OutcomeKind kind, Kind what, absl::Duration delay) {
    event.outcome = ads::OutcomeEvent{event.decision, event.bid, kind,        event.campaign,
                                      event.price,    event.cur, event.issued};
    Send(random, event, what, delay);
  };
  const absl::Duration auction = options_.win_delay * Exponential(random);
  if (bid.price.value < rival) {
    event.price = Micros{rival};
    outcome(ads::OutcomeKind::kLoss, Kind::kLoss, auction);
    return;
  }
  event.price =
      auction_type == kFirstPrice ? bid.price : std::min(bid.price, Micros{rival} + kStep);
  ++truth_.wins;
  Send(random, event, Kind::kWin, auction);
  const absl::Duration shown = auction + options_.impression_delay * Exponential(random);
  ++truth_.impressions;
  outcome(ads::OutcomeKind::kImpression, Kind::kImpression, shown);
  const double taste = 1 + (Random(event.number, event.campaign).Uniform() - 0.5) * 2 / 3;
  if (random.Chance(options_.click * taste)) {
    ++truth_.clicks;
    outcome(ads::OutcomeKind::kClick, Kind::kClick,
            shown + options_.click_delay * Exponential(random));
  }
  if (random.Chance(options_.completion)) {
    ++truth_.completions;
    outcome(ads::OutcomeKind::kCompletion, Kind::kCompletion,
            shown + absl::Milliseconds(bid.creative->duration_ms));
  }
}

}  // namespace adagents::testing
