#include <string>

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "base/siphash.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const NoticeSubject kSubject{.decision = 0xfeedbeef,
                             .bid = 1,
                             .imp = 2,
                             .campaign = "spring & summer/50%",
                             .creative = "caf\xC3\xA9",
                             .price = Micros{2'500'000},
                             .cur = *Currency::Parse("EUR"),
                             .reservation = 77};

NoticeSigner Signer(std::vector<NoticeKey> keys = {{"k1", "0123456789abcdef0123456789abcdef"}}) {
  absl::StatusOr<NoticeSigner> signer =
      NoticeSigner::Create({.base_url = "https://ads.example.com/n", .keys = std::move(keys)});
  REQUIRE(signer.ok());
  return *std::move(signer);
}

/// `url` with the exchange's macros filled in.
std::string Filled(std::string url, std::string_view macro, std::string_view value) {
  const size_t at = url.find(macro);
  REQUIRE(at != std::string::npos);
  return url.replace(at, macro.size(), value);
}

TEST_CASE("SipHash-2-4 gives the tags of its authors' test vectors") {
  // Key 00..0f; inputs "", 00, 0001, ... ; from the reference implementation's vectors.
  const uint64_t k0 = 0x0706050403020100ULL, k1 = 0x0f0e0d0c0b0a0908ULL;
  std::string input;
  for (int i = 0; i < 15; ++i) input.push_back(static_cast<char>(i));
  CHECK(SipHash24(k0, k1, "") == 0x726fdb47dd0e0e31ULL);
  CHECK(SipHash24(k0, k1, input.substr(0, 1)) == 0x74f839c593dc67fdULL);
  CHECK(SipHash24(k0, k1, input.substr(0, 8)) == 0x93f5f5799a932462ULL);
  CHECK(SipHash24(k0, k1, input) == 0xa129ca6149be45e5ULL);
}

TEST_CASE("a notice comes back as it was signed") {
  const NoticeSigner signer = Signer();
  const std::string url =
      Filled(signer.Url(kSubject, NoticeKind::kWin, kNow), "${AUCTION_PRICE}", "2.25");
  const absl::StatusOr<Notice> notice = signer.Verify(url, kNow + absl::Minutes(3));
  INFO(url);
  REQUIRE(notice.ok());
  CHECK(notice->kind == NoticeKind::kWin);
  CHECK(notice->decision == kSubject.decision);
  CHECK(notice->bid == 1);
  CHECK(notice->imp == 2);
  CHECK(notice->campaign == kSubject.campaign);
  CHECK(notice->creative == kSubject.creative);
  CHECK(notice->price == kSubject.price);
  CHECK(notice->cur == kSubject.cur);
  CHECK(notice->reservation == 77);
  CHECK(notice->issued == kNow);
  CHECK(notice->key_id == "k1");
  CHECK(notice->auction_price == Micros{2'250'000});
  CHECK_FALSE(notice->loss.has_value());
}

TEST_CASE("the query alone verifies, and macros that nobody filled in are absent") {
  const NoticeSigner signer = Signer();
  const std::string url = signer.Url(kSubject, NoticeKind::kBilling, kNow);
  const absl::StatusOr<Notice> notice = signer.Verify(url.substr(url.find('?') + 1), kNow);
  REQUIRE(notice.ok());
  CHECK_FALSE(notice->auction_price.has_value());
  const std::string loss =
      Filled(signer.Url(kSubject, NoticeKind::kLoss, kNow), "${AUCTION_LOSS}", "102");
  REQUIRE(signer.Verify(loss, kNow).ok());
  CHECK(signer.Verify(loss, kNow)->loss == 102);
}

TEST_CASE("no byte of the signed part can be changed, nor the kind, nor the signature") {
  const NoticeSigner signer = Signer();
  const std::string url = signer.Url(kSubject, NoticeKind::kWin, kNow);
  const size_t begin = url.find('?') + 1, end = url.find("&ap=");
  REQUIRE(signer.Verify(url, kNow).ok());
  for (size_t i = begin; i < end; ++i) {
    for (char c : {'0', '1', 'w', 'b', 'A', '&', '%'}) {
      if (url[i] == c) continue;
      std::string forged = url;
      forged[i] = c;
      INFO(forged);
      CHECK_FALSE(signer.Verify(forged, kNow).ok());
    }
    std::string shorter = url;
    shorter.erase(i, 1);
    CHECK_FALSE(signer.Verify(shorter, kNow).ok());
  }
}

