#include "ads/agents/cap_rules.h"

#include <arpa/inet.h>

#include <algorithm>

#include "adagents/ads/reasons.h"
#include "adagents/base/ids.h"
#include "base/siphash.h"

namespace adagents::ads::internal {
namespace {

constexpr int kMostLooks = 64;  // at candidates of the brand, for each capped creative
constexpr int kNetwork = 4;     // in CapReader::subjects_, behind the four of CapPer

bool Lists(const std::vector<std::string>& sources, Text source) {
  return std::find(sources.begin(), sources.end(), source) != sources.end();
}

/// An identifier, and who gave it: others may have given the same one to somebody else.
struct Identity {
  Text id, giver = {};
};

/// The first uid of the eids that `wanted` takes.
template <class F>
Identity EidOf(const Request& request, F wanted) {
  for (const Eid& eid : request.user.eids) {
    if (!wanted(eid.source)) continue;
    for (const Uid& uid : eid.uids) {
      if (!uid.id.empty()) return {uid.id, eid.source};
    }
  }
  return {};
}

/// What devices send that must not be told apart: zeros, in whatever form.
bool IsNobody(Text ifa) { return ifa.find_first_not_of("0-{}") == Text::npos; }

Identity IdentityOf(const Request& request, const FrequencyCapPolicy& policy, CapPer per) {
  if (policy.identify) {
    const Text id = policy.identify(request, per);
    if (!id.empty()) return {id};
  }
  switch (per) {
    case CapPer::kListener:
      if (!request.user.id.empty()) return {request.user.id};
      if (!request.user.buyeruid.empty()) return {request.user.buyeruid, "buyeruid"};
      return EidOf(request, [&](Text source) {
        return !Lists(policy.household_sources, source) && !Lists(policy.session_sources, source);
      });
    case CapPer::kHousehold:
      return EidOf(request, [&](Text source) { return Lists(policy.household_sources, source); });
    case CapPer::kSession:
      return EidOf(request, [&](Text source) { return Lists(policy.session_sources, source); });
    case CapPer::kDevice:
      return {IsNobody(request.device.ifa) ? Text() : request.device.ifa};
  }
  return {};
}

using AddressBytes = std::array<char, 16>;

/// Whether `address` is one of `family`, then its bytes.
bool ParseAddress(Text address, int family, AddressBytes* bytes) {
  char text[INET6_ADDRSTRLEN];
  if (address.empty() || address.size() >= sizeof(text)) return false;
  *std::copy(address.begin(), address.end(), text) = '\0';
  return inet_pton(family, text, bytes->data()) == 1;
}

}  // namespace

/// Of the address's network and the user agent; 0 without an address.
uint64_t CapReader::NetworkOf(const Request& request) const {
  constexpr size_t kIpv4Bytes = 3, kIpv6Bytes = 6;
  AddressBytes bytes;
  size_t prefix = 0;
  if (ParseAddress(request.device.ip, AF_INET, &bytes)) {
    prefix = kIpv4Bytes;
  } else if (ParseAddress(request.device.ipv6, AF_INET6, &bytes)) {
    prefix = kIpv6Bytes;
  }
  if (prefix == 0) return 0;
  return Hash(kNetwork, {bytes.data(), prefix}) ^ Hash(kNetwork + 1, request.device.ua);
}

uint64_t CapReader::Hash(int kind, std::string_view id) const {
  if (id.empty()) return 0;
  const uint64_t hash = CombineHash(SipHash24(policy_.hash_key[0], policy_.hash_key[1], id),
                                    static_cast<uint64_t>(kind));
  return hash == 0 ? 1 : hash;
}

void CapReader::Read(const Request& request) {
  subjects_.fill(0);
  // Without consent the fields are empty already; what the host's own function says counts too.
  if (!request.consent.may_identify) return;
  for (int per = 0; per < kNetwork; ++per) {
    const Identity identity = IdentityOf(request, policy_, static_cast<CapPer>(per));
    subjects_[static_cast<size_t>(per)] =
        Hash(per, identity.id) ^ Hash(kNetwork + 2, identity.id.empty() ? Text() : identity.giver);
  }
  if (policy_.network_stands_in) subjects_[kNetwork] = NetworkOf(request);
}

uint64_t CapReader::SubjectFor(CapPer per) const {
  uint64_t subject = subjects_[static_cast<size_t>(per)];
  for (size_t i = 0; subject == 0 && i < policy_.stand_ins.size(); ++i) {
    subject = subjects_[static_cast<size_t>(policy_.stand_ins[i])];
  }
  return subject != 0 ? subject : subjects_[kNetwork];
}

bool CapReader::RulesOf(const Catalog& catalog, const Campaign& campaign, const Creative& creative,
                        std::vector<CapRule>* rules) const {
  return RulesOf(catalog, campaign, creative, BrandKey(campaign.BrandOf(creative)), rules);
}

bool CapReader::RulesOf(const Catalog& catalog, const Campaign& campaign, const Creative& creative,
                        uint64_t brand, std::vector<CapRule>* rules) const {
  rules->clear();
  bool all = true;
  const auto add = [&](CapOn on, uint64_t target, std::span<const FrequencyCap> caps) {
    for (const FrequencyCap& cap : caps) {
      const uint64_t subject = SubjectFor(cap.per);
      all = all && subject != 0;
      if (subject == 0) continue;
      // Two caps may have one subject, if somebody stands in, and must not share their counts.
      const auto kind = static_cast<uint64_t>(on) << 8 | static_cast<uint64_t>(cap.per);
      rules->push_back({on,
                        &cap,
                        {.subject = subject,
                         .target = CombineHash(target, kind),
                         .seconds = static_cast<int32_t>(
                             absl::ToInt64Seconds(absl::Ceil(cap.window, absl::Seconds(1)))),
                         .limit = cap.count}});
    }
  };
  add(CapOn::kCampaign, campaign.key, campaign.caps);
  if (!creative.caps.empty()) {
    add(CapOn::kCreative, CombineHash(campaign.key, StableHash64(creative.id)), creative.caps);
  }
  add(CapOn::kBrand, brand, catalog.brand_caps(brand));
  return all;
}

int TraitsApart(const Creative& a, const Creative& b) {
  return (a.format != b.format) + (a.tone != b.tone) + (a.pace != b.pace) + (a.voice != b.voice) +
         (a.call_to_action != b.call_to_action);
}

struct Capper::Round {
  const Candidates& candidates;
  const FrequencyCaps& counts;
  const int64_t now;
  CapVerdicts* out;
  const CapBecause* because;

