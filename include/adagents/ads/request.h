// One ad request in OpenRTB 2.6's own words: a plain struct of views, numbers and spans that point
// into memory owned by its RequestBuffer, and RequestPtr, the counted handle that keeps both alive.
//
// Reading:
//   for (const ads::Imp& imp : request.imps)
//     if (imp.audio != nullptr && imp.audio->maxduration.value_or(30) >= 15) ...
//   if (request.channel.content.genre == "jazz") ...
//
// Making one by hand (tests, other adapters; the OpenRTB adapter has a pool of its own):
//   ads::NewRequest made = ads::MakeRequest();
//   ads::Imp imp;
//   imp.id = "1";
//   imp.audio = made.arena->New(ads::Audio{});
//   made.request->id = "r1";
//   made.request->imps = made.arena->Copy({imp});
//   ads::RequestPtr request = std::move(made.ptr);   // from here on read-only
//
// Presence: text that is absent is empty; std::optional and pointers are used where absent means
// something else than zero; the rest has the specification's default. A number that the
// specification lists (AdCOM lists) stays a number, see openrtb_enums.h for names.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "adagents/ads/consent.h"
#include "adagents/base/money.h"

namespace adagents::ads {

template <class T>
using List = std::span<const T>;
using Text = std::string_view;
using Int = std::optional<int32_t>;

/// Memory for one request: bump allocation out of blocks that are kept for the next. Only trivially
/// destructible things live in it. Thread-compatible.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  /// Uninitialised memory, aligned to `align` (a power of two, at most 16).
  void* Allocate(size_t bytes, size_t align) {
    size_t at = (used_ + align - 1) & ~(align - 1);
    if (current_ >= blocks_.size() || at + bytes > blocks_[current_].size) [[unlikely]] {
      Grow(bytes);
      at = 0;
    }
    used_ = at + bytes;
    return blocks_[current_].memory.get() + at;
  }
  /// `n` value-initialised Ts.
  template <class T>
  std::span<T> Array(size_t n) {
    static_assert(std::is_trivially_destructible_v<T>);
    if (n == 0) return {};
    T* first = static_cast<T*>(Allocate(n * sizeof(T), alignof(T)));
    std::uninitialized_value_construct_n(first, n);
    return {first, n};
  }
  template <class T>
  T* New(T value) {
    static_assert(std::is_trivially_destructible_v<T>);
    return ::new (Allocate(sizeof(T), alignof(T))) T(std::move(value));
  }
  template <class T>
  List<T> Copy(List<T> items) {
    if (items.empty()) return {};
    std::span<T> out = Array<T>(items.size());
    std::copy(items.begin(), items.end(), out.begin());
    return out;
  }
  template <class T>
  List<T> Copy(std::initializer_list<T> items) {
    return Copy(List<T>(items.begin(), items.size()));
  }
  Text Copy(Text text) {
    if (text.empty()) return {};
    char* first = static_cast<char*>(Allocate(text.size(), 1));
    std::copy(text.begin(), text.end(), first);
    return {first, text.size()};
  }

  /// Forgets everything; the blocks stay unless they hold more than `keep_bytes` in all.
  void Reset(size_t keep_bytes = 256 << 10) {
    current_ = 0;
    used_ = 0;
    if (capacity() > keep_bytes) blocks_.clear();
  }
  size_t capacity() const {
    size_t sum = 0;
    for (const Block& b : blocks_) sum += b.size;
    return sum;
  }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> memory;
    size_t size;
  };
  static constexpr size_t kBlock = 8 << 10;  // most requests fit into one

  void Grow(size_t bytes) {
    if (!blocks_.empty()) ++current_;
    while (current_ < blocks_.size() && blocks_[current_].size < bytes) ++current_;
    if (current_ < blocks_.size()) return;
    const size_t size = std::max(kBlock << std::min<size_t>(blocks_.size(), 6), bytes);
    blocks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    current_ = blocks_.size() - 1;
  }

  std::vector<Block> blocks_;
  size_t current_ = 0;
  size_t used_ = 0;
};

struct Format {
  int32_t w = 0, h = 0;            ///< device independent pixels; 0: not given
  int32_t wratio = 0, hratio = 0;  ///< relative size, for flexible formats
  int32_t wmin = 0;
};

struct Banner {
  List<Format> format;
  int32_t w = 0, h = 0;  ///< exact size where `format` is empty
  List<int32_t> btype;   ///< blocked banner types
  List<int32_t> battr;   ///< blocked creative attributes
  List<Text> mimes;
  List<int32_t> expdir, api;
  Int pos;
  bool topframe = false;
  Int vcm;  ///< companion: 0 concurrent, 1 end card
  Text id;
};

/// A floor for one range of durations.
struct DurFloor {
  Int mindur, maxdur;  ///< seconds
  Micros bidfloor;     ///< CPM in the imp's currency
};