TEST_CASE("a parameter smuggled in front of the signed ones changes nothing") {
  const NoticeSigner signer = Signer();
  std::string url = signer.Url(kSubject, NoticeKind::kWin, kNow);
  url.insert(url.find('?') + 1, "p=1&");
  CHECK(signer.Verify(url, kNow).status().code() == absl::StatusCode::kUnauthenticated);
  // After the kind it is not looked at.
  const std::string appended = signer.Url(kSubject, NoticeKind::kStart, kNow) + "&p=1&d=2&c=x";
  REQUIRE(signer.Verify(appended, kNow).ok());
  CHECK(signer.Verify(appended, kNow)->price == kSubject.price);
}

TEST_CASE("each failure of a notice has its own code and names the parameter") {
  const NoticeSigner signer = Signer();
  const std::string url = signer.Url(kSubject, NoticeKind::kWin, kNow);
  const auto status = [&](const std::string& text, absl::Time now) {
    return signer.Verify(text, now).status();
  };
  CHECK(status("https://ads.example.com/n", kNow).code() == absl::StatusCode::kInvalidArgument);
  CHECK(status("", kNow).code() == absl::StatusCode::kInvalidArgument);
  CHECK(status(std::string(1 << 20, 'x'), kNow).code() == absl::StatusCode::kInvalidArgument);
  CHECK(status(url, kNow + absl::Hours(4) + absl::Seconds(1)).code() ==
        absl::StatusCode::kDeadlineExceeded);
  CHECK(status(url, kNow + absl::Hours(4)).ok());
  CHECK(status(url, kNow - absl::Minutes(6)).code() == absl::StatusCode::kInvalidArgument);
  const absl::Status dear = status(Filled(url, "${AUCTION_PRICE}", "2.51"), kNow);
  CHECK(dear.code() == absl::StatusCode::kOutOfRange);
  CHECK(Message(dear).find("ap") != std::string_view::npos);
  CHECK(status(Filled(url, "${AUCTION_PRICE}", "-1"), kNow).code() ==
        absl::StatusCode::kOutOfRange);
  CHECK(status(Filled(url, "${AUCTION_PRICE}", "nan"), kNow).code() ==
        absl::StatusCode::kOutOfRange);
  const NoticeSigner other = Signer({{"k2", "fedcba9876543210fedcba9876543210"}});
  CHECK(other.Verify(url, kNow).status().code() == absl::StatusCode::kUnauthenticated);
  const NoticeSigner same_id = Signer({{"k1", "fedcba9876543210fedcba9876543210"}});
  CHECK(same_id.Verify(url, kNow).status().code() == absl::StatusCode::kUnauthenticated);
}

TEST_CASE("keys rotate: the first signs, the old ones still verify") {
  const NoticeKey old_key{"2026-06", "an old secret of some length"};
  const NoticeKey new_key{"2026-07",
                          "a new secret of some length that is longer than a block of "
                          "SHA-256 has bytes, and so is hashed first"};
  const NoticeSigner before = Signer({old_key});
  const NoticeSigner after = Signer({new_key, old_key});
  const std::string url = before.Url(kSubject, NoticeKind::kBilling, kNow);
  CHECK(after.Verify(url, kNow)->key_id == "2026-06");
  const std::string fresh = after.Url(kSubject, NoticeKind::kBilling, kNow);
  CHECK(after.Verify(fresh, kNow)->key_id == "2026-07");
  CHECK_FALSE(before.Verify(fresh, kNow).ok());
}

