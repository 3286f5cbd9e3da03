// Where a test keeps its files.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace adagents {

/// A folder that goes with the test; in shared memory where there is some.
class Folder {
 public:
  Folder() {
    const bool shared = std::filesystem::is_directory("/dev/shm");
    path_ = (shared ? "/dev/shm" : std::filesystem::temp_directory_path().string()) +
            "/adagents-test-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary folder");
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace adagents
