#include "adagents/adapters/openrtb/reader.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <utility>

#include "adagents/base/status.h"
#include "adapters/openrtb/buffer_pool.h"
#include "adapters/openrtb/fields.h"

namespace adagents::openrtb {
namespace {

using ads::Request;

static_assert(Reader::kPadding >= simdjson::SIMDJSON_PADDING);

/// Capacities grow in powers of two from here, so that growing soon ends.
constexpr size_t kSmallestDocument = 4 << 10;

simdjson::error_code ParseJson(simdjson::dom::parser& parser, simdjson::dom::document& document,
                               std::string_view json, bool padded, size_t max_depth,
                               Element* root) {
  const size_t capacity = std::bit_ceil(std::max(json.size(), kSmallestDocument));
  simdjson::error_code error = simdjson::SUCCESS;
  if (document.capacity() < json.size()) error = document.allocate(capacity);
  if (error == simdjson::SUCCESS && parser.capacity() < json.size()) {
    error = parser.allocate(capacity, max_depth);
  }
  if (error != simdjson::SUCCESS) return error;
  return parser.parse_into_document(document, json.data(), json.size(), !padded).get(*root);
}

std::string ParseError(simdjson::error_code error) {
  switch (error) {
    case simdjson::EMPTY:
      return "is empty";
    case simdjson::UTF8_ERROR:
      return "is not valid UTF-8";
    case simdjson::DEPTH_ERROR:
      return "is nested too deeply";
    case simdjson::NUMBER_ERROR:
      return "is not valid JSON: a number is malformed or out of range";
    case simdjson::UNCLOSED_STRING:
      return "is not valid JSON: a string is not closed";
    case simdjson::UNESCAPED_CHARS:
      return "is not valid JSON: a string holds a control character";
    case simdjson::STRING_ERROR:
      return "is not valid JSON: a string holds a bad escape";
    default:
      return "is not valid JSON";
  }
}

// --- The top level ------------------------------------------------------------------------------

constexpr size_t kMostImps = 1 << 12;  // read before the option's limit is looked at

bool ReadImps(Walk& walk, Element value, const Path& path, Request& out) {
  return ReadObjects(walk, value, path, out.imps, ReadImp, kMostImps);
}

bool ReadCur(Walk& walk, Element value, const Path& path, Request& out) {
  ads::List<ads::Text> codes;
  if (!ReadTexts(walk, value, path, codes)) return false;
  std::span<Currency> cur = walk.arena.Array<Currency>(codes.size());
  size_t n = 0;
  for (size_t i = 0; i < codes.size(); ++i) {
    if (codes[i].empty()) continue;
    const std::optional<Currency> code = Currency::Parse(codes[i]);
    if (!code) return walk.Fail(Path{&path, {}, i}, "must be a three-letter ISO 4217 code");
    cur[n++] = *code;
  }
  out.cur = cur.first(n);
  return true;
}

bool ReadAt(Walk& walk, Element value, const Path& path, Request& out) {
  int32_t at = 0;
  if (!ReadInt(walk, value, path, 0, kIntMax, at)) return false;
  if (at == 0) return true;
  if (at > 3 && at < 500) return walk.Fail(path, "must be 1, 2, 3 or from 500 on");
  out.at = at;
  return true;
}

bool ReadTmax(Walk& walk, Element value, const Path& path, Request& out) {
  int32_t tmax = 0;
  if (!ReadInt(walk, value, path, 0, kIntMax, tmax)) return false;
  if (tmax > 0) out.tmax = tmax;
  return true;
}

struct Ext {
  std::optional<double> arrival, timestamp;
};
// Strings and the like under our names are another exchange's business.
template <auto M>
bool Time(Walk&, Element value, const Path&, Ext& out) {
  double time = 0;
  if (value.get(time) == simdjson::SUCCESS && time >= 0 && time < 1e13) out.*M = time;
  return true;
}
constexpr Fields kExt({
    Field<Ext>{"arrival", Time<&Ext::arrival>},
    {"timestamp", Time<&Ext::timestamp>},
});

bool ReadRequestExt(Walk& walk, Element value, const Path& path, Request& out) {
  Ext ext;
  if (!ReadObject(walk, value, path, ext, kExt)) return false;
  if (ext.arrival) {
    out.arrival = ext.arrival;
  } else if (ext.timestamp) {
    out.arrival = *ext.timestamp / 1000;
  }
  return true;
}

template <auto kRead>
bool Site(Walk& walk, Element value, const Path& path, Request& out) {
  return kRead(walk, value, path, out.channel);
}

constexpr Fields kRequest({
    Field<Request>{"id", Text<&Request::id>},
    {"imp", ReadImps},
    {"site", Site<ReadSite>},
    {"app", Site<ReadApp>},
    {"dooh", Site<ReadDooh>},
    {"device", Object<&Request::device, ReadDevice>},
    {"user", Object<&Request::user, ReadUser>},
    {"regs", Object<&Request::regs, ReadRegs>},
    {"source", Object<&Request::source, ReadSource>},
    {"at", ReadAt},
    {"tmax", ReadTmax},
    {"test", Flag<&Request::test>},
    {"allimps", Flag<&Request::allimps>},
    {"wseat", Texts<&Request::wseat>},
    {"bseat", Texts<&Request::bseat>},
    {"bcat", Texts<&Request::bcat>},
    {"badv", Texts<&Request::badv>},
    {"bapp", Texts<&Request::bapp>},
    {"wlang", Texts<&Request::wlang>},
    {"cur", ReadCur},
    {"cattax", Number<&Request::cattax>},
    {"ext", ReadRequestExt},
});

bool CheckImpIds(Walk& walk, const Path& root, const Request& request) {
  const Path imps{&root, "imp"};
  for (size_t i = 1; i < request.imps.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (request.imps[i].id == request.imps[j].id) {
        const Path imp{&imps, {}, i};
        return walk.Fail(Path{&imp, "id"}, "is not unique");
      }
    }
  }
  return true;
}

}  // namespace

