// Reasons that the ad team leaves. The subject is the campaign's key (CampaignFacts::key) where the
// sentence speaks of a campaign, the index of the imp where it speaks of an imp; Engine::Explain()
// fills in their names.
//
// All of it is constant, so thread-safe.
//
// Reasons why a candidate lost have OpenRTB's loss reason code as their number, and say it in their
// sentence. The list is that of OpenRTB 3.0, to which 2.6 refers; 2.5's has the same numbers.
#pragma once

#include <cstdint>
#include <string_view>

#include "adagents/runtime/trace.h"

namespace adagents::ads::reasons {

/// Whether a reason's subject is an imp's index; otherwise it is a campaign's key.
constexpr bool IsAboutImp(const ReasonCode& code) { return code.name.substr(0, 4) == "imp_"; }

/// OpenRTB's loss reasons, as far as they are used here.
enum Loss : int32_t {
  kInternalError = 1,
  kBelowAuctionFloor = 100,
  kBelowFloorOfDeal = 101,
  kLostToHigherBid = 102,
  kLostToDeal = 103,
  kBuyerSeatBlocked = 104,
  kCreativeFiltered = 200,
  kSizeNotAllowed = 203,
  kIncorrectFormat = 204,
  kAdvertiserExclusions = 205,
  kAppExclusions = 206,
  kNotSecure = 207,
  kLanguageExclusions = 208,
  kCategoryExclusions = 209,
  kAttributeExclusions = 210,
  kNotAllowedInDeal = 213,
  // OpenRTB has no code for what the buyer's own budget or plan forbids. The exchange's own codes
  // begin at 500 in the list that 2.6 refers to and at 1000 in 2.5's, so this is one by both.
  kWantOfBudget = 1000,
};

// Availability.
inline constexpr ReasonCode kMatched{
    "imp_matched",
    "imp {subject}: {score} of {threshold} campaigns are for this listener, here and now"};
inline constexpr ReasonCode kFitted{
    "imp_fitted", "imp {subject}: {score} creatives of {threshold} campaigns fit it"};
inline constexpr ReasonCode kLeftOut{
    "imp_left_out",
    "imp {subject}: there is room for {threshold} candidates; what was left out is worth {score} a "
    "thousand at most, or has a lower priority"};
inline constexpr ReasonCode kSwitchedOff{"switched_off", "campaign {subject} is switched off"};
inline constexpr ReasonCode kNotInFlight{"not_in_flight",
                                         "campaign {subject} is not running at this time"};
inline constexpr ReasonCode kNoCreativeFits{
    "no_creative_fits", "campaign {subject} has no creative that fits the imp (loss {number})",
    kCreativeFiltered};
inline constexpr ReasonCode kOnlyInsecureFits{
    "only_insecure_fits",
    "campaign {subject} has creatives that would fit, but the imp takes only https, and not all of "
    "them is (loss {number})",
    kNotSecure};
inline constexpr ReasonCode kDealSeat{
    "deal_seat",
    "campaign {subject} may not use the deal: its seat or domain is not invited (loss {number})",
    kNotAllowedInDeal};

// Frequency caps. By what they are on (campaign, creative, brand) and whose impressions they count.
inline constexpr ReasonCode kCapReached[3][4] = {
    {{"campaign_cap_listener",
      "campaign {subject}: {score} of {threshold} impressions of it reached the listener "
      "(loss {number})",
      kCreativeFiltered},
     {"campaign_cap_household",
      "campaign {subject}: {score} of {threshold} impressions of it reached the household "
      "(loss {number})",
      kCreativeFiltered},
     {"campaign_cap_session",
      "campaign {subject}: {score} of {threshold} impressions of it were in the session "
      "(loss {number})",
      kCreativeFiltered},
     {"campaign_cap_device",
      "campaign {subject}: {score} of {threshold} impressions of it were on the device "
      "(loss {number})",
      kCreativeFiltered}},
    {{"creative_cap_listener",
      "campaign {subject}: {score} of {threshold} impressions of a creative reached the listener "
      "(loss {number})",
      kCreativeFiltered},
     {"creative_cap_household",
      "campaign {subject}: {score} of {threshold} impressions of a creative reached the household "
      "(loss {number})",
      kCreativeFiltered},
     {"creative_cap_session",
      "campaign {subject}: {score} of {threshold} impressions of a creative were in the session "
      "(loss {number})",
      kCreativeFiltered},
     {"creative_cap_device",
      "campaign {subject}: {score} of {threshold} impressions of a creative were on the device "
      "(loss {number})",
      kCreativeFiltered}},
    {{"brand_cap_listener",
      "campaign {subject}: {score} of {threshold} impressions of its brand reached the listener "
      "(loss {number})",
      kCreativeFiltered},
     {"brand_cap_household",
      "campaign {subject}: {score} of {threshold} impressions of its brand reached the household "
      "(loss {number})",
      kCreativeFiltered},
     {"brand_cap_session",
      "campaign {subject}: {score} of {threshold} impressions of its brand were in the session "
      "(loss {number})",
      kCreativeFiltered},
     {"brand_cap_device",
      "campaign {subject}: {score} of {threshold} impressions of its brand were on the device "
      "(loss {number})",
      kCreativeFiltered}}};
inline constexpr ReasonCode kCapFrees{
    "cap_frees",
    "campaign {subject}: that cap is on any {threshold} s; a place is free in {score} s"};
inline constexpr ReasonCode kVariantOffered{"variant_offered",
                                            "campaign {subject}: another creative of it stands in "
                                            "for the capped one, different in {score} of "
                                            "{threshold} traits"};
inline constexpr ReasonCode kBrandOffered{
    "brand_offered",
    "campaign {subject} stands in for a capped one of the same brand, different in {score} of "
    "{threshold} traits"};
inline constexpr ReasonCode kCapWithoutId{"cap_without_id",
                                          "campaign {subject} has a frequency cap, and the request "
                                          "does not say for whom: {score} bids of it "
                                          "and at most {threshold} in one request (loss {number})",
                                          kCreativeFiltered};
inline constexpr ReasonCode kCapTaken{
    "cap_taken",
    "campaign {subject}: the last place under a frequency cap was taken meanwhile (loss {number})",
    kCreativeFiltered};
inline constexpr ReasonCode kCapsFull{
    "caps_full",
    "campaign {subject}: there is no memory for another capped window or bid (loss {number})",
    kInternalError};
inline constexpr ReasonCode kCapsUnknown{
    "caps_unknown",
    "campaign {subject} has frequency caps, and nobody could look at them in time (loss {number})",
    kInternalError};

// The listener.
inline constexpr ReasonCode kListening{
    "listening", "the listener's session has played {score} tracks in {threshold} minutes"};
/// By Intent.
inline constexpr ReasonCode kIntent[8] = {
    {"intent_focus", "the listener wants to focus ({score} % sure)"},
    {"intent_workout", "the listener works out ({score} % sure)"},
    {"intent_commute", "the listener is on the way ({score} % sure)"},
    {"intent_party", "the listener has company ({score} % sure)"},
    {"intent_relax", "the listener relaxes ({score} % sure)"},
    {"intent_bedtime", "the listener falls asleep ({score} % sure)"},
    {"intent_lean_in", "the listener listens closely ({score} % sure)"},
    {"intent_background", "the music plays in the background ({score} % sure)"}};
inline constexpr ReasonCode kAttention{
    "attention",
    "at this moment {score} % of ads would be heard to their end; {threshold} % are on average"};

// Inventory.
inline constexpr ReasonCode kInventory{
    "imp_inventory", "imp {subject}: {score} slots like it are expected within an hour"};
inline constexpr ReasonCode kInventoryRange{
    "imp_inventory_range",
    "imp {subject}: that is {score} to {threshold} slots, by how wrong forecasts have been"};

// Timing.
inline constexpr ReasonCode kBetweenTracks{
    "imp_between_tracks", "imp {subject}: the ad plays when the track ends, in {score} s"};
inline constexpr ReasonCode kAtTransition{
    "imp_at_transition", "imp {subject}: the ad plays at the episode's break, in {score} s"};
inline constexpr ReasonCode kMidTrack{
    "imp_mid_track",
    "imp {subject}: a track or an episode plays for another {score} s, and an ad may wait "
    "{threshold} s"};
inline constexpr ReasonCode kMidTrackOfUnknown{
    "imp_mid_track_unknown",
    "imp {subject}: a track or an episode plays, and nobody knows how long it is"};
inline constexpr ReasonCode kListenerPaused{"imp_paused", "imp {subject}: the listener has paused"};
inline constexpr ReasonCode kAsleep{
    "imp_asleep",
    "imp {subject}: the listener has touched nothing for {score} min at bedtime, and is asleep"};
inline constexpr ReasonCode kTooSoon{
    "imp_too_soon", "imp {subject}: the last ad was {score} s ago, and is to be {threshold} s ago"};

// Creatives.
inline constexpr ReasonCode kSuits{
    "suits",
    "campaign {subject}: what its creative is like moves the odds of a response by a factor of "
    "{score} at this moment"};
inline constexpr ReasonCode kLiked{
    "liked",
    "campaign {subject}: its brand and category move the odds of a response by a factor of {score} "
    "with this listener"};
inline constexpr ReasonCode kHeardBefore{
    "heard_before",
    "campaign {subject}: its brand was heard {score} times lately, which moves the odds of a "
    "response by a factor of {threshold}"};
inline constexpr ReasonCode kTooLively{
    "too_lively",
    "campaign {subject}: its creative is too fast or loud for a listener who falls asleep "
    "(loss {number})",
    kCreativeFiltered};
inline constexpr ReasonCode kTooSlow{
    "too_slow",
    "campaign {subject}: its creative is too slow beside lively music, for a listener who falls "
    "asleep (loss {number})",
    kCreativeFiltered};
inline constexpr ReasonCode kTooCheerful{
    "too_cheerful",
    "campaign {subject}: its creative makes fun where the music is sad (loss {number})",
    kCreativeFiltered};
inline constexpr ReasonCode kSuitUnknown{
    "suit_unknown",
    "campaign {subject}: nobody could see in time whether its creative suits the moment "
    "(loss {number})",
    kInternalError};

// Relevance.
inline constexpr ReasonCode kPredicted{
    "predicted", "campaign {subject}: predicted rate {score} of the action it is after"};

// Pacing.
inline constexpr ReasonCode kPaced{
    "paced", "campaign {subject} bids {score} % of its value to spend its budget as planned"};
inline constexpr ReasonCode kPacedOut{
    "paced_out",
    "campaign {subject} sits this one out: it has spent what is planned for now (loss {number})",
    kWantOfBudget};

// Pricing.
inline constexpr ReasonCode kPaysPerImpression{
    "cpm", "campaign {subject} pays {score} a thousand impressions; the floor is {threshold}"};
inline constexpr ReasonCode kPaysPerAction{
    "per_action",
    "campaign {subject} pays per action: worth {score} a thousand impressions; the floor is "
    "{threshold}"};
inline constexpr ReasonCode kBelowFloor{"below_floor",
                                        "campaign {subject} is worth {score} a thousand, below the "
                                        "floor of {threshold} (loss {number})",
                                        kBelowAuctionFloor};
inline constexpr ReasonCode kBelowDealFloor{
    "below_deal_floor",
    "campaign {subject} is worth {score} a thousand, below its deal's floor of {threshold} "
    "(loss {number})",
    kBelowFloorOfDeal};
inline constexpr ReasonCode kNoRate{
    "no_rate", "campaign {subject}: no exchange rate for its currency (loss {number})",
    kInternalError};
inline constexpr ReasonCode kFloorCurrency{
    "imp_floor_currency", "imp {subject}: no exchange rate for the currency of its floor"};
inline constexpr ReasonCode kNotANumber{
    "not_a_number",
    "campaign {subject}: its predicted rate is not a number in [0, 1] (loss {number})",
    kInternalError};

// Auction.
inline constexpr ReasonCode kWon{
    "won", "campaign {subject} wins at {score}; the impression is worth {threshold} to it"};
inline constexpr ReasonCode kOutbid{
    "outbid", "campaign {subject} is outbid: {score} against {threshold} (loss {number})",
    kLostToHigherBid};
inline constexpr ReasonCode kDealGoesFirst{
    "deal_first",
    "campaign {subject} at {score} comes after a deal or a guaranteed line that bids "
    "{threshold} (loss {number})",
    kLostToDeal};
inline constexpr ReasonCode kPriorityGoesFirst{
    "priority_first",
    "campaign {subject} at {score} comes after a higher priority that bids {threshold} "
    "(loss {number})",
    kLostToHigherBid};
inline constexpr ReasonCode kHouseNotNeeded{
    "house_not_needed",
    "campaign {subject} is a house ad, and there is no dead air to fill "
    "(loss {number})",
    kLostToHigherBid};
inline constexpr ReasonCode kBudgetSpent{
    "budget_spent", "campaign {subject}: its budget is spent or reserved (loss {number})",
    kWantOfBudget};
inline constexpr ReasonCode kBudgetNotLeased{
    "budget_not_leased",
    "campaign {subject}: what has been leased of its budget is spent or reserved "
    "(loss {number})",
    kWantOfBudget};
inline constexpr ReasonCode kBudgetTooSmall{
    "budget_too_small",
    "campaign {subject}: an impression costs more than may be leased of its budget at a time "
    "(loss {number})",
    kWantOfBudget};
inline constexpr ReasonCode kLedgerRefused{
    "ledger_refused", "campaign {subject}: the ledger does not reserve for it (loss {number})",
    kInternalError};
inline constexpr ReasonCode kBlockedCategory{
    "blocked_category",
    "campaign {subject} is in a category that the request blocks (bcat) (loss {number})",
    kCategoryExclusions};
inline constexpr ReasonCode kBlockedAdvertiser{
    "blocked_advertiser",
    "campaign {subject} is of an advertiser that the request blocks (badv) (loss {number})",
    kAdvertiserExclusions};
inline constexpr ReasonCode kBlockedApp{
    "blocked_app",
    "campaign {subject} leads to an app that the request blocks (bapp) (loss {number})",
    kAppExclusions};
inline constexpr ReasonCode kBlockedSeat{
    "blocked_seat",
    "campaign {subject} buys through a seat that the request does not allow (loss {number})",
    kBuyerSeatBlocked};
inline constexpr ReasonCode kInPodAlready{
    "in_pod_already", "campaign {subject} is in this pod already (loss {number})",
    kAdvertiserExclusions};
inline constexpr ReasonCode kBrandInPod{
    "brand_in_pod",
    "campaign {subject}: its brand or domain is in this pod already "
    "(loss {number})",
    kAdvertiserExclusions};
inline constexpr ReasonCode kCompetitorInPod{
    "competitor_in_pod",
    "campaign {subject}: a competitor of its category is in this pod already "
    "(loss {number})",
    kCategoryExclusions};
inline constexpr ReasonCode kCreativeInPod{
    "creative_in_pod", "campaign {subject}: this creative is in this pod already (loss {number})",
    kAdvertiserExclusions};
inline constexpr ReasonCode kNotTimed{
    "not_timed",
    "campaign {subject}: its creative has no duration, and pods are filled by time "
    "(loss {number})",
    kIncorrectFormat};
inline constexpr ReasonCode kPodFull{
    "pod_full",
    "campaign {subject} does not fit into what is left of the pod: {score} s of "
    "{threshold} s (loss {number})",
    kLostToHigherBid};

inline constexpr ReasonCode kDeadAir{"imp_dead_air",
                                     "imp {subject}: nothing fills {score} s of its {threshold} s"};
inline constexpr ReasonCode kUnsoldSlot{"imp_unsold_slot",
                                        "imp {subject}: this slot of the pod stays empty"};
inline constexpr ReasonCode kPodCut{
    "imp_pod_cut",
    "imp {subject}: the best {score} of the pod's {threshold} candidates were combined, the others "
    "taken in turn"};
inline constexpr ReasonCode kPodSearchEnded{
    "imp_pod_search_ended",
    "imp {subject}: the search for the pod's best combination ended at its limit of {threshold} "
    "steps"};

}  // namespace adagents::ads::reasons
