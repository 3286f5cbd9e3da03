#include "adagents/runtime/internal/plan.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <queue>
#include <unordered_map>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/random.h"
#include "adagents/base/type_name.h"
#include "adagents/runtime/board.h"
#include "fmt/format.h"

namespace adagents::internal {
namespace {

size_t AlignUp(size_t offset, size_t align) { return (offset + align - 1) / align * align; }

}  // namespace

// Kahn's algorithm over units; push, pop and empty are of those that are ready.
template <class Push, class Pop, class Empty>
std::vector<uint32_t> Plan::OrderUnits(const std::vector<uint32_t>& units, Push push, Pop pop,
                                       Empty empty) const {
  std::vector<uint32_t> waiting(agents_.size(), 0);  // by unit: edges from others
  const auto each_edge = [&](uint32_t unit, auto&& visit) {
    const PlanLoop* loop = LoopOf(unit);
    const auto from = [&](uint32_t agent) {
      for (const uint32_t after : agents_[agent].successors) {
        // Within a loop the order is known; an agent that waits for itself is never ready.
        if (loop == nullptr || UnitOf(after) != unit) visit(UnitOf(after));
      }
    };
    if (loop == nullptr) return from(unit);
    for (const uint32_t member : loop->members) from(member);
  };
  for (const uint32_t unit : units) each_edge(unit, [&](uint32_t after) { ++waiting[after]; });
  for (const uint32_t unit : units) {
    if (waiting[unit] == 0) push(unit);
  }
  std::vector<uint32_t> order;
  while (!empty()) {
    const uint32_t unit = pop();
    if (const PlanLoop* loop = LoopOf(unit)) {
      order.insert(order.end(), loop->members.begin(), loop->members.end());
    } else {
      order.push_back(unit);
    }
    each_edge(unit, [&](uint32_t after) {
      if (--waiting[after] == 0) push(after);
    });
  }
  return order;
}

// Compiles in one pass per concern, each linear in agents and ports, none recursive: 10,000 agents
// in a chain are as good as 14.
class PlanCompiler {
 public:
  PlanCompiler(std::vector<std::shared_ptr<AgentSpec>> specs, const PlanSignature& signature,
               const StateStore& states)
      : signature_(signature), states_(states), plan_(std::make_shared<Plan>()) {
    plan_->agents_.reserve(specs.size());
    for (auto& spec : specs) {
      PlanAgent agent;
      agent.spec = std::move(spec);
      plan_->agents_.push_back(std::move(agent));
    }
  }

