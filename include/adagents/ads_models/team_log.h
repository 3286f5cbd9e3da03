// What the models of the ad team learn from: a log of what listeners did, what was decided and what
// came of it, told event by event in the order of time, as examples for each head.
//
//   auto log = TeamLog::Create(options.listener->sessions, &clock);
//   (*log)->Play(event);                          // what Engine::Play() gets
//   (*log)->Decided(request, decision);           // what Engine::Decide() got and said
//   (*log)->Record(outcome);                      // what Engine::Record() gets
//   auto trained = TrainTeam((*log)->examples(), {});     // team_trainer.h
//
// Labels, all of them seen by a server:
//   click       of each impression that was reported: a click was
//   completion  likewise, that it was heard to its end
//   attention   of each request: the listener did something within kAttentionWindowMs
//   skip        of one in three tracks and episodes that begin: it was skipped
//   intent      of one in eight events, once their session is over: what it was about in the
//               light of all that came later (ads::AddHindsight), drawn from its probabilities; one
//               example for each intent
//
// For a training job that reads a log, or a simulation: all examples stay in memory, 800 bytes for
// each state of a session that one is of, 250 for each of a response and 1,400 for each of an
// intent. Who does not consent to a profile adds nothing, as in the engine; what was told before
// consent was withdrawn stays, without anything that identifies a person. Events are kept until
// their session is over.
//
// Thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "adagents/ads/decision.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/outcome_event.h"
#include "adagents/ads/playback_event.h"
#include "adagents/ads/request.h"
#include "adagents/ads/sessions.h"
#include "adagents/ads_models/facts.h"
#include "adagents/base/clock.h"
#include "adagents/base/random.h"
#include "adagents/model/trainer.h"

namespace adagents::ads_models {

/// Examples in the order of time.
struct TeamExamples {
  struct Example {
    int64_t at_ms = 0;
    uint32_t window = 0;  ///< into `windows`
    uint8_t happened = 0;
    uint8_t settled = 1;  ///< else it is not known yet, or never will be, whether it happened
  };
  struct Of {
    std::vector<Example> examples;
    std::vector<model::HeadEntry> entries;  ///< FactCount(task) for each
  };
  struct Window {
    int64_t at_ms = 0;
    model::TokenWindow tokens;
    bool has_next = false;
    model::Token next = {};  ///< of the session
  };
  std::vector<Window> windows;
  Of of[kTasks];
};

/// Unix milliseconds: from the first up to, and without, the second.
struct Period {
  int64_t from_ms = 0, to_ms = 0;
};
/// What is settled of a task in a period, `most` evenly spread examples at most, as the
/// trainer takes them, but for the sessions' vectors: those are of `windows[i]` of example i.
struct TaskOutcomes {
  model::Outcomes outcomes;
  std::vector<model::TokenWindow> windows;
};
TaskOutcomes OutcomesOf(const TeamExamples& examples, Task task, Period period, size_t most);
/// Windows of a period with what came next, `most` evenly spread ones at most.
model::Sequences SequencesOf(const TeamExamples& examples, Period period, size_t most);

class TeamLog {
 public:
  /// As of the engine's ListenerOptions::sessions. `clock` stands at what it is told last, and
  /// outlives the log. Errors of Sessions::Create().
  static absl::StatusOr<std::unique_ptr<TeamLog>> Create(const ads::SessionsOptions& sessions,
                                                         const Clock* clock, uint64_t seed = 1);

  /// As Engine::Play(), errors included.
  absl::Status Play(const ads::PlaybackEvent& event);
  /// What was decided on `request`; of each bid the imp must be one of the request's, and the
  /// campaign is looked into, not kept.
  void Decided(const ads::Request& request, const ads::Decision& decision);
  /// Of what was decided before, or nothing.
  void Record(const ads::OutcomeEvent& event);

  [[nodiscard]] const TeamExamples& examples() const { return examples_; }
  /// The same, and the log is over, and with it all sessions.
  [[nodiscard]] TeamExamples Take() &&;

 private:
  /// What is kept of a session beside SessionState.
  struct Memory {
    int64_t began_ms = 0;  ///< SessionState::began_ms
    model::TokenWindow window;
    int64_t last_window = -1;  ///< the newest of the examples' that has no next token yet
    int64_t started = -1;      ///< example of kSkip of what plays
    std::vector<std::pair<int64_t, size_t>> asked;  ///< when, and the example of kAttention
    std::vector<ads::ListenEvent> events;
    std::vector<ads::Intents> intents;               ///< after each event
    std::vector<std::pair<size_t, size_t>> moments;  ///< event, and its first example of kIntent
  };
  struct Shown {
    uint64_t session = 0;
    size_t example = 0;  ///< of kClick and kCompletion
  };

  TeamLog(std::unique_ptr<ads::Sessions> sessions, const Clock* clock, uint64_t seed);
  [[nodiscard]] int64_t NowMs() const { return absl::ToUnixMillis(clock_->WallNow()); }
  TeamExamples::Of& Of(Task task) { return examples_.of[static_cast<size_t>(task)]; }
  uint32_t WindowOf(int64_t at_ms, Memory* m);
  model::HeadEntry* Note(Task task, Memory* m, const MomentView& view, bool settled);
  void NoteIntents(const MomentView& view, Memory* m);
  void LookBack(Memory* m);
  void Sweep();

  const std::unique_ptr<ads::Sessions> sessions_;
  const Clock* const clock_;
  Random random_, of_intents_;
  uint64_t played_ = 0;
  TeamExamples examples_;
  std::unordered_map<uint64_t, Memory> memories_;
  std::unordered_map<uint64_t, Shown> shown_;  ///< by Moments::KeyOf()
};

}  // namespace adagents::ads_models
