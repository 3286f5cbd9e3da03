#include "ads/agents/pod_auction.h"

#include <algorithm>

#include "adagents/ads/reasons.h"

namespace adagents::ads::internal {
namespace {

constexpr int64_t kMillis = 1000;
constexpr int64_t kAnyLength =
    INT64_MAX / 4;  // a slot takes one ad of whatever length fits the imp

bool Has(const std::vector<uint32_t>& candidates, uint32_t candidate) {
  return std::find(candidates.begin(), candidates.end(), candidate) != candidates.end();
}
double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000.0; }

}  // namespace

/// How much each imp holds, and when it plays. "First or last" is first when no other is.
void PodAuction::ReadSections(std::span<const uint32_t> imps) {
  enum Place { kFirst, kMiddle, kFirstOrLast, kLast };
  used_ = imps.size();
  if (sections_.size() < used_) sections_.resize(used_);
  dedupe_ = Dedupe();
  bool first_taken = false;
  for (const uint32_t i : imps) {
    first_taken = first_taken || sale_->imp(i).media()->slotinpod == 1;
  }
  for (size_t s = 0; s < used_; ++s) {
    Section& section = sections_[s];
    const Imp& imp = sale_->imp(imps[s]);
    const Media& media = *imp.media();
    dedupe_.Read(imp);
    section.imp = imps[s];
    section.dynamic = media.poddur.value_or(0) > 0;
    section.ms = section.dynamic ? *media.poddur * kMillis : kAnyLength;
    section.ads = section.dynamic ? std::clamp(media.maxseq.value_or(kMostAds), 1, kMostAds) : 1;
    section.place = kMiddle;
    if (media.slotinpod == 1) section.place = kFirst;
    if (media.slotinpod == -1) section.place = kLast;
    if (media.slotinpod == 2) {
      section.place = first_taken ? kFirstOrLast : kFirst;
      first_taken = true;
    }
  }
}

void PodAuction::ReadOffers() {
  for (size_t s = 0; s < used_; ++s) {
    Section& section = sections_[s];
    section.left_ms = section.ms;
    section.left_ads = section.ads;
    sale_->ReadOffers(section.imp, &section.pool);
    if (!refused_.empty()) {
      std::erase_if(section.pool, [&](const Offer& o) { return Has(refused_, o.candidate); });
    }
    const auto paying = std::partition(section.pool.begin(), section.pool.end(),
                                       [](const Offer& o) { return !IsHouse(o.tier); });
    section.house.assign(paying, section.pool.end());
    section.pool.erase(paying, section.pool.end());
  }
}

void PodAuction::SayLater(const Offer& offer, const ReasonCode& code) {
  if (sale_->explaining()) notes_.push_back({&code, offer, 0, 0});
}

void PodAuction::SayOfPodLater(const ReasonCode& code, double score, double threshold) {
  if (sale_->explaining()) notes_.push_back({&code, {}, score, threshold});
}

/// Whether the request wants it, and it could be claimed.
bool PodAuction::MayBeSold(const Offer& offer) {
  if (const ReasonCode* why = sale_->Blocked(offer); why != nullptr) {
    SayLater(offer, *why);
    return false;
  }
  if (Has(claimed_, offer.candidate) || sale_->CouldClaim(offer)) return true;
  refused_.push_back(offer.candidate);
  return false;
}

