// The auction of a pod: imps that play one after the other, each one slot or a stretch of time for
// several ads (OpenRTB 2.6: structured, dynamic and hybrid pods). See auction.h for the rules.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "ads/agents/pod_filler.h"
#include "ads/agents/sale.h"
#include "ads/agents/separation.h"

namespace adagents::ads::internal {

/// Thread-compatible: it has memory that it reuses.
class PodAuction {
 public:
  static constexpr int32_t kMostAds = 16;  // of a dynamic pod that does not say
  /// Candidates of one imp that are combined at least, when there are many imps.
  static constexpr size_t kLeastQuota = 4;

  static constexpr int kMostLooks = 2048;  // for who is next in line, of a pod

  static constexpr size_t kMostImps = 256;  // of one pod; the others stay empty
  static constexpr uint16_t kNoRoom = UINT16_MAX;
  /// How often a pod is filled, each time without those that could not have what they need. Who can
  /// be seen not to have it is not considered at all, so more than once is only needed when several
  /// of the pod, or decisions at the same time, need the same. What is refused then stays empty.
  static constexpr int kMostFills = 4;

  explicit PodAuction(const AuctionOptions& options) : separation_(options) {}

  /// Sells the imps of one pod, in their order in the request.
  void Run(Sale* sale, std::span<const uint32_t> imps);

 private:
  struct Section {
    uint32_t imp = 0;
    bool dynamic = false;
    int64_t ms = 0, left_ms = 0;
    int32_t ads = 1, left_ads = 1;
    int place = 0;            // in order of play
    std::vector<Offer> pool;  // that pay and were not looked at yet
    std::vector<Offer> house;
  };
  struct Choice {  // an offer that was looked at
    Offer offer;
    uint16_t section = 0;
    Separation::Marks marks;
  };
  struct Sold {
    Offer offer;
    uint16_t section = 0;
    int64_t rival = 0;
  };

  /// What is to be said once it is certain.
  struct Note {
    const ReasonCode* code = nullptr;
    Offer offer;  // not of codes about imps
    double score = 0, threshold = 0;
  };

  void ReadSections(std::span<const uint32_t> imps);
  void Fill();
  void ReadOffers();
  bool Look(uint16_t section, const Offer& offer, bool house);
  void Consider();
  template <class Worse>
  void Pick(uint16_t section, size_t most, Worse worse);
  std::span<const PodFiller::Item> Items(bool by_time);
  void Combine();
  int64_t CriticalOf(size_t choice, const PodFiller::Filling& filling, int* nodes);
  void TakeInTurn();
  void RaiseRivals();
  void FillWithHouse();
  void Take(const Choice& choice);
  void SetRivals();
  void Order();
  void UnclaimAll();
  bool ClaimAll();
  void SellAll();
  void Explain();
  bool MayBeSold(const Offer& offer);
  void SayLater(const Offer& offer, const ReasonCode& code);
  void SayOfPodLater(const ReasonCode& code, double score, double threshold);
  void ExplainLoser(uint16_t section, const Offer& offer);

  int64_t MillisOf(const Offer& offer) const { return sale_->item(offer).duration_ms; }
  /// Of the creative, in whichever imp it is offered.
  uint64_t CreativeOf(const Offer& offer) const {
    const Candidate& c = sale_->item(offer);
    return uint64_t{c.campaign} << 16 | c.creative;
  }
  bool Fits(const Section& section, const Offer& offer) const {
    return section.left_ads > 0 && MillisOf(offer) <= section.left_ms;
  }

  const Separation separation_;
  Sale* sale_ = nullptr;
  Dedupe dedupe_;
  PodFiller filler_;
  std::vector<Section> sections_;
  size_t used_ = 0;              // of sections_, the rest is kept for its memory
  std::vector<Choice> choices_;  // by rank
  std::vector<std::pair<uint16_t, Offer>> losers_;
  std::vector<Sold> sold_;
  absl::flat_hash_set<uint64_t> taken_;  // marks of what was sold
  // Creatives that must not stand beside what was sold: a pod of many slots meets them in each.
  absl::flat_hash_set<uint64_t> apart_;
  Separation::Marks own_marks_, marks_;
  std::vector<Note> notes_;
  // Candidates that could not be claimed, and those that are: they hold what they need until the
  // pod has been filled anew, so it is not given to the others that are considered.
  std::vector<uint32_t> refused_, claimed_;
  std::vector<PodFiller::Item> items_;
  std::vector<PodFiller::Section> rooms_;               // of sections with choices
  std::vector<uint16_t> room_of_;                       // by section; kNoRoom: it has none
  std::vector<std::pair<uint64_t, uint64_t>> mark_of_;  // mark, bit of the choice that has it
};

}  // namespace adagents::ads::internal
