// Interleavings of the stream: producers, lapped subscribers, producers that die.
#include "adagents/blackboard/stream.h"

#include <memory>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

struct Event {
  uint64_t producer, number;
};
using TestStream = Stream<Event, ModelAtomics>;

struct State {
  explicit State(size_t capacity) : stream(capacity) {}
  TestStream stream;
};

Event Make(uint64_t producer, uint64_t number) { return {producer, producer * 100 + number}; }

// Reads until `total` events are accounted for. Each producer's events come in order, whole.
void Drain(TestStream::Subscriber& reader, uint64_t total) {
  uint64_t last[5] = {};
  uint64_t got = 0;
  while (got + reader.dropped() < total) {
    Event event{};
    if (!reader.Next(&event)) {
      ModelAtomics::Pause();
      continue;
    }
    ++got;
    Ensure(event.producer >= 1 && event.producer <= 4, "an event nobody published");
    Ensure(event.number / 100 == event.producer, "torn");
    Ensure(event.number > last[event.producer], "twice or out of order");
    last[event.producer] = event.number;
  }
  Ensure(got + reader.dropped() == total, "more than were published");
}

ProgramMaker Producers(size_t capacity, bool drops) {
  return [=](Program& p) {
    auto s = std::make_shared<State>(capacity);
    for (uint64_t producer = 1; producer <= 2; ++producer) {
      p.Thread([s, producer] {
        for (uint64_t n = 1; n <= 3; ++n) {
          Ensure(s->stream.Publish(Make(producer, n)), "no spare");
        }
      });
    }
    for (int reader = 0; reader < 2; ++reader) {
      p.Thread([s, drops] {
        auto from_start = s->stream.SubscribeFromOldest();
        const uint64_t before = from_start.position();
        Drain(from_start, 6 - before);
        Ensure(drops || from_start.dropped() == 0, "dropped without being lapped");
      });
    }
    p.Finally([s] {
      Ensure(s->stream.published() == 6 && s->stream.rejected() == 0, "an event was lost");
    });
  };
}

void DeadProducers(Program& p) {
  auto s = std::make_shared<State>(4);
  p.MortalThread([s] { s->stream.Publish(Make(1, 1)); });
  p.MortalThread([s] { s->stream.Publish(Make(2, 1)); });
  p.Thread([s] {
    for (uint64_t n = 1; n <= 2; ++n) Ensure(s->stream.Publish(Make(3, n)), "no spare");
  });
  p.Finally([s] {
    auto reader = s->stream.SubscribeFromOldest();
    Event event{};
    uint64_t of_living = 0;
    while (reader.Next(&event)) {
      Ensure(event.number / 100 == event.producer, "torn");
      of_living += event.producer == 3 ? 1 : 0;
    }
    Ensure(of_living == 2, "a dead producer hid an event");
  });
}

TEST_CASE("subscribers get every event once, in order and whole, or count it as dropped") {
  CheckPrograms({Producers(2, true), Producers(8, false), DeadProducers});
}

TEST_CASE("every order of the stream is needed") {
  CheckMutants({Producers(2, true), Producers(8, false)});
}

}  // namespace
}  // namespace adagents::testing
