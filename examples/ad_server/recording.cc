#include "recording.h"

#include <lzma.h>
#include <simdjson.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/base/status.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using adagents::DataLoss;
using adagents::NotFound;

absl::Status Unpack(const std::string& path, const std::string& packed, std::string* out) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK) {
    return DataLoss(path + ": the xz decoder cannot start");
  }
  stream.next_in = reinterpret_cast<const uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  std::string block(size_t{1} << 20, '\0');
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK) {
    stream.next_out = reinterpret_cast<uint8_t*>(block.data());
    stream.avail_out = block.size();
    result = lzma_code(&stream, LZMA_FINISH);
    out->append(block, 0, block.size() - stream.avail_out);
  }
  lzma_end(&stream);
  if (result != LZMA_STREAM_END) return DataLoss(path + ": is damaged or no xz file");
  return absl::OkStatus();
}

/// The number behind the last `key` in the line, else 0.
double NumberAfter(std::string_view json, std::string_view key) {
  const size_t at = json.rfind(key);
  if (at == std::string_view::npos) return 0;
  return std::strtod(json.data() + at + key.size(), nullptr);  // a ',' or '}' ends it
}

double ArrivalOf(std::string_view json) {
  const double seconds = NumberAfter(json, "\"arrival\":");
  return seconds > 0 ? seconds : NumberAfter(json, "\"timestamp\":") / 1000.0;
}

}  // namespace

absl::StatusOr<Recording> Recording::ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound(fmt::format("cannot read '{}'", path));
  std::stringstream buffer;
  buffer << file.rdbuf();
  if (file.bad()) return NotFound(fmt::format("cannot read '{}'", path));
  Recording recording;
  const std::string read = std::move(buffer).str();
  if (read.compare(0, 6,
                   std::string("\xfd"
                               "7zXZ\0",
                               6)) == 0) {
    if (absl::Status status = Unpack(path, read, &recording.text_); !status.ok()) return status;
  } else {
    recording.text_ = read;
  }
  recording.Split();
  return recording;
}

void Recording::Split() {
  text_.append(adagents::openrtb::Reader::kPadding, '\0');
  simdjson::dom::parser parser;
  std::string_view left(text_.data(), text_.size() - adagents::openrtb::Reader::kPadding);
  for (size_t number = 1; !left.empty(); ++number) {
    const size_t end = left.find('\n');
    std::string_view line = left.substr(0, end);
    left.remove_prefix(end == std::string_view::npos ? left.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    // {"source": ..., "request": {...}}: the request alone. Native requests are named so too, but
    // stand deeper.
    if (line.find("\"request\"") != std::string_view::npos) {
      simdjson::dom::element document, request, imp;
      if (parser.parse(line.data(), line.size()).get(document) == simdjson::SUCCESS &&
          document["request"].get(request) == simdjson::SUCCESS &&
          document["imp"].get(imp) != simdjson::SUCCESS) {
        std::string text = simdjson::minify(request);
        const size_t size = text.size();
        text.append(adagents::openrtb::Reader::kPadding, '\0');
        taken_out_.push_back(std::move(text));
        line = std::string_view(taken_out_.back().data(), size);
      }
    }
    lines_.push_back({line, number, ArrivalOf(line)});
  }
}

}  // namespace ad_server
