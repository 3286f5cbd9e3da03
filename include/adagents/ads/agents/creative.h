// Creative: which of the candidates suit this listener at this moment, by what they are like:
// format and length, tone, pace, voice and call to action.
//
//   candidates, listening, intents -> creative -> fits -> pricing
//
// Two things. Hard rules first: what a rule forbids at a moment has no price there, whatever it
// would pay (a fast ad at bedtime). Then taste, which is learned: MomentModel's effects of traits
// in moments, and what each creative has beyond its traits, move the predicted rate of each
// candidate, so of a campaign's creatives the one whose tone and voice go with the genre, mood and
// intent of the session is worth most and wins. Effects are drawn from what is believed of them
// (Thompson sampling: Thompson, Biometrika 25, 1933; Chapelle and Li, 2011), the same for all
// candidates that share a trait, by a generator that the decision seeds: so variants that are
// little known are tried as often as they may be the best, and no others are.
//
// Thread safety: that of agents (runtime/agent.h): calls of one replica never overlap.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "adagents/ads/keys.h"
#include "adagents/ads/moment.h"
#include "adagents/runtime/agent.h"
#include "adagents/runtime/port.h"
#include "adagents/runtime/trace.h"

namespace adagents::ads {

/// What may not be played to whom: at a moment with this intent or this mood, no creative with one
/// of these paces or tones (words as Creative has them).
struct SuitabilityRule {
  Intent intent = Intent::kBedtime;
  /// How likely the intent has to be; above 1: it does not matter.
  float at_least = 2.0f;
  /// The mood of what plays now or, between tracks, played last; kUnknown: it does not matter.
  Mood mood = Mood::kUnknown;
  /// Of intents only: how lively the music has to be, 0 to 1, from the first and below the second;
  /// the mean of what plays and of what was heard to its end. 0 where nobody said.
  float energy_from = 0, energy_below = 2;
  std::vector<std::string> paces, tones;
  const ReasonCode* why = nullptr;  ///< of reasons.h, never null; lives for ever
};
/// Nothing fast, upbeat, energetic, loud, urgent or excited at bedtime or beside music to fall
/// asleep by; nothing funny beside sad music.
std::vector<SuitabilityRule> DefaultSuitability();
/// For who promises that hardly any ad disturbs anybody's sleep: the same as soon as bedtime is not
/// all but impossible, and nothing but what is slow where it is at all likely. Costs clicks of
/// those who are awake. What counts as likely, from 0.2 to 1 %, is of user_intent.h's tables, times
/// `scale`: a model that is part of the intents is less sure of what all but cannot be.
std::vector<SuitabilityRule> StrictSuitability(float scale = 1);

struct CreativeOptions {
  std::vector<SuitabilityRule> rules = DefaultSuitability();
  /// 0: taste is what is believed most; 1: drawn from all that is believed (Thompson sampling).
  /// Affinity's too. Half of it costs little of what is known already.
  float explore = 0.5f;
  /// No trait moves the odds of a response by more than e to this power, all together.
  float most = 2.5f;
};

/// How candidates suit the moment, parallel to Candidates::items. Plain value.
struct CreativeFits {
  /// Of the log-odds of each one's action, as drawn; empty: 0.
  std::vector<float> shift;
  /// The best that is believed of a creative of the same campaign for the same imp: what the moment
  /// is worth to campaigns that pay per impression, whichever of their creatives is tried. Empty:
  /// 0.
  std::vector<float> expected;
  /// Why one may not be played, or null; empty: all may.
  std::vector<const ReasonCode*> forbid;
  /// Not null when nobody could look in time: whatever a rule of these forbids at any moment is
  /// kept out then.
  std::shared_ptr<const CreativeOptions> unchecked;

  void clear() {
    shift.clear();
    expected.clear();
    forbid.clear();
    unchecked.reset();
  }
};

inline constexpr Key<CreativeFits> kFits{"fits"};

/// Why a creative may not be played at this moment; null when it may. `missing`: nobody knows the
/// moment, so every rule applies but those of lively music.
[[nodiscard]] const ReasonCode* ForbiddenBy(const CreativeOptions& options,
                                            const Creative& creative, const Listener& listener,
                                            const Intents& intents, bool missing = false);

/// Optional. Requires kMoments.
class CreativeAgent final : public Agent {
 public:
  explicit CreativeAgent(std::shared_ptr<const CreativeOptions> options);
  ~CreativeAgent() override;
  absl::Status Run(Context& ctx) override;

 private:
  struct Scratch;
  In<Candidates> candidates_{this, kCandidates};
  In<Listener> listener_{this, kListening, Listener{}};
  In<Intents> intents_{this, kIntents, Intents{}};
  State<Moments> moments_{this, kMoments};
  Out<CreativeFits> fits_;
  const std::shared_ptr<const CreativeOptions> options_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace adagents::ads
