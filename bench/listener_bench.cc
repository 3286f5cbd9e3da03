// What players report: playback events a second on one core, from Engine::Play() to what the last
// agent has made of them, among a million sessions; and what it takes to erase a listener from
// them.
//
//   bench/run.sh listener_bench [SESSIONS]     # 1,000,000 when left out
//
// Events and agents run on the calling thread (inline scheduler), so the figures are of one core.
// Sessions come in random order: nearly every event finds its session outside of the cache. The
// floor is a table of the same sessions with one update of the same size for each event.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "adagents/ads/engine.h"
#include "adagents/base/random.h"
#include "bars.h"
#include "fmt/format.h"

namespace {

using namespace adagents;  // NOLINT: an application

constexpr int kRounds = 5;
constexpr size_t kEvents = 400'000;  // of a round

template <class T>
T Value(absl::StatusOr<T> made) {
  if (made.ok()) return *std::move(made);
  std::fprintf(stderr, "listener_bench: %s\n", made.status().ToString().c_str());
  std::exit(1);
}

/// What a listener does, about as often as listeners do it.
ads::PlaybackKind KindOf(Random& random) {
  using enum ads::PlaybackKind;
  constexpr std::array kKinds = {kStart, kEnd,  kStart,  kEnd,    kStart,  kSkip,   kStart, kEnd,
                                 kPause, kSave, kResume, kSearch, kVolume, kScreen, kStart, kEnd};
  return kKinds[random.Below(kKinds.size())];
}

class World {
 public:
  explicit World(size_t sessions) {
    for (size_t i = 0; i < sessions; ++i) ids_.push_back(fmt::format("session-{:08x}", Mix64(i)));
    ads::EngineOptions options;
    options.runtime.inline_scheduler = InlineScheduler{};
    options.listener.emplace();
    options.listener->sessions.sessions = sessions;
    options.listener->sessions.ttl = absl::Hours(12);  // none expires while it is measured
    engine_ = Value(ads::Engine::Create(std::move(options)));
    for (size_t i = 0; i < sessions; ++i) Play(i, ads::PlaybackKind::kStart);
  }

  void Play(size_t i, ads::PlaybackKind kind) {
    constexpr std::array<std::string_view, 4> kGenres = {"jazz", "pop", "metal", "classical"};
    ads::PlaybackEvent e;
    e.session = e.listener = ids_[i];
    e.kind = kind;
    e.at = now_;
    e.genre = kGenres[i % kGenres.size()];
    e.mood = "calm";
    e.energy = 0.3f;
    e.position_ms = 1000;
    e.duration_ms = 200'000;
    if (!engine_->Play(e).ok()) ++refused_;
  }
  /// Nanoseconds for one event.
  double Round(uint64_t seed) {
    Random random(seed);
    now_ = absl::Now();
    const double begun = bench::Seconds();
    for (size_t i = 0; i < kEvents; ++i) Play(random.Below(ids_.size()), KindOf(random));
    return (bench::Seconds() - begun) / kEvents * 1e9;
  }
  ads::Engine& engine() { return *engine_; }
  const std::string& id(size_t i) const { return ids_[i]; }
  size_t refused() const { return refused_; }

 private:
  std::vector<std::string> ids_;
  std::unique_ptr<ads::Engine> engine_;
  absl::Time now_ = absl::Now();
  size_t refused_ = 0;
};

/// One update of the whole state, without the door, the runtime and the agents' work.
class Floor {
 public:
  explicit Floor(size_t sessions) : sessions_(sessions), table_({.capacity = sessions}) {
    for (size_t i = 0; i < sessions; ++i) table_.Put(Mix64(i), {});
  }
  double Round(uint64_t seed) {
    Random random(seed);
    const double begun = bench::Seconds();
    for (size_t i = 0; i < kEvents; ++i) {
      (void)table_.Update(Mix64(random.Below(sessions_)), [&](ads::SessionState& s) {
        s.last_ms = static_cast<int64_t>(i);
        s.genres[i % ads::kGenreCount] += 1;
        s.intents[i % ads::kIntentCount] += 1;
      });
    }
    return (bench::Seconds() - begun) / kEvents * 1e9;
  }

 private:
  const size_t sessions_;
  Table<uint64_t, ads::SessionState> table_;
};

}  // namespace

int main(int argc, char** argv) {
  const size_t sessions = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (argc > 2 || sessions == 0) {
    std::fprintf(stderr, "usage: listener_bench [SESSIONS]\n");
    return 2;
  }
  const bench::Others others;
  World world(sessions);
  Floor floor(sessions);
  uint64_t seed = 1;
  const bench::Pair pair = bench::Paired(
      kRounds, [&] { return floor.Round(seed); }, [&] { return world.Round(seed++); });
  fmt::print(
      "{} sessions of {:.0f} bytes; medians of {} rounds\n", sessions,
      static_cast<double>(world.engine().sessions()->bytes()) / static_cast<double>(sessions),
      kRounds);
  fmt::print("  an event, from Play() to its agents' end      {:8.0f} ns  {:10.0f} a second\n",
             pair.ours, 1e9 / pair.ours);
  fmt::print("  one update of a table of the same sessions    {:8.0f} ns\n", pair.floor);
  for (const AgentStats& agent : world.engine().GetStats().runtime.agents) {
    if (agent.mean_nanos == 0) continue;
    fmt::print("    {:<43} {:8} ns\n", agent.name, agent.mean_nanos);
  }
  size_t erased = 0;
  const double erase_us = bench::TimeUs([&] {
    for (size_t i = 0; i < 3; ++i) erased += world.engine().Erase(world.id(i))->sessions;
  });
  fmt::print("  erasing a listener from all of them           {:8.0f} ms\n", erase_us / 3 / 1e3);
  if (erased != 3 || world.refused() > 0) {
    fmt::print("listener_bench: {} of 3 erased, {} events refused\n", erased, world.refused());
    return 1;
  }
  fmt::print("other processes used {:.0f} % of the machine meanwhile\n", 100 * others.Share());
  bench::Bars bars;
  bars.AtLeast("playback events a second on one core", 1e9 / pair.ours, 250'000);
  bars.Print();
  return bars.failed() == 0 ? 0 : 1;
}