class Reader::Impl final : private TextParser {
 public:
  explicit Impl(ReaderOptions options)
      : options_(options),
        parser_(simdjson::SIMDJSON_MAXSIZE_BYTES),
        pool_(std::make_shared<BufferPool>()) {}
  ~Impl() { pool_->Close(); }

  absl::StatusOr<ads::RequestPtr> Read(std::string_view json, bool padded) {
    if (json.size() > options_.max_bytes) {
      return ResourceExhausted("request: is larger than " + std::to_string(options_.max_bytes) +
                               " bytes");
    }
    PooledBuffer* buffer = pool_->Take();
    if (buffer == nullptr) buffer = new PooledBuffer(pool_);
    ads::RequestPtr request(buffer);  // returns the buffer to the pool if anything fails
    Element root;
    const simdjson::error_code error =
        ParseJson(parser_, buffer->document, json, padded, options_.max_depth, &root);
    if (error == simdjson::MEMALLOC) return ResourceExhausted("request: out of memory");
    if (error != simdjson::SUCCESS) return InvalidArgument("request: " + ParseError(error));
    Walk walk(buffer->arena);
    if (!ReadRequest(walk, root, buffer->request)) return InvalidArgument(walk.error);
    buffer->request.consent = ads::ComputeConsent(buffer->request);
    ads::ApplyConsent(&buffer->request, &buffer->arena);
    return request;
  }

 private:
  bool ReadRequest(Walk& walk, Element value, Request& out) {
    const Path root;
    if (!value.is_object()) return walk.Fail(root, "must be an object");
    if (!ReadObject(walk, value, root, out, kRequest)) return false;
    if (out.id.empty()) return walk.Fail(Path{&root, "id"}, "is required");
    const Path imps{&root, "imp"};
    if (out.imps.empty()) return walk.Fail(imps, "must contain at least one imp");
    if (out.imps.size() > options_.max_imps) {
      return walk.Fail(imps, "has more than " + std::to_string(options_.max_imps) + " entries");
    }
    if (!CheckImpIds(walk, root, out)) return false;
    return ReadNatives(walk, imps, out);
  }

  /// After the rest, because the text within is parsed by the parser that the rest came from.
  bool ReadNatives(Walk& walk, const Path& imps, const Request& out) {
    for (size_t i = 0; i < out.imps.size(); ++i) {
      if (out.imps[i].native == nullptr) continue;
      const Path imp{&imps, {}, i};
      // Not const in fact: it lies in our arena and nobody else has seen it.
      auto& native = const_cast<ads::Native&>(*out.imps[i].native);
      if (!ReadNativeRequest(walk, *this, Path{&imp, "native"}, native)) return false;
    }
    return true;
  }

  bool Parse(std::string_view json, Element* root, std::string* error) override {
    const simdjson::error_code code =
        ParseJson(parser_, native_document_, json, false, options_.max_depth, root);
    if (code != simdjson::SUCCESS) *error = ParseError(code);
    return code == simdjson::SUCCESS;
  }

  ReaderOptions options_;
  simdjson::dom::parser parser_;
  simdjson::dom::document native_document_;
  std::shared_ptr<BufferPool> pool_;
};

Reader::Reader(ReaderOptions options) : impl_(std::make_unique<Impl>(options)) {}
Reader::~Reader() = default;
Reader::Reader(Reader&&) noexcept = default;
Reader& Reader::operator=(Reader&&) noexcept = default;

absl::StatusOr<ads::RequestPtr> Reader::Read(std::string_view json) {
  return impl_->Read(json, false);
}
absl::StatusOr<ads::RequestPtr> Reader::ReadPadded(std::string_view json) {
  return impl_->Read(json, true);
}

}  // namespace adagents::openrtb
