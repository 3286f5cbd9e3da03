#include "adagents/model/model_store.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "fmt/format.h"

namespace adagents::model {
namespace {

// Made once: an answer that a busy server gives often should not take memory each time.
const absl::Status& NotBegun() {
  static const absl::Status status =
      MakeStatus(absl::StatusCode::kDeadlineExceeded, "a forward pass would not finish in time");
  return status;
}
const absl::Status& NoModel() {
  static const absl::Status status = FailedPrecondition("no model is loaded");
  return status;
}
const absl::Status& NoTrunk() {
  static const absl::Status status = FailedPrecondition("the model has no trunk");
  return status;
}
const absl::Status& NoHead() {
  static const absl::Status status = FailedPrecondition("the model is without that head");
  return status;
}
const absl::Status& OtherTrunk() {
  static const absl::Status status =
      FailedPrecondition("the session's vector is of another trunk than the model's");
  return status;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ModelStore>> ModelStore::Create(ModelStoreOptions options) {
  if (options.clock == nullptr) return InvalidArgument("model store: no clock");
  std::set<std::string_view> names;
  for (const auto& head : options.heads) {
    if (!names.insert(head.name).second) {
      return InvalidArgument(fmt::format("model store: head '{}' is named twice", head.name));
    }
  }
  return std::unique_ptr<ModelStore>(new ModelStore(std::move(options)));
}

ModelStore::ModelStore(ModelStoreOptions options)
    : options_(std::move(options)), models_(std::make_unique<const Served>()) {}

absl::Status ModelStore::Load(const std::string& path) {
  auto model = LoadModel(path, {.token_schema = options_.token_schema});
  absl::Status status = model.ok() ? Replace(*std::move(model)) : model.status();
  (status.ok() ? loaded_ : refused_).fetch_add(1, std::memory_order_relaxed);
  return status;
}

absl::Status ModelStore::Publish(std::unique_ptr<const Model> model) {
  absl::Status status =
      model == nullptr ? InvalidArgument("model store: no model") : Replace(std::move(model));
  (status.ok() ? loaded_ : refused_).fetch_add(1, std::memory_order_relaxed);
  return status;
}

absl::Status ModelStore::Replace(std::unique_ptr<const Model> model) {
  auto served = std::make_unique<Served>();
  const uint64_t schema =
      model->encoder() == nullptr ? TokenSchema().Hash() : model->encoder()->schema().Hash();
  if (schema != options_.token_schema) {
    return FailedPrecondition(
        fmt::format("model: its token schema is {:016x}, this server's {:016x}", schema,
                    options_.token_schema));
  }
  for (const auto& needed : options_.heads) {
    const Head* head = model->head(needed.name);
    if (head == nullptr && !needed.optional) {
      return FailedPrecondition(fmt::format("model: it has no head '{}'", needed.name));
    }
    if (head != nullptr && head->schema().Hash() != needed.schema) {
      return FailedPrecondition(
          fmt::format("model: head '{}' has the schema {:016x}, this server {:016x}", needed.name,
                      head->schema().Hash(), needed.schema));
    }
    served->heads.push_back(head);
  }
  served->model = std::move(model);
  const std::lock_guard<std::mutex> lock(loading_);
  WarmUp(*served);
  return models_.Publish(std::move(served));
}

void ModelStore::WarmUp(const Served& served) {
  // The first pass finds nothing in the caches, the next ones say what a pass takes.
  constexpr int kPasses = 3;
  const Model& model = *served.model;
  SessionVector vector;
  if (const Encoder* encoder = model.encoder(); encoder != nullptr) {
    TokenWindow window;
    for (int i = 0; i < kMaxTokens; ++i) window.Push(TokenSchema::Unknown());
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t begun = options_.clock->Now();
      encoder->Encode(window, &scratch_, &vector);
      if (pass > 0) encode_cost_.Took(options_.clock->Now() - begun);
    }
  }
  constexpr size_t kCandidates = 16;
  for (const Head* head : served.heads) {
    if (head == nullptr) continue;
    // A fact of each field, as a request's candidates have.
    const size_t fields = std::max<size_t>(1, head->schema().fields().size());
    std::vector<HeadEntry> entries;
    for (size_t i = 0; i < kCandidates * fields; ++i) {
      entries.push_back({head->schema().Row(i % fields, 0), 1});
    }
    std::vector<float> out(kCandidates);
    for (int pass = 0; pass < kPasses; ++pass) {
      const int64_t begun = options_.clock->Now();
      (void)head->Score(vector, entries, fields, out);
      if (pass > 0) score_cost_.Took(options_.clock->Now() - begun, kCandidates);
    }
  }
}

ModelStoreStats ModelStore::stats() const {
  ModelStoreStats stats;
  stats.loaded = loaded_.load(std::memory_order_relaxed);
  stats.refused = refused_.load(std::memory_order_relaxed);
  stats.not_begun = not_begun_.load(std::memory_order_relaxed);
  stats.version = models_.version() - 1;  // the first is the empty one
  stats.versions_alive = models_.versions_alive();
  stats.encode_nanos = encode_cost_.nanos();
  stats.score_nanos = score_cost_.nanos();
  return stats;
}

absl::Status ModelStore::Use::Encode(const TokenWindow& window, Deadline deadline,
                                     EncoderScratch* scratch, SessionVector* out) const {
  if (!*this) return NoModel();
  const Encoder* encoder = served_->model->encoder();
  if (encoder == nullptr) return NoTrunk();
  const Clock& clock = *store_->options_.clock;
  const int64_t begun = clock.Now();
  if (!store_->encode_cost_.Fits(deadline, begun)) {
    store_->encode_cost_.PassedOver();
    store_->not_begun_.fetch_add(1, std::memory_order_relaxed);
    return NotBegun();
  }
  encoder->Encode(window, scratch, out);
  store_->encode_cost_.Took(clock.Now() - begun);
  return absl::OkStatus();
}

absl::Status ModelStore::Use::Refresh(const TokenWindow& window, Deadline deadline,
                                      EncoderScratch* scratch, SessionVector* vector) const {
  if (!*this) return NoModel();
  const Encoder* encoder = served_->model->encoder();
  if (encoder == nullptr) return NoTrunk();
  if (vector->trunk == encoder->id()) return absl::OkStatus();
  return Encode(window, deadline, scratch, vector);
}

absl::Status ModelStore::Use::Score(size_t head, const SessionVector& session,
                                    std::span<const HeadEntry> entries, size_t per_candidate,
                                    Deadline deadline, std::span<float> out) const {
  if (!*this) return NoModel();
  if (head >= served_->heads.size()) {
    return InvalidArgument(fmt::format("model store: head {} of {}", head, served_->heads.size()));
  }
  if (!Has(head)) {
    return NoHead();
  }
  const Head& scorer = *served_->heads[head];
  if (scorer.trunk() != 0 && session.trunk != scorer.trunk()) return OtherTrunk();
  const Clock& clock = *store_->options_.clock;
  const int64_t begun = clock.Now();
  const auto candidates = static_cast<int64_t>(entries.size() / std::max<size_t>(1, per_candidate));
  if (!store_->score_cost_.Fits(deadline, begun, candidates)) {
    store_->score_cost_.PassedOver();
    store_->not_begun_.fetch_add(1, std::memory_order_relaxed);
    return NotBegun();
  }
  absl::Status status = scorer.Score(session, entries, per_candidate, out);
  store_->score_cost_.Took(clock.Now() - begun, candidates);
  return status;
}

}  // namespace adagents::model
