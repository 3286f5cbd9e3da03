#include "adagents/model/model.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

#include "fmt/format.h"
#include "model/model_file.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace adagents::model {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::string_view kMagic = "ADMODEL\n";
constexpr uint32_t kVersion = 2;
constexpr size_t kDigestAt = 48, kHeaderBytes = 64;
constexpr size_t kMaxNote = 64 << 10, kMaxName = 100, kMaxHeads = 1000;

struct Digest {
  uint64_t low, high;
  bool operator==(const Digest&) const = default;
};

/// Of everything but the place of the digest itself.
Digest DigestOf(std::string_view file) {
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, file.data(), kDigestAt);
  XXH3_128bits_update(&state, file.data() + kHeaderBytes, file.size() - kHeaderBytes);
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return {hash.low64, hash.high64};
}

class Writer {
 public:
  template <class T>
  void Put(T value) {
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    out_.append(bytes, sizeof(T));
  }
  void Text(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    out_ += text;
  }
  void Floats(std::span<const float> floats) {
    Put(static_cast<uint64_t>(floats.size()));
    out_.append(reinterpret_cast<const char*>(floats.data()), floats.size_bytes());
  }
  std::string& out() { return out_; }

 private:
  std::string out_;
};

/// Takes values from the front. Once there is too little, everything is empty and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  template <class T>
  T Take() {
    T value{};
    if (const std::string_view bytes = Bytes(sizeof(T)); ok_) {
      std::memcpy(&value, bytes.data(), sizeof(T));
    }
    return value;
  }
  std::string Text(size_t most) {
    const auto size = Take<uint32_t>();
    if (size > most) ok_ = false;
    return std::string(Bytes(size));
  }
  std::vector<float> Floats() {
    const auto count = Take<uint64_t>();
    if (count > left_.size() / sizeof(float)) ok_ = false;
    const std::string_view bytes = Bytes(ok_ ? count * sizeof(float) : 0);
    std::vector<float> floats(bytes.size() / sizeof(float));
    if (!floats.empty()) std::memcpy(floats.data(), bytes.data(), bytes.size());
    return floats;
  }
  /// A number of things that take at least a byte each.
  size_t Count(size_t most) {
    const auto count = Take<uint32_t>();
    if (count > most || count > left_.size()) ok_ = false;
    return ok_ ? count : 0;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] size_t left() const { return left_.size(); }

 private:
  std::string_view Bytes(size_t count) {
    if (!ok_ || count > left_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view bytes = left_.substr(0, count);
    left_.remove_prefix(count);
    return bytes;
  }
  std::string_view left_;
  bool ok_ = true;
};

void PutEncoder(Writer& to, const Encoder& encoder) {
  const TokenSchema& schema = encoder.schema();
  to.Put(static_cast<uint32_t>(schema.categories().size()));
  for (const auto& c : schema.categories()) {
    to.Text(c.name);
    to.Put(static_cast<int32_t>(c.size));
  }
  to.Put(static_cast<uint32_t>(schema.numbers().size()));
  for (const auto& n : schema.numbers()) {
    to.Text(n.name);
    to.Put(n.low);
    to.Put(n.high);
  }
  const EncoderShape& s = encoder.shape();
  for (const int part : {s.width, s.layers, s.heads, s.feed_forward, s.tokens}) {
    to.Put(static_cast<int32_t>(part));
  }
  to.Floats(encoder.weights());
}

absl::StatusOr<Encoder> TakeEncoder(Reader& from) {
  std::vector<TokenSchema::Category> categories(from.Count(kMaxCategories));
  for (auto& c : categories) {
    c.name = from.Text(kMaxName);
    c.size = from.Take<int32_t>();
  }
  std::vector<TokenSchema::Number> numbers(from.Count(kMaxNumbers));
  for (auto& n : numbers) {
    n.name = from.Text(kMaxName);
    n.low = from.Take<float>();
    n.high = from.Take<float>();
  }
  EncoderShape s;
  for (int* part : {&s.width, &s.layers, &s.heads, &s.feed_forward, &s.tokens}) {
    *part = from.Take<int32_t>();
  }
  std::vector<float> weights = from.Floats();
  if (!from.ok()) return DataLoss("the trunk does not end where it should");
  return Encoder::Create(TokenSchema(std::move(categories), std::move(numbers)), s,
                         std::move(weights));
}

