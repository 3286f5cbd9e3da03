// An agent is its ports and its Run.
// error: abstract
#include "ports_for_cases.h"

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
#ifndef ADAGENTS_BAD
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }
#endif
};

void Check() { Bedtime bedtime; }