/// Whether the offer may still be sold at all; puts it among the choices then.
bool PodAuction::Look(uint16_t s, const Offer& offer, bool house) {
  const Section& section = sections_[s];
  if (section.dynamic && MillisOf(offer) <= 0) {
    SayLater(offer, reasons::kNotTimed);
    return false;
  }
  if (!MayBeSold(offer)) return false;
  const Candidate& c = sale_->item(offer);
  // Another creative of the same campaign that is as short and ranks better makes it pointless.
  const bool pointless =
      !house && std::any_of(choices_.begin(), choices_.end(), [&](const Choice& other) {
        return other.section == s && sale_->item(other.offer).campaign == c.campaign &&
               MillisOf(other.offer) <= MillisOf(offer) && Before(other.offer, offer);
      });
  if (pointless || !Fits(section, offer)) {
    if (sale_->explaining()) losers_.emplace_back(s, offer);
    return false;
  }
  Choice& choice = choices_.emplace_back();
  choice.offer = offer;
  choice.section = s;
  separation_.Read(sale_->catalog(), c.campaign, c.creative, house, dedupe_, &choice.marks);
  return true;
}

/// The best of a section's pool, until there are `most` more choices.
template <class Worse>
void PodAuction::Pick(uint16_t s, size_t most, Worse worse) {
  std::vector<Offer>& pool = sections_[s].pool;
  if (most == 0 || pool.empty()) return;
  std::make_heap(pool.begin(), pool.end(), worse);
  while (most > 0 && !pool.empty() && !sale_->OutOfTime()) {
    std::pop_heap(pool.begin(), pool.end(), worse);
    const Offer offer = pool.back();
    pool.pop_back();
    if (Look(s, offer, /*house=*/false)) --most;
  }
}

/// What is combined: of each imp the best by rank, and some of the rest by value per second.
void PodAuction::Consider() {
  choices_.clear();
  const size_t quota = std::max(kLeastQuota, PodFiller::kMostItems / used_);
  const auto worse_by_time = [&](const Offer& a, const Offer& b) {
    const double x = static_cast<double>(a.value) / static_cast<double>(MillisOf(a) + 1);
    const double y = static_cast<double>(b.value) / static_cast<double>(MillisOf(b) + 1);
    if (a.tier != b.tier) return a.tier < b.tier;
    return x != y ? x < y : Before(b, a);
  };
  for (uint16_t s = 0; s < used_; ++s) {
    const size_t most = std::min(quota, PodFiller::kMostItems - choices_.size());
    const size_t by_time = sections_[s].dynamic ? most / 4 : 0;
    const size_t goal = choices_.size() + most;
    Pick(s, most - by_time, kWorse);
    Pick(s, goal - choices_.size(), worse_by_time);
  }
  std::sort(choices_.begin(), choices_.end(),
            [](const Choice& a, const Choice& b) { return Before(a.offer, b.offer); });
}

/// The choices as the filler wants them; worth what they pay, or the time that they fill.
std::span<const PodFiller::Item> PodAuction::Items(bool by_time) {
  const size_t n = std::min(choices_.size(), PodFiller::kMostItems);
  items_.resize(n);
  mark_of_.clear();
  rooms_.clear();
  room_of_.assign(used_, kNoRoom);
  for (size_t i = 0; i < n; ++i) {
    const Choice& choice = choices_[i];
    const int64_t ms = std::max<int64_t>(MillisOf(choice.offer), 1);  // banners have none
    uint16_t& room = room_of_[choice.section];
    if (room == kNoRoom) {
      room = static_cast<uint16_t>(rooms_.size());
      rooms_.push_back({sections_[choice.section].left_ms, sections_[choice.section].left_ads});
    }
    items_[i] = {by_time ? ms : choice.offer.value, static_cast<int32_t>(ms), room,
                 by_time ? int16_t{0} : choice.offer.tier, 0};
    for (const uint64_t mark : choice.marks) mark_of_.emplace_back(mark, uint64_t{1} << i);
  }
  std::sort(mark_of_.begin(), mark_of_.end());
  for (size_t from = 0, to = 0; from < mark_of_.size(); from = to) {
    uint64_t all = 0;
    for (; to < mark_of_.size() && mark_of_[to].first == mark_of_[from].first; ++to) {
      all |= mark_of_[to].second;
    }
    for (uint64_t rest = all; rest != 0; rest &= rest - 1) {
      items_[static_cast<size_t>(__builtin_ctzll(rest))].excludes |= all;
    }
  }
  for (size_t i = 0; i < n; ++i) items_[i].excludes &= ~(uint64_t{1} << i);
  return items_;
}

