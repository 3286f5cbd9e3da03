// Signed notices: the URLs behind nurl, burl, lurl, impression pixels and player events. Only what
// we sent out ourselves may move money, so each URL carries a signature over its parameters.
//
//   absl::StatusOr<openrtb::NoticeSigner> signer = openrtb::NoticeSigner::Create(
//       {.base_url = "https://ads.example.com/notice", .keys = {{"2026-07", secret}}});
//   ...                                                    // the writer appends URLs
//   absl::StatusOr<openrtb::Notice> notice = signer->Verify(url, clock.WallNow());
//   if (!notice.ok()) ...                                  // forged, too old, dearer than the bid
//   if (const auto outcome = openrtb::OutcomeOf(*notice)) engine.Record(*outcome);
//
// A URL is base?v=1&d=<decision>&n=<bid>&i=<imp>&c=<campaign>&a=<creative>&p=<price, micros CPM>
// &u=<currency>&r=<reservation>&t=<issued>[&test=1]&q=<key id>&k=<kind>&s=<signature>, then what
// the exchange fills in through OpenRTB's macros and what is therefore not signed:
// &ap=${AUCTION_PRICE}, &l=${AUCTION_LOSS}, &e=[ERRORCODE].
//
// The signature is SipHash-2-4 of the kind under a key that only this bid has: the first 16 bytes
// of HMAC-SHA256 over all that stands between '?' and "&k=", byte for byte. One HMAC (154 ns on the
// machine of README.md) thus serves all ten or so URLs of a bid, each of them still useless as
// another kind.
//
// Keys rotate by id: put the new one first and keep the old for as long as `lifetime`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/base/money.h"

namespace adagents::openrtb {

/// What happened. The values are the letters in the URL.
enum class NoticeKind : char {
  kWin = 'w',         ///< nurl
  kBilling = 'b',     ///< burl
  kLoss = 'l',        ///< lurl
  kImpression = 'i',  ///< VAST Impression, banner pixel, native event tracker
  kStart = 's',
  kFirstQuartile = 'f',
  kMidpoint = 'm',
  kThirdQuartile = 't',
  kComplete = 'c',
  kClick = 'x',
  kError = 'e',
};

struct NoticeKey {
  std::string id;      ///< 1 to 32 letters, digits, '-' and '_'
  std::string secret;  ///< at least 16 bytes
};

struct NoticeOptions {
  /// Absolute, without '?' and '#'. It should be https: an http one is taken, but players on secure
  /// pages will not call it, and exchanges may refuse markup that has it (imp.secure).
  std::string base_url;
  std::vector<NoticeKey> keys;  ///< the first signs, all verify
  /// How long after its issue a notice still counts: an hour of podcast, or a download heard on the
  /// way home.
  absl::Duration lifetime = absl::Hours(4);
  absl::Duration clock_skew = absl::Minutes(5);  ///< that a notice may come from the future
};

/// A verified notice. Everything but `auction_price`, `loss` and `error` was signed by us.
struct Notice {
  NoticeKind kind = NoticeKind::kWin;
  uint64_t decision = 0;
  uint32_t bid = 0;  ///< index in the decision
  uint32_t imp = 0;  ///< index in the request
  std::string campaign, creative;
  Micros price;  ///< what we bid, CPM
  Currency cur;
  uint64_t reservation = 0;
  absl::Time issued;
  bool test = false;  ///< the request was a test: nothing was sold, whatever the notice says
  std::string key_id;

  /// What the exchange says it charges, CPM. Absent unless filled in with a plain price. Not
  /// signed, so never more than `price`: a larger one is an error.
  std::optional<Micros> auction_price;
  std::optional<int32_t> loss;   ///< OpenRTB loss reason
  std::optional<int32_t> error;  ///< VAST error code
};

/// What Engine::Record() takes: a loss, an impression (burl or the player's, whichever comes first
/// counts), a completion, a click. Nothing for a win of which nobody has seen anything yet, starts,
/// quartiles and errors, and nothing for tests. Thread-safe.
[[nodiscard]] std::optional<ads::OutcomeEvent> OutcomeOf(const Notice& notice);

/// Ids up to this length always verify; notices beyond 8 KiB are refused, as web servers refuse
/// such URLs, so much longer ones do not.
inline constexpr size_t kMostNoticeIdBytes = 1000;

/// What is signed for one bid.
struct NoticeSubject {
  uint64_t decision = 0;
  uint32_t bid = 0, imp = 0;
  std::string_view campaign{}, creative{};
  Micros price{};
  Currency cur{};
  uint64_t reservation = 0;
  bool test = false;
};

class Sink;

/// Immutable after Create, so thread-safe. Rotate keys by making a new one.
class NoticeSigner {
 public:
  /// kInvalidArgument saying which option is wrong.
  [[nodiscard]] static absl::StatusOr<NoticeSigner> Create(NoticeOptions options);
  ~NoticeSigner();
  NoticeSigner(NoticeSigner&&) noexcept;
  NoticeSigner& operator=(NoticeSigner&&) noexcept;

  /// One notice URL with its macros, for tests and other adapters.
  [[nodiscard]] std::string Url(const NoticeSubject& subject, NoticeKind kind,
                                absl::Time now) const;

  /// Takes a URL or only its query. kInvalidArgument if a parameter is absent or malformed,
  /// kUnauthenticated if the key is unknown or the signature wrong, kDeadlineExceeded if it is
  /// expired, kOutOfRange if the price charged exceeds the bid. Signatures are compared in constant
  /// time.
  [[nodiscard]] absl::StatusOr<Notice> Verify(std::string_view url, absl::Time now) const;

  /// For the writer: the part that all URLs of a bid share, and the key that signs their kinds.
  struct BidKey {
    uint64_t k0 = 0, k1 = 0;
  };
  BidKey AppendCommon(const NoticeSubject& subject, int64_t unix_seconds, Sink* out) const;
  static void AppendKind(const BidKey& key, NoticeKind kind, Sink* out);

 private:
  struct State;
  explicit NoticeSigner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace adagents::openrtb
