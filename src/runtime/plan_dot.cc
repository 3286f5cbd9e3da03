#include "adagents/runtime/internal/plan_dot.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "adagents/runtime/internal/agent_record.h"
#include "fmt/format.h"

namespace adagents::internal {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

std::string Time(int64_t nanos) {
  const auto value = static_cast<double>(nanos);
  if (nanos < 10'000) return fmt::format("{:.2f} us", value / 1e3);
  if (nanos < 10'000'000) return fmt::format("{:.0f} us", value / 1e3);
  return fmt::format("{:.1f} ms", value / 1e6);
}

class Dot {
 public:
  Dot(const Plan& plan, const Strands* strands) : plan_(plan), strands_(strands) {
    for (const uint32_t agent : plan.order()) {
      total_ += plan.agents()[agent].spec->record->cost.Mean();
    }
  }

  std::string Draw() && {
    text_ =
        "digraph plan {\n"
        "  rankdir=LR; ranksep=0.6; nodesep=0.25; compound=true; newrank=true;\n"
        "  fontname=\"Helvetica\"; labelloc=t; fontsize=13;\n"
        "  node [shape=box, style=filled, fillcolor=white, fontname=\"Helvetica\", fontsize=11];\n"
        "  edge [fontname=\"Helvetica\", fontsize=9, color=\"#555555\", fontcolor=\"#555555\"];\n";
    text_ += fmt::format("  label={};\n", Quoted(Title()));
    text_ += "  request [shape=oval]; answer [shape=oval];\n";
    if (strands_ == nullptr) {
      Agents(plan_.order(), "  ");
    } else {
      for (size_t i = 0; i < strands_->strands.size(); ++i) DrawStrand(i);
    }
    for (uint32_t agent = 0; agent < plan_.agents().size(); ++agent) {
      if (plan_.agents()[agent].listens) Agent(agent, "  ");
    }
    for (const uint32_t agent : plan_.order()) EdgesTo(agent);
    text_ += fmt::format("  a{} -> answer;\n", plan_.result_writer());
    text_ += "}\n";
    return std::move(text_);
  }

 private:
  std::string Title() const {
    std::string title =
        fmt::format("plan {}: {} agents, {} in a row", plan_.version, plan_.order().size(),
                    total_ == 0 ? "not measured yet" : Time(total_));
    if (strands_ != nullptr) {
      title += fmt::format("; cut into {} strands, {} when shared", strands_->strands.size(),
                           Time(strands_->makespan_nanos));
    } else {
      title += "; runs as one loop";
    }
    return title;
  }

  void DrawStrand(size_t number) {
    const Strands::Strand& strand = strands_->strands[number];
    std::string label = fmt::format("strand {}, {}", number, Time(strand.nanos));
    if (!strand.after.empty()) {
      label += fmt::format(", after {}", fmt::join(strand.after, ", "));
    }
    text_ += fmt::format(
        "  subgraph cluster_strand{} {{ label={}; fontsize=10; labeljust=l; "
        "style=\"rounded,filled\";"
        " color=\"#9db4d0\"; fillcolor=\"#eef3f9\";\n",
        number, Quoted(label));
    Agents(strand.agents, "    ");
    text_ += "  }\n";
  }

  // Those of a loop stand next to each other.
  void Agents(const std::vector<uint32_t>& agents, std::string_view indent) {
    int open = -1;
    const auto enter = [&](int loop) {
      if (loop == open) return;
      if (open >= 0) text_ += fmt::format("{}}}\n", indent);
      open = loop;
      if (loop < 0) return;
      text_ += fmt::format(
          "{}subgraph cluster_loop{} {{ label={}; fontsize=10; labeljust=l; style=\"dashed\"; "
          "color=\"#b36b00\"; fontcolor=\"#b36b00\";\n",
          indent, loop,
          Quoted(fmt::format("loop, at most {} rounds",
                             plan_.loops()[static_cast<size_t>(loop)].max_rounds)));
    };
    for (const uint32_t agent : agents) {
      enter(plan_.agents()[agent].loop);
      Agent(agent, std::string(indent) + (open >= 0 ? "  " : ""));
    }
    enter(-1);
  }

  void Agent(uint32_t agent, std::string_view indent) {
    const PlanAgent& info = plan_.agents()[agent];
    const CostHistogram& cost = info.spec->record->cost;
    std::string label = Quoted(info.spec->name());
    label.pop_back();
    label += cost.count() == 0 ? "\\nnot measured yet\""
                               : fmt::format("\\nmean {}, p99 {}\"", Time(cost.Mean()),
                                             Time(cost.Quantile(0.99)));
    // The share of all time that it takes, as a colour.
    const double share =
        total_ == 0 ? 0 : static_cast<double>(cost.Mean()) / static_cast<double>(total_);
    std::string style = fmt::format("fillcolor=\"0.09 {:.2f} 1.0\"", std::min(0.7, 1.4 * share));
    if (info.listens) {
      style = "style=\"filled,rounded\", fillcolor=\"#eeeeee\", tooltip=\"runs on events\"";
    } else if (info.must_run) {
      style += ", peripheries=2, penwidth=2, tooltip=\"must run\"";
    } else if (info.required) {
      style += ", penwidth=2, tooltip=\"required\"";
    } else {
      style += ", style=\"filled,dashed\", tooltip=\"optional\"";
    }
    text_ += fmt::format("{}a{} [label={}, {}];\n", indent, agent, label, style);
  }

  // One for each writer it reads from, with all keys.
  void EdgesTo(uint32_t agent) {
    struct Edge {
      std::vector<std::string_view> keys;
      bool carried = false, list = true, may_be_absent = true;
    };
    std::map<uint32_t, Edge> edges;
    const auto& ports = plan_.agents()[agent].spec->first().ports();
    const PortSlot* slots = plan_.SlotsOf(agent);
    for (size_t i = 0; i < ports.size(); ++i) {
      const auto from = [&](uint32_t writer) -> Edge& {
        Edge& edge = edges[writer];
        edge.keys.push_back(ports[i].key);
        return edge;
      };
      if (ports[i].kind == PortKind::kInAll) {
        const ListLayout list = plan_.list(slots[i].extra);
        for (size_t w = 0; w < list.size; ++w) from(list.begin[w].agent);
      } else if (ports[i].kind == PortKind::kIn) {
        if (slots[i].kind != SlotKind::kValue && slots[i].kind != SlotKind::kCarried) continue;
        const bool carried = slots[i].kind == SlotKind::kCarried;
        Edge& edge = from(carried ? plan_.LoopOf(agent)->writer : slots[i].writer);
        edge.list = false;
        edge.carried = edge.carried || carried;
        edge.may_be_absent = edge.may_be_absent && ports[i].has_default;
      }
    }
    for (const auto& [writer, edge] : edges) {
      std::string_view style = edge.carried         ? ", color=\"#b36b00\", constraint=false"
                               : edge.list          ? ", style=dotted"
                               : edge.may_be_absent ? ", style=dashed"
                                                    : "";
      text_ += fmt::format("  a{} -> a{} [label={}{}];\n", writer, agent,
                           Quoted(fmt::format("{}", fmt::join(edge.keys, ", "))), style);
    }
    if (edges.empty()) text_ += fmt::format("  request -> a{};\n", agent);
  }

  const Plan& plan_;
  const Strands* const strands_;
  int64_t total_ = 0;
  std::string text_;
};

}  // namespace

std::string PlanDot(const Plan& plan, const Strands* strands) { return Dot(plan, strands).Draw(); }

}  // namespace adagents::internal
