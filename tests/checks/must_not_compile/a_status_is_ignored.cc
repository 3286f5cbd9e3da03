// A function that can fail returns an absl::Status that must be looked at.
// error: unused-result
#pragma GCC diagnostic error "-Wunused-result"
#include "adagents/base/status.h"

void Check() {
  const absl::Status status = adagents::InvalidArgument("bidfloor is negative");
  (void)status;
#ifdef ADAGENTS_BAD
  adagents::InvalidArgument("bidfloor is negative");
#endif
}
