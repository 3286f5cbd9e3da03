#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "adagents/ads/catalog_generator.h"
#include "adagents/ads/relevance_model.h"
#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "catch.h"

namespace adagents::ads {
namespace {

/// A world in which what happens depends on genre x tone, on the creative itself and on the hour,
/// through hashes: nothing that the model's form contains as such but the features it may see.
class World {
 public:
  explicit World(uint64_t seed, bool structure = true)
      : random_(seed), structure_(structure), campaigns_(GenerateCampaigns({200, seed, 0.55})) {
    for (const Campaign& c : campaigns_) {
      for (const Creative& k : c.creatives) {
        creatives_.push_back(&k);
        features_.push_back(CreativeFeatures::Of(c, k));
      }
    }
  }

  struct Example {
    RequestFeatures context;
    uint32_t creative;
    double truth;
    bool happened;
  };

  Example Next() {
    const RequestPtr request = GenerateRequest(random_);
    const int hour = static_cast<int>(random_.Below(168));
    Example e;
    e.context = RequestFeatures::Of(*request, request->imps[0], hour);
    e.creative = static_cast<uint32_t>(random_.Below(creatives_.size()));
    const Creative& k = *creatives_[e.creative];
    double logit = -2.2;
    if (structure_) {
      logit += Effect(StableHash64(request->channel.content.genre), StableHash64(k.tone), 1.2);
      logit += Effect(StableHash64(k.id), 1, 0.8);
      logit += Effect(static_cast<uint64_t>(hour % 24 / 6), StableHash64(k.pace), 0.5);
    }
    e.truth = 1.0 / (1.0 + std::exp(-logit));
    e.happened = random_.Chance(e.truth);
    return e;
  }
  const std::vector<CreativeFeatures>& features() const { return features_; }

 private:
  /// Fixed, uniform in [-size, size] * sqrt(3): standard deviation `size`.
  static double Effect(uint64_t a, uint64_t b, double size) {
    const double u = static_cast<double>(CombineHash(a, b) >> 11) * 0x1.0p-53;
    return (2.0 * u - 1.0) * size * 1.7320508;
  }

