// The engine under test: its campaigns, its clock, and what is needed to answer in OpenRTB.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "adagents/adapters/openrtb/notice.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/engine.h"
#include "adagents/blackboard/counter.h"
#include "adagents/runtime/chrome_trace.h"
#include "adagents/testing/virtual_clock.h"
#include "money.h"
#include "options.h"

namespace ad_server {

/// How many creatives were scored; an agent of ours beside the team counts them.
struct Census {
  adagents::Counter decisions, candidates;
};

struct Setting {
  std::unique_ptr<adagents::testing::VirtualClock> virtual_clock;  // with --inline only
  std::shared_ptr<Census> census = std::make_shared<Census>();
  std::optional<adagents::openrtb::NoticeSigner> signer;
  std::optional<adagents::openrtb::Writer> writer;
  std::unique_ptr<adagents::ChromeTraceFile> trace;  // with --trace only
  Money money;
  std::unique_ptr<adagents::ads::Engine> engine;  // writes to the above
  size_t campaigns = 0, creatives = 0;

  const adagents::Clock& clock() const;
};

/// `campaigns`: a file, or empty for what the options say. `begin`: of the virtual clock; the
/// infinite past: wherever it begins.
absl::StatusOr<std::unique_ptr<Setting>> MakeSetting(const Options& options,
                                                     const std::string& campaigns,
                                                     absl::Time begin = absl::InfinitePast());

/// A file of the bundled ones: beside the sources it was built from, or installed beside the
/// program.
std::string Bundled(const std::string& name);

}  // namespace ad_server
