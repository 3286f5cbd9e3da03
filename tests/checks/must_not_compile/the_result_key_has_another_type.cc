// The result is what the runtime answers with: its key has the answer's type.
// error: no matching (function|constructor)
#include "adagents/runtime/runtime.h"
#include "ports_for_cases.h"

using CalmRuntime = adagents::Runtime<Listener, Calm>;

void Check() {
#ifdef ADAGENTS_BAD
  CalmRuntime::Builder builder(kListener, kListener);
#else
  CalmRuntime::Builder builder(kListener, kCalm);
#endif
}
