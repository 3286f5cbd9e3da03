// The door for what is known of listeners, and the table behind it.
//
//   Sessions sessions({.sessions = 5'000'000, .hash_key = secret}, &clock);
//   ListenEvent event;
//   auto kept = sessions.Admit(playback_event, &event);       // checks, consent, keyed hashes
//   if (kept.ok() && *kept) Publish(event, event.session);
//   sessions.Update(event.session, [](SessionState& s) { ... });   // an agent, on the event
//   Listener listener;
//   sessions.Find(request, &listener);                        // an agent, on a request
//   sessions.Erase("listener-17");                            // whoever asks to be forgotten
//
// What is kept: SessionState, from a session's first event until `ttl` after its last, its end, or
// the withdrawal of consent, whichever comes first. Only Admit() makes entries; agents change those
// that are there, so an event that was still under way when its session was erased changes nothing.
//
// Identifiers become SipHash-2-4 tags here and go no further. The key of a tag is derived from
// `hash_key` and the number of the salt's period, so that nothing links a session or a listener of
// one period to those of later ones; only a session that is under way at the change keeps its hash
// until it ends, at most through the next period. Who has `hash_key` could link them: keep it as a
// secret, change it at will, or leave it out, and it is drawn when the process starts and never
// leaves it.
//
// Consent: kept is only what comes with may_identify (an identifier may be used at all) and
// may_profile (state about this person may be written). An event without either erases what there
// is of its session.
//
// Erasure overwrites: entries, and copies that updates left behind in the table's slots
// (Table::Purge). Sweep() does the same to what has expired, a part at a time, so that
// its bytes are gone at the latest when `ttl` has passed twice.
//
// Memory: kBytesPerSession for each of `sessions`, in the region if there is one.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "adagents/ads/request.h"
#include "adagents/ads/session.h"
#include "adagents/base/clock.h"
#include "adagents/blackboard/counter.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/table.h"

namespace adagents::ads {

struct SessionsOptions {
  /// Sessions to make room for. When there are more, those that expire first give way.
  size_t sessions = 100'000;
  /// How long a session is remembered after its last event. At least a second, at most half of
  /// `salt_period`.
  absl::Duration ttl = absl::Minutes(30);
  /// How long one salt serves; at most 31 days. Changes come at multiples of it since 1970.
  absl::Duration salt_period = absl::Hours(24);
  /// What the salts are made of: 16 random bytes, a secret. Zeros: drawn at random. In a region
  /// that outlives the process it has to be given.
  std::array<uint64_t, 2> hash_key{};

  /// Which of a request's eids names the session: their `source`. Without one of them user.id does,
  /// then device.ifa.
  std::vector<std::string> session_sources = {};
  /// Overrides that where it returns something. Must be thread-safe; the text must live as long as
  /// the request.
  std::function<std::string_view(const Request&)> session_of = {};

  Region* region = nullptr;       ///< must outlive this; null: memory of its own
  std::string name = "sessions";  ///< of the table in the region
};

/// Thread-safe.
class Sessions {
 public:
  /// What a session takes, the table's own words and its spare slots included.
  static constexpr size_t kBytesPerSession = 376;
  /// Longest identifier that is taken.
  static constexpr size_t kMostIdBytes = 512;
  /// How far an event's time may lie ahead of the clock.
  static constexpr absl::Duration kMostAhead = absl::Minutes(1);

  /// InvalidArgument that names the option. `clock` outlives it. Throws std::bad_alloc without
  /// memory.
  static absl::StatusOr<std::unique_ptr<Sessions>> Create(SessionsOptions options,
                                                          const Clock* clock);

  /// Whether `event` is kept; then `out` is what agents may see of it, and its session has an
  /// entry. InvalidArgument with the field that is wrong.
  absl::StatusOr<bool> Admit(const PlaybackEvent& event, ListenEvent* out);

  /// Changes a session's state, if it is there; false if not. Short: others wait.
  template <class F>
  bool Update(uint64_t session, F&& modify) {
    return table_.Update(session, std::forward<F>(modify));
  }
  /// The session that `request` belongs to; false, and `out` is not known, when there is none or
  /// the request's consent does not allow to look.
  bool Find(const Request& request, Listener* out) const;
  [[nodiscard]] bool Contains(uint64_t session) const { return table_.Contains(session); }
  /// Forgets a session that has ended, and overwrites its bytes.
  void End(uint64_t session) { (void)table_.PurgeKey(session); }

  /// The keyed hashes of an identifier that entries may be under now: of this period, and of the
  /// last.
  [[nodiscard]] std::array<uint64_t, 2> SessionKeys(std::string_view session) const;
  [[nodiscard]] std::array<uint64_t, 2> ListenerKeys(std::string_view listener) const;

  /// Erases the sessions of `listener` (as in PlaybackEvent; empty: nobody) and the session named
  /// `session` (likewise), and overwrites their bytes. Appends the keys of the sessions to `keys`,
  /// of those also that are not there (any more). Reads the whole table. Returns how many there
  /// were.
  size_t Erase(std::string_view listener, std::string_view session, std::vector<uint64_t>* keys);
  /// The keys of the sessions that were erased since the last call, for want of consent too, and of
  /// their listeners: for who keeps something under them.
  [[nodiscard]] std::vector<uint64_t> TakeWithdrawn();
  /// Overwrites what has expired or ended: so much of the table as time has passed since the last
  /// call, all of it once in each `ttl`.
  void Sweep();

  /// Calls visit(uint64_t session, const SessionState&) for all sessions; see Table::ForEach().
  template <class F>
  void ForEach(F&& visit) const {
    table_.ForEach(std::forward<F>(visit));
  }

  /// Since the start of the process.
  struct Counts {
    int64_t events = 0;           ///< kept
    int64_t without_consent = 0;  ///< not kept
    int64_t begun = 0;            ///< sessions
    int64_t evicted = 0;          ///< before they had expired, for want of room
    int64_t erased = 0;           ///< by Erase() and for want of consent
  };
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] size_t bytes() const { return table_.bytes(); }
  [[nodiscard]] const SessionsOptions& options() const { return options_; }

 private:
  enum Domain : uint64_t { kOfSessions = 1, kOfListeners = 2 };
  Sessions(SessionsOptions options, const Clock* clock);
  [[nodiscard]] int64_t PeriodOf(int64_t unix_ms) const;
  [[nodiscard]] uint64_t HashOf(Domain domain, int64_t period, std::string_view id) const;
  [[nodiscard]] std::array<uint64_t, 2> KeysOf(Domain domain, std::string_view id) const;
  [[nodiscard]] std::string_view SessionOf(const Request& request) const;
  /// The key of a session and what is kept of it; of this period's when there is nothing.
  uint64_t Look(std::string_view session, int64_t period, SessionState* state, bool* found) const;
  absl::Status Check(const PlaybackEvent& event, int64_t now_ms) const;

  const SessionsOptions options_;
  const Clock* const clock_;
  const int64_t ttl_ms_, period_ms_;
  Table<uint64_t, SessionState> table_;
  std::mutex withdrawn_mutex_;
  std::vector<uint64_t> withdrawn_;  // guarded by it
  std::atomic<size_t> sweep_at_{0};
  std::atomic<int64_t> swept_{0};  // steady nanoseconds
  Counter events_, without_consent_, begun_, erased_;
};

inline constexpr StateKey<Sessions> kSessions{"sessions"};

}  // namespace adagents::ads
