// Interleavings of threads that divide the strands of one decision after another.
#include "adagents/runtime/internal/strand_claims.h"

#include <memory>
#include <vector>

#include "interleave/support.h"

namespace adagents::testing {
namespace {

using Claims = internal::StrandClaims<ModelAtomics>;

// One place where decisions are shared, used for one after another.
struct Place {
  struct Shape {
    const char* key;
    std::vector<uint32_t> waits_for;
  };

  Claims claims;
  ModelAtomics::Plain<int> decision{0};              // written by the owner before it opens
  ModelAtomics::Plain<const Shape*> shape{nullptr};  // likewise
  ModelAtomics::Plain<int> output[4];                // of each strand: the decision it last ran for
  int ran = 0, gone_on = 0;

  void RunStrand(int strand) {
    const int now = decision;
    const Shape& mine = *shape;
    for (int before = 0; before < strand; ++before) {
      if ((mine.waits_for[static_cast<size_t>(strand)] >> before & 1u) != 0) {
        Ensure(output[before] == now, "a strand ran before one that it waits for");
      }
    }
    Ensure(output[strand] != now, "a strand ran twice");
    output[strand] = now;
    ++ran;
  }

  void Decide(const Shape& next) {
    if (shape != &next) {
      claims.Prepare(next.key, next.waits_for);
      shape = &next;
    }
    decision = decision + 1;
    auto view = claims.Open();
    for (int strand = 0; strand != Claims::kNone;) {
      RunStrand(strand);
      strand = claims.Finish(&view, strand);
    }
    while (!view.Complete()) {
      const int ready = claims.NextReady(view);
      if (ready == Claims::kNone) {
        claims.Sleep(view, Deadline::Infinite());
        view = claims.Look();
      } else if (claims.Claim(&view, ready)) {
        for (int strand = ready; strand != Claims::kNone;) {
          RunStrand(strand);
          strand = claims.Finish(&view, strand);
        }
      }
    }
    for (size_t i = 0; i < next.waits_for.size(); ++i) {
      Ensure(output[i] == decision, "a strand did not run");
    }
  }

  // Waits for nobody, and goes on with the next decision; or somebody else does.
  void DecideAndLeave(const Shape& next, const Shape& then) {
    claims.Prepare(next.key, next.waits_for);
    shape = &next;
    decision = decision + 1;
    auto view = claims.Open();
    int strand = 0;
    for (;;) {
      while (strand != Claims::kNone) {
        RunStrand(strand);
        strand = claims.Finish(&view, strand);
      }
      if (view.Complete()) break;
      strand = claims.NextReady(view);
      if (strand == Claims::kNone) {
        if (claims.Leave(&view)) return;
      } else if (!claims.Claim(&view, strand)) {
        strand = Claims::kNone;
      }
    }
    GoOn(then);
  }
  void GoOn(const Shape& then) {
    for (size_t i = 0; i < (*shape).waits_for.size(); ++i) {
      Ensure(output[i] == decision, "a strand did not run");
    }
    ++gone_on;
    Decide(then);
  }

  void Help(const char* key, const Shape* then = nullptr) {
    auto view = claims.Look();
    for (int tries = 0; tries < 3 && !view.AllClaimed(); ++tries) {
      if (claims.key() != key) return;
      const int ready = claims.NextReady(view);
      if (ready == Claims::kNone) {
        view = claims.Look();
        continue;
      }
      if (!claims.Claim(&view, ready)) continue;
      for (int strand = ready; strand != Claims::kNone;) {
        Ensure((*shape).key == key, "helped with what it cannot run");
        RunStrand(strand);
        strand = claims.Finish(&view, strand);
      }
      if (view.Inherited()) return GoOn(*then);
    }
  }
};

const char kOne[] = "one", kOther[] = "other";
const Place::Shape kDiamond{kOne, {0b000, 0b001, 0b001, 0b110}};
const Place::Shape kApart{kOne, {0, 0, 0}};
const Place::Shape kChain{kOne, {0b00, 0b01, 0b10}};
const Place::Shape kOthers{kOther, {0b00, 0b01, 0b01}};

void OneHelper(Program& p) {
  auto s = std::make_shared<Place>();
  p.Thread([s] {
    for (int i = 0; i < 3; ++i) s->Decide(kDiamond);
  });
  p.Thread([s] {
    for (int i = 0; i < 3; ++i) s->Help(kOne);
  });
  p.Finally([s] { Ensure(s->ran == 12, "not all strands ran"); });
}

void TwoHelpers(Program& p) {
  auto s = std::make_shared<Place>();
  p.Thread([s] {
    for (int i = 0; i < 2; ++i) s->Decide(kDiamond);
  });
  for (int helper = 0; helper < 2; ++helper) {
    p.Thread([s] {
      for (int i = 0; i < 2; ++i) s->Help(kOne);
    });
  }
  p.Finally([s] { Ensure(s->ran == 8, "not all strands ran"); });
}

// The strands change between decisions, while helpers still look at the old ones.
void OtherStrands(Program& p) {
  auto s = std::make_shared<Place>();
  p.Thread([s] {
    s->Decide(kApart);
    s->Decide(kChain);
    s->Decide(kApart);
  });
  p.Thread([s] {
    for (int i = 0; i < 4; ++i) s->Help(kOne);
  });
}

// The plan changes: a helper that has only one of the two never runs the other.
void OtherPlans(Program& p) {
  auto s = std::make_shared<Place>();
  p.Thread([s] {
    s->Decide(kApart);
    s->Decide(kOthers);
    s->Decide(kChain);
  });
  p.Thread([s] {
    for (int i = 0; i < 3; ++i) s->Help(kOne);
  });
  p.Thread([s] {
    for (int i = 0; i < 3; ++i) s->Help(kOther);
  });
}

// An owner that does not wait for its helpers: the last of them takes over from it.
void OwnerLeaves(Program& p) {
  auto s = std::make_shared<Place>();
  p.Thread([s] { s->DecideAndLeave(kDiamond, kChain); });
  for (int helper = 0; helper < 2; ++helper) {
    p.Thread([s] { s->Help(kOne, &kChain); });
  }
  p.Finally([s] {
    Ensure(s->gone_on == 1, "not exactly one took over");
    Ensure(s->ran == 7, "not all strands ran");
  });
}

TEST_CASE("strands run once each, after what they wait for, for one decision after another") {
  CheckPrograms({OneHelper, TwoHelpers, OtherStrands, OtherPlans, OwnerLeaves});
}

TEST_CASE("every order of the claim word is needed") {
  CheckMutants({OneHelper, TwoHelpers, OtherStrands, OtherPlans, OwnerLeaves});
}

}  // namespace
}  // namespace adagents::testing