  absl::StatusOr<std::shared_ptr<Plan>> Compile() {
    for (auto step : {&PlanCompiler::Describe, &PlanCompiler::FindWriters, &PlanCompiler::Wire,
                      &PlanCompiler::CloseLoops, &PlanCompiler::Order, &PlanCompiler::FindResult,
                      &PlanCompiler::LayOut}) {
      if (absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    return std::move(plan_);
  }

 private:
  struct Writer {
    uint32_t agent;
    uint32_t port;
  };
  struct ListWriters {
    const std::type_info* type;
    std::string_view by;
    std::vector<Writer> writers;
    uint32_t index = 0;
  };

  const std::vector<PortInfo>& PortsOf(uint32_t agent) const {
    return plan_->agents_[agent].spec->first().ports();
  }
  const std::string& NameOf(uint32_t agent) const { return plan_->agents_[agent].spec->name(); }
  uint32_t count() const { return static_cast<uint32_t>(plan_->agents_.size()); }

  absl::Status Describe() {
    std::unordered_map<std::string_view, uint32_t> names;
    for (uint32_t i = 0; i < count(); ++i) {
      PlanAgent& agent = plan_->agents_[i];
      const AgentOptions& options = agent.spec->first().options();
      if (options.name.empty()) {
        return InvalidArgument(fmt::format("agent number {} has no name", i + 1));
      }
      if (!names.emplace(NameOf(i), i).second) {
        return InvalidArgument(fmt::format("two agents are named '{}'", NameOf(i)));
      }
      if (options.reentrant && options.replicas > 0) {
        return InvalidArgument(fmt::format(
            "agent '{}' is reentrant, so one instance serves all: leave out replicas", NameOf(i)));
      }
      agent.hash = StableHash64(options.name);
      agent.budget_nanos = absl::ToInt64Nanoseconds(options.budget);
      agent.must_run = options.must_run;
      bool outputs = false, reads = false;
      for (const PortInfo& port : PortsOf(i)) {
        if (port.kind == PortKind::kOn) agent.listens = true;
        if (port.kind == PortKind::kOut && !port.has_default) agent.required = true;
        outputs |= port.kind == PortKind::kOut || port.kind == PortKind::kVote;
        reads |= port.kind == PortKind::kIn || port.kind == PortKind::kInAll;
        if (port.kind != PortKind::kOn && port.key.empty()) {
          return InvalidArgument(fmt::format("agent '{}' has a port with an empty key", NameOf(i)));
        }
      }
      if (agent.listens && (outputs || reads)) {
        return InvalidArgument(fmt::format(
            "agent '{}' has both On and In, InAll, Out or Vote ports: an agent runs either on "
            "events or on decisions; share State between two agents instead",
            NameOf(i)));
      }
      if (agent.listens && agent.must_run) {
        return InvalidArgument(
            fmt::format("agent '{}' listens to events, so it cannot be must_run", NameOf(i)));
      }
      plan_->has_bounded_ |= options.replicas > 0;
      if (agent.must_run) plan_->must_run_.push_back(i);
      if (agent.listens) {
        for (const PortInfo& port : PortsOf(i)) {
          if (port.kind == PortKind::kOn) {
            plan_->listeners_[std::type_index(*port.type)].push_back(i);
          }
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status FindWriters() {
    for (uint32_t i = 0; i < count(); ++i) {
      const auto& ports = PortsOf(i);
      for (uint32_t p = 0; p < ports.size(); ++p) {
        const PortInfo& port = ports[p];
        if (port.kind == PortKind::kOut) {
          if (port.key == signature_.request_key) {
            return InvalidArgument(
                fmt::format("agent '{}' writes '{}', which is the request", NameOf(i), port.key));
          }
          const auto [at, fresh] = writers_.emplace(port.key, Writer{i, p});
          if (!fresh) {
            return InvalidArgument(fmt::format("key '{}' has two writers: '{}' and '{}'", port.key,
                                               NameOf(at->second.agent), NameOf(i)));
          }
        } else if (port.kind == PortKind::kVote) {
          auto& list = lists_[port.key];
          if (list.writers.empty()) {
            list.type = port.type;
            list.by = NameOf(i);
          } else if (*list.type != *port.type) {
            return TypesDiffer(port.key, list.by, *list.type, NameOf(i), *port.type);
          }
          list.writers.push_back({i, p});
        }
      }
    }
    for (const auto& [key, list] : lists_) {
      if (const auto writer = writers_.find(key); writer != writers_.end()) {
        return InvalidArgument(fmt::format("key '{}' is a list for '{}' and a value for '{}'", key,
                                           list.by, NameOf(writer->second.agent)));
      }
    }
    return absl::OkStatus();
  }

  static absl::Status TypesDiffer(std::string_view key, std::string_view writer,
                                  const std::type_info& written, std::string_view reader,
                                  const std::type_info& read) {
    return InvalidArgument(fmt::format("types differ for key '{}': {} in '{}', {} in '{}'", key,
                                       TypeName(written), writer, TypeName(read), reader));
  }

  absl::Status Wire() {
    for (uint32_t i = 0; i < count(); ++i) {
      PlanAgent& agent = plan_->agents_[i];
      for (const PortInfo& port : PortsOf(i)) {
        if (port.kind == PortKind::kIn) {
          if (absl::Status status = WireIn(i, agent, port); !status.ok()) return status;
        } else if (port.kind == PortKind::kInAll) {
          const auto list = lists_.find(port.key);
          if (list == lists_.end()) {
            if (writers_.contains(port.key)) {
              return InvalidArgument(
                  fmt::format("agent '{}' reads '{}' as a list, but '{}' writes "
                              "it as a value",
                              NameOf(i), port.key, NameOf(writers_.at(port.key).agent)));
            }
            continue;
          }
          if (*list->second.type != *port.type) {
            return TypesDiffer(port.key, list->second.by, *list->second.type, NameOf(i),
                               *port.type);
          }
          for (const Writer& writer : list->second.writers) {
            agent.predecessors.push_back(writer.agent);
          }
        } else if (port.kind == PortKind::kState) {
          const auto found = states_.find(port.key);
          if (found == states_.end()) {
            return InvalidArgument(
                fmt::format("agent '{}' uses state '{}' ({}), which nobody shares", NameOf(i),
                            port.key, TypeName(*port.type)));
          }
          if (*found->second.type != *port.type) {
            return InvalidArgument(
                fmt::format("agent '{}' uses state '{}' as {}, but it is shared as {}", NameOf(i),
                            port.key, TypeName(*port.type), TypeName(*found->second.type)));
          }
        }
      }
      Unique(agent.predecessors);
      Unique(agent.needs);
      for (const uint32_t before : agent.predecessors) {
        plan_->agents_[before].successors.push_back(i);
      }
    }
    return absl::OkStatus();
  }

  absl::Status WireIn(uint32_t i, PlanAgent& agent, const PortInfo& port) {
    if (port.key == signature_.request_key) {
      if (*port.type != *signature_.request_type) {
        return TypesDiffer(port.key, "the request", *signature_.request_type, NameOf(i),
                           *port.type);
      }
      return absl::OkStatus();
    }
    const auto writer = writers_.find(port.key);
    if (writer == writers_.end()) {
      if (lists_.contains(port.key)) {
        return InvalidArgument(fmt::format(
            "agent '{}' reads '{}' as a value, but it is a list: use InAll", NameOf(i), port.key));
      }
      if (port.has_default) return absl::OkStatus();
      return InvalidArgument(fmt::format(
          "agent '{}' reads '{}', which nobody writes: add its writer or give the In an absent "
          "value",
          NameOf(i), port.key));
    }
    const PortInfo& written = PortsOf(writer->second.agent)[writer->second.port];
    if (*written.type != *port.type) {
      return TypesDiffer(port.key, NameOf(writer->second.agent), *written.type, NameOf(i),
                         *port.type);
    }
    agent.predecessors.push_back(writer->second.agent);
    if (!port.has_default) agent.needs.push_back(writer->second.agent);
    return absl::OkStatus();
  }

  static void Unique(std::vector<uint32_t>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
  }

  // Takes the edges by which a loop carries its value out of the graph: what is then left is
  // acyclic, or an error. A loop's agents are those that both reach its writer and are reached from
  // it.
  absl::Status CloseLoops() {
    for (const LoopSpec& spec : signature_.loops) {
      const auto writer = writers_.find(spec.key);
      if (writer == writers_.end()) {
        return InvalidArgument(fmt::format("the loop over '{}' has no writer of it", spec.key));
      }
      const uint32_t by = writer->second.agent;
      const std::type_info& type = *PortsOf(by)[writer->second.port].type;
      if (type != *spec.ops->id) {
        return TypesDiffer(spec.key, NameOf(by), type, "its loop", *spec.ops->id);
      }
      if (spec.max_rounds < 1) {
        return InvalidArgument(fmt::format("the loop over '{}' has at most {} rounds: at least 1",
                                           spec.key, spec.max_rounds));
      }
      PlanLoop loop;
      loop.writer = by;
      loop.equal = spec.equal;
      loop.ops = spec.ops;
      loop.max_rounds = static_cast<uint32_t>(spec.max_rounds);
      const std::vector<uint8_t> after = Reached(by, &PlanAgent::successors);
      const std::vector<uint8_t> before = Reached(by, &PlanAgent::predecessors);
      for (uint32_t i = 0; i < count(); ++i) {
        if (after[i] == 0 || before[i] == 0) continue;
        PlanAgent& agent = plan_->agents_[i];
        if (agent.loop >= 0) {
          return InvalidArgument(
              fmt::format("agent '{}' is in two loops: over '{}' and over '{}'", NameOf(i),
                          signature_.loops[static_cast<size_t>(agent.loop)].key, spec.key));
        }
        if (agent.spec->first().options().replicas > 0) {
          return InvalidArgument(fmt::format(
              "agent '{}' has a bounded number of replicas, so it cannot be in the loop over '{}'",
              NameOf(i), spec.key));
        }
        agent.loop = static_cast<int>(plan_->loops_.size());
        loop.members.push_back(i);
      }
      if (loop.members.empty()) {
        return InvalidArgument(
            fmt::format("nobody whom the writer of '{0}', '{1}', waits for reads '{0}': no loop",
                        spec.key, NameOf(by)));
      }
      for (const uint32_t member : loop.members) {
        if (absl::Status status = CutBackEdge(member, by, spec.key); !status.ok()) return status;
      }
      plan_->loops_.push_back(std::move(loop));
    }
    return absl::OkStatus();
  }

  // All agents that a path of at least one edge leads to.
  std::vector<uint8_t> Reached(uint32_t from, std::vector<uint32_t> PlanAgent::*edges) const {
    std::vector<uint8_t> reached(count(), 0);
    std::vector<uint32_t> stack{from};
    while (!stack.empty()) {
      const uint32_t agent = stack.back();
      stack.pop_back();
      for (const uint32_t next : plan_->agents_[agent].*edges) {
        if (std::exchange(reached[next], 1) == 0) stack.push_back(next);
      }
    }
    return reached;
  }

  // A member no longer waits for the writer of `key`, unless it also reads something else of its.
  absl::Status CutBackEdge(uint32_t member, uint32_t writer, std::string_view key) {
    bool carried = false, waits = false, needs = false;
    for (const PortInfo& port : PortsOf(member)) {
      if (port.kind == PortKind::kIn && port.key == key) {
        carried = true;
        if (!port.has_default) {
          return InvalidArgument(fmt::format(
              "agent '{}' reads '{}', which its loop carries over: give the In an absent value for "
              "the first round",
              NameOf(member), key));
        }
      } else if (port.kind == PortKind::kIn) {
        const auto other = writers_.find(port.key);
        if (other == writers_.end() || other->second.agent != writer) continue;
        waits = true;
        needs |= !port.has_default;
      } else if (port.kind == PortKind::kInAll) {
        const auto list = lists_.find(port.key);
        if (list == lists_.end()) continue;
        for (const Writer& other : list->second.writers) waits |= other.agent == writer;
      }
    }
    if (!carried) return absl::OkStatus();
    PlanAgent& agent = plan_->agents_[member];
    if (!waits) {
      std::erase(agent.predecessors, writer);
      std::erase(plan_->agents_[writer].successors, member);
    }
    if (!needs) std::erase(agent.needs, writer);
    return absl::OkStatus();
  }

  // Kahn's algorithm. Must-run agents and all they wait for come first, so that a veto is known
  // early; among equals the order of registration decides, never arrival.
  absl::Status Order() {
    std::vector<uint8_t> early(count(), 0);
    std::vector<uint32_t> stack(plan_->must_run_);
    for (const uint32_t agent : stack) early[agent] = 1;
    while (!stack.empty()) {
      const uint32_t agent = stack.back();
      stack.pop_back();
      for (const uint32_t before : plan_->agents_[agent].predecessors) {
        if (early[before] == 0) {
          early[before] = 1;
          stack.push_back(before);
        }
      }
    }
    for (const PlanLoop& loop : plan_->loops_) {
      uint8_t any = 0;
      for (const uint32_t member : loop.members) any |= early[member];
      for (const uint32_t member : loop.members) early[member] = any;
    }
    uint32_t deciding = 0;
    for (const PlanAgent& agent : plan_->agents_) deciding += !agent.listens;
    using Item = std::pair<uint8_t, uint32_t>;  // (not early, registration)
    std::priority_queue<Item, std::vector<Item>, std::greater<>> ready;
    const auto push = [&](uint32_t agent) { ready.emplace(early[agent] == 0, agent); };
    const auto pop = [&] {
      const uint32_t agent = ready.top().second;
      ready.pop();
      return agent;
    };
    const auto empty = [&] { return ready.empty(); };
    // First within each loop, which the order then takes as one.
    for (PlanLoop& loop : plan_->loops_) {
      std::vector<uint32_t> order = InOrder(loop.members, push, pop, empty);
      if (order.size() != loop.members.size()) return Circle(order);
      loop.members = std::move(order);
    }
    std::vector<uint32_t> units;
    for (uint32_t i = 0; i < count(); ++i) {
      if (!plan_->agents_[i].listens && plan_->UnitOf(i) == i) units.push_back(i);
    }
    plan_->order_ = plan_->OrderUnits(units, push, pop, empty);
    return plan_->order_.size() == deciding ? absl::OkStatus() : Circle(plan_->order_);
  }

  // The agents of one loop by what they wait for within it.
  template <class Push, class Pop, class Empty>
  std::vector<uint32_t> InOrder(const std::vector<uint32_t>& members, Push push, Pop pop,
                                Empty empty) const {
    std::unordered_map<uint32_t, uint32_t> waiting;
    for (const uint32_t member : members) waiting[member] = 0;
    for (const uint32_t member : members) {
      for (const uint32_t after : plan_->agents_[member].successors) {
        if (const auto found = waiting.find(after); found != waiting.end()) ++found->second;
      }
    }
    for (const uint32_t member : members) {
      if (waiting[member] == 0) push(member);
    }
    std::vector<uint32_t> order;
    while (!empty()) {
      const uint32_t agent = pop();
      order.push_back(agent);
      for (const uint32_t after : plan_->agents_[agent].successors) {
        if (const auto found = waiting.find(after);
            found != waiting.end() && --found->second == 0) {
          push(after);
        }
      }
    }
    return order;
  }

  absl::Status Circle(const std::vector<uint32_t>& ordered) const {
    std::vector<uint32_t> waiting(count(), 1);
    for (const uint32_t agent : ordered) waiting[agent] = 0;
    return InvalidArgument("the agents wait for each other in a circle: " + CyclePath(waiting));
  }

  // Walks back from any unordered agent along unordered predecessors until one repeats.
  std::string CyclePath(const std::vector<uint32_t>& waiting) const {
    uint32_t at = 0;
    while (plan_->agents_[at].listens || waiting[at] == 0) ++at;
    std::vector<uint32_t> path;
    std::vector<uint32_t> seen_at(count(), UINT32_MAX);
    while (seen_at[at] == UINT32_MAX) {
      seen_at[at] = static_cast<uint32_t>(path.size());
      path.push_back(at);
      for (const uint32_t before : plan_->agents_[at].predecessors) {
        if (waiting[before] != 0) {
          at = before;
          break;
        }
      }
    }
    std::vector<uint32_t> cycle(path.begin() + seen_at[at], path.end());
    std::reverse(cycle.begin(), cycle.end());  // along the flow of data
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    constexpr size_t kShown = 16;
    std::string text;
    for (size_t i = 0; i < cycle.size() && i < kShown; ++i) {
      const uint32_t next = cycle[(i + 1) % cycle.size()];
      text += fmt::format("{} -> ({}) -> ", NameOf(cycle[i]), KeyBetween(cycle[i], next));
    }
    if (cycle.size() > kShown) text += fmt::format("... ({} agents) -> ", cycle.size());
    return text + NameOf(cycle[0]);
  }

  std::string_view KeyBetween(uint32_t from, uint32_t to) const {
    for (const PortInfo& read : PortsOf(to)) {
      if (read.kind == PortKind::kIn) {
        const auto writer = writers_.find(read.key);
        if (writer != writers_.end() && writer->second.agent == from) return read.key;
      } else if (read.kind == PortKind::kInAll) {
        const auto list = lists_.find(read.key);
        if (list == lists_.end()) continue;
        for (const Writer& writer : list->second.writers) {
          if (writer.agent == from) return read.key;
        }
      }
    }
    return "?";
  }

  absl::Status FindResult() {
    const auto writer = writers_.find(signature_.result_key);
    if (writer == writers_.end()) {
      return InvalidArgument(fmt::format("nobody writes the result '{}'", signature_.result_key));
    }
    const PortInfo& port = PortsOf(writer->second.agent)[writer->second.port];
    if (*port.type != *signature_.result_type) {
      return TypesDiffer(port.key, NameOf(writer->second.agent), *port.type, "the result",
                         *signature_.result_type);
    }
    plan_->result_writer_ = writer->second.agent;
    return absl::OkStatus();
  }

  // Board memory: the request's pointer, then all trivially copyable values and the flags of votes
  // (reset by one copy of the prototype's bytes), then the ballots' scratch, then the other values.
  absl::Status LayOut() {
    size_t at = sizeof(void*);
    plan_->prototype_.assign(at, std::byte{0});
    for (uint32_t i = 0; i < count(); ++i) {
      PlanAgent& agent = plan_->agents_[i];
      agent.first_slot = static_cast<uint32_t>(plan_->slots_.size());
      for (const PortInfo& port : PortsOf(i)) {
        PortSlot slot;
        if (port.kind == PortKind::kOut || port.kind == PortKind::kVote) {
          if (port.ops->trivial) slot.offset = PlacePlain(agent, port, &at);
          if (port.kind == PortKind::kVote) {
            slot.kind = SlotKind::kVote;
            slot.extra = PlaceFlag(agent, &at);
          } else {
            slot.kind = SlotKind::kValue;
            slot.writer = i;
          }
        }
        plan_->slots_.push_back(slot);
      }
    }
    for (PlanLoop& loop : plan_->loops_) {
      loop.round = PlaceBytes(OpsOf<uint32_t>(), &at);
      if (loop.ops->trivial) loop.previous = PlaceBytes(*loop.ops, &at);
    }
    for (uint32_t i = 0; i < count(); ++i) {  // ballots and managed values behind the prototype
      PlanAgent& agent = plan_->agents_[i];
      uint32_t p = agent.first_slot;
      for (const PortInfo& port : PortsOf(i)) {
        PortSlot& slot = plan_->slots_[p++];
        const bool out = port.kind == PortKind::kOut || port.kind == PortKind::kVote;
        if (out && !port.ops->trivial) {
          at = AlignUp(at, port.ops->align);
          plan_->board_align_ = std::max(plan_->board_align_, port.ops->align);
          slot.offset = static_cast<uint32_t>(at);
          at += port.ops->size;
          const ManagedSlot managed{slot.offset, port.ops, port.fallback};
          agent.managed.push_back(managed);
          plan_->managed_.push_back(managed);
        } else if (port.kind == PortKind::kInAll) {
          slot.kind = SlotKind::kBallots;
          at = AlignUp(at, alignof(Ballot<int>));
          slot.offset = static_cast<uint32_t>(at);
          const auto list = lists_.find(port.key);
          at += sizeof(Ballot<int>) * (list == lists_.end() ? 0 : list->second.writers.size());
        }
        if (at > (size_t{1} << 30)) {
          return ResourceExhausted("one decision's values exceed 1 GiB");
        }
      }
    }
    for (PlanLoop& loop : plan_->loops_) {
      if (loop.ops->trivial) continue;
      at = AlignUp(at, loop.ops->align);
      plan_->board_align_ = std::max(plan_->board_align_, loop.ops->align);
      loop.previous = static_cast<uint32_t>(at);
      at += loop.ops->size;
      plan_->managed_.push_back({loop.previous, loop.ops, nullptr});
    }
    plan_->board_size_ = AlignUp(at, plan_->board_align_);
    ResolveReaders();
    const Writer& result = writers_.at(signature_.result_key);
    plan_->result_offset_ =
        plan_->slots_[plan_->agents_[result.agent].first_slot + result.port].offset;
    return absl::OkStatus();
  }

  uint32_t PlacePlain(PlanAgent& agent, const PortInfo& port, size_t* at) {
    *at = AlignUp(*at, port.ops->align);
    plan_->board_align_ = std::max(plan_->board_align_, port.ops->align);
    const size_t offset = *at;
    *at += port.ops->size;
    plan_->prototype_.resize(*at, std::byte{0});
    // A value-initialised or default value's bytes; aligned scratch, since the image may not be.
    void* scratch = ::operator new (port.ops->size, std::align_val_t{port.ops->align});
    port.ops->construct(scratch);
    std::memcpy(plan_->prototype_.data() + offset,
                port.fallback != nullptr ? port.fallback : scratch, port.ops->size);
    ::operator delete (scratch, std::align_val_t{port.ops->align});
    agent.plain.push_back({static_cast<uint32_t>(offset), port.ops, nullptr});
    return static_cast<uint32_t>(offset);
  }

  uint32_t PlaceFlag(PlanAgent& agent, size_t* at) {
    const uint32_t offset = PlaceBytes(OpsOf<uint32_t>(), at);
    agent.plain.push_back({offset, &OpsOf<uint32_t>(), nullptr});
    return offset;
  }

  // Room for a trivially copyable value that begins as zeroes.
  uint32_t PlaceBytes(const TypeOps& ops, size_t* at) {
    *at = AlignUp(*at, ops.align);
    plan_->board_align_ = std::max(plan_->board_align_, ops.align);
    const size_t offset = *at;
    *at += ops.size;
    plan_->prototype_.resize(*at, std::byte{0});
    return static_cast<uint32_t>(offset);
  }

  const std::string& KeyOf(const PlanLoop& loop) const {
    return signature_.loops[static_cast<size_t>(&loop - plan_->loops_.data())].key;
  }

  void ResolveReaders() {
    for (PlanLoop& loop : plan_->loops_) loop.carried = SlotOf(writers_.at(KeyOf(loop))).offset;
    for (auto& [key, list] : lists_) {
      list.index = static_cast<uint32_t>(plan_->lists_.size());
      std::vector<ListLayout::Writer> writers;
      for (const Writer& writer : list.writers) {
        const PortSlot& slot = SlotOf(writer);
        writers.push_back({writer.agent, slot.offset, slot.extra, NameOf(writer.agent)});
      }
      plan_->lists_.push_back(std::move(writers));
    }
    const auto empty = static_cast<uint32_t>(plan_->lists_.size());
    plan_->lists_.emplace_back();  // for readers of a list that nobody writes
    for (uint32_t i = 0; i < count(); ++i) {
      uint32_t p = plan_->agents_[i].first_slot;
      for (const PortInfo& port : PortsOf(i)) {
        PortSlot& slot = plan_->slots_[p++];
        if (port.kind == PortKind::kInAll) {
          const auto list = lists_.find(port.key);
          slot.extra = list == lists_.end() ? empty : list->second.index;
        } else if (port.kind == PortKind::kIn) {
          if (port.key == signature_.request_key) {
            slot.kind = SlotKind::kRequest;
            slot.offset = plan_->request_offset();
          } else if (const PlanLoop* loop = plan_->LoopOf(i);
                     loop != nullptr && port.key == KeyOf(*loop)) {
            slot.kind = SlotKind::kCarried;
            slot.offset = loop->previous;
            slot.extra = loop->round;
          } else if (const auto writer = writers_.find(port.key); writer != writers_.end()) {
            slot = SlotOf(writer->second);
          } else {
            slot.kind = SlotKind::kNobody;
          }
        } else if (port.kind == PortKind::kOut) {
          plan_->values_.emplace(port.key, Plan::Value{port.type, i, slot.offset});
        }
      }
    }
  }

  const PortSlot& SlotOf(const Writer& writer) const {
    return plan_->slots_[plan_->agents_[writer.agent].first_slot + writer.port];
  }

  const PlanSignature signature_;
  const StateStore& states_;
  std::shared_ptr<Plan> plan_;
  std::unordered_map<std::string_view, Writer> writers_;
  std::map<std::string_view, ListWriters> lists_;
};

absl::StatusOr<std::shared_ptr<Plan>> Plan::Compile(std::vector<std::shared_ptr<AgentSpec>> specs,
                                                    const PlanSignature& signature,
                                                    const StateStore& states) {
  return PlanCompiler(std::move(specs), signature, states).Compile();
}

std::vector<uint32_t> Plan::ShuffledOrder(uint64_t seed) const {
  Random random(seed);
  std::vector<uint32_t> units, ready;
  for (const uint32_t agent : order_) {
    if (UnitOf(agent) == agent) units.push_back(agent);
  }
  return OrderUnits(
      units, [&](uint32_t unit) { ready.push_back(unit); },
      [&] {
        const size_t pick = random.Below(ready.size());
        const uint32_t unit = ready[pick];
        ready[pick] = ready.back();
        ready.pop_back();
        return unit;
      },
      [&] { return ready.empty(); });
}

bool Plan::Find(std::string_view key, const std::type_info& type, uint32_t* writer,
                uint32_t* offset) const {
  const auto found = values_.find(key);
  if (found == values_.end() || *found->second.type != type) return false;
  *writer = found->second.writer;
  *offset = found->second.offset;
  return true;
}

const std::vector<uint32_t>* Plan::Listeners(std::type_index event) const {
  const auto found = listeners_.find(event);
  return found == listeners_.end() ? nullptr : &found->second;
}

}  // namespace adagents::internal
