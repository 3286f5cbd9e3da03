// Models are replaced while the runtime decides, and models stay within their memory. An executable
// of its own, because it counts allocations. With ADAGENTS_LONG=1: 1,000 reloads, and 1,000,000
// decisions.
#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "allocations.h"
#include "model/model_team.h"
#include "runtime/support.h"
#include "temporary_folder.h"

namespace adagents::model {
namespace {

using namespace testing;  // NOLINT: a test
using adagents::testing::all_allocations;
using adagents::testing::Eventually;
using adagents::testing::LongRun;
using adagents::testing::thread_allocations;

TEST_CASE("forward passes allocate nothing") {
  const auto store = MakeStore();
  REQUIRE(store->Publish(SomeModel(1)).ok());
  const Ask ask = SomeAsk(1);
  EncoderScratch scratch;
  SessionVector vector;
  Scores scores;
  int failed = 0;
  const long before = thread_allocations;
  for (int i = 0; i < 1'000; ++i) {
    const ModelStore::Use use = store->Pin();
    failed += !use.Encode(ask.window, {}, &scratch, &vector).ok();
    failed += !use.Score(1, vector, ask.entries, kFacts, {}, scores.probability).ok();
    // What a busy server says often takes nothing either: once both messages have been made.
    failed += use.Encode(ask.window, Deadline::At(1), &scratch, &vector).ok();
    failed += use.Score(1, {}, ask.entries, kFacts, {}, scores.probability).ok();
    if (i == 0) thread_allocations = before;
  }
  CHECK(thread_allocations == before);
  CHECK(failed == 0);
}

TEST_CASE("no decision fails, is late or mixes two models while these are replaced under load") {
  const int reloads = LongRun() ? 1'000 : 60;
  const Folder folder;
  const std::string paths[] = {folder / "a.model", folder / "b.model", folder / "bad.model"};
  REQUIRE(SomeModel(1)->Save(paths[0]).ok());
  REQUIRE(SomeModel(2)->Save(paths[1]).ok());
  std::ofstream(paths[2], std::ios::binary) << SomeModel(3)->Serialize().substr(0, 5'000);
  const auto store = MakeStore();
  REQUIRE(store->Load(paths[0]).ok());
  const Ask ask = SomeAsk(9);
  const Both said[] = {Said(*SomeModel(1), ask), Said(*SomeModel(2), ask)};
  REQUIRE_FALSE(Same(said[0].click, said[1].click));

  RuntimeOptions options;
  options.workers = 2;
  // The short run stands in a suite that may share its machine with anything.
  if (!LongRun()) options.deadline = absl::Seconds(10);
  auto team = MakeModelTeam(store, options);
  std::atomic<bool> done{false};
  std::atomic<uint64_t> decided{0}, undecided{0}, degraded{0}, wrong{0}, of[2] = {};
  const auto client = [&](bool trusted) {
    while (!done.load(std::memory_order_relaxed)) {
      const Answer<Both> answer = team->Decide(ask, {.trusted = trusted});
      undecided += answer.verdict != Verdict::kDecided;
      degraded += answer.degraded();
      // Each agent's answer is one model's, whole; two agents may be on either side of a reload.
      for (const Scores* scores : {&answer.value.click, &answer.value.completion}) {
        const int which = scores->trunk == said[0].click.trunk ? 0 : 1;
        const Both& expected = said[which];
        wrong +=
            !Same(*scores, scores == &answer.value.click ? expected.click : expected.completion);
        of[which].fetch_add(1, std::memory_order_relaxed);
      }
      decided.fetch_add(1, std::memory_order_relaxed);
    }
  };
  std::thread clients[] = {std::thread(client, false), std::thread(client, true)};
  int failed = 0, accepted = 0, most_alive = 0;
  for (int i = 0; i < reloads; ++i) {
    // The next reload comes when a decision was made with this one.
    const uint64_t before = decided.load();
    failed += !store->Load(paths[(i + 1) % 2]).ok();
    if (i % 10 == 0) accepted += store->Load(paths[2]).ok();
    most_alive = std::max(most_alive, store->stats().versions_alive);
    if (!Eventually([&] { return decided.load() > before; })) break;
  }
  done = true;
  for (std::thread& thread : clients) thread.join();
  CHECK(failed == 0);
  CHECK(accepted == 0);
  CHECK(undecided == 0);
  CHECK(degraded == 0);
  CHECK(wrong == 0);
  CHECK(of[0] > 0);
  CHECK(of[1] > 0);
  CHECK(decided >= static_cast<uint64_t>(reloads));
  CHECK(store->stats().loaded == static_cast<uint64_t>(reloads) + 1);
  CHECK(store->stats().not_begun == 0);
  CHECK(most_alive <= 4);  // the current one, and one for each client
  CHECK(team->Shutdown(absl::Seconds(10)).clean());
}

/// "VmRSS:" and "Threads:" of /proc/self/status.
long OfProcess(const std::string& field) {
  std::ifstream in("/proc/self/status");
  std::string word;
  while (in >> word) {
    if (word == field) {
      long value = 0;
      in >> value;
      return value;
    }
  }
  return -1;
}

TEST_CASE("deciding with models takes no memory and no thread beyond those configured") {
  const int decisions = LongRun() ? 1'000'000 : 20'000;
  const auto store = MakeStore();
  REQUIRE(store->Publish(SomeModel(1)).ok());
  const long threads_before = OfProcess("Threads:");
  RuntimeOptions options;
  options.workers = 1;
  options.spares = 1;
  options.share_work = false;  // the timer would cut the plan, which takes memory
  options.deadline = absl::Seconds(30);
  auto team = MakeModelTeam(store, options);
  const Ask ask = SomeAsk(2);
  const auto decide = [&](int times) {
    int wrong = 0;
    for (int i = 0; i < times; ++i) {
      wrong += team->Decide(ask, {.trusted = i % 2 == 0}).degraded();
    }
    return wrong;
  };
  REQUIRE(decide(2'000) == 0);
  const long threads = OfProcess("Threads:"), resident = OfProcess("VmRSS:");
  REQUIRE(threads > threads_before);
  REQUIRE(Eventually([&] {
    const long before = all_allocations.load();
    return decide(1'000) == 0 && all_allocations.load() == before;
  }));
  CHECK(decide(decisions) == 0);
  CHECK(OfProcess("Threads:") == threads);
  CHECK(OfProcess("VmRSS:") - resident < 1'024);  // KiB
}

}  // namespace
}  // namespace adagents::model