void PodAuction::Take(const Choice& choice) {
  Section& section = sections_[choice.section];
  section.left_ms -= MillisOf(choice.offer);
  --section.left_ads;
  taken_.insert(choice.marks.begin(), choice.marks.end());
  sold_.push_back({choice.offer, choice.section, 0});
}

/// The least that keeps an ad in the pod: what the others could have been worth without it (and
/// its campaign), beyond what they are worth now.
int64_t PodAuction::CriticalOf(size_t choice, const PodFiller::Filling& filling, int* nodes) {
  const uint32_t campaign = sale_->item(choices_[choice].offer).campaign;
  uint64_t others = 0;
  for (size_t i = 0; i < items_.size(); ++i) {
    if (sale_->item(choices_[i].offer).campaign != campaign) others |= uint64_t{1} << i;
  }
  const int64_t without = filler_.Fill(others, nodes).value;
  return std::max<int64_t>(0, without - (filling.value - choices_[choice].offer.value));
}

void PodAuction::Combine() {
  const std::span<const PodFiller::Item> items = Items(/*by_time=*/false);
  filler_.Begin(rooms_, items);
  int nodes = PodFiller::kMostNodes;
  const PodFiller::Filling filling = filler_.Fill(~uint64_t{0}, &nodes);
  if (!filling.exact) {
    SayOfPodLater(reasons::kPodSearchEnded, 0, PodFiller::kMostNodes);
  }
  int price_nodes = PodFiller::kMostNodes;  // for all prices together
  for (size_t i = 0; i < items.size(); ++i) {
    const Choice& choice = choices_[i];
    if ((filling.chosen >> i & 1) == 0) {
      if (sale_->explaining()) losers_.emplace_back(choice.section, choice.offer);
      continue;
    }
    Take(choice);
    const Pays pays = sale_->PaysOf(sections_[choice.section].imp, choice.offer);
    if (pays == Pays::kSecond || pays == Pays::kNextRank) {
      sold_.back().rival = CriticalOf(i, filling, &price_nodes);
    }
  }
}

/// Room that the combination left although there are more candidates: the next that fits, by rank.
void PodAuction::TakeInTurn() {
  size_t considered = choices_.size(), all = considered;
  for (size_t s = 0; s < used_; ++s) all += sections_[s].pool.size();
  if (all == considered) return;
  SayOfPodLater(reasons::kPodCut, static_cast<double>(considered), static_cast<double>(all));
  for (uint16_t s = 0; s < used_; ++s) {
    Section& section = sections_[s];
    std::vector<Offer>& pool = section.pool;
    const auto fits = [&](const Offer& o) { return Fits(section, o); };
    if (std::none_of(pool.begin(), pool.end(), fits)) continue;
    std::sort(pool.begin(), pool.end(), Before);
    size_t kept = 0;
    for (const Offer& offer : pool) {
      if (sale_->OutOfTime()) return;
      const bool tried = Fits(section, offer) && !apart_.contains(CreativeOf(offer));
      choices_.clear();
      if (tried && !Look(s, offer, /*house=*/false)) continue;  // it may not run, which was said
      if (tried && Separation::Between(choices_[0].marks, taken_) == nullptr) {
        Take(choices_[0]);
        continue;
      }
      if (tried) apart_.insert(CreativeOf(offer));
      pool[kept++] = offer;
    }
    pool.resize(kept);
  }
  RaiseRivals();
}

