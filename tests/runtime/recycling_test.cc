// Tickets and boards are used again and again: nothing of one decision is visible in a later one.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

constexpr Key<std::vector<std::string>> kWords{"words"};
constexpr Key<std::shared_ptr<int>> kShared{"shared"};
constexpr Key<std::string> kText{"text"};
constexpr ListKey<std::vector<int>> kList{"list"};

// Adds to its outputs without clearing them first: what was there before would show.
class Appends final : public Agent {
  In<int> ask_{this, kAsk};
  Out<std::vector<std::string>> words_{this, kWords};
  Out<std::shared_ptr<int>> shared_{this, kShared};
  Vote<std::vector<int>> vote_{this, kList};

 public:
  Appends() : Agent({.name = "appends"}) {}
  absl::Status Run(Context& ctx) override {
    if (!ctx[words_].empty() || ctx[shared_] != nullptr) return absl::InternalError("not fresh");
    ctx[words_].push_back(std::to_string(ctx[ask_]));
    ctx[shared_] = std::make_shared<int>(ctx[ask_]);
    if (ctx[ask_] % 3 == 0) ctx.Cast(vote_, {ctx[ask_]});
    return ctx[ask_] % 7 == 0 ? absl::InternalError("seven") : absl::OkStatus();
  }
};

class Describes final : public Agent {
  In<int> ask_{this, kAsk};
  In<std::vector<std::string>> words_{this, kWords, {"absent"}};
  In<std::shared_ptr<int>> shared_{this, kShared, nullptr};
  InAll<std::vector<int>> votes_{this, kList};
  Out<std::string> text_{this, kText, "default "};

 public:
  Describes() : Agent({.name = "describes"}) {}
  absl::Status Run(Context& ctx) override {
    for (const auto& word : ctx[words_]) ctx[text_] += word;
    ctx[text_] += ctx[shared_] == nullptr ? "/-" : Numbered("/", *ctx[shared_]);
    for (const auto& ballot : ctx[votes_]) ctx[text_] += Numbered("/", ballot->at(0));
    return ctx[ask_] % 11 == 0 ? absl::InternalError("eleven") : absl::OkStatus();
  }
};

std::string Expected(int ask) {
  if (ask % 11 == 0) return "default ";
  const std::string number = std::to_string(ask);
  if (ask % 7 == 0) return "default absent/-";
  return "default " + number + "/" + number + (ask % 3 == 0 ? "/" + number : "");
}

TEST_CASE("nothing of an earlier decision is visible later, whatever types and failures") {
  for (const int workers : {1, 2, 4}) {
    RuntimeOptions options;
    options.workers = workers;
    options.max_in_flight = 8;  // each ticket is used often
    options.breaker.failed_in_a_row = options.breaker.late_in_a_row = 1'000'000;
    options.deadline = absl::Seconds(20);
    auto runtime = Runtime<int, std::string>::Builder(kAsk, kText)
                       .Add<Describes>()
                       .Add<Appends>()
                       .Options(options)
                       .Build();
    REQUIRE(runtime.ok());
    std::atomic<int> wrong{0};
    std::vector<std::thread> callers;
    for (size_t c = 0; c < 3; ++c) {
      callers.emplace_back([&, c] {
        for (int i = 1; i < 1'500; ++i) {
          const Answer<std::string> answer = Ask(**runtime, kWays[c], i);
          wrong += answer.verdict != Verdict::kDecided || answer.value != Expected(i);
        }
      });
    }
    for (auto& caller : callers) caller.join();
    INFO(workers << " workers");
    CHECK(wrong == 0);
  }
}

struct Alive {
  explicit Alive(std::atomic<int>* counter) : count(counter) { ++*count; }
  ~Alive() { --*count; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  std::atomic<int>* count;
};

using Parcel = std::unique_ptr<Alive>;
constexpr Key<Parcel> kParcel{"parcel"};
constexpr Key<std::atomic<int>*> kCounter{"counter"};

class Packs final : public Agent {
  In<std::atomic<int>*> counter_{this, kCounter};
  Out<Parcel> out_{this, kParcel};

 public:
  Packs() : Agent({.name = "packs"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[out_] = std::make_unique<Alive>(ctx[counter_]);
    return absl::OkStatus();
  }
};

TEST_CASE("a result that can only be moved arrives, and is destroyed with its answer") {
  std::atomic<int> alive{0};
  auto runtime =
      Runtime<std::atomic<int>*, Parcel>::Builder(kCounter, kParcel).Add<Packs>().Build();
  REQUIRE(runtime.ok());
  for (int i = 0; i < 30; ++i) {
    for (const Way way : kWays) {
      INFO(Name(way));
      const auto answer = Ask(**runtime, way, &alive);
      REQUIRE(answer.value != nullptr);
      CHECK(alive == 1);
    }
    CHECK(alive == 0);
  }
}

TEST_CASE("a result that can only be moved is left to the fallback once the deadline has passed") {
  std::atomic<int> alive{0}, other{0};
  Door door;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 1;
  options.deadline = absl::Milliseconds(10);
  struct Hangs final : Agent {
    In<Parcel> in{this, kParcel};
    Door* door;
    explicit Hangs(Door* d) : Agent({.name = "hangs"}), door(d) {}
    absl::Status Run(Context& ctx) override {
      const Alive* seen = ctx[in].get();
      door->Wait();
      return seen == ctx[in].get() ? absl::OkStatus() : absl::InternalError("taken away");
    }
  };
  auto runtime =
      Runtime<std::atomic<int>*, Parcel>::Builder(kCounter, kParcel)
          .Add<Packs>()
          .Add<Hangs>(&door)
          .Fallback([&](std::atomic<int>* const&, const Board& board) {
            return board.Find(kParcel) != nullptr ? std::make_unique<Alive>(&other) : nullptr;
          })
          .Options(options)
          .Build();
  REQUIRE(runtime.ok());
  const auto answer = (*runtime)->Decide(&alive);
  CHECK(answer.verdict == Verdict::kExpired);
  REQUIRE(answer.value != nullptr);
  CHECK(answer.value->count == &other);
  CHECK(answer.late == 1);
  door.Open();
  CHECK(Eventually([&] { return alive.load() == 0; }));
  CHECK(CountOf((*runtime)->GetStats(), "hangs", Outcome::kFailed) == 0);
}

TEST_CASE("a request handle is kept until the last straggler has left") {
  auto request = std::make_shared<int>(5);
  const std::weak_ptr<int> weak = request;
  Door door, entered;
  const OpenAtEnd open(door);
  RuntimeOptions options;
  options.workers = 1;
  options.deadline = absl::Milliseconds(10);
  std::atomic<int> seen{0};
  using Handles = Runtime<std::shared_ptr<int>, int>;
  auto runtime = Handles::Builder(kAsk, kSay)
                     .Add<Node>(NodeSpec{.name = "hangs",
                                         .in = {"ask"},
                                         .out = "say",
                                         .body =
                                             [&](Context& ctx, Node& node) {
                                               entered.Open();
                                               door.Wait();
                                               seen = node.in(ctx, 0);
                                               return absl::OkStatus();
                                             }})
                     .Options(options)
                     .Build();
  REQUIRE(runtime.ok());
  Door answered;
  (*runtime)->DecideAsync(std::move(request), {}, [&](Answer<int> answer) {
    if (answer.verdict == Verdict::kExpired) answered.Open();
  });
  entered.Wait();
  answered.Wait();
  CHECK(!weak.expired());
  door.Open();
  CHECK(Eventually([&] { return weak.expired(); }));
  CHECK(seen == 5);
}

}  // namespace
}  // namespace adagents::testing
