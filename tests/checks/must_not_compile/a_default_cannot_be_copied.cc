// A default is copied for every decision, so its type can be copied.
// error: a default has to be copied
#include "ports_for_cases.h"

using Handle = std::unique_ptr<int>;
inline constexpr adagents::Key<Handle> kHandle{"handle"};

class Bedtime final : public adagents::Agent {
 public:
  Bedtime() : Agent({.name = "bedtime"}) {}
  absl::Status Run(adagents::Context&) override { return absl::OkStatus(); }

 private:
#ifdef ADAGENTS_BAD
  adagents::Out<Handle> handle_{this, kHandle, Handle()};
#else
  adagents::Out<Handle> handle_{this, kHandle};
#endif
};