/// What video and audio have in common. Durations are seconds, bitrates kbit/s.
struct Media {
  List<Text> mimes;
  Int minduration, maxduration;
  List<int32_t> rqddurs;    ///< exact durations, instead of minduration and maxduration
  Int startdelay;           ///< 0 pre-roll, > 0 mid-roll at, -1 mid-roll, -2 post-roll
  List<int32_t> protocols;  ///< versions of VAST, see media_fit.h; empty: any
  Text podid;
  int32_t podseq = 0;     ///< 0 any, 1 first, -1 last pod
  int32_t slotinpod = 0;  ///< 0 any, 1 first, -1 last, 2 first or last
  Int poddur;             ///< seconds that a dynamic pod has to fill
  Int maxseq;             ///< most ads in a dynamic pod
  std::optional<Micros> mincpmpersec;
  Int maxextended, minbitrate, maxbitrate;
  Int sequence;
  List<int32_t> delivery, battr, api, companiontype;
  List<Banner> companionad;
  List<DurFloor> durfloors;
};

struct Audio : Media {
  Int feed, nvol;
  bool stitched = false;
};

struct Video : Media {
  int32_t w = 0, h = 0;
  Int placement, plcmt, linearity, skip, skipmin, skipafter, playbackend, pos;
  bool boxingallowed = true;
  List<int32_t> playbackmethod, poddedupe;
};

enum class NativeAssetKind : int8_t { kTitle, kImage, kVideo, kData };

struct NativeAsset {
  int32_t id = 0;
  bool required = false;
  NativeAssetKind kind = NativeAssetKind::kTitle;
  Int type;  ///< image or data asset type
  Int len;   ///< most characters of a title or data asset
  int32_t w = 0, h = 0, wmin = 0, hmin = 0;
  List<Text> mimes;
  Int minduration, maxduration;  ///< video
  List<int32_t> protocols;
};

struct NativeEventTracker {
  int32_t event = 0;
  List<int32_t> methods;
};

/// The native request, already parsed and validated.
struct Native {
  Text request;  ///< as it came
  Text ver;
  List<int32_t> api, battr;
  Int context, contextsubtype, plcmttype;
  int32_t plcmtcnt = 1;
  bool privacy = false;
  List<NativeAsset> assets;
  List<NativeEventTracker> eventtrackers;
};

struct Deal {
  Text id;
  Micros bidfloor;
  Currency bidfloorcur;
  Int at;  ///< overrides the request's; 3: bidfloor is the agreed price
  bool guar = false;
  std::optional<Micros> mincpmpersec;
  List<Text> wseat, wadomain;
};

struct Imp {
  Text id;
  const Banner* banner = nullptr;  ///< nullptr: not offered; likewise the next three
  const Video* video = nullptr;
  const Audio* audio = nullptr;
  const Native* native = nullptr;
  List<Deal> deals;              ///< pmp.deals
  bool private_auction = false;  ///< pmp: only the deals may bid
  Micros bidfloor;               ///< CPM
  Currency bidfloorcur;
  Text tagid, displaymanager, displaymanagerver;
  bool instl = false, rwdd = false, clickbrowser = false;
  std::optional<bool> secure;  ///< only https is taken; absent: unknown, taken as no
  Int exp;                     ///< seconds between auction and impression
  Int ssai;                    ///< server-side ad insertion: 0 unknown, 1 client, 2 mixed, 3 server
  std::optional<double> qty_multiplier;  ///< dooh: qty.multiplier, impressions per play

  /// What is played, the audio where both are offered; nullptr: nothing is.
  [[nodiscard]] const Media* media() const {
    return audio != nullptr ? static_cast<const Media*>(audio) : video;
  }
};

struct Segment {
  Text id, name, value;
};
struct Data {
  Text id, name;
  List<Segment> segment;
};

struct Geo {
  std::optional<double> lat, lon;  ///< degrees; both or neither, out of range counts as absent
  Text country;                    ///< ISO 3166-1 alpha-3, upper case where exchanges are wrong
  Text region, city, metro, zip;
  Int utcoffset;  ///< minutes from UTC
  Int type, accuracy, lastfix;
};

struct Publisher {
  Text id, name, domain;
  List<Text> cat;
};

struct Content {
  Text id, title, series, season, artist, album, genre, isrc, url, keywords, contentrating,
      language, langb, userrating, producer, network, channel;
  Int episode, cattax, prodq, context, qagmediarating, livestream, sourcerelationship, len;
  List<Text> cat;
  Int gtax;
  List<int32_t> genres;  ///< ids in the taxonomy `gtax`
  List<Data> data;
};

enum class ChannelKind : int8_t { kNone, kSite, kApp, kDooh };

/// The request's distribution channel: its site, app or dooh object, whichever came.
struct Channel {
  ChannelKind kind = ChannelKind::kNone;
  Text id, name, domain, keywords;
  List<Text> cat, sectioncat, pagecat;
  Int cattax;
  Publisher publisher;
  Content content;
  Text page, ref, search;      ///< site
  Text bundle, storeurl, ver;  ///< app
  Int paid, mobile;            ///< app, site
  List<Text> venuetype;        ///< dooh
  Int venuetypetax;
};