  const Catalog& catalog() const { return *candidates.catalog; }
  const CreativeFacts& facts(uint32_t k) const {
    const Candidate& c = candidates.items[k];
    return catalog().creative_facts(c.campaign)[c.creative];
  }
  const Campaign& campaign(uint32_t k) const {
    return catalog().campaign(candidates.items[k].campaign);
  }
  const Creative& creative(uint32_t k) const { return catalog().creative(facts(k)); }
  bool Free(uint32_t k) const {
    return out->state[k] == CapState::kFree || out->state[k] == CapState::kOffered;
  }
  void Say(uint32_t k, const ReasonCode& code, double score, double threshold) const {
    if (because == nullptr) return;
    (*because)(k, {&code, catalog().facts(candidates.items[k].campaign).key, score, threshold});
  }
};

/// The windows of all candidates, on their way to the cache.
void Capper::ReadRules(Round& round) {
  CapVerdicts& out = *round.out;
  const size_t n = round.candidates.items.size();
  out.state.assign(n, CapState::kFree);
  out.begin.assign(n + 1, 0);
  for (uint32_t k = 0; k < n; ++k) {
    out.begin[k] = static_cast<uint32_t>(out.windows.size());
    if (!round.facts(k).capped) continue;
    if (!reader_.RulesOf(round.catalog(), round.campaign(k), round.creative(k),
                         round.facts(k).brand, &rules_)) {
      const bool blocks = policy_.without_id == WithoutId::kBlock;
      if (blocks) out.state[k] = CapState::kCapped;
      out.per_request = std::max(policy_.per_request, 1);
      round.Say(k, reasons::kCapWithoutId, 0, blocks ? 0 : out.per_request);
    }
    for (const CapRule& rule : rules_) {
      round.counts.Prefetch(rule.window);
      out.windows.push_back(rule.window);
    }
  }
  out.begin[n] = static_cast<uint32_t>(out.windows.size());
}

void Capper::Judge(Round& round, uint32_t k) {
  const std::span<const CapWindow> windows = round.out->WindowsOf(k);
  for (size_t i = 0; i < windows.size(); ++i) {
    const CapUse use = round.counts.Look(windows[i], round.now);
    if (!use.reached) continue;
    round.out->state[k] = CapState::kCapped;
    if (round.because == nullptr) return;
    (void)reader_.RulesOf(round.catalog(), round.campaign(k), round.creative(k),
                          round.facts(k).brand, &rules_);
    const CapRule& rule = rules_[i];
    round.Say(k, reasons::kCapReached[static_cast<int>(rule.on)][static_cast<int>(rule.cap->per)],
              use.shown + use.reserved, rule.window.limit);
    round.Say(k, reasons::kCapFrees, absl::ToDoubleSeconds(use.free_in), rule.window.seconds);
    return;
  }
}

Capper::Offer Capper::BestOf(const Round& round, uint32_t capped, uint32_t begin,
                             uint32_t end) const {
  Offer best;
  for (uint32_t k = begin; k < end; ++k) {
    if (!round.Free(k)) continue;
    const int differs = TraitsApart(round.creative(capped), round.creative(k));
    if (differs > best.differs) best = {k, differs};
  }
  return best;
}

Capper::Offer Capper::OfTheBrand(const Round& round, uint32_t capped, const ImpRange& range) {
  const uint64_t brand = round.facts(capped).brand;
  if (brand == 0) return {};
  if (!brands_read_) {
    brands_.clear();
    for (uint32_t k = range.begin; k < range.end; ++k) {
      if (round.Free(k)) brands_.emplace_back(round.facts(k).brand, k);
    }
    std::sort(brands_.begin(), brands_.end());
    brands_read_ = true;
  }
  Offer best;
  auto at = std::lower_bound(brands_.begin(), brands_.end(), std::make_pair(brand, uint32_t{0}));
  for (int looks = 0; looks < kMostLooks && at != brands_.end() && at->first == brand;
       ++at, ++looks) {
    if (!round.Free(at->second)) continue;
    const int differs = TraitsApart(round.creative(capped), round.creative(at->second));
    if (differs > best.differs) best = {at->second, differs};
  }
  return best;
}

/// What stands in for each capped creative of one imp. Candidates of a campaign stand together.
void Capper::Offers(Round& round, const ImpRange& range) {
  std::vector<CapState>& state = round.out->state;
  const auto& items = round.candidates.items;
  brands_read_ = false;
  for (uint32_t begin = range.begin, end = begin; begin < range.end; begin = end) {
    while (end < range.end && items[end].campaign == items[begin].campaign) ++end;
    for (uint32_t k = begin; k < end; ++k) {
      if (state[k] != CapState::kCapped) continue;
      const Offer own = BestOf(round, k, begin, end);
      if (own.differs >= 0) {
        state[own.candidate] = CapState::kOffered;
        round.Say(own.candidate, reasons::kVariantOffered, own.differs, kTraits);
        for (uint32_t twin = begin; own.differs > 0 && twin < end; ++twin) {
          if (state[twin] == CapState::kFree &&
              TraitsApart(round.creative(k), round.creative(twin)) == 0) {
            state[twin] = CapState::kHeldBack;
          }
        }
        continue;
      }
      const Offer other = OfTheBrand(round, k, range);
      if (other.differs < 0) continue;
      if (state[other.candidate] != CapState::kOffered) {
        round.Say(other.candidate, reasons::kBrandOffered, other.differs, kTraits);
      }
      state[other.candidate] = CapState::kOffered;
    }
  }
}

/// The other policy: a capped creative takes its campaign out of the imp.
void Capper::BlockCampaigns(Round& round, const ImpRange& range) const {
  std::vector<CapState>& state = round.out->state;
  const auto& items = round.candidates.items;
  for (uint32_t begin = range.begin, end = begin; begin < range.end; begin = end) {
    bool capped = false;
    for (; end < range.end && items[end].campaign == items[begin].campaign; ++end) {
      capped = capped || state[end] == CapState::kCapped;
    }
    if (capped) std::fill(state.begin() + begin, state.begin() + end, CapState::kCapped);
  }
}

void Capper::Run(const Request& request, const Candidates& candidates, const FrequencyCaps& counts,
                 int64_t now, CapVerdicts* out, const CapBecause* because) {
  Round round{candidates, counts, now, out, because};
  const auto n = static_cast<uint32_t>(candidates.items.size());
  uint32_t first = 0;
  while (first < n && !round.facts(first).capped) ++first;
  if (first == n) return;
  reader_.Read(request);
  ReadRules(round);
  bool any = false;
  for (uint32_t k = 0; k < n; ++k) {
    if (out->state[k] == CapState::kFree) Judge(round, k);
    any = any || out->state[k] == CapState::kCapped;
  }
  if (!any) return;
  for (const ImpRange& range : candidates.imps) {
    if (policy_.substitute) {
      Offers(round, range);
    } else {
      BlockCampaigns(round, range);
    }
  }
}

}  // namespace adagents::ads::internal
