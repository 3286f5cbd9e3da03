// A trunk with the heads that were trained on it, and the file they are kept in. Trunk and heads
// are one file and replaced as one, so that no head ever reads vectors of a trunk it does not know.
//
//   auto model = LoadModel("team.model", {.token_schema = schema.Hash()});
//   if (!model.ok()) ...                     // names the file and what is wrong with it
//   const Head* click = (*model)->head("click");
//
// The file, little-endian:
//   0   8 bytes  "ADMODEL\n"
//   8   u32 x 2  version of the format, now 2; 0
//   16  u64 x 4  bytes of the file; TokenSchema::Hash(); heads; 0
//   48  16 bytes XXH3-128 of everything before and after these bytes
//   64  the contents
// Size, magic, version and digest are checked before anything else is read, and every length in the
// contents against what is left: a file that was cut short, prolonged or changed in any bit is
// refused. The digest finds damage; against somebody who writes model files on purpose, the file's
// permissions have to help. (XXH3 and not a cryptographic hash, so that serving a model needs no
// cryptographic library.)
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "adagents/base/status.h"
#include "adagents/model/encoder.h"
#include "adagents/model/head.h"

namespace adagents::model {

/// Immutable; thread-safe.
class Model {
 public:
  using Heads = std::map<std::string, Head, std::less<>>;

  /// InvalidArgument when a head has no name or one of over 100 bytes, or was trained on another
  /// trunk than `encoder`, or is of another width. Without an encoder heads must have been trained
  /// without one. `note`: what people should know of the training, at most 64 KiB.
  static absl::StatusOr<std::unique_ptr<const Model>> Create(std::optional<Encoder> encoder,
                                                             Heads heads, std::string note = {});

  /// Null when there is none.
  [[nodiscard]] const Encoder* encoder() const { return encoder_ ? &*encoder_ : nullptr; }
  [[nodiscard]] const Head* head(std::string_view name) const {
    const auto at = heads_.find(name);
    return at == heads_.end() ? nullptr : &at->second;
  }
  [[nodiscard]] const Heads& heads() const { return heads_; }
  [[nodiscard]] const std::string& note() const { return note_; }

  /// The bytes of its file.
  [[nodiscard]] std::string Serialize() const;
  /// Writes it beside `path`, makes that durable and renames it, so that a reader of `path` sees
  /// the old file or the new one, whole. Unavailable with the system's reason when that fails.
  [[nodiscard]] absl::Status Save(const std::string& path) const;

 private:
  Model() = default;
  std::optional<Encoder> encoder_;
  Heads heads_;
  std::string note_;
};

struct LoadOptions {
  /// TokenSchema::Hash() of what the server makes tokens by: other files are foreign. nullopt: any.
  std::optional<uint64_t> token_schema = {};
  size_t max_bytes = size_t{1} << 30;
};

/// DataLoss when `bytes` are damaged: not a model file, cut short, changed. FailedPrecondition when
/// they are whole but of another version or schema. Thread-safe.
absl::StatusOr<std::unique_ptr<const Model>> ParseModel(std::string_view bytes,
                                                        const LoadOptions& options = {});
/// The same for a file, whose path the error names; NotFound or Unavailable when it cannot be read.
absl::StatusOr<std::unique_ptr<const Model>> LoadModel(const std::string& path,
                                                       const LoadOptions& options = {});

}  // namespace adagents::model
