// The answer to one request: what to play, when and at which price, or why not.
//
//   ads::Decision d;
//   if (nothing_fits) d.nbr = ads::Nbr::kNoEligibleCampaign;
//   else d.bids.push_back({.imp = 0, .campaign = c, .creative = cr, .price = {2'500'000}});
//   d.keepalive = ads::Keepalive(catalog_pin);    // the pointers above stay valid with it
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "adagents/base/money.h"

namespace adagents::ads {

struct Campaign;  // adagents/ads/campaign.h
struct Creative;

/// Why there is no bid: OpenRTB's no-bid reason codes, and from 500 on our own, as it permits.
///
/// Where candidates that are worth their floor fall for different reasons, the code is of the one
/// that was nearest to a bid: a fault (such as kTechnicalError, a ledger that refuses), then
/// kBudgetExhausted, kFrequencyCapped, kBlockedByRequest. So 502 says that the request's own blocks
/// alone stopped what could have run, and not that one ad was blocked and another had no budget.
/// The trace has the reasons of all.
enum class Nbr : int16_t {
  kNone = -1,  ///< there is a bid
  kUnknownError = 0,
  kTechnicalError = 1,
  kInvalidRequest = 2,
  kKnownWebCrawler = 3,
  kSuspectedNonHumanTraffic = 4,
  kCloudDataCenterOrProxyIp = 5,
  kUnsupportedDevice = 6,
  kBlockedPublisherOrSite = 7,
  kUnmatchedUser = 8,
  kDailyUserCapMet = 9,
  kDailyDomainCapMet = 10,
  kAdsTxtUnavailable = 11,
  kAdsTxtViolation = 12,
  kAdsCertUnavailable = 13,
  kAdsCertViolation = 14,
  kInsufficientAuctionTime = 15,
  kIncompleteSupplyChain = 16,
  kBlockedSupplyChainNode = 17,
  kNoEligibleCampaign = 500,   ///< no campaign's targeting matches any imp
  kBelowFloor = 501,           ///< candidates, but none worth the floor
  kBlockedByRequest = 502,     ///< all stopped by bcat, badv, bapp, battr, seats or deals
  kBudgetExhausted = 503,      ///< all that matched have spent their budget or are paced
  kDisabled = 504,             ///< kill switch
  kUnsupportedImp = 505,       ///< no imp of a format, size or duration that the catalog has
  kConsentMissing = 506,       ///< only campaigns that need consent matched
  kDeadlineExpired = 507,      ///< time ran out while deciding, nothing was ready
  kUnsupportedCurrency = 508,  ///< no allowed currency is ours
  kGuardFailed = 509,          ///< an agent that must run did not
  kCancelled = 510,            ///< the caller gave up
  kShuttingDown = 511,
  kOverloaded = 512,            ///< refused to protect the requests already in flight
  kFrequencyCapped = 513,       ///< all that matched have reached their cap for this listener
  kCompetitiveExclusion = 514,  ///< all that were left may not follow each other in a pod
  kNotTheMoment = 515,          ///< an ad would interrupt: mid-song, paused, asleep
  kUnsuitable = 516,            ///< no ad that is left suits the moment
};

/// In plain words, lower case; "unknown code" for one we do not know. Thread-safe.
[[nodiscard]] constexpr std::string_view NbrText(Nbr nbr) {
  switch (nbr) {
    case Nbr::kNone:
      return "bid";
    case Nbr::kUnknownError:
      return "unknown error";
    case Nbr::kTechnicalError:
      return "technical error";
    case Nbr::kInvalidRequest:
      return "invalid request";
    case Nbr::kKnownWebCrawler:
      return "known web crawler";
    case Nbr::kSuspectedNonHumanTraffic:
      return "suspected non-human traffic";
    case Nbr::kCloudDataCenterOrProxyIp:
      return "cloud, data center or proxy IP";
    case Nbr::kUnsupportedDevice:
      return "unsupported device";
    case Nbr::kBlockedPublisherOrSite:
      return "blocked publisher or site";
    case Nbr::kUnmatchedUser:
      return "unmatched user";
    case Nbr::kDailyUserCapMet:
      return "daily user cap met";
    case Nbr::kDailyDomainCapMet:
      return "daily domain cap met";
    case Nbr::kAdsTxtUnavailable:
      return "ads.txt authorization unavailable";
    case Nbr::kAdsTxtViolation:
      return "ads.txt authorization violation";
    case Nbr::kAdsCertUnavailable:
      return "ads.cert authentication unavailable";
    case Nbr::kAdsCertViolation:
      return "ads.cert authentication violation";
    case Nbr::kInsufficientAuctionTime:
      return "insufficient auction time";
    case Nbr::kIncompleteSupplyChain:
      return "incomplete supply chain";
    case Nbr::kBlockedSupplyChainNode:
      return "blocked supply chain node";
    case Nbr::kNoEligibleCampaign:
      return "no eligible campaign";
    case Nbr::kBelowFloor:
      return "below floor";
    case Nbr::kBlockedByRequest:
      return "blocked by the request";
    case Nbr::kBudgetExhausted:
      return "budget exhausted";
    case Nbr::kDisabled:
      return "disabled";
    case Nbr::kUnsupportedImp:
      return "unsupported imp";
    case Nbr::kConsentMissing:
      return "consent missing";
    case Nbr::kDeadlineExpired:
      return "deadline expired";
    case Nbr::kUnsupportedCurrency:
      return "unsupported currency";
    case Nbr::kGuardFailed:
      return "guard failed";
    case Nbr::kCancelled:
      return "cancelled";
    case Nbr::kShuttingDown:
      return "shutting down";
    case Nbr::kOverloaded:
      return "overloaded";
    case Nbr::kFrequencyCapped:
      return "frequency capped";
    case Nbr::kCompetitiveExclusion:
      return "competitive exclusion";
    case Nbr::kNotTheMoment:
      return "not the moment";
    case Nbr::kUnsuitable:
      return "unsuitable at this moment";
  }
  return "unknown code";
}

/// Holds a copy of any small handle (a std::shared_ptr, a snapshot's pin) for as long as it lives,
/// without knowing its type and without allocating. Thread-compatible.
class Keepalive {
 public:
  Keepalive() = default;
  /// `handle` must be copyable, at most three pointers in size and not throw when copied or moved.
  template <class T>
  requires(!std::is_same_v<std::remove_cvref_t<T>, Keepalive>) explicit Keepalive(T&& handle) {
    using H = std::remove_cvref_t<T>;
    static_assert(sizeof(H) <= sizeof(storage_) && alignof(H) <= alignof(void*));
    static_assert(std::is_nothrow_copy_constructible_v<H>);
    ::new (static_cast<void*>(storage_)) H(std::forward<T>(handle));
    manage_ = [](const void* from, void* to) {
      if (from != nullptr) {
        ::new (to) H(*static_cast<const H*>(from));
      } else {
        static_cast<H*>(to)->~H();
      }
    };
  }
  Keepalive(const Keepalive& other) : manage_(other.manage_) {
    if (manage_ != nullptr) manage_(other.storage_, storage_);
  }
  Keepalive(Keepalive&& other) noexcept { Swap(other); }
  Keepalive& operator=(Keepalive other) noexcept {
    Swap(other);
    return *this;
  }
  ~Keepalive() {
    if (manage_ != nullptr) manage_(nullptr, storage_);
  }
  explicit operator bool() const { return manage_ != nullptr; }

