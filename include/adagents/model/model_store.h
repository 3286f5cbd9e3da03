// The model that a server uses now, replaced while it serves. Every request pins one version and
// computes on it to its end; a file that is damaged or foreign is refused, and the old model serves
// on. A forward pass that would not finish by the deadline is not begun.
//
//   auto store = ModelStore::Create({.token_schema = schema.Hash(), .heads = {{"click", hash}}});
//   (*store)->Load("team.model");                      // again whenever there is a new file
//   ...
//   ModelStore::Use use = (*store)->Pin();             // for one call of an agent
//   SessionVector vector = ...;                        // from the blackboard
//   use.Refresh(window, ctx.deadline(), &scratch, &vector);  // only if it is of an older trunk
//   use.Score(0, vector, entries, 2, ctx.deadline(), probabilities);
//
// Requests are not batched across threads: a trunk's pass takes some microseconds for one window
// and hardly less for each of many (bench/encoder_bench.cc), which is less than a hand-over between
// threads, so waiting for others could only lengthen the tail.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "adagents/base/clock.h"
#include "adagents/base/deadline.h"
#include "adagents/blackboard/snapshot.h"
#include "adagents/model/model.h"

namespace adagents::model {

/// What a unit of a kind of forward pass costs (a window, a candidate), from what it cost: quick to
/// rise, slow to fall, so that it stands for the slow ones. Thread-safe, lock-free.
class ForwardCost {
 public:
  /// Whether `units` begun at `now` are expected to be finished in a half of the time that is left.
  [[nodiscard]] bool Fits(Deadline deadline, int64_t now, int64_t units = 1) const {
    return deadline.infinite() || deadline.Left(now) / 2 > nanos() * std::max<int64_t>(1, units);
  }
  /// `units` took `spent` nanoseconds. An outlier, such as the thread being put aside, raises the
  /// expectation by half at most.
  void Took(int64_t spent, int64_t units = 1) {
    const int64_t each = spent / std::max<int64_t>(1, units);
    const int64_t before = nanos();
    int64_t after = before - (before - each) / 64;
    if (each > before) after = before == 0 ? each : std::min(each, before + before / 2 + 1);
    nanos_.store(after, std::memory_order_relaxed);  // one of two that meet is lost: harmless
  }
  /// One was not begun. The expectation falls a little: else, once too high, it would stay so, for
  /// what never runs is never measured.
  void PassedOver() {
    const int64_t before = nanos();
    nanos_.store(before - (before + 63) / 64, std::memory_order_relaxed);
  }
  [[nodiscard]] int64_t nanos() const { return nanos_.load(std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> nanos_{0};
};

struct ModelStoreOptions {
  struct NeededHead {
    std::string name;
    uint64_t schema = 0;    ///< HeadSchema::Hash() of what the agent makes entries by
    bool optional = false;  ///< a model may be without it: Score() is then FailedPrecondition
  };
  /// TokenSchema::Hash() of what the server makes tokens by.
  uint64_t token_schema = 0;
  /// Heads that every model must have, but for the optional ones; agents name them by their place
  /// here.
  std::vector<NeededHead> heads;
  const Clock* clock = &SystemClock::Get();
};

struct ModelStoreStats {
  uint64_t loaded = 0;
  uint64_t refused = 0;
  uint64_t not_begun = 0;    ///< passes for which there was not enough time
  uint64_t version = 0;      ///< grows by one with each model; 0: none yet
  int versions_alive = 0;    ///< in memory, with those that a request still uses
  int64_t encode_nanos = 0;  ///< that a window's pass is expected to take
  int64_t score_nanos = 0;   ///< that each candidate of a batch is expected to take
};

/// Thread-safe. Must outlive its uses.
class ModelStore {
  struct Served {
    std::unique_ptr<const Model> model;
    std::vector<const Head*> heads;
  };

 public:
  /// One version of the model, for as long as this lives. Each belongs to one thread.
  class Use {
   public:
    /// False before the first model was loaded; everything then is FailedPrecondition.
    explicit operator bool() const { return served_ && served_->model != nullptr; }
    [[nodiscard]] uint64_t version() const { return served_.version() - 1; }
    [[nodiscard]] const Model& model() const { return *served_->model; }

    /// As Encoder::Encode() for one window. DeadlineExceeded, and nothing begun, when it would not
    /// be finished in time; FailedPrecondition when there is no trunk. Never allocates.
    absl::Status Encode(const TokenWindow& window, Deadline deadline, EncoderScratch* scratch,
                        SessionVector* out) const;
    /// Whether this model has ModelStoreOptions::heads[head].
    [[nodiscard]] bool Has(size_t head) const {
      return *this && head < served_->heads.size() && served_->heads[head] != nullptr;
    }
    /// Encode(), if `vector` is of another trunk than this model's.
    absl::Status Refresh(const TokenWindow& window, Deadline deadline, EncoderScratch* scratch,
                         SessionVector* vector) const;
    /// As Head::Score() of ModelStoreOptions::heads[head], for all candidates at once.
    /// DeadlineExceeded, and nothing begun, when it would not be finished in time;
    /// FailedPrecondition when `session` is of another trunk: call Refresh() first. Allocates only
    /// for InvalidArgument.
    absl::Status Score(size_t head, const SessionVector& session,
                       std::span<const HeadEntry> entries, size_t per_candidate, Deadline deadline,
                       std::span<float> out) const;

   private:
    friend class ModelStore;
    Use(ModelStore* store, Snapshot<Served>::Pinned served)
        : store_(store), served_(std::move(served)) {}
    ModelStore* store_;
    Snapshot<Served>::Pinned served_;
  };

  /// InvalidArgument when a head is named twice or the clock is null.
  static absl::StatusOr<std::unique_ptr<ModelStore>> Create(ModelStoreOptions options);

  /// Reads a file and makes it the current model, once it has made a forward pass of every kind (so
  /// that no request pays for pages that were never touched). Any error of LoadModel(), or
  /// FailedPrecondition naming the head that is missing or of another schema, or ResourceExhausted
  /// when 15 older models are still in use: the old model then serves on. Loads take turns; on no
  /// request's thread.
  absl::Status Load(const std::string& path);
  /// The same for a model that is in memory.
  absl::Status Publish(std::unique_ptr<const Model> model);

  /// Some 20 ns.
  [[nodiscard]] Use Pin() { return Use(this, models_.Pin()); }
  [[nodiscard]] ModelStoreStats stats() const;

 private:
  explicit ModelStore(ModelStoreOptions options);
  absl::Status Replace(std::unique_ptr<const Model> model);
  void WarmUp(const Served& served);

  const ModelStoreOptions options_;
  Snapshot<Served> models_;
  std::mutex loading_;
  EncoderScratch scratch_;  // guarded by loading_
  ForwardCost encode_cost_;
  ForwardCost score_cost_;  // of one candidate
  std::atomic<uint64_t> loaded_{0}, refused_{0}, not_begun_{0};
};

}  // namespace adagents::model
