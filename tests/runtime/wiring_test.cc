// Build() wires agents by key, or says exactly what is wrong.
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/support.h"

namespace adagents::testing {
namespace {

TEST_CASE("agents run in the order of what they read and write, however they were added") {
  const std::vector<NodeSpec> forward{{.name = "a", .in = {"ask"}, .out = "x"},
                                      {.name = "b", .in = {"x"}, .out = "y"},
                                      {.name = "c", .in = {"y", "x"}, .out = "say"}};
  const std::vector<NodeSpec> backward(forward.rbegin(), forward.rend());
  CHECK(MakeTeam(forward)->Decide(10).value == 24);
  CHECK(MakeTeam(backward)->Decide(10).value == 24);
}

TEST_CASE("a circle is reported with its path, from the agent that was added first") {
  CHECK(BuildError({{.name = "a", .in = {"z"}, .out = "x"},
                    {.name = "b", .in = {"x"}, .out = "y"},
                    {.name = "c", .in = {"y"}, .out = "z"},
                    {.name = "d", .in = {"z"}, .out = "say"}}) ==
        "the agents wait for each other in a circle: a -> (x) -> b -> (y) -> c -> (z) -> a");
  CHECK(BuildError({{.name = "self", .in = {"say"}, .out = "say"}}) ==
        "the agents wait for each other in a circle: self -> (say) -> self");
}

TEST_CASE("a long circle is cut short in its report") {
  std::vector<NodeSpec> nodes;
  for (int i = 0; i < 40; ++i) {
    nodes.push_back(
        {.name = Numbered("n", i), .in = {Numbered("k", (i + 39) % 40)}, .out = Numbered("k", i)});
  }
  nodes.push_back({.name = "says", .in = {"k0"}, .out = "say"});
  const std::string error = BuildError(nodes);
  CHECK(error.find("n0 -> (k0) -> n1") != std::string::npos);
  CHECK(error.find("... (40 agents) -> n0") != std::string::npos);
  CHECK(error.find("n20") == std::string::npos);
}

TEST_CASE("two writers of one key are both named") {
  CHECK(BuildError({{.name = "a", .out = "say"}, {.name = "b", .out = "say"}}) ==
        "key 'say' has two writers: 'a' and 'b'");
}

TEST_CASE("an agent may not write the request") {
  CHECK(BuildError({{.name = "a", .out = "ask"}}) ==
        "agent 'a' writes 'ask', which is the request");
}

TEST_CASE("an input that nobody writes is named with its agent") {
  CHECK(BuildError({{.name = "a", .in = {"nowhere"}, .out = "say"}}) ==
        "agent 'a' reads 'nowhere', which nobody writes: add its writer or give the In an absent "
        "value");
}

TEST_CASE("a result that nobody writes is named") {
  CHECK(BuildError({{.name = "a", .in = {"ask"}, .out = "x"}}) == "nobody writes the result 'say'");
  CHECK(BuildError(std::vector<NodeSpec>{}) == "nobody writes the result 'say'");
}

TEST_CASE("a name that is given twice, or not at all, is reported") {
  CHECK(BuildError({{.name = "a", .out = "say"}, {.name = "a", .out = "x"}}) ==
        "two agents are named 'a'");
  CHECK(BuildError({{.name = "a", .out = "say"}, {.name = "", .out = "x"}}) ==
        "agent number 2 has no name");
  CHECK(BuildError({{.name = "a", .in = {""}, .out = "say"}}) ==
        "agent 'a' has a port with an empty key");
}

TEST_CASE("a reentrant agent with a number of replicas contradicts itself") {
  CHECK(BuildError({{.name = "a",
                     .out = "say",
                     .options = {.name = {}, .reentrant = true, .replicas = 2}}}) ==
        "agent 'a' is reentrant, so one instance serves all: leave out replicas");
}

template <class T>
class Writes final : public Agent {
  Out<T> out_;

 public:
  Writes(std::string name, std::string key)
      : Agent({.name = name}), out_(this, Key<T>{Intern(key)}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};
template <class T>
class Reads final : public Agent {
  In<T> in_;

 public:
  Reads(std::string name, std::string key)
      : Agent({.name = name}), in_(this, Key<T>{Intern(key)}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};
template <class T>
class Votes final : public Agent {
  Vote<T> vote_;

 public:
  Votes(std::string name, std::string key)
      : Agent({.name = name}), vote_(this, ListKey<T>{Intern(key)}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};
template <class T>
class Counts final : public Agent {
  InAll<T> all_;

