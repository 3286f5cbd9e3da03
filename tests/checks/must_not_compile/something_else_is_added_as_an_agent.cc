// Only agents join a runtime.
// error: an agent is a subclass of adagents::Agent
#include "adagents/runtime/runtime.h"
#include "ports_for_cases.h"

struct NoAgent {};

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }
};

void Check(adagents::Runtime<Listener, Calm>::Builder& builder) {
#ifdef ADAGENTS_BAD
  builder.Add<NoAgent>();
#else
  builder.Add<Bedtime>();
#endif
}
