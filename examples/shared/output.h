// Standard output that cannot be written, as on a full disk, is an error.
#pragma once

#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "fmt/format.h"

namespace examples {

/// What `run` returns. When not all that it printed could be written, says so on standard error,
/// and returns 1 in place of 0.
template <class Run>
int WithOutput(const char* program, const Run& run) {
  int code = 0;
  std::string reason;
  try {
    code = run();
  } catch (const std::system_error& error) {  // fmt::print throws it
    if (std::ferror(stdout) == 0) throw;
    reason = error.code().message();
  }
  errno = 0;
  bool written = std::fflush(stdout) == 0;
  if (written && std::ferror(stdout) == 0) return code;
  // An earlier write failed, and why is forgotten: a further one tells.
  if (written) written = std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  if (reason.empty() && !written) reason = std::generic_category().message(errno);
  fmt::print(stderr, "{}: cannot write standard output{}{}\n", program, reason.empty() ? "" : ": ",
             reason);
  return code == 0 ? 1 : code;
}

}  // namespace examples
