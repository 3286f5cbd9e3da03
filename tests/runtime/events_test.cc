// Events: in order per key, in parallel across keys, to every listener, whatever one of them does.
#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "adagents/testing/virtual_clock.h"
#include "runtime/support.h"

namespace adagents::testing {
namespace {

struct Signal {
  uint64_t key = 0;
  int number = 0;
};
struct Unheard {};

class Listener final : public Agent {
 public:
  using Body = std::function<absl::Status(const Signal&)>;
  Listener(std::string name, Body body, int replicas = 0)
      : Agent({.name = name, .budget = absl::Seconds(10), .replicas = replicas}),
        body_(std::move(body)) {}
  absl::Status Run(Context& ctx) override { return body_(ctx[on_]); }

 private:
  On<Signal> on_{this};
  Body body_;
};

Team::Builder Listening(std::vector<std::pair<std::string, Listener::Body>> listeners,
                        RuntimeOptions options) {
  auto builder = TeamOf({{.name = "says", .in = {"ask"}, .out = "say"}}, std::move(options));
  for (auto& [name, body] : listeners) builder.Add<Listener>(name, body);
  return builder;
}

// Keys of different shards.
std::vector<uint64_t> DistinctKeys(size_t count) {
  std::vector<uint64_t> keys;
  std::set<uint64_t> shards;
  for (uint64_t key = 1; keys.size() < count; ++key) {
    if (shards.insert(Mix64(key) % 64).second) keys.push_back(key);
  }
  return keys;
}

TEST_CASE("events of one key arrive in order, at every listener, whatever the workers") {
  for (const int workers : {1, 2, 4}) {
    INFO(workers << " workers");
    constexpr int kKeys = 20, kEach = 500;
    std::array<std::array<std::atomic<int>, kKeys>, 2> next{};
    std::atomic<int> wrong{0};
    const auto check = [&](size_t listener) {
      return [&, listener](const Signal& signal) {
        wrong += next[listener][signal.key].fetch_add(1) != signal.number;
        return absl::OkStatus();
      };
    };
    RuntimeOptions options;
    options.workers = workers;
    auto team = Listening({{"one", check(0)}, {"two", check(1)}}, options).Build();
    REQUIRE(team.ok());
    std::vector<std::thread> publishers;
    for (uint64_t p = 0; p < 2; ++p) {
      publishers.emplace_back([&, p] {
        for (int i = 0; i < kEach; ++i) {
          for (uint64_t key = p; key < kKeys; key += 2) {
            while (!(*team)->Publish(Signal{key, i}, key).ok()) std::this_thread::yield();
          }
        }
      });
    }
    for (auto& publisher : publishers) publisher.join();
    CHECK(Eventually([&] { return (*team)->GetStats().events == kKeys * kEach; }));
    CHECK(wrong == 0);
    for (const auto& listener : next) {
      for (const auto& count : listener) CHECK(count == kEach);
    }
    CHECK(CountOf((*team)->GetStats(), "two", Outcome::kRan) == kKeys * kEach);
  }
}

TEST_CASE("events of different keys run side by side, even if one worker alone was awake") {
  const auto keys = DistinctKeys(2);
  for (const int spin_ms : {0, 1000}) {
    INFO("spin " << spin_ms << " ms");
    Door second;
    const OpenAtEnd open(second);
    std::atomic<bool> together{false};
    RuntimeOptions options;
    options.workers = 2;
    options.deadline = absl::Seconds(30);
    options.spin = absl::Milliseconds(spin_ms);
    auto team = Listening({{"hears",
                            [&](const Signal& signal) {
                              if (signal.key == keys[1]) {
                                second.Open();
                              } else {
                                together = second.WaitFor(std::chrono::seconds(5));
                              }
                              return absl::OkStatus();
                            }}},
                          options)
                    .Build();
    REQUIRE(team.ok());
    // Until one worker sleeps and, with spinning on, the other looks for work.
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    CHECK((*team)->Publish(Signal{keys[0], 0}, keys[0]).ok());
    CHECK((*team)->Publish(Signal{keys[1], 0}, keys[1]).ok());
    CHECK(Eventually([&] { return (*team)->GetStats().events == 2; }));
    CHECK(together);
  }
}

TEST_CASE("an event that nobody listens to is not found") {
  RuntimeOptions options;
  options.workers = 1;
  auto team = Listening({{"hears", [](auto&) { return absl::OkStatus(); }}}, options).Build();
  REQUIRE(team.ok());
  CHECK((*team)->Publish(Unheard{}, 1).code() == absl::StatusCode::kNotFound);
  CHECK((*team)->Publish(Signal{}, 1).ok());
  (void)(*team)->Shutdown(absl::Seconds(5));
  CHECK((*team)->Publish(Signal{}, 1).code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("a key whose events are not taken away is full, and the others are not") {
  const auto keys = DistinctKeys(2);
  Door door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 1;
  options.spares = 0;
  options.max_events = 8;
  options.deadline = absl::Seconds(30);
  std::atomic<int> heard{0};
  auto team = Listening({{"hangs",
                          [&](const Signal&) {
                            ++heard;
                            door.Wait();
                            return absl::OkStatus();
                          }}},
                        options)
                  .Build();
  REQUIRE(team.ok());
  CHECK((*team)->Publish(Signal{}, keys[0]).ok());
  REQUIRE(Eventually([&] { return heard == 1; }));
  for (int i = 0; i < 8; ++i) CHECK((*team)->Publish(Signal{}, keys[0]).ok());
  const absl::Status full = (*team)->Publish(Signal{}, keys[0]);
  CHECK(full.code() == absl::StatusCode::kResourceExhausted);
  CHECK(Message(full) == "8 events wait already for the shard of order_by " +
                             std::to_string(keys[0]) + ": slow down or raise max_events");
  CHECK((*team)->Publish(Signal{}, keys[1]).ok());
  door.Open();
  CHECK(Eventually([&] { return heard == 10; }));
  CHECK((*team)->GetStats().events_dropped == 1);
}

TEST_CASE("a listener that fails or throws keeps neither the others nor the next event back") {
  RuntimeOptions options;
  options.workers = 2;
  options.breaker.failed_in_a_row = 5;
  std::atomic<int> heard{0};
  auto team = Listening({{"fails", [](auto&) { return absl::InternalError("no"); }},
                         {"throws", [](auto&) -> absl::Status { throw std::runtime_error("no"); }},
                         {"throws int", [](auto&) -> absl::Status { throw 3; }},
                         {"hears",
                          [&](auto&) {
                            ++heard;
                            return absl::OkStatus();
                          }}},
                        options)
                  .Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 100; ++i) CHECK((*team)->Publish(Signal{1, i}, 1).ok());
  CHECK(Eventually([&] { return (*team)->GetStats().events == 100; }));
  CHECK(heard == 100);
  const Stats stats = (*team)->GetStats();
  for (const char* name : {"fails", "throws", "throws int"}) {
    CHECK(CountOf(stats, name, Outcome::kFailed) + CountOf(stats, name, Outcome::kQuarantined) ==
          100);
  }
}

TEST_CASE("a listener that hangs hands its key over, and the key's next events arrive in order") {
  Door door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 1;
  options.spares = 2;
  options.deadline = absl::Milliseconds(10);
  std::mutex mutex;
  std::vector<int> before, after;
  auto team = Listening({{"before",
                          [&](const Signal& signal) {
                            const std::lock_guard<std::mutex> lock(mutex);
                            before.push_back(signal.number);
                            return absl::OkStatus();
                          }},
                         {"hangs",
                          [&](const Signal& signal) {
                            if (signal.number == 3) door.Wait();
                            return absl::OkStatus();
                          }},
                         {"after",
                          [&](const Signal& signal) {
                            const std::lock_guard<std::mutex> lock(mutex);
                            after.push_back(signal.number);
                            return absl::OkStatus();
                          }}},
                        options)
                  .Build();
  REQUIRE(team.ok());
  for (int i = 0; i < 10; ++i) CHECK((*team)->Publish(Signal{1, i}, 1).ok());
  CHECK(Eventually([&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return after.size() == 10;
  }));
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  CHECK(before == all);
  CHECK(after == all);  // what hung is skipped for the listeners behind it
  CHECK((*team)->GetStats().workers_stuck == 1);
  door.Open();
  CHECK(Eventually([&] { return (*team)->GetStats().workers_stuck == 0; }));
  for (int i = 10; i < 20; ++i) CHECK((*team)->Publish(Signal{1, i}, 1).ok());
  CHECK(Eventually([&] { return (*team)->GetStats().events == 20; }));
  CHECK(after.size() == 20);
}

// Without a spare, which would look for work as it starts.
TEST_CASE("a key whose listener hangs goes on with a worker that was asleep") {
  Door door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 2;
  options.spares = 0;
  options.spin = absl::ZeroDuration();
  options.deadline = absl::Milliseconds(10);
  std::atomic<int> heard{0};
  auto team = Listening({{"hangs",
                          [&](const Signal& signal) {
                            if (signal.number == 0) door.Wait();
                            ++heard;
                            return absl::OkStatus();
                          }}},
                        options)
                  .Build();
  REQUIRE(team.ok());
  CHECK((*team)->Publish(Signal{1, 0}, 1).ok());
  CHECK((*team)->Publish(Signal{1, 1}, 1).ok());
  CHECK(Eventually([&] { return heard == 1; }));
  CHECK(Eventually([&] { return (*team)->GetStats().workers_stuck == 1; }));
  door.Open();
  CHECK(Eventually([&] { return heard == 2; }));
}

TEST_CASE("without a deadline a listener may take as long as it likes") {
  Door next;
  const OpenAtEnd open(next);
  RuntimeOptions options;
  options.workers = 2;
  options.deadline = absl::InfiniteDuration();
  options.breaker.late_in_a_row = 1'000'000;
  std::atomic<bool> together{false};
  auto team = Listening({{"takes long",
                          [&](const Signal& signal) {
                            if (signal.number == 1) next.Open();
                            // Long enough for the watchdog to look several times.
                            if (signal.number == 0) {
                              together = next.WaitFor(std::chrono::milliseconds(100));
                            }
                            return absl::OkStatus();
                          }}},
                        options)
                  .Build();
  REQUIRE(team.ok());
  CHECK((*team)->Publish(Signal{1, 0}, 1).ok());
  CHECK((*team)->Publish(Signal{1, 1}, 1).ok());
  CHECK(Eventually([&] { return (*team)->GetStats().events == 2; }));
  CHECK_FALSE(together);
}

// What one worker is given to do, and how long each takes on a clock that moves only meanwhile.
struct Load {
  absl::Duration decision;
  std::vector<absl::Duration> events;
  /// How many of the decisions and events are there when the worker is free; the others come while
  /// it runs the event, or decision, of that number.
  int decisions = 0, first_events = 0;
  std::map<size_t, int> decisions_at_event = {}, events_at_decision = {};

  [[nodiscard]] int AllDecisions() const {
    int all = decisions;
    for (const auto& [event, count] : decisions_at_event) all += count;
    return all;
  }
};

/// In which order it runs decisions (d) and events (e).
std::string OrderOf(const Load& load) {
  Door door;
  VirtualClock clock;  // ahead of the system's, by which threads wait: nothing is ever due
  clock.Advance(absl::Nanoseconds(SystemClock::Get().Now()) + absl::Hours(1));
  RuntimeOptions options;
  options.workers = 1;
  options.spares = 0;
  options.spin = absl::ZeroDuration();
  options.deadline = absl::Hours(1);
  options.clock = &clock;
  options.max_in_flight = 4096;
  std::string order;  // the worker's until the team has ended
  std::atomic<int> decided{0};
  std::atomic<bool> busy{false};
  size_t decisions = 0;  // the worker's, too
  int published = 0;
  Team* running = nullptr;
  const auto decide = [&](int count) {
    for (int i = 0; i < count; ++i) {
      running->DecideAsync(i, {}, [&](const Answer<int>& answer) {
        decided += answer.verdict == Verdict::kDecided;
      });
    }
  };
  const auto publish = [&](int count) {
    for (; count > 0; --count) CHECK(running->Publish(Signal{1, published++}, 1).ok());
  };
  auto builder = TeamOf({{.name = "says",
                          .in = {"ask"},
                          .out = "say",
                          .body =
                              [&](Context&, Node&) {
                                order += 'd';
                                clock.Advance(load.decision);
                                const auto more = load.events_at_decision.find(decisions++);
                                if (more != load.events_at_decision.end()) publish(more->second);
                                return absl::OkStatus();
                              },
                          .options = {.name = {}, .budget = absl::Seconds(10)}}},
                        options);
  builder.Add<Listener>("hears", [&](const Signal& signal) {
    const auto number = static_cast<size_t>(signal.number);
    if (number == 0) {
      busy = true;
      door.Wait();
    }
    order += 'e';
    clock.Advance(load.events[number]);
    const auto more = load.decisions_at_event.find(number);
    if (more != load.decisions_at_event.end()) decide(more->second);
    return absl::OkStatus();
  });
  auto team = builder.Build();
  REQUIRE(team.ok());
  running = team->get();
  const OpenAtEnd open(door);
  publish(load.first_events);
  REQUIRE(Eventually([&] { return busy.load(); }));
  decide(load.decisions);
  door.Open();
  CHECK(Eventually([&] {
    return decided == load.AllDecisions() && running->GetStats().events == load.events.size();
  }));
  clock.Advance(absl::Hours(2));  // nothing that was lost is waited for
  team->reset();
  return order;
}

std::vector<absl::Duration> Times(size_t count, double ms) {
  return std::vector<absl::Duration>(count, absl::Milliseconds(ms));
}

/// Of the time from the `from`th to the `to`th decision: what went to events.
double ShareOfEvents(const std::string& order, double event_per_decision, int from, int to) {
  double events = 0, decisions = 0;
  for (const char c : order) {
    if (c == 'd') ++decisions;
    if (c == 'e' && decisions > from && decisions <= to) ++events;
  }
  return events * event_per_decision / (to - from + events * event_per_decision);
}

TEST_CASE("decisions come before events that wait, and events still have their turn") {
  const std::string order = OrderOf({.decision = absl::Microseconds(10),
                                     .events = Times(20, 0.01),
                                     .decisions = 60,
                                     .first_events = 20});
  CAPTURE(order);
  CHECK(order.substr(0, 2) == "ed");  // not a batch of events first
  const auto events =
      std::count(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(order.rfind('d')), 'e');
  CHECK(events >= 1 + 60 / 21);
  CHECK(events <= 2 + 60 / 20);
}

TEST_CASE("events that are late get as much time as decisions, but not more") {
  for (const double each : {1, 5, 20}) {  // ms of a decision
    for (const double ratio : {0.25, 1.0, 4.0}) {
      const auto order = OrderOf({.decision = absl::Milliseconds(each),
                                  .events = Times(static_cast<size_t>(300 / ratio), each * ratio),
                                  .decisions = 200,
                                  .first_events = static_cast<int>(300 / ratio)});
      CAPTURE(order, each, ratio);
      // The own turns of events come on top, one for 20 decisions.
      const double most = 1 + ratio / 20;
      const double share = ShareOfEvents(order, ratio, 30, 180);
      CHECK(share > 0.46);
      CHECK(share < most / (1 + most) + 0.02);
      CHECK(order.find(std::string(static_cast<size_t>(2 + 1 / ratio), 'e')) > order.rfind('d'));
    }
  }
}

TEST_CASE("once no event is late decisions come first again") {
  Load load{.decision = absl::Milliseconds(1),
            .events = Times(30, 1),
            .decisions = 400,
            .first_events = 20};
  for (size_t fresh = 100; fresh < 400; fresh += 30) load.events_at_decision[fresh] = 1;
  const auto order = OrderOf(load);
  CAPTURE(order);
  CHECK(ShareOfEvents(order, 1, 10, 25) > 0.4);
  // They wait for a turn of their own, 20 decisions at most: some are late then, but alone.
  CHECK(ShareOfEvents(order, 1, 100, 400) < 0.05);
}

TEST_CASE("an event that took long is not held against those that are late long after") {
  Load load{.decision = absl::Milliseconds(1),
            .events = Times(430, 1),
            .decisions = 1200,
            .first_events = 30};
  load.events[10] = absl::Seconds(2);
  load.events_at_decision[500] = 400;
  const auto order = OrderOf(load);
  CAPTURE(order);
  CHECK(ShareOfEvents(order, 1, 530, 800) == Approx(0.5).margin(0.03));
}

TEST_CASE("events that kept no decision waiting are not held against those that are late") {
  Load load{.decision = absl::Milliseconds(5),
            .events = Times(300, 4),
            .decisions = 2,
            .first_events = 300};
  load.decisions_at_event[60] = 150;
  const auto order = OrderOf(load);
  CAPTURE(order);
  CHECK(ShareOfEvents(order, 0.8, 5, 120) == Approx(0.5).margin(0.05));
}

// The watchdog is held between marking a stuck listener and handing its key over, until the
// listener's thread is back and has another key's event in hand.
TEST_CASE("a thread that comes back while its key is handed over does not lose either key") {
  const auto keys = DistinctKeys(3);
  Door hung, back, in_other, finish;
  const OpenAtEnd open1(hung), open2(back), open3(in_other), open4(finish);
  std::atomic<int> marked{0};
  std::array<std::atomic<int>, 3> heard{};
  RuntimeOptions options;
  options.workers = 2;
  options.spares = 0;
  options.deadline = absl::Milliseconds(10);
  options.breaker.late_in_a_row = 1'000'000;
  options.log = [&](const LogEntry& entry) {
    if (entry.text.find("stuck") == std::string_view::npos) return;
    // The first to be stuck leaves a permit behind, with which the second can go on at once.
    if (++marked == 2) {
      back.Open();
      (void)in_other.WaitFor(std::chrono::seconds(2));
    }
  };
  auto team = Listening({{"hangs",
                          [&](const Signal& signal) {
                            ++heard[signal.key];
                            if (signal.key == 0 && signal.number == 0) hung.Wait();
                            if (signal.key == 1 && signal.number == 0) back.Wait();
                            if (signal.key == 2 && signal.number == 0) {
                              in_other.Open();
                              (void)finish.WaitFor(std::chrono::milliseconds(100));
                            }
                            return absl::OkStatus();
                          }}},
                        options)
                  .Build();
  REQUIRE(team.ok());
  CHECK((*team)->Publish(Signal{0, 0}, keys[0]).ok());
  REQUIRE(Eventually([&] { return marked == 1; }));
  CHECK((*team)->Publish(Signal{1, 0}, keys[1]).ok());
  CHECK((*team)->Publish(Signal{2, 0}, keys[2]).ok());
  REQUIRE(Eventually([&] { return in_other.open(); }));
  for (int i = 1; i <= 5; ++i) {
    for (uint64_t key = 1; key <= 2; ++key) {
      CHECK((*team)->Publish(Signal{key, i}, keys[key]).ok());
    }
  }
  hung.Open();
  finish.Open();
  CHECK(Eventually([&] { return (*team)->GetStats().events == 13; }));
  // Each once: the key that hung is not lost, and the other is not drained by two.
  CHECK(heard[0] == 1);
  CHECK(heard[1] == 6);
  CHECK(heard[2] == 6);
  CHECK(LeftBehind(**team) == "");
}

// The watchdog is held between marking the stuck listener and handing its key over, until the team
// has changed: another thread goes on with the event in the new team.
TEST_CASE("the other listeners hear an event once though the team changes while one hangs") {
  enum class Change { kRemoveFirst, kRemoveHung, kReplaceFirst, kReplaceHung, kNewName };
  for (const Change change : {Change::kRemoveFirst, Change::kRemoveHung, Change::kReplaceFirst,
                              Change::kReplaceHung, Change::kNewName}) {
    INFO("change " << static_cast<int>(change));
    Door door, stuck, changed;
    const OpenAtEnd open1(door), open2(stuck), open3(changed);
    RuntimeOptions options;
    options.workers = 1;
    options.spares = 1;
    options.deadline = absl::Milliseconds(10);
    options.log = [&](const LogEntry& entry) {
      if (entry.text.find("stuck") == std::string_view::npos) return;
      stuck.Open();
      changed.Wait();
    };
    std::array<std::atomic<int>, 3> heard{};
    const auto counts = [&](size_t listener) {
      return [&, listener](const Signal& signal) {
        ++heard[listener];
        if (listener == 1 && signal.number == 0) door.Wait();
        return absl::OkStatus();
      };
    };
    auto team =
        Listening({{"first", counts(0)}, {"hangs", counts(1)}, {"last", counts(2)}}, options)
            .Build();
    REQUIRE(team.ok());
    CHECK((*team)->Publish(Signal{1, 0}, 1).ok());
    stuck.Wait();
    auto edit = (*team)->Edit();
    switch (change) {
      case Change::kRemoveFirst:
        edit.Remove("first");
        break;
      case Change::kRemoveHung:
        edit.Remove("hangs");
        break;
      case Change::kReplaceFirst:
        edit.Remove("first").Add<Listener>("first", counts(0));
        break;
      case Change::kReplaceHung:
        edit.Remove("hangs").Add<Listener>("hangs", counts(1));
        break;
      case Change::kNewName:
        edit.Remove("first").Add<Listener>("another", counts(0));
        break;
    }
    CHECK(edit.Commit().ok());
    changed.Open();
    CHECK(Eventually([&] { return (*team)->GetStats().events == 1; }));
    // One of another name is new to the event.
    CHECK(heard[0] == (change == Change::kNewName ? 2 : 1));
    CHECK(heard[1] == 1);
    CHECK(heard[2] == 1);
    door.Open();
    CHECK(LeftBehind(**team) == "");
  }
}

TEST_CASE("a listener with few replicas hears every event, in order per key") {
  for (const int replicas : {1, 2}) {
    for (const int workers : {1, 2, 4}) {
      INFO(replicas << " replicas, " << workers << " workers");
      constexpr int kKeys = 20, kEach = 200;
      std::array<std::array<std::atomic<int>, kKeys>, 2> next{};
      std::atomic<int> wrong{0}, inside{0}, most{0};
      RuntimeOptions options;
      options.workers = workers;
      options.deadline = absl::Seconds(30);
      options.breaker.late_in_a_row = 1'000'000;
      auto builder = Listening({}, options);
      builder.Add<Listener>(
          "heavy",
          [&](const Signal& signal) {
            if (++inside > replicas) ++most;
            std::this_thread::yield();
            wrong += next[0][signal.key].fetch_add(1) != signal.number;
            --inside;
            return absl::OkStatus();
          },
          replicas);
      builder.Add<Listener>("light", [&](const Signal& signal) {
        wrong += next[1][signal.key].fetch_add(1) != signal.number;
        return absl::OkStatus();
      });
      auto team = builder.Build();
      REQUIRE(team.ok());
      for (int i = 0; i < kEach; ++i) {
        for (uint64_t key = 0; key < kKeys; ++key) {
          CHECK((*team)->Publish(Signal{key, i}, key).ok());
        }
      }
      CHECK(Eventually([&] { return (*team)->GetStats().events == kKeys * kEach; }));
      CHECK(wrong == 0);
      CHECK(most == 0);
      CHECK(CountOf((*team)->GetStats(), "heavy", Outcome::kRan) == kKeys * kEach);
      CHECK(CountOf((*team)->GetStats(), "light", Outcome::kRan) == kKeys * kEach);
    }
  }
}

TEST_CASE("events that wait for a listener's only replica pass it by while it hangs") {
  const auto keys = DistinctKeys(2);
  Door door;
  const OpenAtEnd open(door);
  std::atomic<bool> hangs{false};
  std::atomic<int> light{0};
  RuntimeOptions options;
  options.workers = 2;
  options.spares = 2;
  options.deadline = absl::Milliseconds(10);
  options.breaker.late_in_a_row = 1'000'000;
  auto builder = Listening({}, options);
  builder.Add<Listener>(
      "heavy",
      [&](const Signal& signal) {
        if (signal.key == 0) {
          hangs = true;
          door.Wait();
        }
        return absl::OkStatus();
      },
      1);
  builder.Add<Listener>("light", [&](auto&) {
    ++light;
    return absl::OkStatus();
  });
  auto team = builder.Build();
  REQUIRE(team.ok());
  CHECK((*team)->Publish(Signal{0, 0}, keys[0]).ok());
  REQUIRE(Eventually([&] { return hangs.load(); }));
  for (int i = 0; i < 5; ++i) CHECK((*team)->Publish(Signal{1, i}, keys[1]).ok());
  CHECK(Eventually([&] { return light == 6; }));
  CHECK(CountOf((*team)->GetStats(), "heavy", Outcome::kQuarantined) == 5);
  door.Open();
  CHECK(Eventually([&] { return (*team)->GetStats().workers_stuck == 0; }));
  CHECK((*team)->Publish(Signal{1, 5}, keys[1]).ok());
  CHECK(Eventually([&] { return light == 7; }));
  CHECK(CountOf((*team)->GetStats(), "heavy", Outcome::kRan) == 2);
  CHECK(LeftBehind(**team) == "");
}

// Several keys wait for one replica, and each is told only once that it is free.
TEST_CASE("events that wait for a replica go on when its agent is removed, and at a shutdown") {
  const auto keys = DistinctKeys(4);
  for (const bool removed : {true, false}) {
    INFO((removed ? "removed" : "shut down"));
    Door door;
    const OpenAtEnd open(door);
    std::atomic<bool> busy{false};
    std::atomic<int> before{0}, heavy{0}, after{0};
    RuntimeOptions options;
    options.workers = 2;
    options.spares = 0;
    options.deadline = absl::Seconds(30);
    options.breaker.late_in_a_row = 1'000'000;
    auto builder = Listening({}, options);
    builder.Add<Listener>("before", [&](auto&) {
      ++before;
      return absl::OkStatus();
    });
    builder.Add<Listener>(
        "heavy",
        [&](const Signal& signal) {
          ++heavy;
          if (signal.key == 0) {
            busy = true;
            door.Wait();
          }
          return absl::OkStatus();
        },
        1);
    builder.Add<Listener>("after", [&](auto&) {
      ++after;
      return absl::OkStatus();
    });
    auto team = builder.Build();
    REQUIRE(team.ok());
    CHECK((*team)->Publish(Signal{0, 0}, keys[0]).ok());
    REQUIRE(Eventually([&] { return busy.load(); }));
    for (uint64_t key = 1; key < 4; ++key) CHECK((*team)->Publish(Signal{key, 0}, keys[key]).ok());
    REQUIRE(Eventually([&] { return before == 4; }));
    if (removed) {
      CHECK((*team)->Edit().Remove("heavy").Commit().ok());
      door.Open();
      CHECK(Eventually([&] { return after == 4; }));
    }
    std::thread opener([&] {
      (void)Eventually([&] {
        return (*team)->Publish(Unheard{}, 1).code() == absl::StatusCode::kFailedPrecondition;
      });
      door.Open();
    });
    CHECK(LeftBehind(**team) == "");
    opener.join();
    CHECK((removed ? heavy >= 1 : heavy == 4));
    CHECK(after == 4);
  }
}

}  // namespace
}  // namespace adagents::testing
