// An agent must not change what another agent wrote.
// error: read-only|const-qualified
#include "ports_for_cases.h"

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context& ctx) override {
    int hour = ctx[listener_].hour;
    ++hour;
#ifdef ADAGENTS_BAD
    ctx[listener_].hour = hour;
#endif
    return absl::OkStatus();
  }

 private:
  adagents::In<Listener> listener_{this, kListener};
};
