#include "adagents/runtime/trace.h"

#include "fmt/format.h"

namespace adagents {
namespace {

template <size_t N>
std::string_view Pick(const std::string_view (&names)[N], size_t i) {
  return i < N ? names[i] : std::string_view("unknown");
}

std::string Micros(int64_t nanos) {
  return fmt::format("{:.1f} us", static_cast<double>(nanos) / 1e3);
}

void Fill(std::string& text, std::string_view blank, std::string_view with) {
  for (size_t at = text.find(blank); at != std::string::npos; at = text.find(blank, at)) {
    text.replace(at, blank.size(), with);
    at += with.size();
  }
}

}  // namespace

std::string_view Name(Outcome outcome) {
  static constexpr std::string_view kNames[] = {"pending", "ran",    "defaulted",  "skipped",
                                                "late",    "failed", "quarantined"};
  return Pick(kNames, static_cast<size_t>(outcome));
}

std::string_view Name(Cause cause) {
  static constexpr std::string_view kNames[] = {
      "",     "error",    "threw", "missing input", "no time left", "switched off", "breaker open",
      "busy", "cancelled"};
  return Pick(kNames, static_cast<size_t>(cause));
}

std::string_view Name(Verdict verdict) {
  static constexpr std::string_view kNames[] = {"decided",    "fallback",  "expired",
                                                "vetoed",     "cancelled", "no_time",
                                                "overloaded", "saturated", "shut_down"};
  return Pick(kNames, static_cast<size_t>(verdict));
}

std::string InWords(const Reason& reason, const Trace::Subject& subject) {
  if (reason.code == nullptr) return "no reason given";
  std::string text(reason.code->sentence);
  Fill(text, "{subject}", subject ? subject(reason) : fmt::format("{}", reason.subject));
  Fill(text, "{score}", fmt::format("{:.6g}", reason.score));
  Fill(text, "{threshold}", fmt::format("{:.6g}", reason.threshold));
  Fill(text, "{number}", fmt::format("{}", reason.code->number));
  return text;
}

std::string Trace::InWords(const Subject& subject) const {
  std::string text =
      fmt::format("decision {:016x}: {} after {}\n", id, Name(verdict), Micros(latency_nanos));
  size_t reason = 0;
  for (uint32_t i = 0; i < agents.size(); ++i) {
    const AgentEntry& agent = agents[i];
    text += fmt::format("  {} {}", agent.name, Name(agent.outcome));
    if (agent.cause != Cause::kNone) text += fmt::format(" ({})", Name(agent.cause));
    if (!agent.error.empty()) text += ": " + agent.error;
    if (agent.duration_nanos > 0) text += fmt::format(", {}", Micros(agent.duration_nanos));
    text += '\n';
    for (; reason < reasons.size() && reasons[reason].agent == i; ++reason) {
      text += "    " + adagents::InWords(reasons[reason].reason, subject) + '\n';
    }
  }
  if (reasons_dropped > 0) text += fmt::format("  ({} more reasons dropped)\n", reasons_dropped);
  return text;
}

}  // namespace adagents
