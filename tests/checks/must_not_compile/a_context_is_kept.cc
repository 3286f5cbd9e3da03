// A context is valid during one call, so it cannot be copied away.
// error: deleted
#include "ports_for_cases.h"

void Check(adagents::Context& ctx) {
#ifdef ADAGENTS_BAD
  adagents::Context kept = ctx;
#else
  adagents::Context& used = ctx;
  (void)used;
#endif
}
