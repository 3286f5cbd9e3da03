#include "ads/agents/imp_needs.h"

#include <algorithm>
#include <limits>

#include "adagents/ads/media_fit.h"
#include "adagents/ads/native_fit.h"

namespace adagents::ads::internal {
namespace {

constexpr int64_t kMillis = 1000;
// A dynamic pod that does not say how many ads it takes; bounds the work.
constexpr int32_t kMostPodAds = 16;

uint64_t MimeBits(List<Text> mimes) {
  uint64_t bits = 0;
  for (const Text mime : mimes) bits |= Catalog::MimeBit(mime);
  return bits;
}

uint64_t AttributeBits(List<int32_t> attributes) {
  uint64_t bits = 0;
  for (const int32_t a : attributes) {
    if (a > 0 && a < 64) bits |= uint64_t{1} << a;
  }
  return bits;
}

FitSize SizeOf(int32_t w, int32_t h) {
  constexpr int32_t kMost = std::numeric_limits<int16_t>::max();
  return {static_cast<int16_t>(std::clamp(w, 0, kMost)),
          static_cast<int16_t>(std::clamp(h, 0, kMost))};
}

}  // namespace

std::string_view Name(Misfit misfit) {
  switch (misfit) {
    case Misfit::kNone:
      return "fits";
    case Misfit::kFormat:
      return "the imp does not take this format";
    case Misfit::kProtocols:
      return "the imp takes no version of VAST that is written here (protocols)";
    case Misfit::kDelivery:
      return "the imp takes only streams, and it is a file (delivery)";
    case Misfit::kSize:
      return "the imp does not take this size";
    case Misfit::kDuration:
      return "the duration is outside what the imp allows";
    case Misfit::kMime:
      return "the imp does not take this MIME type";
    case Misfit::kBitrate:
      return "the bitrate is outside what the imp allows";
    case Misfit::kAttribute:
      return "the imp blocks a creative attribute of it (battr)";
    case Misfit::kLanguage:
      return "the request does not allow its language (wlang)";
    case Misfit::kNativeAssets:
      return "it lacks an asset that the native imp requires";
    case Misfit::kNotSecure:
      return "the imp takes only https (secure), and not all of it is";
  }
  return "unknown";
}

void ImpNeeds::ReadMedia(const Media& media, MediaNeeds* needs) {
  needs->wanted = true;
  needs->all = BestVast(media.protocols) == VastVersion::kNone ? Misfit::kProtocols
               : TakesFiles(media.delivery)                    ? Misfit::kNone
                                                               : Misfit::kDelivery;
  needs->min_ms = media.minduration.value_or(0) * kMillis;
  needs->max_ms =
      media.maxduration ? *media.maxduration * kMillis : std::numeric_limits<int64_t>::max();
  // An extension beyond maxduration that the player grants; -1: without bound.
  if (media.maxduration && media.maxextended) {
    needs->max_ms = *media.maxextended < 0 ? std::numeric_limits<int64_t>::max()
                                           : needs->max_ms + *media.maxextended * kMillis;
  }
  needs->exact_ms.clear();
  for (const int32_t seconds : media.rqddurs) {
    needs->exact_ms.push_back(
        static_cast<int32_t>(std::min<int64_t>(seconds * kMillis, INT32_MAX)));
  }
  needs->mimes = MimeBits(media.mimes);
  needs->blocked = AttributeBits(media.battr);
  needs->min_kbps = media.minbitrate.value_or(0);
  needs->max_kbps = media.maxbitrate.value_or(std::numeric_limits<int32_t>::max());
}

void ImpNeeds::Read(const Request& request, const Imp& imp) {
  banner_ = imp.banner != nullptr;
  native_ = imp.native;
  any_size_ = false;
  secure_ = imp.secure.value_or(false);
  sizes_.clear();
  if (banner_) {
    for (const Format& f : imp.banner->format) {
      if (f.w > 0 && f.h > 0) sizes_.push_back(SizeOf(f.w, f.h));
    }
    if (sizes_.empty() && imp.banner->w > 0 && imp.banner->h > 0) {
      sizes_.push_back(SizeOf(imp.banner->w, imp.banner->h));
    }
    any_size_ = sizes_.empty();
    banner_mimes_ = MimeBits(imp.banner->mimes);
    banner_blocked_ = AttributeBits(imp.banner->battr);
  }
  if (native_ != nullptr) native_blocked_ = AttributeBits(imp.native->battr);
  video_.wanted = audio_.wanted = false;
  pod_ms_ = 0;
  pod_ads_ = 0;
  if (imp.video != nullptr) ReadMedia(*imp.video, &video_);
  if (imp.audio != nullptr) ReadMedia(*imp.audio, &audio_);
  const Media* media = imp.media();
  if (media != nullptr && media->poddur && *media->poddur > 0) {
    pod_ms_ = *media->poddur * kMillis;
    pod_ads_ = std::clamp(media->maxseq.value_or(kMostPodAds), 1, kMostPodAds);
  }
  languages_.clear();
  for (const Text language : request.wlang) {
    if (const uint16_t packed = PackLanguage(language); packed != 0) languages_.push_back(packed);
  }
}

Misfit ImpNeeds::JudgeMedia(const MediaNeeds& needs, const CreativeFacts& c) {
  if (!needs.wanted) return Misfit::kFormat;
  if (needs.all != Misfit::kNone) return needs.all;
  if (needs.exact_ms.empty()) {
    if (c.duration_ms < needs.min_ms || c.duration_ms > needs.max_ms) return Misfit::kDuration;
  } else if (std::find(needs.exact_ms.begin(), needs.exact_ms.end(), c.duration_ms) ==
             needs.exact_ms.end()) {
    return Misfit::kDuration;
  }
  if (needs.mimes != 0 && c.mime_bits != 0 && (needs.mimes & c.mime_bits) == 0) {
    return Misfit::kMime;
  }
  if (c.bitrate_kbps != 0 && (c.bitrate_kbps < needs.min_kbps || c.bitrate_kbps > needs.max_kbps)) {
    return Misfit::kBitrate;
  }
  return (needs.blocked & c.attr_bits) != 0 ? Misfit::kAttribute : Misfit::kNone;
}

Misfit ImpNeeds::JudgeBanner(const CreativeFacts& c, FitSize* size) const {
  if (!banner_) return Misfit::kFormat;
  *size = {c.w, c.h};
  if (!any_size_) {
    const auto fits = [&](FitSize s) {
      return (c.w == 0 || c.w == s.w) && (c.h == 0 || c.h == s.h);
    };
    const auto hit = std::find_if(sizes_.begin(), sizes_.end(), fits);
    if (hit == sizes_.end()) return Misfit::kSize;
    *size = *hit;
  }
  if (banner_mimes_ != 0 && c.mime_bits != 0 && (banner_mimes_ & c.mime_bits) == 0) {
    return Misfit::kMime;
  }
  return (banner_blocked_ & c.attr_bits) != 0 ? Misfit::kAttribute : Misfit::kNone;
}

Misfit ImpNeeds::Judge(const Catalog& catalog, const CreativeFacts& c, FitSize* size) const {
  *size = {};
  Misfit misfit = Misfit::kFormat;
  switch (c.format) {
    case MarkupType::kBanner:
      misfit = JudgeBanner(c, size);
      break;
    case MarkupType::kVideo:
      misfit = JudgeMedia(video_, c);
      *size = {c.w, c.h};
      break;
    case MarkupType::kAudio:
      misfit = JudgeMedia(audio_, c);
      break;
    case MarkupType::kNative:
      if (native_ == nullptr) break;
      misfit = (native_blocked_ & c.attr_bits) != 0 ? Misfit::kAttribute : Misfit::kNone;
      if (misfit == Misfit::kNone &&
          !CanFill(*native_, catalog.campaign(c.campaign), catalog.creative(c))) {
        misfit = Misfit::kNativeAssets;
      }
      break;
    case MarkupType::kUnset:
      break;
  }
  if (misfit != Misfit::kNone) return misfit;
  const bool language_fits =
      languages_.empty() || c.language == 0 ||
      std::find(languages_.begin(), languages_.end(), c.language) != languages_.end();
  if (!language_fits) return Misfit::kLanguage;
  return secure_ && !c.secure ? Misfit::kNotSecure : Misfit::kNone;
}

}  // namespace adagents::ads::internal
