// Why a decision came out as it did: outcomes, causes, reasons, in words.
#include <string>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

constexpr ReasonCode kTooWeak{"too_weak", "campaign {subject} scored {score}, below {threshold}"};
constexpr ReasonCode kChosen{"chosen", "campaign {subject} is chosen"};

NodeSpec Gives(std::string name, std::string in, std::string out, int reasons) {
  return {.name = std::move(name),
          .in = {std::move(in)},
          .out = std::move(out),
          .body = [reasons](Context& ctx, Node& node) {
            node.out(ctx) = 1;
            for (int i = 0; i < reasons; ++i) {
              ctx.Because({&kTooWeak, static_cast<uint64_t>(i), 0.25, 0.5});
            }
            return ctx.explaining() ? absl::OkStatus() : absl::OkStatus();
          }};
}

TEST_CASE("a decision explains itself only when asked to") {
  bool explaining = true;
  auto team =
      MakeTeam({{.name = "says", .in = {"ask"}, .out = "say", .body = [&](Context& ctx, Node&) {
                   explaining = ctx.explaining();
                   ctx.Because({&kChosen, 7});
                   return absl::OkStatus();
                 }}});
  for (const Way way : kWays) {
    CHECK(Ask(*team, way, 1).trace == nullptr);
    CHECK(!explaining);
    const Answer<int> answer = Ask(*team, way, 1, {.explain = true, .id = 42});
    CHECK(explaining);
    REQUIRE(answer.trace != nullptr);
    CHECK(answer.trace->id == 42);
    REQUIRE(answer.trace->reasons.size() == 1);
    CHECK(answer.trace->reasons[0].reason.subject == 7);
    CHECK(Ask(*team, way, 1).trace == nullptr);
  }
}

TEST_CASE("the trace says what became of every agent, and why") {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team =
      TeamOf({{.name = "fails",
               .in = {"ask"},
               .out = "x",
               .body = [](auto&, auto&) { return absl::InternalError("no model"); }},
              {.name = "throws",
               .in = {"ask"},
               .out = "y",
               .otherwise = 1,
               .body = [](auto&, auto&) -> absl::Status { throw std::runtime_error("oops"); }},
              {.name = "throws int",
               .in = {"ask"},
               .out = "z",
               .otherwise = 1,
               .body = [](auto&, auto&) -> absl::Status { throw 1; }},
              {.name = "off", .in = {"ask"}, .out = "w", .otherwise = 1},
              {.name = "starved", .in = {"x"}, .out = "v"},
              {.name = "says", .in = {"y"}, .out = "say"}},
             options)
          .Build();
  REQUIRE(team.ok());
  REQUIRE((*team)->SetSwitchedOff("off", true).ok());
  for (const Way way : kWays) {
    const Answer<int> answer = Ask(**team, way, 1, {.explain = true});
    REQUIRE(answer.trace->agents.size() == 6);
    const auto& agents = answer.trace->agents;
    const auto is = [&](size_t i, const char* name, Outcome outcome, Cause cause,
                        const char* error) {
      CHECK(agents[i].name == name);
      CHECK((agents[i].outcome == outcome));
      CHECK((agents[i].cause == cause));
      CHECK(agents[i].error == error);
    };
    is(0, "fails", Outcome::kFailed, Cause::kError, "no model");
    is(1, "throws", Outcome::kFailed, Cause::kThrew, "oops");
    is(2, "throws int", Outcome::kFailed, Cause::kThrew, "an exception that is no std::exception");
    is(3, "off", Outcome::kDefaulted, Cause::kSwitchedOff, "");
    is(4, "starved", Outcome::kSkipped, Cause::kMissingInput, "");
    is(5, "says", Outcome::kRan, Cause::kNone, "");
    CHECK((answer.trace->verdict == Verdict::kDecided));
    const std::string words = answer.trace->InWords();
    CHECK(words.find("decided after") != std::string::npos);
    CHECK(words.find("  fails failed (error): no model") != std::string::npos);
    CHECK(words.find("  starved skipped (missing input)\n") != std::string::npos);
    CHECK(words.find("  off defaulted (switched off)\n") != std::string::npos);
  }
}

TEST_CASE("reasons stand behind their agents, in the order in which they were left") {
  auto team = MakeTeam({Gives("second", "x", "say", 2), Gives("first", "ask", "x", 1)});
  for (const Way way : kWays) {
    const Answer<int> answer = Ask(*team, way, 1, {.explain = true});
    REQUIRE(answer.trace->reasons.size() == 3);
    CHECK(answer.trace->agents[answer.trace->reasons[0].agent].name == "first");
    CHECK(answer.trace->agents[answer.trace->reasons[2].agent].name == "second");
    CHECK(answer.trace->reasons[2].reason.subject == 1);
    const std::string words = answer.trace->InWords([](const Reason& reason) {
      return std::string(reason.code->name) + Numbered("-", static_cast<int>(reason.subject));
    });
    CHECK(words.find("    campaign too_weak-1 scored 0.25, below 0.5\n") != std::string::npos);
  }
  CHECK(InWords(Reason{&kChosen, 12}) == "campaign 12 is chosen");
  CHECK(InWords(Reason{}) == "no reason given");
}

TEST_CASE("reasons beyond 128 are counted, and the next decision starts at none") {
  auto team = MakeTeam({Gives("says", "ask", "say", 200)});
  for (const Way way : kWays) {
    for (int round = 0; round < 3; ++round) {
      const Answer<int> answer = Ask(*team, way, 1, {.explain = true});
      CHECK(answer.trace->reasons.size() == 128);
      CHECK(answer.trace->reasons_dropped == 72);
      CHECK(answer.trace->InWords().find("(72 more reasons dropped)") != std::string::npos);
    }
  }
}

TEST_CASE("every outcome, cause and verdict has a name") {
  for (uint8_t i = 0; i < 7; ++i) CHECK(Name(static_cast<Outcome>(i)) != "unknown");
  for (uint8_t i = 1; i < 9; ++i) CHECK(!Name(static_cast<Cause>(i)).empty());
  for (uint8_t i = 0; i < kVerdicts; ++i) CHECK(Name(static_cast<Verdict>(i)) != "unknown");
  CHECK(Name(static_cast<Verdict>(200)) == "unknown");
}

TEST_CASE("a trace tells nothing of why an earlier decision went otherwise") {
  RuntimeOptions options;
  options.max_in_flight = 1;  // so that it is the same ticket
  auto team = MakeTeam({{.name = "extra", .in = {"ask"}, .out = "x", .otherwise = 1},
                        {.name = "says", .in = {"x"}, .out = "say"}},
                       options);
  for (const Way way : kWays) {
    INFO(Name(way));
    REQUIRE(team->SetSwitchedOff("extra", true).ok());
    // The one before may hold the only ticket for a moment after its answer.
    REQUIRE(Eventually([&] { return Ask(*team, way, 1).defaulted == 1; }));
    REQUIRE(team->SetSwitchedOff("extra", false).ok());
    Answer<int> answer;
    REQUIRE(Eventually([&] {
      answer = Ask(*team, way, 1, {.explain = true});
      return answer.verdict == Verdict::kDecided;
    }));
    REQUIRE(answer.trace->agents.size() == 2);
    CHECK(answer.trace->agents[0].outcome == Outcome::kRan);
    CHECK(answer.trace->agents[0].cause == Cause::kNone);
  }
}

}  // namespace
}  // namespace adagents::testing
