// The requests that come with the examples are valid and as varied as they claim to be.
#include <fstream>
#include <set>
#include <string>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/base/status.h"
#include "catch.h"

namespace adagents::openrtb {
namespace {

TEST_CASE("the bundled sample requests are read, in order, and cover each kind") {
  std::ifstream file(std::string(ADAGENTS_SOURCE_DIR) +
                     "/examples/ad_server/sample-requests.ndjson");
  Reader reader;
  std::set<std::string> ids, genres, countries;
  int audio = 0, video = 0, banner = 0, native = 0, deals = 0, pods = 0, companions = 0;
  int kinds[4] = {}, tcf[4] = {}, coppa = 0, opted_out = 0, limited = 0, identified = 0;
  double last = 0;
  for (std::string line; std::getline(file, line);) {
    const absl::StatusOr<ads::RequestPtr> request = reader.Read(line);
    INFO(line);
    INFO((request.ok() ? std::string() : std::string(Message(request.status()))));
    REQUIRE(request.ok());
    const ads::Request& r = **request;
    CHECK(ids.insert(std::string(r.id)).second);
    REQUIRE(r.arrival.has_value());
    CHECK(*r.arrival > last);
    last = *r.arrival;
    genres.emplace(r.channel.content.genre);
    countries.emplace(r.device.geo.country);
    ++kinds[static_cast<int>(r.channel.kind)];
    ++tcf[static_cast<int>(r.consent.tcf)];
    coppa += r.consent.coppa;
    opted_out += r.consent.us_opt_out;
    limited += r.consent.limited;
    identified += !r.user.id.empty();
    CHECK((r.user.id.empty() || r.consent.may_identify));
    for (const ads::Imp& imp : r.imps) {
      audio += imp.audio != nullptr;
      video += imp.video != nullptr;
      banner += imp.banner != nullptr;
      native += imp.native != nullptr;
      deals += !imp.deals.empty();
      pods += imp.audio != nullptr && !imp.audio->podid.empty();
      companions += imp.audio != nullptr && !imp.audio->companionad.empty();
    }
  }
  CHECK(ids.size() >= 200);
  CHECK(genres.size() >= 15);
  CHECK(countries.size() >= 8);
  CHECK(audio >= 150);
  CHECK(video >= 10);
  CHECK(banner >= 20);
  CHECK(native >= 10);
  CHECK(deals >= 20);
  CHECK(pods >= 20);
  CHECK(companions >= 20);
  for (ads::ChannelKind kind :
       {ads::ChannelKind::kSite, ads::ChannelKind::kApp, ads::ChannelKind::kDooh}) {
    CHECK(kinds[static_cast<int>(kind)] >= 5);
  }
  for (ads::TcfState state : {ads::TcfState::kNotNeeded, ads::TcfState::kMissing,
                              ads::TcfState::kMalformed, ads::TcfState::kDecoded}) {
    CHECK(tcf[static_cast<int>(state)] >= 3);
  }
  CHECK(coppa >= 2);
  CHECK(opted_out >= 5);
  CHECK(limited >= 5);
  CHECK(identified >= 100);
}

}  // namespace
}  // namespace adagents::openrtb
