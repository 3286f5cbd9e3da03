// OpenRTB text to request and decision to text, per request. Beside reading stands its floor:
// simdjson alone on the same lines, no checks and nothing kept.
//
//   openrtb_bench                       # the bundled samples; recordings where the data is there
#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "adagents/adapters/openrtb/notice.h"
#include "adagents/adapters/openrtb/reader.h"
#include "adagents/adapters/openrtb/writer.h"
#include "adagents/ads/campaign.h"

namespace adagents::openrtb {
namespace {

using Lines = std::vector<std::string>;

Lines ReadLines(const std::string& path) {
  const std::string command =
      (path.ends_with(".xz") ? "xz -dc '" : "cat '") + path + "' 2>/dev/null";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 1 << 16> block;
  while (const size_t n = std::fread(block.data(), 1, block.size(), pipe.get())) {
    text.append(block.data(), n);
  }
  Lines lines;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, end - from));
    lines.back().reserve(lines.back().size() + Reader::kPadding);
    from = end + 1;
  }
  return lines;
}

const Lines& Samples() {
  static const Lines lines = ReadLines(ADAGENTS_SAMPLE_REQUESTS);
  return lines;
}

const Lines& Web() {
  static const Lines lines = [] {
    const char* given = std::getenv("ADAGENTS_DATA");
    const std::filesystem::path data = given != nullptr ? given : ADAGENTS_SHARED_DATA;
    return ReadLines((data / "openrtb/web-auctions-2012.ndjson.xz").string());
  }();
  return lines;
}

/// Counts what the loop went through, so that the table shows requests and bytes a second.
void Report(benchmark::State& state, const Lines& lines) {
  size_t bytes = 0;
  for (const std::string& line : lines) bytes += line.size();
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes/request"] =
      static_cast<double>(bytes) / static_cast<double>(std::max<size_t>(lines.size(), 1));
}

void Read(benchmark::State& state, const Lines& lines) {
  if (lines.empty()) return state.SkipWithError("no data");
  Reader reader;
  size_t i = 0;
  for (auto _ : state) {
    const absl::StatusOr<ads::RequestPtr> request = reader.ReadPadded(lines[i]);
    if (!request.ok()) return state.SkipWithError("refused");
    benchmark::DoNotOptimize((*request)->imps.size());
    if (++i == lines.size()) i = 0;
  }
  Report(state, lines);
}

void ParseOnly(benchmark::State& state, const Lines& lines) {
  if (lines.empty()) return state.SkipWithError("no data");
  simdjson::dom::parser parser;
  size_t i = 0;
  for (auto _ : state) {
    simdjson::dom::element root;
    if (parser.parse(lines[i].data(), lines[i].size(), false).get(root) != simdjson::SUCCESS) {
      return state.SkipWithError("refused");
    }
    benchmark::DoNotOptimize(root.is_object());
    if (++i == lines.size()) i = 0;
  }
  Report(state, lines);
}

ads::Campaign MakeCampaign(ads::MarkupType format) {
  ads::Campaign c;
  c.id = "acme-spring";
  c.advertiser = "Acme";
  c.adomain = {"acme.example"};
  c.cat = {"IAB8-5"};
  ads::Creative creative;
  creative.id = "acme-spring-30s";
  creative.title = "Fresh bread, every morning";
  creative.format = format;
  creative.mimes = {"audio/mpeg"};
  creative.duration_ms = 30'000;
  creative.bitrate_kbps = 128;
  creative.media_url = "https://cdn.example.com/acme/spring/30s.mp3";
  creative.click_through = "https://acme.example/spring?from=audio";
  creative.attr = {1};
  c.creatives = {creative};
  return c;
}

void Write(benchmark::State& state, ads::MarkupType format, bool sign) {
  Reader reader;
  const ads::RequestPtr request = *reader.Read(
      R"({"id":"6040441806cb6695d4f1b0e1ec6688a5","imp":[{"id":"1","audio":{"mimes":["audio/mpeg"]},
          "banner":{"w":300,"h":250}}]})");
  absl::StatusOr<NoticeSigner> signer =
      NoticeSigner::Create({.base_url = "https://ads.example.com/notice",
                            .keys = {{"2026-07", "0123456789abcdef0123456789abcdef"}}});
  const Writer writer({.seat = "acme", .signer = sign ? &*signer : nullptr});
  const ads::Campaign campaign = MakeCampaign(format);
  ads::Decision decision;
  decision.id = 0x1234567890abcdef;
  ads::Bid bid;
  bid.campaign = &campaign;
  bid.creative = &campaign.creatives[0];
  bid.price = Micros{2'350'000};
  bid.mtype = format;
  decision.bids.push_back(bid);
  const absl::Time now = absl::FromUnixSeconds(1'782'896'400);
  std::string out;
  for (auto _ : state) {
    out.clear();
    writer.Write(*request, decision, now, &out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes/response"] = static_cast<double>(out.size());
}

BENCHMARK_CAPTURE(Read, samples, Samples());
BENCHMARK_CAPTURE(ParseOnly, samples_simdjson_alone, Samples());
BENCHMARK_CAPTURE(Read, web_auctions, Web());
BENCHMARK_CAPTURE(ParseOnly, web_auctions_simdjson_alone, Web());
BENCHMARK_CAPTURE(Write, audio_vast, ads::MarkupType::kAudio, true);
BENCHMARK_CAPTURE(Write, audio_vast_unsigned, ads::MarkupType::kAudio, false);
BENCHMARK_CAPTURE(Write, banner_html, ads::MarkupType::kBanner, true);

}  // namespace
}  // namespace adagents::openrtb
