// The recordings and samples that tests read but the project does not contain: $ADAGENTS_DATA, else
// shared/data beside the checkout.
#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace adagents::test {

/// The path of data file `name`, or empty after printing that the test is skipped.
inline std::string DataFile(const std::string& name) {
  std::vector<std::string> roots;
  if (const char* given = std::getenv("ADAGENTS_DATA")) roots.emplace_back(given);
  roots.emplace_back(std::string(ADAGENTS_SOURCE_DIR) + "/../shared/data");
  for (const std::string& root : roots) {
    const std::string path = root + "/" + name;
    if (std::filesystem::exists(path)) return path;
  }
  std::printf("SKIPPED: no %s in $ADAGENTS_DATA or ../shared/data\n", name.c_str());
  return {};
}

/// All lines of a text file, unpacked first if it ends in .xz. Empty if it cannot be read.
inline std::vector<std::string> Lines(const std::string& path) {
  const std::string command = (path.ends_with(".xz") ? "xz -dc '" : "cat '") + path + "'";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 1 << 16> block;
  while (pipe != nullptr) {
    const size_t n = std::fread(block.data(), 1, block.size(), pipe.get());
    if (n == 0) break;
    text.append(block.data(), n);
  }
  std::vector<std::string> lines;
  for (size_t from = 0; from < text.size();) {
    const size_t end = std::min(text.find('\n', from), text.size());
    lines.push_back(text.substr(from, end - from));
    from = end + 1;
  }
  return lines;
}

}  // namespace adagents::test