/// Operating systems as targeting needs them; Device::os has the text.
enum class Os : int8_t { kUnknown, kAndroid, kIos, kWindows, kMacos, kLinux, kTvos, kOther };

struct Device {
  Text ua, ip, ipv6, ifa, make, model, os, osv, hwv, language, carrier, mccmnc;
  Os os_kind = Os::kUnknown;  ///< from os, else from ua
  Int devicetype, connectiontype, w, h, ppi, js, geofetch;
  std::optional<double> pxratio;
  bool dnt = false, lmt = false;
  Geo geo;
};

struct Uid {
  Text id;
  Int atype;
};
struct Eid {
  Text source;
  List<Uid> uids;
};

struct User {
  Text id, buyeruid, gender, keywords, customdata;
  Int yob;
  Text consent;  ///< TCF string, also from ext.consent
  List<Data> data;
  List<Eid> eids;
  Geo geo;
};

struct Regs {
  bool coppa = false;
  std::optional<bool> gdpr;  ///< absent: unknown, see consent.h; also from ext.gdpr
  Text us_privacy;           ///< also from ext.us_privacy
  Text gpp;
  List<int32_t> gpp_sid;
};

struct SupplyChainNode {
  Text asi, sid, rid, name, domain;
  Int hp;
};

struct Source {
  Text tid, pchain;
  Int fd;
  bool has_schain = false, schain_complete = false;
  Text schain_ver;
  List<SupplyChainNode> schain;
};

/// The request. Read-only for everyone but the adapter that makes it; thread-safe then.
struct Request {
  Text id;
  List<Imp> imps;  ///< never empty in a request that a reader accepted
  Channel channel;
  Device device;
  User user;
  Regs regs;
  Source source;
  Consent consent;    ///< computed; what it forbids has been removed already
  int32_t at = 2;     ///< 1 first price, 2 second price plus
  Int tmax;           ///< milliseconds for the whole exchange of messages, network included
  bool test = false;  ///< answered, but nothing is charged, counted or learned: Engine::Decide()
  bool allimps = false;
  List<Text> wseat, bseat, bcat, badv, bapp, wlang;
  List<Currency> cur;  ///< allowed for bids; empty: USD, OpenRTB's default
  Int cattax;
  std::optional<double> arrival;  ///< ext.arrival: Unix seconds, in recordings
};

/// A request and what it points into; counted by RequestPtr. Adapters derive from it to add memory
/// of their own and a pool. Thread safety: the count is atomic; everything else belongs to the one
/// who fills it, until the first RequestPtr is handed out.
class RequestBuffer {
 public:
  RequestBuffer() = default;
  RequestBuffer(const RequestBuffer&) = delete;
  RequestBuffer& operator=(const RequestBuffer&) = delete;

  Request request;
  Arena arena;

 protected:
  virtual ~RequestBuffer() = default;
  /// Called once nobody holds the request, on whichever thread let go last.
  virtual void Recycle() noexcept { delete this; }

 private:
  friend class RequestPtr;
  std::atomic<uint32_t> refs_{0};
};

/// A counted handle on a request; copies share it. A thread that still works on a request after
/// its answer went out keeps it alive with its own copy. Thread safety: as std::shared_ptr.
class RequestPtr {
 public:
  using element_type = const Request;

  RequestPtr() = default;
  explicit RequestPtr(RequestBuffer* buffer) : buffer_(buffer) { Retain(); }
  RequestPtr(const RequestPtr& other) : buffer_(other.buffer_) { Retain(); }
  RequestPtr(RequestPtr&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  RequestPtr& operator=(RequestPtr other) noexcept {
    std::swap(buffer_, other.buffer_);
    return *this;
  }
  ~RequestPtr() { Release(); }

  const Request& operator*() const { return buffer_->request; }
  const Request* operator->() const { return &buffer_->request; }
  const Request* get() const { return buffer_ == nullptr ? nullptr : &buffer_->request; }
  explicit operator bool() const { return buffer_ != nullptr; }
  void reset() { *this = RequestPtr(); }

 private:
  void Retain() {
    // Relaxed: whoever copies a handle already has one, so the request is visible to it.
    if (buffer_ != nullptr) buffer_->refs_.fetch_add(1, std::memory_order_relaxed);
  }
  void Release() {
    // Release: our reads are over before the count falls. Acquire: whoever takes it to zero sees
    // that of all others before the memory is used again.
    if (buffer_ != nullptr && buffer_->refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      buffer_->Recycle();
    }
  }
  RequestBuffer* buffer_ = nullptr;
};

/// A request under construction: fill `*request` through `arena`, then keep `ptr` alone.
struct NewRequest {
  RequestPtr ptr;
  Request* request;
  Arena* arena;
};
inline NewRequest MakeRequest() {
  auto* buffer = new RequestBuffer;
  return {RequestPtr(buffer), &buffer->request, &buffer->arena};
}

}  // namespace adagents::ads