/// Where there were more than could be combined, whoever was left out may be next in line: the best
/// of those that could stand in an ad's place has to be exceeded as well, if one of the first looks
/// finds it.
void PodAuction::RaiseRivals() {
  const auto stands_apart = [&](uint64_t mark) {
    return taken_.contains(mark) &&
           std::find(own_marks_.begin(), own_marks_.end(), mark) == own_marks_.end();
  };
  const auto read = [&](const Candidate& c, Separation::Marks* marks) {
    separation_.Read(sale_->catalog(), c.campaign, c.creative, /*house=*/false, dedupe_, marks);
  };
  int looks_left = kMostLooks;
  for (Sold& s : sold_) {
    const Section& section = sections_[s.section];
    const Pays pays = sale_->PaysOf(section.imp, s.offer);
    if (pays != Pays::kSecond && pays != Pays::kNextRank) continue;
    const Candidate& own = sale_->item(s.offer);
    read(own, &own_marks_);
    for (const Offer& offer : section.pool) {
      const Candidate& c = sale_->item(offer);
      if (offer.tier != s.offer.tier || offer.value <= s.rival || c.campaign == own.campaign ||
          MillisOf(offer) > section.left_ms + MillisOf(s.offer) ||
          (section.dynamic && MillisOf(offer) <= 0)) {
        continue;
      }
      if (looks_left-- <= 0) return;
      if (sale_->Blocked(offer) != nullptr || !sale_->CouldClaim(offer)) continue;
      read(c, &marks_);
      if (std::none_of(marks_.begin(), marks_.end(), stands_apart)) {
        s.rival = std::min(offer.value, s.offer.value);
      }
    }
  }
}

/// What would be dead air goes to house ads: as much of it as their lengths allow.
void PodAuction::FillWithHouse() {
  choices_.clear();
  for (uint16_t s = 0; s < used_; ++s) {
    std::vector<Offer>& house = sections_[s].house;
    std::sort(house.begin(), house.end(), Before);
    for (const Offer& offer : house) {
      if (sale_->OutOfTime()) return;
      if (choices_.size() == PodFiller::kMostItems || !Fits(sections_[s], offer)) {
        if (sale_->explaining()) losers_.emplace_back(s, offer);
      } else if (Look(s, offer, /*house=*/true) &&
                 Separation::Between(choices_.back().marks, taken_) != nullptr) {
        if (sale_->explaining()) losers_.emplace_back(s, offer);
        choices_.pop_back();
      }
    }
  }
  if (choices_.empty()) return;
  const std::span<const PodFiller::Item> items = Items(/*by_time=*/true);
  filler_.Begin(rooms_, items);
  int nodes = PodFiller::kMostNodes;
  const uint64_t chosen = filler_.Fill(~uint64_t{0}, &nodes).chosen;
  for (size_t i = 0; i < items.size(); ++i) {
    if ((chosen >> i & 1) != 0) {
      Take(choices_[i]);
    } else if (sale_->explaining()) {
      losers_.emplace_back(choices_[i].section, choices_[i].offer);
    }
  }
}

/// Generalised second prices: the next in rank has to be exceeded too.
void PodAuction::SetRivals() {
  std::sort(sold_.begin(), sold_.end(),
            [](const Sold& a, const Sold& b) { return Before(a.offer, b.offer); });
  for (size_t i = 0; i + 1 < sold_.size(); ++i) {
    const Offer& next = sold_[i + 1].offer;
    if (IsHouse(next.tier)) break;
    if (sale_->PaysOf(sections_[sold_[i].section].imp, sold_[i].offer) == Pays::kNextRank) {
      sold_[i].rival = std::max(sold_[i].rival, next.value);
    }
  }
}

/// In order of play; within an imp by rank.
void PodAuction::Order() {
  std::sort(sold_.begin(), sold_.end(), [&](const Sold& a, const Sold& b) {
    const int x = sections_[a.section].place, y = sections_[b.section].place;
    if (x != y) return x < y;
    return a.section != b.section ? a.section < b.section : Before(a.offer, b.offer);
  });
}