void PutHead(Writer& to, std::string_view name, const Head& head) {
  to.Text(name);
  to.Put(head.trunk());
  to.Put(static_cast<uint32_t>(head.schema().fields().size()));
  for (const auto& field : head.schema().fields()) {
    to.Text(field.name);
    to.Put(static_cast<int32_t>(field.size));
  }
  to.Put(static_cast<int32_t>(head.shape().width));
  to.Put(static_cast<int32_t>(head.shape().hidden));
  const HeadWeights& w = head.weights();
  for (const auto* part : {&w.table, &w.session, &w.bias, &w.out}) to.Floats(*part);
  for (const float value : {w.out_bias, w.slope, w.intercept}) to.Put(value);
}

absl::StatusOr<Head> TakeHead(Reader& from) {
  const auto trunk = from.Take<uint64_t>();
  std::vector<HeadSchema::Field> fields(from.Count(64));
  for (auto& field : fields) {
    field.name = from.Text(kMaxName);
    field.size = from.Take<int32_t>();
  }
  HeadShape shape;
  shape.width = from.Take<int32_t>();
  shape.hidden = from.Take<int32_t>();
  HeadWeights w;
  for (auto* part : {&w.table, &w.session, &w.bias, &w.out}) *part = from.Floats();
  for (float* value : {&w.out_bias, &w.slope, &w.intercept}) *value = from.Take<float>();
  if (!from.ok()) return DataLoss("a head does not end where it should");
  return Head::Create(HeadSchema(std::move(fields)), shape, std::move(w), trunk);
}

uint64_t TokenSchemaOf(const Encoder* encoder) {
  return encoder == nullptr ? TokenSchema().Hash() : encoder->schema().Hash();
}

absl::StatusOr<std::unique_ptr<const Model>> TakeModel(std::string_view contents, size_t heads) {
  Reader from(contents);
  std::optional<Encoder> encoder;
  if (from.Take<uint32_t>() != 0) {
    auto taken = TakeEncoder(from);
    if (!taken.ok()) return taken.status();
    encoder.emplace(*std::move(taken));
  }
  Model::Heads by_name;
  for (size_t i = 0; i < heads; ++i) {
    std::string name = from.Text(kMaxName);
    auto head = TakeHead(from);
    if (!head.ok()) return head.status();
    if (!by_name.emplace(std::move(name), *std::move(head)).second) {
      return DataLoss("two heads have the same name");
    }
  }
  std::string note = from.Text(kMaxNote);
  if (!from.ok() || from.left() != 0) return DataLoss("the contents do not end where they should");
  return Model::Create(std::move(encoder), std::move(by_name), std::move(note));
}

absl::Status System(std::string_view what, const std::string& path) {
  const int error = errno;
  const std::string text = fmt::format("model file {}: cannot {}: {}", path, what,
                                       std::generic_category().message(error));
  return error == ENOENT ? NotFound(text) : Unavailable(text);
}

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

}  // namespace

std::string SealModel(std::string bytes) {
  const uint64_t size = bytes.size();
  std::memcpy(bytes.data() + 16, &size, sizeof(size));
  const Digest digest = DigestOf(bytes);
  std::memcpy(bytes.data() + kDigestAt, &digest, sizeof(digest));
  return bytes;
}

absl::StatusOr<std::unique_ptr<const Model>> Model::Create(std::optional<Encoder> encoder,
                                                           Heads heads, std::string note) {
  if (note.size() > kMaxNote) {
    return InvalidArgument(
        fmt::format("model: a note of {} bytes, at most {}", note.size(), kMaxNote));
  }
  if (heads.size() > kMaxHeads) {
    return InvalidArgument(fmt::format("model: {} heads, at most {}", heads.size(), kMaxHeads));
  }
  for (const auto& [name, head] : heads) {
    if (name.empty() || name.size() > kMaxName) {
      return InvalidArgument("model: a head has no name, or one of over 100 bytes");
    }
    if (head.trunk() == 0) continue;
    if (!encoder.has_value() || head.trunk() != encoder->id()) {
      return InvalidArgument(
          fmt::format("model: head '{}' was trained on trunk {:016x}, this one is {:016x}", name,
                      head.trunk(), encoder.has_value() ? encoder->id() : 0));
    }
    if (head.shape().width != encoder->shape().width) {
      return InvalidArgument(
          fmt::format("model: head '{}' is for vectors of {}, the trunk's have {}", name,
                      head.shape().width, encoder->shape().width));
    }
  }
  std::unique_ptr<Model> model(new Model);
  model->encoder_ = std::move(encoder);
  model->heads_ = std::move(heads);
  model->note_ = std::move(note);
  return std::unique_ptr<const Model>(std::move(model));
}

