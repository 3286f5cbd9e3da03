// OpenSSL 3 deprecates SHA256_CTX for EVP, which would cost 244 to 533 ns a signature instead of
// 154 and need a context per thread; both Debians' libcrypto have it.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "adagents/adapters/openrtb/notice.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/status.h"
#include "adapters/openrtb/sink.h"
#include "base/siphash.h"

namespace adagents::openrtb {
namespace {

constexpr std::string_view kKinds = "wblisfmtcxe";
constexpr size_t kTagDigits = 16;
constexpr size_t kMostBytes = 8 << 10;  // of a notice's URL

/// HMAC-SHA256 (RFC 2104) with both key blocks hashed beforehand.
struct Hmac {
  SHA256_CTX inner, outer;

  explicit Hmac(std::string_view secret) {
    unsigned char key[SHA256_CBLOCK] = {};
    if (secret.size() <= sizeof(key)) {
      std::copy(secret.begin(), secret.end(), key);
    } else {
      SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), key);
    }
    unsigned char pad[SHA256_CBLOCK];
    const auto start = [&](SHA256_CTX* context, unsigned char with) {
      for (size_t i = 0; i < sizeof(pad); ++i) pad[i] = key[i] ^ with;
      SHA256_Init(context);
      SHA256_Update(context, pad, sizeof(pad));
    };
    start(&inner, 0x36);
    start(&outer, 0x5c);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(pad, sizeof(pad));
  }

  NoticeSigner::BidKey operator()(std::string_view text) const {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256_CTX context = inner;
    SHA256_Update(&context, text.data(), text.size());
    SHA256_Final(digest, &context);
    context = outer;
    SHA256_Update(&context, digest, sizeof(digest));
    SHA256_Final(digest, &context);
    NoticeSigner::BidKey key;
    std::memcpy(&key.k0, digest, 8);
    std::memcpy(&key.k1, digest + 8, 8);
    return key;
  }
};

uint64_t Tag(const NoticeSigner::BidKey& key, char kind) {
  return SipHash24(key.k0, key.k1, {&kind, 1});
}

bool IsKeyId(std::string_view id) {
  const auto ok = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
  };
  return !id.empty() && id.size() <= 32 && std::all_of(id.begin(), id.end(), ok);
}

/// Only characters that need no escaping anywhere: it is copied into XML, HTML and JSON.
bool IsBaseUrl(std::string_view url) {
  if (!url.starts_with("https://") && !url.starts_with("http://")) return false;
  return std::all_of(url.begin(), url.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~:/@%+,;=").find(c) != std::string_view::npos;
  });
}

// --- Reading ------------------------------------------------------------------------------------

/// The value of `key` in a query, absent if it is not there.
std::optional<std::string_view> Parameter(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    if (part.size() > key.size() && part.starts_with(key) && part[key.size()] == '=') {
      return part.substr(key.size() + 1);
    }
    query.remove_prefix(std::min(part.size() + 1, query.size()));
  }
  return std::nullopt;
}

template <class Int>
bool ParseNumber(std::optional<std::string_view> text, int base, Int* out) {
  if (!text || text->empty()) return false;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *out, base);
  return error == std::errc() && end == text->data() + text->size();
}

bool Decode(std::optional<std::string_view> text, std::string* out) {
  if (!text) return false;
  for (size_t i = 0; i < text->size(); ++i) {
    if ((*text)[i] != '%') {
      out->push_back((*text)[i]);
      continue;
    }
    uint8_t byte = 0;
    if (text->size() - i < 3 || !ParseNumber(text->substr(i + 1, 2), 16, &byte)) return false;
    out->push_back(static_cast<char>(byte));
    i += 2;
  }
  return true;
}

absl::Status Malformed(std::string_view parameter) {
  return InvalidArgument("notice: parameter " + std::string(parameter) + " is absent or malformed");
}

