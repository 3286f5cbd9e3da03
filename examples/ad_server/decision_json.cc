#include "decision_json.h"

#include <nlohmann/json.hpp>

#include "adagents/ads/campaign.h"
#include "adagents/ads/reasons.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using nlohmann::ordered_json;
using namespace adagents;  // NOLINT: an application

ordered_json BidJson(const ads::Request& request, const ads::Bid& bid) {
  ordered_json out;
  out["imp"] = std::string(request.imps[bid.imp].id);
  out["campaign"] = bid.campaign->id;
  out["creative"] = bid.creative->id;
  out["price"] = bid.price.units();
  out["cur"] = std::string(bid.cur.code());
  out["value"] = bid.value.units();
  out["mtype"] = std::string(ads::Name(bid.mtype));
  if (bid.deal >= 0) {
    out["deal"] = std::string(request.imps[bid.imp].deals[static_cast<size_t>(bid.deal)].id);
  }
  if (bid.sequence > 0) out["sequence"] = bid.sequence;
  if (bid.dur > 0) out["dur"] = bid.dur;
  if (bid.w > 0) out["w"] = bid.w;
  if (bid.h > 0) out["h"] = bid.h;
  return out;
}

ordered_json TraceJson(const Trace& trace) {
  ordered_json out = ordered_json::array();
  for (const auto& agent : trace.agents) {
    ordered_json entry;
    entry["agent"] = agent.name;
    entry["outcome"] = std::string(Name(agent.outcome));
    if (agent.cause != Cause::kNone) entry["cause"] = std::string(Name(agent.cause));
    if (!agent.error.empty()) entry["error"] = agent.error;
    entry["ns"] = agent.duration_nanos;
    out.push_back(std::move(entry));
  }
  for (const auto& entry : trace.reasons) {
    if (entry.reason.code == nullptr || entry.agent >= out.size()) continue;
    ordered_json reason;
    reason["code"] = std::string(entry.reason.code->name);
    // Keys of campaigns are 64-bit hashes: text, since JSON's numbers are doubles to many.
    reason["subject"] = ads::reasons::IsAboutImp(*entry.reason.code)
                            ? fmt::format("{}", entry.reason.subject)
                            : fmt::format("{:016x}", entry.reason.subject);
    if (entry.reason.code->number != 0) reason["loss"] = entry.reason.code->number;
    if (entry.reason.score != 0) reason["score"] = entry.reason.score;
    if (entry.reason.threshold != 0) reason["threshold"] = entry.reason.threshold;
    out[entry.agent]["reasons"].push_back(std::move(reason));
  }
  return out;
}

std::string Dump(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string DecisionJson(size_t line, const ads::Request& request,
                         const Answer<ads::Decision>& answer) {
  const ads::Decision& d = answer.value;
  ordered_json out;
  out["line"] = line;
  out["request"] = std::string(request.id);
  out["decision"] = fmt::format("{:016x}", d.id);
  out["verdict"] = std::string(Name(answer.verdict));
  out["bids"] = ordered_json::array();
  for (const ads::Bid& bid : d.bids) out["bids"].push_back(BidJson(request, bid));
  if (d.bids.empty()) {
    out["nbr"] = static_cast<int>(d.nbr);
    out["why"] = std::string(ads::NbrText(d.nbr));
  }
  if (d.defaulted > 0) out["defaulted"] = d.defaulted;
  if (d.late > 0) out["late"] = d.late;
  if (answer.trace != nullptr) out["trace"] = TraceJson(*answer.trace);
  return Dump(out);
}

std::string RefusalJson(size_t line, std::string_view error) {
  ordered_json out;
  out["line"] = line;
  out["refused"] = std::string(error);
  return Dump(out);
}

}  // namespace ad_server