void PodAuction::UnclaimAll() {
  for (size_t i = 0; i < claimed_.size(); ++i) {
    sale_->Unclaim(sale_->bids() + static_cast<uint32_t>(i));
  }
  claimed_.clear();
}

/// Claims what everyone needs, and takes from the pod whom that is refused. Whether nobody was.
bool PodAuction::ClaimAll() {
  UnclaimAll();
  size_t kept = 0;
  for (const Sold& s : sold_) {
    Section& section = sections_[s.section];
    const uint32_t bid = sale_->bids() + static_cast<uint32_t>(kept);
    if (sale_->Claim(section.imp, s.offer, s.rival, bid)) {
      claimed_.push_back(s.offer.candidate);
      sold_[kept++] = s;
      continue;
    }
    refused_.push_back(s.offer.candidate);
    section.left_ms += MillisOf(s.offer);
    ++section.left_ads;
  }
  const bool all = kept == sold_.size();
  sold_.resize(kept);
  return all;
}

void PodAuction::SellAll() {
  int16_t sequence = 0;
  for (const Sold& s : sold_) sale_->Sell(sections_[s.section].imp, s.offer, s.rival, ++sequence);
}

void PodAuction::ExplainLoser(uint16_t s, const Offer& offer) {
  const Section& section = sections_[s];
  const Candidate& c = sale_->item(offer);
  Separation::Marks marks;
  separation_.Read(sale_->catalog(), c.campaign, c.creative, IsHouse(offer.tier), dedupe_, &marks);
  if (const ReasonCode* why = Separation::Between(marks, taken_); why != nullptr) {
    sale_->Say(offer, *why, 0, 0);
    return;
  }
  const auto best =
      std::find_if(sold_.begin(), sold_.end(), [&](const Sold& x) { return x.section == s; });
  if (sold_.empty() || (section.dynamic && MillisOf(offer) > section.left_ms)) {
    sale_->Say(offer, reasons::kPodFull, Seconds(MillisOf(offer)), Seconds(section.left_ms));
  } else {
    sale_->SayLost(offer, best == sold_.end() ? sold_.front().offer : best->offer);
  }
}

void PodAuction::Explain() {
  for (const Note& note : notes_) {
    if (reasons::IsAboutImp(*note.code)) {
      sale_->SayOfImp(sections_[0].imp, *note.code, note.score, note.threshold);
    } else {
      sale_->Say(note.offer, *note.code, note.score, note.threshold);
    }
  }
  for (uint16_t s = 0; s < used_; ++s) {
    const Section& section = sections_[s];
    if (section.dynamic && section.left_ms > 0) {
      sale_->SayOfImp(section.imp, reasons::kDeadAir, Seconds(section.left_ms),
                      Seconds(section.ms));
    } else if (!section.dynamic && section.left_ads > 0) {
      sale_->SayOfImp(section.imp, reasons::kUnsoldSlot, 0, 0);
    }
    for (const Offer& offer : section.pool) {
      if (sale_->MayRun(offer)) losers_.emplace_back(s, offer);
    }
  }
  for (const auto& [section, offer] : losers_) ExplainLoser(section, offer);
}

void PodAuction::Fill() {
  losers_.clear();
  notes_.clear();
  sold_.clear();
  taken_.clear();
  apart_.clear();
  ReadOffers();
  Consider();
  Combine();
  TakeInTurn();
  FillWithHouse();
  SetRivals();
  Order();
}

void PodAuction::Run(Sale* sale, std::span<const uint32_t> imps) {
  sale_ = sale;
  refused_.clear();
  claimed_.clear();
  ReadSections(imps.first(std::min(imps.size(), kMostImps)));
  int fills_left = kMostFills;
  do {
    Fill();
    if (sale_->OutOfTime()) return UnclaimAll();  // a pod is sold whole or not at all
  } while (!ClaimAll() && --fills_left > 0);
  SellAll();
  if (sale_->explaining()) Explain();
}

}  // namespace adagents::ads::internal
