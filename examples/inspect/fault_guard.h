// Lets a program read a mapped file that somebody truncates meanwhile.
#pragma once

#include <cstddef>

namespace inspect {

/// Reading a page of a mapping that lies behind the file's end raises SIGBUS, which ends a process.
/// While a guard exists, such a page is replaced by one of zeroes and counted instead, so the look
/// goes on to its end, and is then thrown away. One guard at a time; of the whole process.
class FaultGuard {
 public:
  FaultGuard();
  ~FaultGuard();
  FaultGuard(const FaultGuard&) = delete;
  FaultGuard& operator=(const FaultGuard&) = delete;

  /// Pages that were missing since the guard was made.
  [[nodiscard]] size_t faults() const;
};

}  // namespace inspect