absl::Status ReadSigned(std::string_view query, Notice* out) {
  int64_t price = 0, issued = 0;
  if (Parameter(query, "v") != "1") return Malformed("v");
  if (!ParseNumber(Parameter(query, "d"), 16, &out->decision)) return Malformed("d");
  if (!ParseNumber(Parameter(query, "n"), 10, &out->bid)) return Malformed("n");
  if (!ParseNumber(Parameter(query, "i"), 10, &out->imp)) return Malformed("i");
  if (!Decode(Parameter(query, "c"), &out->campaign)) return Malformed("c");
  if (!Decode(Parameter(query, "a"), &out->creative)) return Malformed("a");
  if (!ParseNumber(Parameter(query, "p"), 10, &price)) return Malformed("p");
  const std::optional<Currency> cur = Currency::Parse(Parameter(query, "u").value_or(""));
  if (!cur) return Malformed("u");
  if (!ParseNumber(Parameter(query, "r"), 16, &out->reservation)) return Malformed("r");
  if (!ParseNumber(Parameter(query, "t"), 10, &issued)) return Malformed("t");
  const std::optional<std::string_view> test = Parameter(query, "test");
  if (test && *test != "1") return Malformed("test");
  out->test = test.has_value();
  out->price = Micros{price};
  out->cur = *cur;
  out->issued = absl::FromUnixSeconds(issued);
  return absl::OkStatus();
}

/// What the exchange or the player filled in; a macro that was not is absent.
absl::Status ReadUnsigned(std::string_view query, Notice* out) {
  if (const auto text = Parameter(query, "ap"); text && !text->empty()) {
    double units = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), units);
    if (error == std::errc() && end == text->data() + text->size()) {
      const std::optional<Micros> price = Micros::FromUnits(units);
      if (!price || price->value < 0 || *price > out->price) {
        return MakeStatus(absl::StatusCode::kOutOfRange,
                          "notice: parameter ap, the price charged, is not between 0 and the bid");
      }
      out->auction_price = price;
    }
  }
  int32_t number = 0;
  if (ParseNumber(Parameter(query, "l"), 10, &number)) out->loss = number;
  if (ParseNumber(Parameter(query, "e"), 10, &number)) out->error = number;
  return absl::OkStatus();
}

}  // namespace

std::optional<ads::OutcomeEvent> OutcomeOf(const Notice& notice) {
  if (notice.test) return std::nullopt;
  ads::OutcomeEvent event{.decision = notice.decision,
                          .bid = notice.bid,
                          .campaign = StableHash64(notice.campaign),
                          .price = notice.auction_price.value_or(notice.price),
                          .cur = notice.cur,
                          .issued = notice.issued};
  switch (notice.kind) {
    case NoticeKind::kBilling:
    case NoticeKind::kImpression:
      event.kind = ads::OutcomeKind::kImpression;
      return event;
    case NoticeKind::kLoss:
      event.kind = ads::OutcomeKind::kLoss;
      return event;
    case NoticeKind::kComplete:
      event.kind = ads::OutcomeKind::kCompletion;
      return event;
    case NoticeKind::kClick:
      event.kind = ads::OutcomeKind::kClick;
      return event;
    case NoticeKind::kWin:
    case NoticeKind::kStart:
    case NoticeKind::kFirstQuartile:
    case NoticeKind::kMidpoint:
    case NoticeKind::kThirdQuartile:
    case NoticeKind::kError:
      break;
  }
  return std::nullopt;
}

struct NoticeSigner::State {
  std::string prefix;  // base_url?v=1&d=
  std::string suffix;  // &q=<key id>
  std::vector<std::pair<std::string, Hmac>> keys;
  absl::Duration lifetime, clock_skew;

  const Hmac* Find(std::string_view id) const {
    for (const auto& [known, hmac] : keys) {
      if (known == id) return &hmac;
    }
    return nullptr;
  }
};

NoticeSigner::NoticeSigner(std::unique_ptr<State> state) : state_(std::move(state)) {}
NoticeSigner::~NoticeSigner() = default;
NoticeSigner::NoticeSigner(NoticeSigner&&) noexcept = default;
NoticeSigner& NoticeSigner::operator=(NoticeSigner&&) noexcept = default;

absl::StatusOr<NoticeSigner> NoticeSigner::Create(NoticeOptions options) {
  if (!IsBaseUrl(options.base_url)) {
    return InvalidArgument("base_url must be an http or https URL without query: " +
                           options.base_url);
  }
  if (options.keys.empty()) return InvalidArgument("keys must hold at least one key");
  if (!(options.lifetime > absl::ZeroDuration())) {
    return InvalidArgument("lifetime must be positive");
  }
  auto state = std::make_unique<State>();
  for (const NoticeKey& key : options.keys) {
    if (!IsKeyId(key.id)) {
      return InvalidArgument("key id must be 1 to 32 letters, digits, '-' and '_': " + key.id);
    }
    if (key.secret.size() < 16) {
      return InvalidArgument("the secret of key " + key.id + " must have at least 16 bytes");
    }
    if (state->Find(key.id) != nullptr) return InvalidArgument("key " + key.id + " stands twice");
    state->keys.emplace_back(key.id, Hmac(key.secret));
  }
  state->prefix = options.base_url + "?v=1&d=";
  state->suffix = "&q=" + options.keys[0].id;
  state->lifetime = options.lifetime;
  state->clock_skew = options.clock_skew;
  return NoticeSigner(std::move(state));
}