 private:
  // Handles this small are moved as bytes: std::shared_ptr and counted pointers do not refer to
  // their own address.
  void Swap(Keepalive& other) noexcept {
    for (size_t i = 0; i < sizeof(storage_); ++i) std::swap(storage_[i], other.storage_[i]);
    std::swap(manage_, other.manage_);
  }
  alignas(void*) std::byte storage_[3 * sizeof(void*)] = {};
  void (*manage_)(const void* from, void* to) = nullptr;
};

/// The kind of markup that a bid returns; values of OpenRTB's `mtype`.
enum class MarkupType : int8_t { kUnset = 0, kBanner = 1, kVideo = 2, kAudio = 3, kNative = 4 };

/// When an ad is to be played, as far as the listener's player has told what plays.
enum class Insertion : int8_t {
  kNow,            ///< also when nothing is known
  kBetweenTracks,  ///< when what plays has ended
  kAtTransition,   ///< at the break within an episode that the request is for
  kNotNow,         ///< not at all; no bid says so
};
/// "now", "between_tracks", "at_transition", "not_now".
std::string_view Name(Insertion when);

/// One bid. Trivially copyable; the pointers live as long as the decision's keepalive, the indices
/// refer to the request it answers. Thread-compatible.
struct Bid {
  uint32_t imp = 0;  ///< index into Request::imps
  const Campaign* campaign = nullptr;
  const Creative* creative = nullptr;
  Micros price{};                         ///< CPM that the bid offers
  Currency cur{};                         ///< of `price`
  MarkupType mtype = MarkupType::kUnset;  ///< which of the imp's formats it fills
  int16_t deal = -1;                      ///< index into Imp::deals, -1: open auction
  int16_t slotinpod = 0;                  ///< the slot that it is for, as OpenRTB counts; 0: any
  int16_t sequence = 0;                   ///< when it plays in its pod, from 1; 0: in no pod
  int32_t dur = 0;                        ///< seconds; 0: not timed
  int32_t w = 0, h = 0;                   ///< size chosen among those offered; 0: not sized
  Micros value{};                         ///< what the impression is worth to the campaign, CPM
  uint64_t reservation = 0;               ///< budget held for it, 0: none
  Insertion when = Insertion::kNow;
  int32_t in_ms = 0;  ///< until then, about; 0: now, or not known
};
static_assert(std::is_trivially_copyable_v<Bid>);

/// Thread-compatible. Copying and moving up to four bids allocates nothing.
struct Decision {
  uint64_t id = 0;     ///< carries the process epoch; unique for this host's life
  uint64_t trace = 0;  ///< key of its explanation
  absl::InlinedVector<Bid, 4> bids;
  Nbr nbr = Nbr::kNone;  ///< set exactly when `bids` is empty
  // How degraded it is: agents whose defaults were taken, agents that were late, and whether the
  // fallback made it.
  int16_t defaulted = 0;
  int16_t late = 0;
  bool fallback = false;
  Keepalive keepalive;  ///< what `bids` points into
};

}  // namespace adagents::ads
