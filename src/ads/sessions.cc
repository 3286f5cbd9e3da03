#include "adagents/ads/sessions.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "ads/canonical.h"
#include "base/siphash.h"
#include "fmt/format.h"

namespace adagents::ads {
namespace {

constexpr int32_t kMostUtcOffset = 14 * 60, kLeastUtcOffset = -12 * 60;
constexpr int32_t kMostDeviceType = 255;  // AdCOM has eight

absl::Status Wrong(std::string_view field, std::string_view what) {
  return InvalidArgument(fmt::format("playback event: {} {}", field, what));
}

/// Negative means "not known", and not-a-number is neither.
bool IsUnitOrUnknown(float x) { return x < 0 || (x >= 0 && x <= 1); }

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

/// Five bits a letter; 0 unless there are three.
uint16_t PackCountry(std::string_view code) {
  uint16_t packed = 0;
  for (const char c : code) packed = static_cast<uint16_t>(packed << 5 | (c & 31));
  return packed;
}

uint16_t RegionBinOf(std::string_view region) {
  internal::CanonicalBuffer buffer;
  const std::string_view name = internal::CanonicalInto(Attribute::kRegion, region, buffer);
  return name.empty() ? uint16_t{0} : static_cast<uint16_t>(1 + StableHash64(name) % 0xffff);
}

std::array<uint64_t, 2> Drawn() {
  std::random_device random;
  const auto word = [&random] { return uint64_t{random()} << 32 | random(); };
  return {word(), word()};
}

bool Allows(const Consent& consent) { return consent.may_identify && consent.may_profile; }

}  // namespace

absl::StatusOr<std::unique_ptr<Sessions>> Sessions::Create(SessionsOptions options,
                                                           const Clock* clock) {
  if (options.sessions < 1) return InvalidArgument("listener.sessions must be at least 1");
  if (options.salt_period < absl::Seconds(2) || options.salt_period > absl::Hours(31 * 24)) {
    return InvalidArgument("listener.salt_period must be 2 s to 31 days");
  }
  if (options.ttl < absl::Seconds(1) || options.ttl * 2 > options.salt_period) {
    return InvalidArgument("listener.ttl must be at least 1 s and at most half of salt_period");
  }
  if (options.hash_key == std::array<uint64_t, 2>{}) {
    if (options.region != nullptr && !options.region->path().empty()) {
      return InvalidArgument(
          "listener.hash_key must be given when listener.region outlives the process");
    }
    options.hash_key = Drawn();
  }
  std::unique_ptr<Sessions> sessions(new Sessions(std::move(options), clock));
  const Region* region = sessions->options_.region;
  if (region != nullptr && !region->status().ok()) return region->status();
  return sessions;
}

Sessions::Sessions(SessionsOptions options, const Clock* clock)
    : options_(std::move(options)),
      clock_(clock),
      ttl_ms_(absl::ToInt64Milliseconds(options_.ttl)),
      period_ms_(absl::ToInt64Milliseconds(options_.salt_period)),
      table_({.capacity = options_.sessions,
              .ttl = options_.ttl,
              .when_full = WhenFull::kEvict,
              .clock = clock,
              .region = options_.region,
              .name = options_.name}),
      swept_(clock->Now()) {}

int64_t Sessions::PeriodOf(int64_t unix_ms) const {
  return unix_ms >= 0 ? unix_ms / period_ms_ : (unix_ms + 1) / period_ms_ - 1;
}

/// SipHash is a pseudorandom function, so what it makes of the period's number is a key of its own.
uint64_t Sessions::HashOf(Domain domain, int64_t period, std::string_view id) const {
  std::array<char, sizeof(int64_t) + 1> label;
  std::memcpy(label.data(), &period, sizeof(period));
  const auto part = [&](uint64_t which) {
    label.back() = static_cast<char>(2 * domain + which);
    return SipHash24(options_.hash_key[0], options_.hash_key[1], {label.data(), label.size()});
  };
  const uint64_t hash = SipHash24(part(0), part(1), id);
  return hash == 0 ? 1 : hash;  // 0 is nobody
}

std::array<uint64_t, 2> Sessions::KeysOf(Domain domain, std::string_view id) const {
  if (id.empty()) return {};
  const int64_t period = PeriodOf(absl::ToUnixMillis(clock_->WallNow()));
  return {HashOf(domain, period, id), HashOf(domain, period - 1, id)};
}
std::array<uint64_t, 2> Sessions::SessionKeys(std::string_view session) const {
  return KeysOf(kOfSessions, session);
}
std::array<uint64_t, 2> Sessions::ListenerKeys(std::string_view listener) const {
  return KeysOf(kOfListeners, listener);
}

absl::Status Sessions::Check(const PlaybackEvent& e, int64_t now_ms) const {
  if (e.session.empty()) return Wrong("session", "is empty");
  if (e.session.size() > kMostIdBytes || e.listener.size() > kMostIdBytes) {
    return Wrong(e.session.size() > kMostIdBytes ? "session" : "listener",
                 fmt::format("is longer than {} bytes", kMostIdBytes));
  }
  if (e.kind > PlaybackKind::kSessionEnd) return Wrong("kind", "is none of the known ones");
  if (e.content > ContentKind::kPodcast) return Wrong("content", "is none of the known ones");
  if (e.at == absl::InfiniteFuture() || e.at == absl::InfinitePast()) {
    return Wrong("at", "is not a time");
  }
  const int64_t at_ms = absl::ToUnixMillis(e.at);
  if (at_ms > now_ms + absl::ToInt64Milliseconds(kMostAhead)) {
    return Wrong("at", fmt::format("is {} ms ahead of the clock", at_ms - now_ms));
  }
  if (at_ms < now_ms - ttl_ms_) {
    return Wrong("at", fmt::format("was {} ms ago, and sessions are remembered for {} ms",
                                   now_ms - at_ms, ttl_ms_));
  }
  if (!IsUnitOrUnknown(e.energy)) return Wrong("energy", "is not in [0, 1]");
  if (!IsUnitOrUnknown(e.volume)) return Wrong("volume", "is not in [0, 1]");
  if (e.screen > 1) return Wrong("screen", "is not 1, 0 or negative");
  if (e.devicetype < 0 || e.devicetype > kMostDeviceType) {
    return Wrong("devicetype", fmt::format("{} is not of AdCOM's list", e.devicetype));
  }
  if (e.utcoffset < kLeastUtcOffset || e.utcoffset > kMostUtcOffset) {
    return Wrong("utcoffset", fmt::format("{} minutes is nowhere", e.utcoffset));
  }
  if (!e.country.empty() &&
      (e.country.size() != 3 || !std::all_of(e.country.begin(), e.country.end(), IsLetter))) {
    return Wrong("country", "is not an ISO 3166-1 alpha-3 code");
  }
  if (e.duration_ms >= 0 && e.position_ms > e.duration_ms) {
    return Wrong("position_ms",
                 fmt::format("{} is beyond duration_ms {}", e.position_ms, e.duration_ms));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Sessions::Admit(const PlaybackEvent& e, ListenEvent* out) {
  const int64_t now_ms = absl::ToUnixMillis(clock_->WallNow());
  if (absl::Status status = Check(e, now_ms); !status.ok()) return status;
  const int64_t period = PeriodOf(now_ms);
  SessionState there;
  bool found = false;
  const uint64_t session = Look(e.session, period, &there, &found);
  if (!Allows(e.consent)) {
    without_consent_.Add(1);
    if (found && table_.PurgeKey(session)) {
      erased_.Add(1);
      const std::lock_guard<std::mutex> lock(withdrawn_mutex_);
      withdrawn_.push_back(session);
      if (there.listener != 0) withdrawn_.push_back(there.listener);
    }
    return false;
  }
  *out = ListenEvent();
  out->session = session;
  if (!e.listener.empty()) out->listener = HashOf(kOfListeners, period, e.listener);
  out->at_ms = absl::ToUnixMillis(e.at);
  out->position_ms = std::max(e.position_ms, -1);
  out->duration_ms = std::max(e.duration_ms, -1);
  out->utcoffset = static_cast<int16_t>(e.utcoffset);
  out->country = PackCountry(e.country);
  out->region = RegionBinOf(e.region);
  out->kind = e.kind;
  out->content = e.content;
  out->genre = GenreBinOf(e.genre);
  out->mood = MoodOf(e.mood);
  out->energy = ToByte(e.energy);
  out->volume = ToByte(e.volume);
  out->screen = std::max(e.screen, int8_t{-1});
  out->devicetype = static_cast<uint8_t>(e.devicetype);
  events_.Add(1);
  if (found && (out->listener == 0 || there.listener == out->listener)) return true;
  if (!found && e.kind == PlaybackKind::kSessionEnd) return true;
  const Upserted upserted = table_.Upsert(session, [&](SessionState& s, bool existed) {
    if (!existed) s.began_ms = s.last_ms = out->at_ms;
    if (out->listener != 0) s.listener = out->listener;
  });
  if (upserted == Upserted::kInserted) begun_.Add(1);
  return true;
}

std::string_view Sessions::SessionOf(const Request& request) const {
  if (options_.session_of) {
    const std::string_view own = options_.session_of(request);
    if (!own.empty()) return own;
  }
  for (const Eid& eid : request.user.eids) {
    if (std::find(options_.session_sources.begin(), options_.session_sources.end(), eid.source) ==
        options_.session_sources.end()) {
      continue;
    }
    for (const Uid& uid : eid.uids) {
      if (!uid.id.empty()) return uid.id;
    }
  }
  return request.user.id.empty() ? request.device.ifa : request.user.id;
}

uint64_t Sessions::Look(std::string_view session, int64_t period, SessionState* state,
                        bool* found) const {
  const uint64_t key = HashOf(kOfSessions, period, session);
  *found = table_.Find(key, state);
  if (*found) return key;
  const uint64_t last = HashOf(kOfSessions, period - 1, session);
  *found = table_.Find(last, state);
  return *found ? last : key;
}

bool Sessions::Find(const Request& request, Listener* out) const {
  out->known = false;
  if (!Allows(request.consent)) return false;
  const std::string_view id = SessionOf(request);
  if (id.empty() || id.size() > kMostIdBytes) return false;
  out->now_ms = absl::ToUnixMillis(clock_->WallNow());
  out->session = Look(id, PeriodOf(out->now_ms), &out->state, &out->known);
  return out->known;
}

size_t Sessions::Erase(std::string_view listener, std::string_view session,
                       std::vector<uint64_t>* keys) {
  if (listener.empty() && session.empty()) return 0;
  const std::array<uint64_t, 2> listeners = ListenerKeys(listener);
  if (!listener.empty()) keys->insert(keys->end(), listeners.begin(), listeners.end());
  if (!session.empty()) {
    const std::array<uint64_t, 2> named = SessionKeys(session);
    keys->insert(keys->end(), named.begin(), named.end());
  }
  const size_t erased = table_.Purge([&](uint64_t key, const SessionState& s) {
    if (std::find(keys->begin(), keys->end(), key) != keys->end()) return true;
    if (s.listener == 0 || (s.listener != listeners[0] && s.listener != listeners[1])) return false;
    keys->push_back(key);
    return true;
  });
  erased_.Add(static_cast<int64_t>(erased));
  const std::lock_guard<std::mutex> lock(withdrawn_mutex_);
  withdrawn_.insert(withdrawn_.end(), keys->begin(), keys->end());
  return erased;
}

std::vector<uint64_t> Sessions::TakeWithdrawn() {
  const std::lock_guard<std::mutex> lock(withdrawn_mutex_);
  return std::exchange(withdrawn_, {});
}

void Sessions::Sweep() {
  const int64_t now = clock_->Now();
  int64_t last = swept_.load(std::memory_order_relaxed);
  const double share = static_cast<double>(now - last) / (static_cast<double>(ttl_ms_) * 1e6);
  const size_t sets = table_.sets();
  const auto count = static_cast<size_t>(std::min(1.0, share) * static_cast<double>(sets));
  if (count == 0) return;
  // Relaxed: of two who come at once, one sweeps.
  if (!swept_.compare_exchange_strong(last, now, std::memory_order_relaxed)) return;
  size_t at = sweep_at_.load(std::memory_order_relaxed);
  const auto nobody = [](uint64_t, const SessionState&) { return false; };
  (void)table_.PurgeIn(at, count, nobody);
  if (at + count > sets) (void)table_.PurgeIn(0, at + count - sets, nobody);
  sweep_at_.store((at + count) % sets, std::memory_order_relaxed);
}

Sessions::Counts Sessions::counts() const {
  return {.events = events_.Sum(),
          .without_consent = without_consent_.Sum(),
          .begun = begun_.Sum(),
          .evicted = table_.evicted(),
          .erased = erased_.Sum()};
}

}  // namespace adagents::ads