 public:
  Counts(std::string name, std::string key)
      : Agent({.name = name}), all_(this, ListKey<T>{Intern(key)}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};

const NodeSpec kSays{.name = "says", .in = {"ask"}, .out = "say"};

TEST_CASE("types that differ are named with the agents on both sides") {
  CHECK(BuildError(
            TeamOf({kSays}).Add<Writes<double>>("writes", "x").Add<Reads<int>>("reads", "x")) ==
        "types differ for key 'x': double in 'writes', int in 'reads'");
  CHECK(BuildError(TeamOf({kSays}).Add<Reads<float>>("reads", "ask")) ==
        "types differ for key 'ask': int in 'the request', float in 'reads'");
  CHECK(BuildError(Team::Builder(kAsk, kSay).Add<Writes<float>>("writes", "say")) ==
        "types differ for key 'say': float in 'writes', int in 'the result'");
  CHECK(
      BuildError(TeamOf({kSays}).Add<Votes<int>>("one", "list").Add<Votes<long>>("two", "list")) ==
      "types differ for key 'list': int in 'one', long in 'two'");
  CHECK(BuildError(
            TeamOf({kSays}).Add<Votes<int>>("one", "list").Add<Counts<bool>>("counts", "list")) ==
        "types differ for key 'list': int in 'one', bool in 'counts'");
}

TEST_CASE("a list is not a value, nor a value a list") {
  CHECK(BuildError(TeamOf({kSays}).Add<Votes<int>>("votes", "x").Add<Writes<int>>("writes", "x")) ==
        "key 'x' is a list for 'votes' and a value for 'writes'");
  CHECK(BuildError(TeamOf({kSays}).Add<Votes<int>>("votes", "x").Add<Reads<int>>("reads", "x")) ==
        "agent 'reads' reads 'x' as a value, but it is a list: use InAll");
  CHECK(
      BuildError(TeamOf({kSays}).Add<Writes<int>>("writes", "x").Add<Counts<int>>("counts", "x")) ==
      "agent 'counts' reads 'x' as a list, but 'writes' writes it as a value");
  CHECK(BuildError(TeamOf({kSays}).Add<Counts<int>>("counts", "nobody")).empty());
}

struct Total {
  int sum = 0;
};
constexpr StateKey<Total> kTotal{"total"};

class UsesTotal final : public Agent {
  State<Total> total_{this, kTotal};

 public:
  UsesTotal() : Agent({.name = "uses"}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};

TEST_CASE("state that is not shared, shared twice, null or of another type is reported") {
  const std::string type = "adagents::testing::(anonymous namespace)::Total";
  CHECK(BuildError(TeamOf({kSays}).Add<UsesTotal>()) ==
        "agent 'uses' uses state 'total' (" + type + "), which nobody shares");
  CHECK(BuildError(TeamOf({kSays}).Add<UsesTotal>().Share(StateKey<int>{"total"}, 1)) ==
        "agent 'uses' uses state 'total' as " + type + ", but it is shared as int");
  CHECK(BuildError(TeamOf({kSays}).Add<UsesTotal>().Share(kTotal).Share(kTotal)) ==
        "state 'total' is shared twice");
  CHECK(BuildError(TeamOf({kSays}).ShareObject(kTotal, std::shared_ptr<Total>())) ==
        "state 'total' is null");
  CHECK(BuildError(TeamOf({kSays}).Add<UsesTotal>().Share(kTotal)).empty());
}

struct Ping {};
class Confused final : public Agent {
  On<Ping> ping_{this};
  In<int> in_{this, kAsk};

 public:
  Confused() : Agent({.name = "confused"}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};
class ListensAndVetoes final : public Agent {
  On<Ping> ping_{this};