  Random random_;
  bool structure_;
  std::vector<Campaign> campaigns_;
  std::vector<const Creative*> creatives_;
  std::vector<CreativeFeatures> features_;
};

struct Quality {
  double log_loss, base_log_loss, best_log_loss, auc;
};

double Loss(double p, bool happened) { return -std::log(happened ? p : 1.0 - p); }

Quality Test(const RelevanceModel& model, World& world, int examples) {
  std::vector<std::pair<float, bool>> scored;
  double loss = 0, best = 0, happened = 0;
  for (int i = 0; i < examples; ++i) {
    const World::Example e = world.Next();
    const float p = model.Score(e.context, world.features()[e.creative]);
    scored.emplace_back(p, e.happened);
    loss += Loss(p, e.happened);
    best += Loss(e.truth, e.happened);
    happened += e.happened;
  }
  std::sort(scored.begin(), scored.end());
  double rank_sum = 0;
  for (size_t i = 0; i < scored.size(); ++i) {
    if (scored[i].second) rank_sum += static_cast<double>(i + 1);
  }
  const double n = examples, share = happened / n;
  return {loss / n, share * Loss(share, true) + (1 - share) * Loss(share, false), best / n,
          (rank_sum - happened * (happened + 1) / 2) / (happened * (n - happened))};
}

RelevanceOptions Small() {
  RelevanceOptions o;
  o.rows = 1 << 11;
  o.prior = 0.1;
  return o;
}

void Train(RelevanceModel* model, World& world, int examples) {
  for (int i = 0; i < examples; ++i) {
    const World::Example e = world.Next();
    model->Learn(e.context, world.features()[e.creative], e.happened);
  }
}

TEST_CASE("A planted signal is learned: most of the way from the base rate to the truth") {
  World world(42);
  RelevanceModel model(Small());
  Train(&model, world, 200'000);
  const Quality q = Test(model, world, 50'000);
  INFO("log loss " << q.log_loss << ", base " << q.base_log_loss << ", truth " << q.best_log_loss
                   << ", AUC " << q.auc);
  CHECK(q.log_loss < q.base_log_loss * 0.9);
  CHECK((q.base_log_loss - q.log_loss) / (q.base_log_loss - q.best_log_loss) > 0.66);
  CHECK(q.auc > 0.76);
  const RelevanceMetrics m = model.metrics();
  CHECK(m.examples == 200'000);
  CHECK(m.log_loss < m.base_log_loss * 0.93);
  CHECK(m.brier < m.base_brier);
}

TEST_CASE("Where there is nothing to learn, little is lost") {
  World world(43, false);
  RelevanceModel model(Small());
  Train(&model, world, 200'000);
  const Quality q = Test(model, world, 50'000);
  INFO("log loss " << q.log_loss << ", base " << q.base_log_loss << ", AUC " << q.auc);
  CHECK(q.log_loss < q.base_log_loss * 1.01);
  CHECK(q.auc == Approx(0.5).margin(0.02));
}

TEST_CASE("Without examples the prior is answered") {
  RelevanceModel model(Small());
  World world(1);
  const World::Example e = world.Next();
  CHECK(model.Score(e.context, world.features()[e.creative]) == Approx(0.1).epsilon(1e-5));
}

TEST_CASE("Scoring many gives the same as scoring each") {
  World world(3);
  RelevanceModel model(Small());
  Train(&model, world, 20'000);
  RelevanceScratch scratch;
  std::vector<uint32_t> which;
  for (uint32_t i = 0; i < world.features().size(); i += 2) which.push_back(i);
  std::vector<float> out(which.size());
  for (int round = 0; round < 20; ++round) {
    const World::Example e = world.Next();
    model.Score(e.context, world.features(), which, &scratch, out);
    for (size_t i = 0; i < which.size(); ++i) {
      REQUIRE(out[i] == Approx(model.Score(e.context, world.features()[which[i]])).epsilon(1e-5));
    }
  }
}

TEST_CASE("One thread and one sequence give one result, bit for bit") {
  std::string saved[2];
  for (std::string& s : saved) {
    World world(7);
    RelevanceModel model(Small());
    Train(&model, world, 5'000);
    s = model.Save();
  }
  CHECK(saved[0] == saved[1]);
}

TEST_CASE("What was learned survives saving and restoring") {
  World world(8);
  RelevanceModel model(Small()), restored(Small());
  Train(&model, world, 20'000);
  Train(&restored, world, 100);  // forgotten by Restore
  const std::string bytes = model.Save();
  REQUIRE(restored.Restore(bytes).ok());
  CHECK(restored.Save() == bytes);
  CHECK(restored.metrics().examples == 20'000);
  for (int i = 0; i < 100; ++i) {
    const World::Example e = world.Next();
    const CreativeFeatures& f = world.features()[e.creative];
    REQUIRE(restored.Score(e.context, f) == model.Score(e.context, f));
  }
}

TEST_CASE("Damaged, cut and foreign bytes are refused and change nothing") {
  World world(9);
  RelevanceModel model(Small());
  Train(&model, world, 50);
  const std::string good = model.Save();
  RelevanceModel other(Small());
  Train(&other, world, 10);
  const std::string before = other.Save();
  Random random(9);
  for (int i = 0; i < 300; ++i) {
    std::string bad = good;
    if (i % 3 == 0) {
      bad.resize(random.Below(bad.size()));
    } else {
      bad[random.Below(bad.size())] ^= static_cast<char>(1 << random.Below(8));
    }
    REQUIRE(!other.Restore(bad).ok());
  }
  CHECK(!other.Restore("").ok());
  RelevanceOptions larger = Small();
  larger.rows *= 2;
  RelevanceModel shaped(larger);
  CHECK(shaped.Restore(good).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(other.Save() == before);
}

TEST_CASE("Impossible numbers with a right checksum are refused") {
  World world(9);
  RelevanceModel model(Small());
  Train(&model, world, 5);
  std::string bytes = model.Save();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  constexpr size_t kFirstCell = 8 + 56;
  std::copy_n(reinterpret_cast<const char*>(&nan), 4, bytes.begin() + kFirstCell + 4);
  const uint64_t sum = StableHash64(std::string_view(bytes).substr(0, bytes.size() - 8));
  std::copy_n(reinterpret_cast<const char*>(&sum), 8, bytes.end() - 8);
  const absl::Status status = model.Restore(bytes);
  CHECK(status.code() == absl::StatusCode::kDataLoss);
  CHECK(Message(status).ends_with("is not possible"));
}

TEST_CASE("Absurd weights of examples are refused or bounded, and scores stay probabilities") {
  World world(10);
  RelevanceModel model(Small());
  const World::Example e = world.Next();
  const CreativeFeatures& f = world.features()[e.creative];
  for (const double w : {std::nan(""), -1.0, 0.0, std::numeric_limits<double>::infinity()}) {
    model.Learn(e.context, f, true, w);
  }
  CHECK(model.metrics().refused == 4);
  CHECK(model.metrics().examples == 0);
  for (int i = 0; i < 20'000; ++i) model.Learn(e.context, f, true, 1e300);
  float p = model.Score(e.context, f);
  CHECK((p > 0.99f && p <= 1.0f));
  for (int i = 0; i < 40'000; ++i) model.Learn(e.context, f, false, 1e300);
  p = model.Score(e.context, f);
  CHECK((p >= 0.0f && p < 0.01f));
}

TEST_CASE("Options out of range fall back to the usual ones") {
  RelevanceOptions odd;
  odd.rows = 1000;
  odd.prior = std::nan("");
  odd.rate = -1;
  odd.l2 = std::numeric_limits<double>::infinity();
  const RelevanceModel model(odd);
  CHECK(model.options().rows == 1024);
  CHECK(model.options().prior == RelevanceOptions{}.prior);
  CHECK(model.options().rate == RelevanceOptions{}.rate);
  CHECK(model.options().l2 == RelevanceOptions{}.l2);
}

TEST_CASE("Threads may score and learn at once, and learning still works") {
  RelevanceModel model(Small());
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> bad{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 2; ++t) {
    threads.emplace_back([&model] {
      World world(42);  // the same effects, so that both learn one thing
      Train(&model, world, 20'000);
    });
    threads.emplace_back([&] {
      World world(42);
      RelevanceScratch scratch;
      std::vector<uint32_t> which(50);
      std::vector<float> out(50);
      for (uint32_t i = 0; i < 50; ++i) which[i] = i;
      while (!stop.load(std::memory_order_relaxed)) {
        model.Score(world.Next().context, world.features(), which, &scratch, out);
        for (float p : out) {
          if (!(p >= 0.0f && p <= 1.0f)) bad.fetch_add(1, std::memory_order_relaxed);
        }
      }
    });
  }
  threads[0].join();
  threads[2].join();
  stop.store(true, std::memory_order_relaxed);
  threads[1].join();
  threads[3].join();
  CHECK(bad.load() == 0);
  World world(42);
  const Quality q = Test(model, world, 20'000);
  CHECK(q.log_loss < q.base_log_loss * 0.93);
}

TEST_CASE("Contexts differ where the request does, and slots stay in their fields") {
  Random random(3);
  RequestFeatures first;
  bool differ = false;
  for (int i = 0; i < 1'000; ++i) {
    const RequestPtr r = GenerateRequest(random);
    const int hour = static_cast<int>(random.Below(200)) - 16;  // nonsense included
    const RequestFeatures f = RequestFeatures::Of(*r, r->imps[0], hour);
    size_t begin = 1;
    for (size_t k = 0; k < RequestFeatures::kCrosses; ++k) {
      REQUIRE(f.slots[k] >= begin);
      begin += RequestFeatures::kSlots[k];
      REQUIRE(f.slots[k] < begin);
    }
    REQUIRE(begin <= RequestFeatures::kRow);
    for (uint16_t a : f.alone) REQUIRE(a < RequestFeatures::kAloneSlots);
    CHECK(f == RequestFeatures::Of(*r, r->imps[0], hour));
    if (i == 0) first = f;
    differ |= !(f == first);
  }
  CHECK(differ);
}

}  // namespace
}  // namespace adagents::ads
