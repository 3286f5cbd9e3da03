// A ballot has the type of its list.
// error: no matching (member )?function
#include "ports_for_cases.h"

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context& ctx) override {
#ifdef ADAGENTS_BAD
    ctx.Cast(opinion_, std::string("calm"));
#else
    ctx.Cast(opinion_, Calm{0.5f});
#endif
    return absl::OkStatus();
  }

 private:
  adagents::Vote<Calm> opinion_{this, kOpinions};
};
