// Small transformers in the ad team: a trunk that reads each session as it goes on, and heads that
// say what the listener is about, and how likely each candidate's response is. To switch them on:
//
//   ads::EngineOptions options;
//   options.catalog = *std::move(catalog);
//   options.listener.emplace();
//   auto models = ads_models::TeamModels::AddTo(&options, "team.model");  // of examples/train
//   auto engine = ads::Engine::Create(std::move(options));
//   ...
//   (*models)->Load("team.model");                        // whenever there is a new file
//
// Engine::Play() -> the listener's keepers -> SessionTrunk: a forward pass for each event, off the
// request path; its vector waits in a table, and what it says of intents in the session's state,
// where it counts as much as user_intent.h's tables. On a request Heads reads it, and scores all
// candidates in one batch for each head: kModelRates, which relevance takes in place of its own
// rates, and kForesight. Where there is no model, no session that is known, or not enough time, the
// team decides as it does without models; so it does for each head that a model has not. A file
// that is damaged, or trained for other tokens or facts, is refused and the old model serves on.
//
// What is kept of a session: its newest 16 tokens (kinds, coarse genres, moods and the like,
// nothing that identifies a person) and its vector, under the session's keyed hash and as long as
// the session; erased and overwritten with it, also when consent is withdrawn (Engine::Erase()).
// Memory: kBytesPerSession for each of ListenerOptions::sessions.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads/engine.h"
#include "adagents/ads_models/facts.h"
#include "adagents/blackboard/table.h"
#include "adagents/model/model_store.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"

namespace adagents::ads_models {

/// What is kept of one session. Trivially copyable.
struct SessionMemory {
  model::TokenWindow window;
  model::SessionVector vector;
};

/// Thread-safe. Shared with the engine, which it may outlive.
class TeamModels {
 public:
  static constexpr size_t kBytesPerSession = 1550;

  /// Adds state and agents to a team that is yet to be made, and loads `path`; empty: nothing until
  /// Load(). Reads the clock and the listener's options: set them before. FailedPrecondition
  /// without EngineOptions::listener; any error of Load().
  static absl::StatusOr<std::shared_ptr<TeamModels>> AddTo(ads::EngineOptions* options,
                                                           const std::string& path = {});

  /// As ModelStore::Load(): the old model serves on when it is an error.
  absl::Status Load(const std::string& path) { return store_->Load(path); }
  [[nodiscard]] model::ModelStore& store() { return *store_; }
  [[nodiscard]] model::ModelStoreStats stats() const { return store_->stats(); }

  // For the agents below.
  [[nodiscard]] bool Find(uint64_t session, SessionMemory* out) const {
    return memories_.Find(session, out);
  }
  /// Stores what `modify` makes of what is kept.
  template <class F>
  void Change(uint64_t session, F&& modify) {
    (void)memories_.Upsert(session, [&](SessionMemory& m, bool) { modify(m); });
  }
  void Forget(uint64_t session) { (void)memories_.PurgeKey(session); }

 private:
  TeamModels(const ads::EngineOptions& options, std::unique_ptr<model::ModelStore> store);
  const std::unique_ptr<model::ModelStore> store_;
  Table<uint64_t, SessionMemory> memories_;
};

inline constexpr StateKey<TeamModels> kTeamModels{"team_models"};

/// What the heads say of the moment.
struct Foresight {
  static constexpr float kNone = -1;  ///< no such head, or no time for it

  bool known = false;  ///< one of them at least
  float act = kNone;   ///< the chance that the listener does something within kAttentionWindowMs
  float skip = kNone;  ///< that what plays, or played last, is skipped

  void clear() { *this = Foresight(); }
};
inline constexpr Key<Foresight> kForesight{"foresight"};

/// Runs the trunk, and the head of intents, once per ListenEvent.
class SessionTrunk final : public Agent {
 public:
  SessionTrunk() : Agent({.name = "session_trunk"}) {}
  absl::Status Run(Context& ctx) override;

 private:
  On<ads::ListenEvent> event_{this};
  State<ads::Sessions> sessions_{this, ads::kSessions};
  State<TeamModels> models_{this, kTeamModels};
  model::EncoderScratch scratch_;
  std::vector<model::HeadEntry> entries_;
};

/// Scores a request's candidates, all in one batch for each head. Optional.
class Heads final : public Agent {
 public:
  Heads() : Agent({.name = "heads"}) {}
  absl::Status Run(Context& ctx) override;

 private:
  absl::Status ScoreOffers(const ads::Request& request, const ads::Candidates& candidates,
                           const MomentView& moment, const SessionMemory& memory,
                           const model::ModelStore::Use& use, Task task, Deadline deadline,
                           ads::ModelRates* out);

  In<ads::Request> request_{this, ads::kRequest};
  In<ads::Candidates> candidates_{this, ads::kCandidates};
  In<ads::Listener> listener_{this, ads::kListening, ads::Listener{}};
  State<TeamModels> models_{this, kTeamModels};
  Out<ads::ModelRates> rates_{this, ads::kModelRates, ads::ModelRates{}};
  Out<Foresight> foresight_{this, kForesight, Foresight{}};
  model::EncoderScratch scratch_;
  std::vector<model::HeadEntry> entries_;
  std::vector<uint32_t> items_;
  std::vector<float> scored_;
};

}  // namespace adagents::ads_models
