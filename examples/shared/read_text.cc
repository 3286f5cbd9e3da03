#include "read_text.h"

#include <lzma.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include "adagents/base/status.h"

namespace examples {
namespace {

using adagents::DataLoss;
using adagents::NotFound;

absl::StatusOr<std::string> Unpack(const std::string& path, const std::string& packed) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_stream_decoder(&stream, UINT64_MAX, LZMA_CONCATENATED) != LZMA_OK) {
    return DataLoss(path + ": the xz decoder cannot start");
  }
  stream.next_in = reinterpret_cast<const uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  std::string out;
  std::string block(size_t{1} << 20, '\0');
  lzma_ret result = LZMA_OK;
  while (result == LZMA_OK) {
    stream.next_out = reinterpret_cast<uint8_t*>(block.data());
    stream.avail_out = block.size();
    result = lzma_code(&stream, LZMA_FINISH);
    out.append(block, 0, block.size() - stream.avail_out);
  }
  lzma_end(&stream);
  if (result != LZMA_STREAM_END) return DataLoss(path + ": is damaged or no xz file");
  return out;
}

}  // namespace

absl::StatusOr<std::string> ReadText(const std::string& path) {
  if (std::error_code error; std::filesystem::is_directory(path, error)) {
    return NotFound("cannot read '" + path + "', which is a folder");
  }
  std::ifstream file(path, std::ios::binary);
  std::stringstream buffer;
  buffer << file.rdbuf();
  if (!file || file.bad()) return NotFound("cannot read '" + path + "'");
  std::string text = std::move(buffer).str();
  const std::string kMagic(
      "\xfd"
      "7zXZ\0",
      6);
  return text.compare(0, kMagic.size(), kMagic) == 0 ? Unpack(path, text)
                                                     : absl::StatusOr<std::string>(std::move(text));
}

}  // namespace examples
