// A port's type and its key's type are the same.
// error: no matching (function|constructor)|could not convert
#include "ports_for_cases.h"

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }

 private:
  adagents::In<Listener> listener_{this, kListener};
#ifdef ADAGENTS_BAD
  adagents::In<Calm> calm_{this, kListener};
#else
  adagents::In<Calm> calm_{this, kCalm};
#endif
};
