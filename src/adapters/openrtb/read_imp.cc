// Imp and what hangs below it, but for the inside of native.request.
#include "adapters/openrtb/fields.h"

namespace adagents::openrtb {
namespace {

using ads::Audio, ads::Banner, ads::Deal, ads::DurFloor, ads::Format, ads::Imp, ads::Media,
    ads::Native, ads::Video;

// --- Banner -------------------------------------------------------------------------------------

constexpr Fields kFormat({
    Field<Format>{"w", Number<&Format::w>},
    {"h", Number<&Format::h>},
    {"wratio", Number<&Format::wratio>},
    {"hratio", Number<&Format::hratio>},
    {"wmin", Number<&Format::wmin>},
});

bool ReadFormat(Walk& walk, Element value, const Path& path, Format& out) {
  if (!ReadObject(walk, value, path, out, kFormat)) return false;
  const bool fixed = out.w > 0 && out.h > 0;
  const bool flexible = out.wratio > 0 && out.hratio > 0;
  if (fixed || flexible) return true;
  return walk.Fail(Path{&path, out.w > 0 ? "h" : "w"}, "must give a size: w and h, or a ratio");
}

constexpr Fields kBanner({
    Field<Banner>{"format", Objects<&Banner::format, ReadFormat>},
    {"w", Number<&Banner::w>},
    {"h", Number<&Banner::h>},
    {"btype", Ints<&Banner::btype>},
    {"battr", Ints<&Banner::battr>},
    {"pos", Number<&Banner::pos>},
    {"mimes", Texts<&Banner::mimes>},
    {"topframe", Flag<&Banner::topframe>},
    {"expdir", Ints<&Banner::expdir>},
    {"api", Ints<&Banner::api>},
    {"id", Text<&Banner::id>},
    {"vcm", Number<&Banner::vcm>},
});

bool ReadBanner(Walk& walk, Element value, const Path& path, Banner& out) {
  return ReadObject(walk, value, path, out, kBanner);
}

// --- Video and audio ----------------------------------------------------------------------------

constexpr Fields kDurFloor({
    Field<DurFloor>{"mindur", Number<&DurFloor::mindur>},
    {"maxdur", Number<&DurFloor::maxdur>},
    {"bidfloor", Money<&DurFloor::bidfloor>},
});

bool ReadDurFloor(Walk& walk, Element value, const Path& path, DurFloor& out) {
  return ReadObject(walk, value, path, out, kDurFloor);
}

// {"companionad": [..]} is 2.x; {"companionad": {"banner": [..]}} is a known relic of 2.0.
constexpr size_t kMostCompanions = 64;  // large structs, and nobody shows more

bool ReadCompanions(Walk& walk, Element value, const Path& path, Media& out) {
  Element inner;
  if (value.is_object() && value["banner"].get(inner) == simdjson::SUCCESS) {
    return ReadObjects(walk, inner, Path{&path, "banner"}, out.companionad, ReadBanner,
                       kMostCompanions);
  }
  return ReadObjects(walk, value, path, out.companionad, ReadBanner, kMostCompanions);
}

constexpr Fields kMedia({
    Field<Media>{"mimes", Texts<&Media::mimes>},
    {"minduration", Number<&Media::minduration>},
    {"maxduration", Number<&Media::maxduration>},
    {"rqddurs", Ints<&Media::rqddurs, 1>},
    {"startdelay", Number<&Media::startdelay, -2>},
    {"protocols", Ints<&Media::protocols>},
    {"podid", Text<&Media::podid>},
    {"podseq", Number<&Media::podseq, -1, 1>},
    {"slotinpod", Number<&Media::slotinpod, -1, 2>},
    {"poddur", Number<&Media::poddur>},
    {"maxseq", Number<&Media::maxseq>},
    {"mincpmpersec", Money<&Media::mincpmpersec>},
    {"maxextended", Number<&Media::maxextended, -1>},
    {"minbitrate", Number<&Media::minbitrate>},
    {"maxbitrate", Number<&Media::maxbitrate>},
    {"sequence", Number<&Media::sequence>},
    {"delivery", Ints<&Media::delivery>},
    {"battr", Ints<&Media::battr>},
    {"api", Ints<&Media::api>},
    {"companiontype", Ints<&Media::companiontype>},
    {"companionad", ReadCompanions},
    {"durfloors", Objects<&Media::durfloors, ReadDurFloor>},
});

bool CheckMedia(Walk& walk, const Path& path, const Media& media) {
  if (media.minduration && media.maxduration && *media.minduration > *media.maxduration) {
    return walk.Fail(Path{&path, "minduration"}, "must not exceed maxduration");
  }
  if (media.minbitrate && media.maxbitrate && *media.minbitrate > *media.maxbitrate) {
    return walk.Fail(Path{&path, "minbitrate"}, "must not exceed maxbitrate");
  }
  return true;
}

constexpr Fields kAudio({
    Field<Audio>{"feed", Number<&Audio::feed>},
    {"stitched", Flag<&Audio::stitched>},
    {"nvol", Number<&Audio::nvol>},
});

bool ReadAudio(Walk& walk, Element value, const Path& path, Audio& out) {
  if (!ReadObject(walk, value, path, out, kMedia, kAudio)) return false;
  if (out.mimes.empty()) {
    return walk.Fail(Path{&path, "mimes"}, "must name at least one MIME type");
  }
  return CheckMedia(walk, path, out);
}

constexpr Fields kVideo({
    Field<Video>{"w", Number<&Video::w>},
    {"h", Number<&Video::h>},
    {"placement", Number<&Video::placement>},
    {"plcmt", Number<&Video::plcmt>},
    {"linearity", Number<&Video::linearity>},
    {"skip", Number<&Video::skip, 0, 1>},
    {"skipmin", Number<&Video::skipmin>},
    {"skipafter", Number<&Video::skipafter>},
    {"playbackend", Number<&Video::playbackend>},
    {"pos", Number<&Video::pos>},
    {"boxingallowed", Flag<&Video::boxingallowed>},
    {"playbackmethod", Ints<&Video::playbackmethod>},
    {"poddedupe", Ints<&Video::poddedupe>},
});

bool ReadVideo(Walk& walk, Element value, const Path& path, Video& out) {
  if (!ReadObject(walk, value, path, out, kMedia, kVideo)) return false;
  Element mimes;
  if (out.mimes.empty() && value["mimes"].get(mimes) == simdjson::SUCCESS && !mimes.is_null()) {
    return walk.Fail(Path{&path, "mimes"}, "must name at least one MIME type");
  }
  return CheckMedia(walk, path, out);
}

// --- Native, deals ------------------------------------------------------------------------------

constexpr Fields kNative({
    Field<Native>{"request", Text<&Native::request>},
    {"ver", Text<&Native::ver>},
    {"api", Ints<&Native::api>},
    {"battr", Ints<&Native::battr>},
});

bool ReadNative(Walk& walk, Element value, const Path& path, Native& out) {
  if (!ReadObject(walk, value, path, out, kNative)) return false;
  if (out.request.empty()) return walk.Fail(Path{&path, "request"}, "is required");
  return true;
}

constexpr Fields kDeal({
    Field<Deal>{"id", Text<&Deal::id>},
    {"bidfloor", Money<&Deal::bidfloor>},
    {"bidfloorcur", CurrencyCode<&Deal::bidfloorcur>},
    {"at", Number<&Deal::at>},
    {"guar", Flag<&Deal::guar>},
    {"mincpmpersec", Money<&Deal::mincpmpersec>},
    {"wseat", Texts<&Deal::wseat>},
    {"wadomain", Texts<&Deal::wadomain>},
});

bool ReadDeal(Walk& walk, Element value, const Path& path, Deal& out) {
  if (!ReadObject(walk, value, path, out, kDeal)) return false;
  if (out.id.empty()) return walk.Fail(Path{&path, "id"}, "is required");
  return true;
}

constexpr Fields kPmp({
    Field<Imp>{"private_auction", Flag<&Imp::private_auction>},
    {"deals", Objects<&Imp::deals, ReadDeal>},
});

bool ReadPmp(Walk& walk, Element value, const Path& path, Imp& out) {
  return ReadObject(walk, value, path, out, kPmp);
}

struct Metric {
  ads::Text type;
  std::optional<double> value;
};
constexpr Fields kMetric({
    Field<Metric>{"type", Text<&Metric::type>},
    {"value", Real<&Metric::value>},
});

bool ReadMetric(Walk& walk, Element value, const Path& path, Metric& out) {
  if (!ReadObject(walk, value, path, out, kMetric)) return false;
  if (out.type.empty()) return walk.Fail(Path{&path, "type"}, "is required");
  if (!out.value) return walk.Fail(Path{&path, "value"}, "is required");
  return true;
}

// Metrics are checked, not kept: no agent asks for them yet.
bool CheckMetrics(Walk& walk, Element value, const Path& path, Imp&) {
  ads::List<Metric> unused;
  return ReadObjects(walk, value, path, unused, ReadMetric);
}

constexpr Fields kQty({
    Field<Imp>{"multiplier", Real<&Imp::qty_multiplier>},
});

bool ReadQty(Walk& walk, Element value, const Path& path, Imp& out) {
  if (!ReadObject(walk, value, path, out, kQty)) return false;
  if (out.qty_multiplier.value_or(1) >= 0) return true;
  return walk.Fail(Path{&path, "multiplier"}, "must not be negative");
}

constexpr Fields kImp({
    Field<Imp>{"id", Text<&Imp::id>},
    {"banner", Pointer<&Imp::banner, ReadBanner>},
    {"video", Pointer<&Imp::video, ReadVideo>},
    {"audio", Pointer<&Imp::audio, ReadAudio>},
    {"native", Pointer<&Imp::native, ReadNative>},
    {"pmp", ReadPmp},
    {"metric", CheckMetrics},
    {"qty", ReadQty},
    {"bidfloor", Money<&Imp::bidfloor>},
    {"bidfloorcur", CurrencyCode<&Imp::bidfloorcur>},
    {"tagid", Text<&Imp::tagid>},
    {"displaymanager", Text<&Imp::displaymanager>},
    {"displaymanagerver", Text<&Imp::displaymanagerver>},
    {"instl", Flag<&Imp::instl>},
    {"rwdd", Flag<&Imp::rwdd>},
    {"ssai", Number<&Imp::ssai, 0, 3>},
    {"clickbrowser", Flag<&Imp::clickbrowser>},
    {"secure", Flag<&Imp::secure>},
    {"exp", Number<&Imp::exp>},
});

}  // namespace

bool ReadImp(Walk& walk, Element value, const Path& path, Imp& out) {
  if (!ReadObject(walk, value, path, out, kImp)) return false;
  if (out.id.empty()) return walk.Fail(Path{&path, "id"}, "is required");
  if (out.banner == nullptr && out.video == nullptr && out.audio == nullptr &&
      out.native == nullptr) {
    return walk.Fail(path, "must offer banner, video, audio or native");
  }
  if (out.banner != nullptr && out.banner->format.empty() && !out.instl &&
      (out.banner->w == 0 || out.banner->h == 0)) {
    return walk.Fail(Path{&path, "banner"}, "must give a size: w and h, or format");
  }
  return true;
}

}  // namespace adagents::openrtb