 public:
  ListensAndVetoes() : Agent({.name = "vetoes", .must_run = true}) {}
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};

TEST_CASE("an agent runs on events or on decisions, not on both") {
  CHECK(BuildError(TeamOf({kSays}).Add<Confused>()) ==
        "agent 'confused' has both On and In, InAll, Out or Vote ports: an agent runs either on "
        "events or on decisions; share State between two agents instead");
  CHECK(BuildError(TeamOf({kSays}).Add<ListensAndVetoes>()) ==
        "agent 'vetoes' listens to events, so it cannot be must_run");
}

class Throws final : public Agent {
 public:
  explicit Throws(int what) : Agent({.name = "throws"}) {
    if (what == 1) throw std::runtime_error("no model file");
    if (what == 2) throw 2;
  }
  absl::Status Run(Context&) override { return absl::OkStatus(); }
};

TEST_CASE("a constructor that throws, also for a later replica only, fails the build") {
  CHECK(BuildError(TeamOf({kSays}).Add<Throws>(1)) ==
        "constructing agent '?' threw: no model file");
  CHECK(BuildError(TeamOf({kSays}).Add<Throws>(2)) == "constructing agent '' threw");
  CHECK(BuildError(TeamOf({kSays}).AddFactory([] { return std::unique_ptr<Agent>(); })) ==
        "an agent's factory returned null");
  RuntimeOptions options;
  options.workers = 2;
  int made = 0;
  const auto team = TeamOf({kSays}, options)
                        .AddFactory([&made] {
                          if (++made == 3) throw std::runtime_error("third");
                          return std::make_unique<Node>(NodeSpec{.name = "replicated"});
                        })
                        .Build();
  REQUIRE(!team.ok());
  CHECK(team.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Message(team.status()) == "constructing agent 'replicated' threw: third");
}

double SecondsToBuild(const std::vector<NodeSpec>& nodes, int expected) {
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  options.deadline = absl::Seconds(10);
  const auto start = SteadyClock::now();
  auto team = MakeTeam(nodes, options);
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  CHECK(team->Decide(0).value == expected);
  return seconds;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr double kBuildLimit = 10;
#else
constexpr double kBuildLimit = 1;
#endif

TEST_CASE("10,000 agents in a chain are wired within a second") {
  std::vector<NodeSpec> nodes;
  constexpr int kAgents = 10'000;
  for (int i = kAgents - 1; i >= 0; --i) {  // worst order: each reads what comes after it
    nodes.push_back({.name = Numbered("n", i),
                     .in = {i == 0 ? "ask" : Numbered("k", i)},
                     .out = i == kAgents - 1 ? "say" : Numbered("k", i + 1)});
  }
  CHECK(SecondsToBuild(nodes, kAgents) < kBuildLimit);
}

TEST_CASE("10,000 agents in a wide fan are wired within a second") {
  std::vector<NodeSpec> nodes;
  constexpr int kAgents = 9'998;
  NodeSpec join{.name = "join", .out = "say"};
  nodes.push_back({.name = "root", .in = {"ask"}, .out = "root"});
  for (int i = 0; i < kAgents; ++i) {
    const std::string key = Numbered("f", i);
    nodes.push_back({.name = Numbered("n", i), .in = {"root"}, .out = key});
    join.in.push_back(key);
  }
  nodes.push_back(join);
  CHECK(SecondsToBuild(nodes, 2 * kAgents + 1) < kBuildLimit);
}

TEST_CASE("a circle through 10,000 agents is found within a second, without deep recursion") {
  std::vector<NodeSpec> nodes;
  for (int i = 0; i < 10'000; ++i) {
    nodes.push_back({.name = Numbered("n", i),
                     .in = {Numbered("k", (i + 9'999) % 10'000)},
                     .out = i == 5 ? "say" : Numbered("k", i)});
  }
  nodes[6].in = {"say"};
  const auto start = SteadyClock::now();
  CHECK(BuildError(nodes).find("(10000 agents)") != std::string::npos);
  CHECK(std::chrono::duration<double>(SteadyClock::now() - start).count() < kBuildLimit);
}

TEST_CASE("among agents that do not depend on each other the order of adding decides") {
  std::vector<NodeSpec> nodes;
  std::vector<std::string> ran;
  NodeSpec says{.name = "says", .out = "say"};
  for (int i = 0; i < 20; ++i) {
    const std::string name = Numbered("n", (i * 7) % 20);
    nodes.push_back({.name = name, .in = {"ask"}, .out = name, .body = [&ran, name](auto&, auto&) {
                       ran.push_back(name);
                       return absl::OkStatus();
                     }});
    says.in.push_back(name);
  }
  nodes.push_back(says);
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = MakeTeam(nodes, options);
  (void)team->Decide(1);
  REQUIRE(ran.size() == 20);
  for (size_t i = 0; i < 20; ++i) CHECK(ran[i] == nodes[i].name);
}

TEST_CASE("must-run agents and what they wait for come first") {
  std::vector<std::string> ran;
  const auto note = [&ran](Context&, Node& node) {
    ran.push_back(std::string(node.options().name));
    return absl::OkStatus();
  };
  RuntimeOptions options;
  options.inline_scheduler.emplace();
  auto team = MakeTeam(
      {{.name = "a", .in = {"ask"}, .out = "say", .body = note},
       {.name = "b", .in = {"ask"}, .out = "b", .body = note},
       {.name = "for guard", .in = {"ask"}, .out = "g", .body = note},
       {.name = "guard", .in = {"g"}, .body = note, .options = {.name = {}, .must_run = true}}},
      options);
  (void)team->Decide(1);
  CHECK(ran == std::vector<std::string>{"for guard", "guard", "a", "b"});
}

}  // namespace
}  // namespace adagents::testing
