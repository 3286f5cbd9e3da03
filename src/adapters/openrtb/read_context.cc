// Where and to whom: site, app or dooh; device; user; regs; source.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "adapters/openrtb/fields.h"
#include "ads/privacy_strings.h"

namespace adagents::openrtb {
namespace {

using ads::Channel, ads::ChannelKind, ads::Content, ads::Data, ads::Device, ads::Eid, ads::Geo,
    ads::Os, ads::Publisher, ads::Regs, ads::Segment, ads::Source, ads::SupplyChainNode, ads::Uid,
    ads::User;

// --- Data and content ---------------------------------------------------------------------------

/// Keywords are one comma-separated text; 2.6 also allows `kwarray`, which is joined to that.
template <auto M, class T>
bool ReadKeywords(Walk& walk, Element value, const Path& path, T& out) {
  if (!value.is_array()) return ReadText(walk, value, path, out.*M);
  ads::List<ads::Text> words;
  if (!ReadTexts(walk, value, path, words)) return false;
  size_t size = 0;
  for (ads::Text word : words) size += word.size() + 1;
  std::span<char> joined = walk.arena.Array<char>(size);
  char* end = joined.data();
  for (ads::Text word : words) {
    if (end != joined.data()) *end++ = ',';
    end = std::copy(word.begin(), word.end(), end);
  }
  out.*M = {joined.data(), static_cast<size_t>(end - joined.data())};
  return true;
}

struct Named {
  ads::Text id, name, domain;
};
constexpr Fields kNamed({
    Field<Named>{"id", Text<&Named::id>},
    {"name", Text<&Named::name>},
    {"domain", Text<&Named::domain>},
});

/// Producer, network and channel are objects of which only a name matters: the id where it has
/// none.
template <auto M, class T>
bool ReadNamed(Walk& walk, Element value, const Path& path, T& out) {
  Named named;
  if (!ReadObject(walk, value, path, named, kNamed)) return false;
  out.*M = named.name.empty() ? named.id : named.name;
  return true;
}

constexpr Fields kSegment({
    Field<Segment>{"id", Text<&Segment::id>},
    {"name", Text<&Segment::name>},
    {"value", Text<&Segment::value>},
});
bool ReadSegment(Walk& walk, Element value, const Path& path, Segment& out) {
  return ReadObject(walk, value, path, out, kSegment);
}

constexpr Fields kData({
    Field<Data>{"id", Text<&Data::id>},
    {"name", Text<&Data::name>},
    {"segment", Objects<&Data::segment, ReadSegment>},
});
bool ReadData(Walk& walk, Element value, const Path& path, Data& out) {
  return ReadObject(walk, value, path, out, kData);
}

constexpr Fields kContent({
    Field<Content>{"id", Text<&Content::id>},
    {"title", Text<&Content::title>},
    {"series", Text<&Content::series>},
    {"season", Text<&Content::season>},
    {"artist", Text<&Content::artist>},
    {"album", Text<&Content::album>},
    {"genre", Text<&Content::genre>},
    {"isrc", Text<&Content::isrc>},
    {"url", Text<&Content::url>},
    {"keywords", ReadKeywords<&Content::keywords>},
    {"kwarray", ReadKeywords<&Content::keywords>},
    {"contentrating", Text<&Content::contentrating>},
    {"language", Text<&Content::language>},
    {"langb", Text<&Content::langb>},
    {"userrating", Text<&Content::userrating>},
    {"episode", Number<&Content::episode>},
    {"cattax", Number<&Content::cattax>},
    {"gtax", Number<&Content::gtax>},
    {"genres", Ints<&Content::genres>},
    {"prodq", Number<&Content::prodq>},
    {"context", Number<&Content::context>},
    {"qagmediarating", Number<&Content::qagmediarating>},
    {"livestream", Number<&Content::livestream>},
    {"sourcerelationship", Number<&Content::sourcerelationship>},
    {"len", Number<&Content::len>},
    {"cat", Texts<&Content::cat>},
    {"data", Objects<&Content::data, ReadData>},
    {"producer", ReadNamed<&Content::producer>},
    {"network", ReadNamed<&Content::network>},
    {"channel", ReadNamed<&Content::channel>},
});
bool ReadContent(Walk& walk, Element value, const Path& path, Content& out) {
  return ReadObject(walk, value, path, out, kContent);
}

// --- Site, app, dooh ----------------------------------------------------------------------------

constexpr Fields kPublisher({
    Field<Publisher>{"id", Text<&Publisher::id>},
    {"name", Text<&Publisher::name>},
    {"domain", Text<&Publisher::domain>},
    {"cat", Texts<&Publisher::cat>},
});
bool ReadPublisher(Walk& walk, Element value, const Path& path, Publisher& out) {
  return ReadObject(walk, value, path, out, kPublisher);
}

constexpr Fields kChannel({
    Field<Channel>{"id", Text<&Channel::id>},
    {"name", Text<&Channel::name>},
    {"domain", Text<&Channel::domain>},
    {"keywords", ReadKeywords<&Channel::keywords>},
    {"kwarray", ReadKeywords<&Channel::keywords>},
    {"cat", Texts<&Channel::cat>},
    {"sectioncat", Texts<&Channel::sectioncat>},
    {"pagecat", Texts<&Channel::pagecat>},
    {"cattax", Number<&Channel::cattax>},
    {"publisher", Object<&Channel::publisher, ReadPublisher>},
    {"content", Object<&Channel::content, ReadContent>},
    {"page", Text<&Channel::page>},
    {"ref", Text<&Channel::ref>},
    {"search", Text<&Channel::search>},
    {"mobile", Number<&Channel::mobile, 0, 1>},
    {"bundle", Text<&Channel::bundle>},
    {"storeurl", Text<&Channel::storeurl>},
    {"ver", Text<&Channel::ver>},
    {"paid", Number<&Channel::paid, 0, 1>},
    {"venuetype", Texts<&Channel::venuetype>},
    {"venuetypetax", Number<&Channel::venuetypetax>},
});

bool ReadChannel(Walk& walk, Element value, const Path& path, ChannelKind kind, Channel& out) {
  if (IsAbsent(value)) return true;
  if (out.kind != ChannelKind::kNone && out.kind != kind) {
    return walk.Fail(path, "must not stand beside another of site, app and dooh");
  }
  out.kind = kind;
  return ReadObject(walk, value, path, out, kChannel);
}

// --- Signals of consent -------------------------------------------------------------------------

// They may be said more than once: in 2.6's place and in 2.5's, or under one key several times.
// Whatever the order, nothing that is said makes what was said elsewhere laxer.

/// A flag that stays set.
template <auto M, class T>
bool AnyFlag(Walk& walk, Element value, const Path& path, T& out) {
  bool flag = false;
  if (!ReadFlag(walk, value, path, flag)) return false;
  out.*M = flag || out.*M == true;
  return true;
}

/// Consent is not a place for guesses: a number is no such string.
bool ReadString(Walk& walk, Element value, const Path& path, ads::Text& out) {
  if (!value.is_string()) return walk.Fail(path, "must be a string");
  return ReadText(walk, value, path, out);
}

/// In place of strings that contradict each other: one that ads/consent.h finds malformed.
constexpr ads::Text kContradiction = "!";

template <auto M, class T>
bool OneString(Walk& walk, Element value, const Path& path, T& out) {
  ads::Text text;
  if (!ReadString(walk, value, path, text)) return false;
  if (text.empty() || text == out.*M) return true;
  out.*M = (out.*M).empty() ? text : kContradiction;
  return true;
}

bool ReadUsPrivacy(Walk& walk, Element value, const Path& path, Regs& out) {
  ads::Text text;
  if (!ReadString(walk, value, path, text)) return false;
  if (text.empty()) return true;
  if (out.us_privacy.empty() || ads::internal::UsPrivacyOptsOut(text)) out.us_privacy = text;
  return true;
}

constexpr size_t kMostSids = 64;  // where lists are joined; far more sections than there are

bool ReadGppSid(Walk& walk, Element value, const Path& path, Regs& out) {
  ads::List<int32_t> sids;
  if (!ReadInts(walk, value, path, kIntMin, sids)) return false;
  if (sids.empty() || std::ranges::equal(sids, out.gpp_sid)) return true;
  if (out.gpp_sid.empty()) {
    out.gpp_sid = sids;
    return true;
  }
  const size_t size = out.gpp_sid.size() + sids.size();
  if (size > kMostSids) return walk.Fail(path, "has too many entries");
  std::span<int32_t> joined = walk.arena.Array<int32_t>(size);
  std::ranges::copy(sids, std::ranges::copy(out.gpp_sid, joined.begin()).out);
  out.gpp_sid = joined;
  return true;
}

// --- Device -------------------------------------------------------------------------------------

constexpr Fields kGeo({
    Field<Geo>{"lat", Real<&Geo::lat>},
    {"lon", Real<&Geo::lon>},
    {"country", Text<&Geo::country>},
    {"region", Text<&Geo::region>},
    {"city", Text<&Geo::city>},
    {"metro", Text<&Geo::metro>},
    {"zip", Text<&Geo::zip>},
    {"utcoffset", Number<&Geo::utcoffset, kIntMin>},
    {"type", Number<&Geo::type>},
    {"accuracy", Number<&Geo::accuracy>},
    {"lastfix", Number<&Geo::lastfix>},
});

constexpr int32_t kLargestUtcOffset = 14 * 60;  // minutes: Kiribati

bool ReadGeo(Walk& walk, Element value, const Path& path, Geo& out) {
  if (!ReadObject(walk, value, path, out, kGeo)) return false;
  if (!out.lat || !out.lon || std::fabs(*out.lat) > 90 || std::fabs(*out.lon) > 180) {
    out.lat.reset();
    out.lon.reset();
  }
  if (out.utcoffset && std::abs(int64_t{*out.utcoffset}) > kLargestUtcOffset) out.utcoffset.reset();
  const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
  if (std::any_of(out.country.begin(), out.country.end(), lower)) {
    std::span<char> upper = walk.arena.Array<char>(out.country.size());
    std::transform(out.country.begin(), out.country.end(), upper.begin(),
                   [&](char c) { return lower(c) ? static_cast<char>(c - 'a' + 'A') : c; });
    out.country = {upper.data(), upper.size()};
  }
  return true;
}

constexpr Fields kDevice({
    Field<Device>{"ua", Text<&Device::ua>},
    {"ip", Text<&Device::ip>},
    {"ipv6", Text<&Device::ipv6>},
    {"ifa", Text<&Device::ifa>},
    {"make", Text<&Device::make>},
    {"model", Text<&Device::model>},
    {"os", Text<&Device::os>},
    {"osv", Text<&Device::osv>},
    {"hwv", Text<&Device::hwv>},
    {"language", Text<&Device::language>},
    {"carrier", Text<&Device::carrier>},
    {"mccmnc", Text<&Device::mccmnc>},
    {"devicetype", Number<&Device::devicetype>},
    {"connectiontype", Number<&Device::connectiontype>},
    {"w", Number<&Device::w>},
    {"h", Number<&Device::h>},
    {"ppi", Number<&Device::ppi>},
    {"pxratio", Real<&Device::pxratio>},
    {"js", Number<&Device::js, 0, 1>},
    {"geofetch", Number<&Device::geofetch, 0, 1>},
    {"dnt", AnyFlag<&Device::dnt>},
    {"lmt", AnyFlag<&Device::lmt>},
    {"geo", Object<&Device::geo, ReadGeo>},
});

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool StartsWith(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() && std::equal(lower.begin(), lower.end(), text.begin(),
                                                   [](char a, char b) { return a == Lower(b); });
}

struct OsName {
  std::string_view text;
  Os os;
};
// The first in this order wins, for "iPhone; CPU iPhone OS 10 like Mac OS X" and "Linux; Android
// 12" name two.
constexpr OsName kOsNames[] = {
    {"android", Os::kAndroid}, {"iphone", Os::kIos}, {"ipad", Os::kIos},
    {"ipod", Os::kIos},        {"tvos", Os::kTvos},  {"apple tv", Os::kTvos},
    {"windows", Os::kWindows}, {"mac", Os::kMacos},  {"darwin", Os::kMacos},
    {"linux", Os::kLinux},
};
constexpr size_t kOsNameCount = std::size(kOsNames);
constexpr size_t kMostUa = 512;  // characters of a user agent that are looked at

/// Which letters, as bits, a name begins with.
constexpr uint32_t kOsInitials = [] {
  uint32_t out = 0;
  for (const OsName& name : kOsNames) out |= 1u << (name.text[0] - 'a');
  return out;
}();

Os OsOf(const Device& device) {
  const bool named = !device.os.empty();
  const std::string_view text = (named ? device.os : device.ua).substr(0, kMostUa);
  if (named && text.size() == 3 && StartsWith(text, "ios")) return Os::kIos;
  size_t best = kOsNameCount;
  bool in_word = false;  // names are looked for where words begin
  for (size_t at = 0; at < text.size() && best > 0; ++at) {
    const unsigned letter = static_cast<unsigned>(text[at] | 0x20) - 'a';
    const bool begins = !in_word && letter < 26 && (kOsInitials >> letter & 1) != 0;
    in_word = letter < 26;
    if (!begins) continue;
    for (size_t i = 0; i < best; ++i) {
      if (StartsWith(text.substr(at), kOsNames[i].text)) best = i;
    }
  }
  if (best < kOsNameCount) return kOsNames[best].os;
  return named ? Os::kOther : Os::kUnknown;
}

// --- User, regs, source -------------------------------------------------------------------------

constexpr Fields kUid({
    Field<Uid>{"id", Text<&Uid::id>},
    {"atype", Number<&Uid::atype>},
});
bool ReadUid(Walk& walk, Element value, const Path& path, Uid& out) {
  return ReadObject(walk, value, path, out, kUid);
}

constexpr Fields kEid({
    Field<Eid>{"source", Text<&Eid::source>},
    {"uids", Objects<&Eid::uids, ReadUid>},
});
bool ReadEid(Walk& walk, Element value, const Path& path, Eid& out) {
  return ReadObject(walk, value, path, out, kEid);
}

bool ReadUserExt(Walk& walk, Element value, const Path& path, User& out);

/// Of the 2.6 and the 2.5 places the former, unless it is empty.
bool ReadEids(Walk& walk, Element value, const Path& path, User& out) {
  ads::List<Eid> eids;
  if (!ReadObjects(walk, value, path, eids, ReadEid)) return false;
  if (!eids.empty()) out.eids = eids;
  return true;
}

constexpr Fields kUserExt({
    Field<User>{"consent", OneString<&User::consent>},
    {"eids", ReadEids},
});
constexpr Fields kUser({
    Field<User>{"id", Text<&User::id>},
    {"buyeruid", Text<&User::buyeruid>},
    {"yob", Number<&User::yob>},
    {"gender", Text<&User::gender>},
    {"keywords", ReadKeywords<&User::keywords>},
    {"kwarray", ReadKeywords<&User::keywords>},
    {"customdata", Text<&User::customdata>},
    {"consent", OneString<&User::consent>},
    {"data", Objects<&User::data, ReadData>},
    {"eids", ReadEids},
    {"geo", Object<&User::geo, ReadGeo>},
    {"ext", ReadUserExt},
});

bool ReadUserExt(Walk& walk, Element value, const Path& path, User& out) {
  User old;
  old.consent = out.consent;
  if (!ReadObject(walk, value, path, old, kUserExt)) return false;
  out.consent = old.consent;
  if (out.eids.empty()) out.eids = old.eids;
  return true;
}

// The same in regs and, as in 2.5, in regs.ext.
constexpr Fields kRegsMoved({
    Field<Regs>{"gdpr", AnyFlag<&Regs::gdpr>},
    {"us_privacy", ReadUsPrivacy},
    {"gpp", OneString<&Regs::gpp>},
    {"gpp_sid", ReadGppSid},
});
bool ReadRegsExt(Walk& walk, Element value, const Path& path, Regs& out) {
  return ReadObject(walk, value, path, out, kRegsMoved);
}
constexpr Fields kRegs({
    Field<Regs>{"coppa", AnyFlag<&Regs::coppa>},
    {"ext", ReadRegsExt},
});

constexpr Fields kNode({
    Field<SupplyChainNode>{"asi", Text<&SupplyChainNode::asi>},
    {"sid", Text<&SupplyChainNode::sid>},
    {"rid", Text<&SupplyChainNode::rid>},
    {"name", Text<&SupplyChainNode::name>},
    {"domain", Text<&SupplyChainNode::domain>},
    {"hp", Number<&SupplyChainNode::hp>},
});
bool ReadNode(Walk& walk, Element value, const Path& path, SupplyChainNode& out) {
  return ReadObject(walk, value, path, out, kNode);
}

constexpr Fields kSchain({
    Field<Source>{"complete", Flag<&Source::schain_complete>},
    {"ver", Text<&Source::schain_ver>},
    {"nodes", Objects<&Source::schain, ReadNode>},
});
bool ReadSchain(Walk& walk, Element value, const Path& path, Source& out) {
  if (!value.is_object()) return IsAbsent(value) || walk.Fail(path, "must be an object");
  out.has_schain = true;
  return ReadObject(walk, value, path, out, kSchain);
}

constexpr Fields kSource({
    Field<Source>{"tid", Text<&Source::tid>},
    {"pchain", Text<&Source::pchain>},
    {"fd", Number<&Source::fd, 0, 1>},
    {"schain", ReadSchain},
});
constexpr Fields kSourceExt({
    Field<Source>{"schain", ReadSchain},
});

}  // namespace

bool ReadSite(Walk& walk, Element value, const Path& path, Channel& out) {
  return ReadChannel(walk, value, path, ChannelKind::kSite, out);
}
bool ReadApp(Walk& walk, Element value, const Path& path, Channel& out) {
  return ReadChannel(walk, value, path, ChannelKind::kApp, out);
}
bool ReadDooh(Walk& walk, Element value, const Path& path, Channel& out) {
  return ReadChannel(walk, value, path, ChannelKind::kDooh, out);
}

bool ReadDevice(Walk& walk, Element value, const Path& path, Device& out) {
  if (!ReadObject(walk, value, path, out, kDevice)) return false;
  out.os_kind = OsOf(out);
  return true;
}

bool ReadUser(Walk& walk, Element value, const Path& path, User& out) {
  return ReadObject(walk, value, path, out, kUser);
}

bool ReadRegs(Walk& walk, Element value, const Path& path, Regs& out) {
  return ReadObject(walk, value, path, out, kRegs, kRegsMoved);
}

bool ReadSource(Walk& walk, Element value, const Path& path, Source& out) {
  if (!ReadObject(walk, value, path, out, kSource)) return false;
  Element ext;
  if (out.has_schain || value["ext"].get(ext) != simdjson::SUCCESS) return true;
  return ReadObject(walk, ext, Path{&path, "ext"}, out, kSourceExt);
}

}  // namespace adagents::openrtb
