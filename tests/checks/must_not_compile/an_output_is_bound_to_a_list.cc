// A list has many writers: they vote, and do not own it with an Out.
// error: no matching (function|constructor)|could not convert
#include "ports_for_cases.h"

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }

 private:
#ifdef ADAGENTS_BAD
  adagents::Out<Calm> opinion_{this, kOpinions};
#else
  adagents::Vote<Calm> opinion_{this, kOpinions};
#endif
};
