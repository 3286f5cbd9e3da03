// An agent reads by key; another agent's port is no key, or the order would not follow from ports.
// error: no matching (function|constructor)|could not convert
#include "ports_for_cases.h"

class Writer final : public adagents::Agent {
 public:
  Writer() : Agent({.name = "writer"}) {}
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }
  adagents::Out<Calm> calm{this, kCalm};
};

class Reader final : public adagents::Agent {
 public:
  explicit Reader([[maybe_unused]] Writer& writer)
      : Agent({.name = "reader"}),
#ifdef ADAGENTS_BAD
        calm_(this, writer.calm)
#else
        calm_(this, kCalm)
#endif
  {
  }
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }

 private:
  adagents::In<Calm> calm_;
};
