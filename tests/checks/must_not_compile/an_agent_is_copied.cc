// Ports know their agent, so an agent stays where it was made; replicas are constructed.
// error: deleted
#include "ports_for_cases.h"

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }

 private:
  adagents::Out<Calm> calm_{this, kCalm, Calm{0.5f}};
};

void Check() {
  Bedtime first;
#ifdef ADAGENTS_BAD
  Bedtime second = first;
#else
  Bedtime second;
#endif
}