std::string Model::Serialize() const {
  Writer to;
  to.out() = kMagic;
  to.Put(kVersion);
  to.Put(uint32_t{0});
  to.Put(uint64_t{0});  // the size, below
  to.Put(TokenSchemaOf(encoder()));
  to.Put(static_cast<uint64_t>(heads_.size()));
  to.Put(uint64_t{0});
  to.Put(Digest{});  // below
  to.Put(static_cast<uint32_t>(encoder_.has_value()));
  if (encoder_) PutEncoder(to, *encoder_);
  for (const auto& [name, head] : heads_) PutHead(to, name, head);
  to.Text(note_);
  return SealModel(std::move(to.out()));
}

absl::Status Model::Save(const std::string& path) const {
  const std::string bytes = Serialize();
  std::string beside = path + ".XXXXXX";
  const File file(::mkostemp(beside.data(), O_CLOEXEC));
  if (file.get() < 0) return System("be made", beside);
  const auto fail = [&](std::string_view what) {
    absl::Status status = System(what, beside);
    ::unlink(beside.c_str());
    return status;
  };
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t wrote = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return fail("be written");
    done += static_cast<size_t>(wrote);
  }
  if (::fchmod(file.get(), 0644) != 0) return fail("be made readable");
  if (::fsync(file.get()) != 0) return fail("be made durable");
  if (::rename(beside.c_str(), path.c_str()) != 0) return fail("be renamed");
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<const Model>> ParseModel(std::string_view bytes,
                                                        const LoadOptions& options) {
  if (bytes.substr(0, kMagic.size()) != kMagic) return DataLoss("not a model file");
  if (bytes.size() < kHeaderBytes) return DataLoss("cut short within the header");
  Reader header(bytes.substr(kMagic.size(), kHeaderBytes - kMagic.size()));
  const auto version = header.Take<uint32_t>();
  const auto zero = header.Take<uint32_t>();
  const auto size = header.Take<uint64_t>();
  const auto schema = header.Take<uint64_t>();
  const auto heads = header.Take<uint64_t>();
  const auto zeros = header.Take<uint64_t>();
  const auto digest = header.Take<Digest>();
  if (version != kVersion) {
    return FailedPrecondition(
        fmt::format("format version {}, this library reads {}", version, kVersion));
  }
  if (size != bytes.size()) {
    return DataLoss(fmt::format("{} bytes where its header says {}", bytes.size(), size));
  }
  if (!(DigestOf(bytes) == digest)) return DataLoss("damaged: the digest does not match");
  if (zero != 0 || zeros != 0 || heads > kMaxHeads) return DataLoss("the header is not possible");
  if (options.token_schema.has_value() && *options.token_schema != schema) {
    return FailedPrecondition(
        fmt::format("foreign: its token schema is {:016x}, this server's {:016x}", schema,
                    *options.token_schema));
  }
  auto model = TakeModel(bytes.substr(kHeaderBytes), heads);
  if (model.ok() && TokenSchemaOf((*model)->encoder()) != schema) {
    return DataLoss("the header's token schema is not that of the contents");
  }
  return model;
}

absl::StatusOr<std::unique_ptr<const Model>> LoadModel(const std::string& path,
                                                       const LoadOptions& options) {
  const File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return System("be opened", path);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return System("be looked at", path);
  if (!S_ISREG(about.st_mode)) {
    return InvalidArgument(fmt::format("model file {}: not a regular file", path));
  }
  const auto size = static_cast<uint64_t>(about.st_size);
  if (size > options.max_bytes) {
    return ResourceExhausted(
        fmt::format("model file {}: {} bytes, at most {}", path, size, options.max_bytes));
  }
  std::string bytes(size, '\0');
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return System("be read", path);
    if (got == 0) break;  // cut short meanwhile: its header knows better
    done += static_cast<size_t>(got);
  }
  bytes.resize(done);
  auto model = ParseModel(bytes, options);
  if (!model.ok()) {
    return MakeStatus(model.status().code(),
                      fmt::format("model file {}: {}", path, Message(model.status())));
  }
  return model;
}

}  // namespace adagents::model