TEST_CASE("a signer says which option is wrong") {
  const auto error = [](NoticeOptions options) {
    const absl::StatusOr<NoticeSigner> signer = NoticeSigner::Create(std::move(options));
    REQUIRE_FALSE(signer.ok());
    return std::string(Message(signer.status()));
  };
  const NoticeKey key{"k", "0123456789abcdef"};
  CHECK(error({.base_url = "ads.example.com", .keys = {key}}).starts_with("base_url"));
  CHECK(error({.base_url = "https://x/?a=1", .keys = {key}}).starts_with("base_url"));
  CHECK(error({.base_url = "https://x/'", .keys = {key}}).starts_with("base_url"));
  CHECK(error({.base_url = "https://x/", .keys = {}}).starts_with("keys"));
  CHECK(error({.base_url = "https://x/", .keys = {{"k", "short"}}}).find("16") !=
        std::string::npos);
  CHECK(error({.base_url = "https://x/", .keys = {{"a b", "0123456789abcdef"}}})
            .starts_with("key id"));
  CHECK(error({.base_url = "https://x/", .keys = {key, key}}).find("twice") != std::string::npos);
  CHECK(error({.base_url = "https://x/", .keys = {key}, .lifetime = absl::ZeroDuration()})
            .starts_with("lifetime"));
}

TEST_CASE("what a notice means for budgets and agents") {
  const NoticeSigner signer = Signer();
  const auto outcome = [&](NoticeKind kind, std::string_view price = {}) {
    std::string url = signer.Url(kSubject, kind, kNow);
    if (!price.empty()) url = Filled(url, "${AUCTION_PRICE}", price);
    const auto notice = signer.Verify(url, kNow);
    REQUIRE(notice.ok());
    return OutcomeOf(*notice);
  };
  const auto billed = outcome(NoticeKind::kBilling, "1.25");
  REQUIRE(billed.has_value());
  CHECK(billed->kind == ads::OutcomeKind::kImpression);
  CHECK(billed->decision == kSubject.decision);
  CHECK(billed->bid == kSubject.bid);
  CHECK(billed->campaign == StableHash64(kSubject.campaign));
  CHECK(billed->price.value == 1'250'000);
  CHECK(billed->cur == kSubject.cur);
  CHECK(billed->issued == kNow);
  CHECK(outcome(NoticeKind::kImpression)->kind == ads::OutcomeKind::kImpression);
  CHECK(outcome(NoticeKind::kImpression)->price == kSubject.price);  // no macro filled in
  CHECK(outcome(NoticeKind::kLoss)->kind == ads::OutcomeKind::kLoss);
  CHECK(outcome(NoticeKind::kClick)->kind == ads::OutcomeKind::kClick);
  CHECK(outcome(NoticeKind::kComplete)->kind == ads::OutcomeKind::kCompletion);
  for (const NoticeKind kind :
       {NoticeKind::kWin, NoticeKind::kStart, NoticeKind::kMidpoint, NoticeKind::kError}) {
    CHECK_FALSE(outcome(kind).has_value());
  }
}

TEST_CASE("the notices of a test say so, cannot be made to say otherwise, and mean nothing") {
  const NoticeSigner signer = Signer();
  NoticeSubject subject = kSubject;
  subject.test = true;
  for (const NoticeKind kind :
       {NoticeKind::kWin, NoticeKind::kBilling, NoticeKind::kLoss, NoticeKind::kImpression,
        NoticeKind::kComplete, NoticeKind::kClick, NoticeKind::kError}) {
    std::string url = signer.Url(subject, kind, kNow);
    INFO(url);
    const absl::StatusOr<Notice> notice = signer.Verify(url, kNow);
    REQUIRE(notice.ok());
    CHECK(notice->test);
    CHECK_FALSE(OutcomeOf(*notice).has_value());
    CHECK_FALSE(signer.Verify(signer.Url(kSubject, kind, kNow), kNow)->test);
    const size_t at = url.find("&test=1");
    REQUIRE(at != std::string::npos);
    url.erase(at, std::string_view("&test=1").size());
    CHECK(signer.Verify(url, kNow).status().code() == absl::StatusCode::kUnauthenticated);
  }
}

}  // namespace
}  // namespace adagents::openrtb
