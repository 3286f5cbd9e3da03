// What an imp takes, digested once so that judging a creative is a few comparisons.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "adagents/ads/catalog.h"
#include "adagents/ads/request.h"

namespace adagents::ads::internal {

/// Why a creative cannot fill an imp.
enum class Misfit : uint8_t {
  kNone,
  kFormat,
  kProtocols,
  kDelivery,
  kSize,
  kDuration,
  kMime,
  kBitrate,
  kAttribute,
  kLanguage,
  kNativeAssets,
  kNotSecure,  // and nothing else: it would fit
};
/// "duration outside what the imp allows", and so on.
std::string_view Name(Misfit misfit);

/// A size that fits; 0: not sized.
struct FitSize {
  int16_t w = 0, h = 0;
};

/// Thread-compatible. Reading another imp reuses the memory.
class ImpNeeds {
 public:
  /// Keeps a reference to `imp`.
  void Read(const Request& request, const Imp& imp);

  /// kNone when `creative` of `catalog` may fill the imp, with the size that it then has in `size`.
  Misfit Judge(const Catalog& catalog, const CreativeFacts& creative, FitSize* size) const;

  /// Milliseconds of a dynamic pod, 0 when the imp is none; and the most ads in it.
  int64_t pod_ms() const { return pod_ms_; }
  int32_t pod_ads() const { return pod_ads_; }

 private:
  struct MediaNeeds {
    bool wanted = false;
    Misfit all = Misfit::kNone;  // what is wrong with any file of ours
    int64_t min_ms = 0, max_ms = 0;
    absl::InlinedVector<int32_t, 4> exact_ms;  // when not empty, instead of the range
    uint64_t mimes = 0;                        // 0: any
    uint64_t blocked = 0;
    int32_t min_kbps = 0, max_kbps = 0;
  };
  static void ReadMedia(const Media& media, MediaNeeds* needs);
  static Misfit JudgeMedia(const MediaNeeds& needs, const CreativeFacts& creative);
  Misfit JudgeBanner(const CreativeFacts& creative, FitSize* size) const;

  const Native* native_ = nullptr;
  bool banner_ = false, any_size_ = false, secure_ = false;
  absl::InlinedVector<FitSize, 8> sizes_;
  uint64_t banner_mimes_ = 0, banner_blocked_ = 0, native_blocked_ = 0;
  MediaNeeds video_, audio_;
  absl::InlinedVector<uint16_t, 4> languages_;  // allowed; empty: all
  int64_t pod_ms_ = 0;
  int32_t pod_ads_ = 0;
};

}  // namespace adagents::ads::internal
