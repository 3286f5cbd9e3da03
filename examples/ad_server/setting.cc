#include "setting.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/catalog_loader.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application

constexpr StateKey<Census> kCensus{"ad_server_census"};

/// An agent of the application's own: it reads what the team writes.
class CensusTaker final : public Agent {
  In<ads::Candidates> candidates_{this, ads::kCandidates};
  State<Census> census_{this, kCensus};

 public:
  CensusTaker() : Agent({.name = "census_taker"}) {}
  absl::Status Run(Context& ctx) override {
    census_->decisions.Add(1);
    census_->candidates.Add(static_cast<int64_t>(ctx[candidates_].items.size()));
    return absl::OkStatus();
  }
};

absl::StatusOr<std::unique_ptr<ads::Catalog>> MakeCatalog(const Options& options,
                                                          const std::string& campaigns) {
  if (campaigns.empty() && options.generate_campaigns > 0) {
    return ads::GenerateCatalog({.campaigns = static_cast<size_t>(options.generate_campaigns),
                                 .seed = options.seed,
                                 .open = options.open});
  }
  const std::string path = campaigns.empty() ? Bundled("sample-campaigns.json") : campaigns;
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return NotFound(fmt::format("cannot read '{}'", path));
  auto catalog = ads::LoadCatalog(text.str());
  if (!catalog.ok()) {
    return MakeStatus(catalog.status().code(),
                      fmt::format("{}:\n{}", path, Message(catalog.status())));
  }
  return catalog;
}

/// With a share of every budget.
absl::StatusOr<std::unique_ptr<const ads::Catalog>> WithShareOfBudgets(const ads::Catalog& catalog,
                                                                       double share) {
  const auto of = [share](Micros amount) {
    if (amount.value <= 0) return amount;
    return Micros{std::max<int64_t>(1, std::llround(static_cast<double>(amount.value) * share))};
  };
  ads::CatalogChange change;
  for (uint32_t i = 0; i < catalog.index_end(); ++i) {
    if (!catalog.Has(i)) continue;
    ads::Campaign& c = change.put.emplace_back(catalog.campaign(i));
    c.budget.daily = of(c.budget.daily);
    c.budget.lifetime = of(c.budget.lifetime);
  }
  auto changed = catalog.With(std::move(change));
  if (!changed.ok()) return changed.status();
  return (*changed)->Rebuilt();
}

}  // namespace

std::string Bundled(const std::string& name) {
  const std::filesystem::path beside = std::filesystem::path(AD_SERVER_SAMPLES) / name;
  if (std::filesystem::exists(beside)) return beside.string();
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? name : (program.parent_path() / name).string();
}

const Clock& Setting::clock() const {
  if (virtual_clock != nullptr) return *virtual_clock;
  return SystemClock::Get();
}

absl::StatusOr<std::unique_ptr<Setting>> MakeSetting(const Options& options,
                                                     const std::string& campaigns,
                                                     absl::Time begin) {
  auto catalog = MakeCatalog(options, campaigns);
  if (!catalog.ok()) return catalog.status();
  auto setting = std::make_unique<Setting>();
  setting->campaigns = (*catalog)->size();
  setting->creatives = (*catalog)->creative_total();

  ads::EngineOptions engine;
  engine.catalog = *std::move(catalog);
  if (options.budget_share < 1) {
    auto changed = WithShareOfBudgets(*engine.catalog, options.budget_share);
    if (!changed.ok()) return changed.status();
    engine.catalog = *std::move(changed);
  }
  engine.availability.max_candidates = static_cast<size_t>(options.max_candidates);
  engine.availability.stop_when_certain = options.stop_when_certain;
  for (const auto pricing :
       {ads::AuctionPricing::kAsRequested, ads::AuctionPricing::kFirstPrice,
        ads::AuctionPricing::kSecondPrice, ads::AuctionPricing::kGeneralizedSecondPrice}) {
    if (ads::Name(pricing) == options.pricing) engine.auction.pricing = pricing;
  }
  for (const auto& [code, rate] : options.rates) {
    const std::optional<Currency> currency = Currency::Parse(code);
    if (!currency) return InvalidArgument(fmt::format("--rates: '{}' is no currency", code));
    engine.rates.emplace_back(*currency, rate);
  }
  engine.caps.windows = static_cast<size_t>(options.cap_windows);
  engine.caps.bids = static_cast<size_t>(options.cap_bids);
  if (options.without_id == "block") engine.cap_policy.without_id = ads::WithoutId::kBlock;
  engine.runtime.deadline = absl::Microseconds(static_cast<int64_t>(options.deadline_ms * 1000));
  engine.runtime.callers = options.threads + 1;
  if (options.inline_scheduler) {
    setting->virtual_clock = std::make_unique<testing::VirtualClock>();
    if (begin != absl::InfinitePast()) setting->virtual_clock->SetWall(begin);
    engine.runtime.clock = setting->virtual_clock.get();
    engine.runtime.inline_scheduler = InlineScheduler{options.seed};
  }
  if (!options.trace.empty()) {
    auto trace = ChromeTraceFile::Create(options.trace, {.process = "ad_server"});
    if (!trace.ok()) return trace.status();
    setting->trace = *std::move(trace);
    engine.runtime.trace_every = static_cast<uint32_t>(options.trace_every);
    engine.runtime.trace_sink = [file = setting->trace.get()](const Timeline& timeline) {
      file->Add(timeline);
    };
  }
  engine.customize = [census = setting->census](ads::AdRuntime::Builder& builder) {
    builder.ShareObject(kCensus, census).Add<CensusTaker>();
  };
  auto money = OpenMoney(options, setting->campaigns, setting->clock());
  if (!money.ok()) return money.status();
  setting->money = *std::move(money);
  engine.ledger = setting->money.ledger;
  engine.pacer = setting->money.pacer;
  auto made = ads::Engine::Create(std::move(engine));
  if (!made.ok()) return made.status();
  setting->engine = *std::move(made);

  // A key for replays; a server has one of its own, from where it keeps its secrets.
  auto signer = openrtb::NoticeSigner::Create({.base_url = "https://ads.example.com/notice",
                                               .keys = {{"replay", "not-a-secret-just-a-replay"}}});
  if (!signer.ok()) return signer.status();
  setting->signer.emplace(*std::move(signer));
  setting->writer.emplace(openrtb::WriterOptions{.signer = &*setting->signer});
  return setting;
}

}  // namespace ad_server
