// Negotiation: two agents that wait for each other settle on a price in rounds.
//
// The publisher's agent asks for a price, the advertiser's offers one; each answers the other. In a
// plan that is a circle, which Build() refuses; Loop() makes it rounds, at most 16 here, that end
// when the offer no longer changes.
//
// Output:
//   a value of 8.00: sold for 6.00 after 10 rounds
//   a value of 5.00: sold for 5.00 after 2 rounds
//   a value of 3.00: not sold, 4.00 is the least
#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "adagents/runtime/runtime.h"

namespace {

using adagents::Agent;
using adagents::Context;
using adagents::In;
using adagents::Key;
using adagents::Out;

struct Slot {
  int64_t value_cents = 0;  // what the impression is worth to the advertiser
};
struct Sale {
  int64_t cents = 0;
  uint32_t rounds = 0;
};

constexpr Key<Slot> kSlot{"slot"};
constexpr Key<int64_t> kOffer{"offer_cents"};
constexpr Key<int64_t> kAsking{"asking_cents"};
constexpr Key<uint32_t> kRounds{"rounds"};
constexpr Key<Sale> kSale{"sale"};

// Starts at 8.00 and meets each offer halfway, but never below 4.00.
class Publisher final : public Agent {
  In<int64_t> offer_{this, kOffer, 0};  // 0 in the first round
  Out<int64_t> asking_{this, kAsking};

 public:
  Publisher() : Agent({.name = "publisher"}) {}
  absl::Status Run(Context& ctx) override {
    const int64_t offer = ctx[offer_];
    ctx[asking_] = ctx.round() == 0 ? 800 : std::max<int64_t>(400, (offer + 600) / 2);
    return absl::OkStatus();
  }
};

// Offers what is asked up to its value.
class Advertiser final : public Agent {
  In<Slot> slot_{this, kSlot};
  In<int64_t> asking_{this, kAsking};
  Out<int64_t> offer_{this, kOffer};
  Out<uint32_t> rounds_{this, kRounds};

 public:
  Advertiser() : Agent({.name = "advertiser"}) {}
  absl::Status Run(Context& ctx) override {
    ctx[offer_] = std::min(ctx[slot_].value_cents, ctx[asking_]);
    ctx[rounds_] = ctx.round() + 1;
    return absl::OkStatus();
  }
};

class Clerk final : public Agent {
  In<int64_t> offer_{this, kOffer};
  In<uint32_t> rounds_{this, kRounds};
  Out<Sale> sale_{this, kSale};

 public:
  Clerk() : Agent({.name = "clerk"}) {}
  absl::Status Run(Context& ctx) override {
    if (ctx[offer_] >= 400) ctx[sale_] = {ctx[offer_], ctx[rounds_]};
    return absl::OkStatus();
  }
};

}  // namespace

int main() {
  auto runtime = adagents::Runtime<Slot, Sale>::Builder(kSlot, kSale)
                     .Add<Publisher>()
                     .Add<Advertiser>()
                     .Add<Clerk>()
                     .Loop(kOffer, 16)
                     .Build();
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", std::string(runtime.status().message()).c_str());
    return 1;
  }
  for (const int64_t value : {800, 500, 300}) {
    const Sale sale = (*runtime)->Decide(Slot{value}).value;
    std::printf("a value of %.2f: ", static_cast<double>(value) / 100);
    if (sale.cents == 0) {
      std::printf("not sold, 4.00 is the least\n");
    } else {
      std::printf("sold for %.2f after %u rounds\n", static_cast<double>(sale.cents) / 100,
                  sale.rounds);
    }
  }
}
