// The inside of native.request: OpenRTB Dynamic Native Ads API 1.2.
#include <algorithm>

#include "adapters/openrtb/fields.h"

namespace adagents::openrtb {
namespace {

using ads::Native, ads::NativeAsset, ads::NativeAssetKind, ads::NativeEventTracker;

constexpr int32_t kExchangeSpecific = 500;  // lists may be extended from here on

bool Listed(const ads::Int& value, int32_t first, int32_t last) {
  return !value || (*value >= first && *value <= last) || *value >= kExchangeSpecific;
}

// --- Assets -------------------------------------------------------------------------------------

struct RawAsset : NativeAsset {
  bool has_id = false;
  int kinds = 0;
};

constexpr Fields kTitle({
    Field<NativeAsset>{"len", Number<&NativeAsset::len, 1>},
});
constexpr Fields kImage({
    Field<NativeAsset>{"type", Number<&NativeAsset::type, 1>},
    {"w", Number<&NativeAsset::w>},
    {"h", Number<&NativeAsset::h>},
    {"wmin", Number<&NativeAsset::wmin>},
    {"hmin", Number<&NativeAsset::hmin>},
    {"mimes", Texts<&NativeAsset::mimes>},
});
constexpr Fields kVideo({
    Field<NativeAsset>{"mimes", Texts<&NativeAsset::mimes>},
    {"minduration", Number<&NativeAsset::minduration>},
    {"maxduration", Number<&NativeAsset::maxduration>},
    {"protocols", Ints<&NativeAsset::protocols>},
});
constexpr Fields kData({
    Field<NativeAsset>{"type", Number<&NativeAsset::type>},
    {"len", Number<&NativeAsset::len, 1>},
});

bool Required(Walk& walk, const Path& path, std::string_view key, bool present) {
  return present || walk.Fail(Path{&path, key}, "is required");
}

bool ReadTitle(Walk& walk, Element value, const Path& path, RawAsset& out) {
  out.kind = NativeAssetKind::kTitle;
  ++out.kinds;
  return ReadObject(walk, value, path, out, kTitle) &&
         Required(walk, path, "len", out.len.has_value());
}
bool ReadImage(Walk& walk, Element value, const Path& path, RawAsset& out) {
  out.kind = NativeAssetKind::kImage;
  ++out.kinds;
  if (!ReadObject(walk, value, path, out, kImage)) return false;
  return Listed(out.type, 1, 3) || walk.Fail(Path{&path, "type"}, "is not a listed image type");
}
bool ReadVideo(Walk& walk, Element value, const Path& path, RawAsset& out) {
  out.kind = NativeAssetKind::kVideo;
  ++out.kinds;
  return ReadObject(walk, value, path, out, kVideo) &&
         Required(walk, path, "mimes", !out.mimes.empty()) &&
         Required(walk, path, "minduration", out.minduration.has_value()) &&
         Required(walk, path, "maxduration", out.maxduration.has_value()) &&
         Required(walk, path, "protocols", !out.protocols.empty());
}
bool ReadData(Walk& walk, Element value, const Path& path, RawAsset& out) {
  out.kind = NativeAssetKind::kData;
  ++out.kinds;
  if (!ReadObject(walk, value, path, out, kData)) return false;
  if (!Required(walk, path, "type", out.type.has_value())) return false;
  return Listed(out.type, 1, 12) || walk.Fail(Path{&path, "type"}, "is not a listed data type");
}

bool ReadAssetId(Walk& walk, Element value, const Path& path, RawAsset& out) {
  out.has_id = true;
  return ReadInt(walk, value, path, 0, kIntMax, out.id);
}

constexpr Fields kAsset({
    Field<RawAsset>{"id", ReadAssetId},
    {"required", Flag<&RawAsset::required>},
    {"title", ReadTitle},
    {"img", ReadImage},
    {"video", ReadVideo},
    {"data", ReadData},
});

bool ReadAsset(Walk& walk, Element value, const Path& path, RawAsset& out) {
  if (!ReadObject(walk, value, path, out, kAsset)) return false;
  if (out.kinds == 1) return true;
  return walk.Fail(path, "must be exactly one of title, img, video and data");
}

/// Exchanges that give no asset an id count on their order, as Native 1.0 did: 0, 1, 2...
bool ReadAssets(Walk& walk, Element value, const Path& path, Native& out) {
  ads::List<RawAsset> raw;
  constexpr size_t kMostAssets = 64;  // compared in pairs below
  if (!ReadObjects(walk, value, path, raw, ReadAsset, kMostAssets)) return false;
  std::span<NativeAsset> assets = walk.arena.Array<NativeAsset>(raw.size());
  for (size_t i = 0; i < raw.size(); ++i) {
    const Path at{&path, {}, i};
    const Path id{&at, "id"};
    if (raw[i].has_id != raw[0].has_id) {
      return walk.Fail(raw[i].has_id ? Path{&path, {}, 0} : id,
                       "some assets have an id, some none");
    }
    assets[i] = raw[i];
    if (!raw[i].has_id) assets[i].id = static_cast<int32_t>(i);
    for (size_t j = 0; j < i; ++j) {
      if (assets[j].id == assets[i].id) return walk.Fail(id, "is not unique");
    }
  }
  out.assets = assets;
  return true;
}

// --- Event trackers and the whole ---------------------------------------------------------------

constexpr Fields kTracker({
    Field<NativeEventTracker>{"event", Number<&NativeEventTracker::event>},
    {"methods", Ints<&NativeEventTracker::methods>},
});
bool ReadTracker(Walk& walk, Element value, const Path& path, NativeEventTracker& out) {
  if (!ReadObject(walk, value, path, out, kTracker)) return false;
  if (out.event == 0) return walk.Fail(Path{&path, "event"}, "is required");
  if (!Listed(out.event, 1, 4)) return walk.Fail(Path{&path, "event"}, "is not a listed event");
  if (out.methods.empty())
    return walk.Fail(Path{&path, "methods"}, "must name at least one method");
  const Path methods{&path, "methods"};
  for (size_t i = 0; i < out.methods.size(); ++i) {
    if (!Listed(out.methods[i], 1, 2)) {
      return walk.Fail(Path{&methods, {}, i}, "is not a listed tracking method");
    }
  }
  return true;
}

constexpr Fields kNative({
    Field<Native>{"ver", Text<&Native::ver>},
    {"context", Number<&Native::context>},
    {"contextsubtype", Number<&Native::contextsubtype>},
    {"plcmttype", Number<&Native::plcmttype>},
    {"plcmtcnt", Number<&Native::plcmtcnt>},
    {"privacy", Flag<&Native::privacy>},
    {"assets", ReadAssets},
    {"eventtrackers", Objects<&Native::eventtrackers, ReadTracker>},
});

bool CheckContext(Walk& walk, const Path& path, const Native& native) {
  if (!Listed(native.context, 1, 3)) {
    return walk.Fail(Path{&path, "context"}, "is not a listed context type");
  }
  if (!Listed(native.plcmttype, 1, 4)) {
    return walk.Fail(Path{&path, "plcmttype"}, "is not a listed placement type");
  }
  if (!native.contextsubtype || *native.contextsubtype >= kExchangeSpecific) return true;
  const int32_t sub = *native.contextsubtype;
  const bool content = sub >= 10 && sub <= 15;
  const bool social = sub >= 20 && sub <= 22;
  const bool product = sub >= 30 && sub <= 32;
  const Path here{&path, "contextsubtype"};
  if (!content && !social && !product) return walk.Fail(here, "is not a listed context sub type");
  if (native.context && *native.context < kExchangeSpecific && *native.context != sub / 10) {
    return walk.Fail(here, "does not belong to its context");
  }
  return true;
}

}  // namespace

bool ReadNativeRequest(Walk& walk, TextParser& parser, const Path& path, Native& native) {
  const Path here{&path, "request"};
  Element root;
  std::string error;
  if (!parser.Parse(native.request, &root, &error)) {
    return walk.Fail(here, error);
  }
  Element inner;  // 1.0 and many exchanges wrap it in {"native": ...}
  if (!root.is_object()) return walk.Fail(here, "must be an object");
  if (root["native"].get(inner) == simdjson::SUCCESS && inner.is_object()) root = inner;
  walk.copy_text = true;  // the next native.request overwrites this one's document
  const bool ok = ReadObject(walk, root, here, native, kNative);
  walk.copy_text = false;
  if (!ok) return false;
  if (native.assets.empty()) {
    return walk.Fail(Path{&here, "assets"}, "must contain at least one asset");
  }
  return CheckContext(walk, here, native);
}

}  // namespace adagents::openrtb