NoticeSigner::BidKey NoticeSigner::AppendCommon(const NoticeSubject& subject, int64_t unix_seconds,
                                                Sink* out) const {
  constexpr size_t kBehindMark = std::string_view("v=1&d=").size();
  out->Raw(state_->prefix);
  const size_t from = out->size() - kBehindMark;
  out->Hex(subject.decision);
  out->Raw("&n=");
  out->Number(subject.bid);
  out->Raw("&i=");
  out->Number(subject.imp);
  out->Raw("&c=");
  out->Query(subject.campaign);
  out->Raw("&a=");
  out->Query(subject.creative);
  out->Raw("&p=");
  out->Number(subject.price.value);
  out->Raw("&u=");
  out->Raw(subject.cur.code());
  out->Raw("&r=");
  out->Hex(subject.reservation);
  out->Raw("&t=");
  out->Number(unix_seconds);
  if (subject.test) out->Raw("&test=1");
  out->Raw(state_->suffix);
  return state_->keys[0].second(out->Since(from));
}

void NoticeSigner::AppendKind(const BidKey& key, NoticeKind kind, Sink* out) {
  out->Raw("&k=");
  out->Char(static_cast<char>(kind));
  out->Raw("&s=");
  out->Hex(Tag(key, static_cast<char>(kind)));
  switch (kind) {
    case NoticeKind::kWin:
    case NoticeKind::kBilling:
    case NoticeKind::kImpression:
      return out->Raw("&ap=${AUCTION_PRICE}");
    case NoticeKind::kLoss:
      return out->Raw("&l=${AUCTION_LOSS}");
    case NoticeKind::kError:
      return out->Raw("&e=[ERRORCODE]");
    default:
      return;
  }
}

std::string NoticeSigner::Url(const NoticeSubject& subject, NoticeKind kind, absl::Time now) const {
  std::string url;
  {
    Sink out(&url);
    const BidKey key = AppendCommon(subject, absl::ToUnixSeconds(now), &out);
    AppendKind(key, kind, &out);
  }
  return url;
}

absl::StatusOr<Notice> NoticeSigner::Verify(std::string_view url, absl::Time now) const {
  if (url.size() > kMostBytes) return InvalidArgument("notice: too long");
  std::string_view query = url;
  if (const size_t mark = url.find('?'); mark != std::string_view::npos) {
    query = url.substr(mark + 1);
  }
  const size_t end = query.find("&k=");
  if (end == std::string_view::npos) return Malformed("k");
  const std::string_view text = query.substr(0, end);
  const std::string_view rest = query.substr(end + 1);
  const std::string_view kind = Parameter(rest, "k").value_or("");
  const std::string_view tag = Parameter(rest, "s").value_or("");
  if (kind.size() != 1 || kKinds.find(kind[0]) == std::string_view::npos) return Malformed("k");
  if (tag.size() != kTagDigits) return Malformed("s");

  // Nothing in it is believed before this.
  const std::string_view key_id = Parameter(text, "q").value_or("");
  const Hmac* key = state_->Find(key_id);
  if (key == nullptr) {
    return MakeStatus(absl::StatusCode::kUnauthenticated, "notice: parameter q, unknown key");
  }
  std::string expected;
  {
    Sink out(&expected);
    out.Hex(Tag((*key)(text), kind[0]));
  }
  if (CRYPTO_memcmp(expected.data(), tag.data(), kTagDigits) != 0) {
    return MakeStatus(absl::StatusCode::kUnauthenticated, "notice: parameter s, wrong signature");
  }

  Notice notice;
  notice.kind = static_cast<NoticeKind>(kind[0]);
  notice.key_id = std::string(key_id);
  if (absl::Status status = ReadSigned(text, &notice); !status.ok()) return status;
  if (now > notice.issued + state_->lifetime) {
    return MakeStatus(absl::StatusCode::kDeadlineExceeded, "notice: parameter t, expired");
  }
  if (now + state_->clock_skew < notice.issued) {
    return InvalidArgument("notice: parameter t, issued in the future");
  }
  if (absl::Status status = ReadUnsigned(rest, &notice); !status.ok()) return status;
  return notice;
}

}  // namespace adagents::openrtb
