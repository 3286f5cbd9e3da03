#include "adagents/ads/lease_source.h"

#include "catch.h"

namespace adagents::ads {
namespace {

const Currency kEur = *Currency::Parse("EUR");

int64_t Lease(LeaseSource& source, int64_t day, int64_t want, int64_t daily, int64_t lifetime,
              Currency currency = kEur) {
  LeaseBatch batch;
  batch.asks.push_back({7, currency, day, want, daily, lifetime});
  CHECK(source.Apply(&batch).ok());
  return batch.asks[0].granted;
}

TEST_CASE("leases are granted up to the day's and the whole budget") {
  const auto source = MemoryLeaseSource::Create();
  CHECK(Lease(*source, 1, 60, 100, 250) == 60);
  CHECK(Lease(*source, 1, 60, 100, 250) == 40);
  CHECK(Lease(*source, 1, 60, 100, 250) == 0);
  CHECK(Lease(*source, 2, 100, 100, 250) == 100);
  CHECK(Lease(*source, 3, 100, 100, 250) == 50);
  CHECK(Lease(*source, 3, 100, 0, 0, Currency()) == 0);  // not in another currency
  CHECK(source->Totals(7)->leased == 250);
  CHECK_FALSE(source->Totals(8).has_value());
}

TEST_CASE("a batch that spends or returns more than was leased changes nothing") {
  const auto source = MemoryLeaseSource::Create();
  CHECK(Lease(*source, 1, 60, 100, 0) == 60);
  LeaseBatch batch;
  batch.spends.push_back({1, 0, 7, 1, 50});
  batch.spends.push_back({2, 0, 7, 1, 11});
  batch.asks.push_back({8, kEur, 1, 5, 10, 0});
  CHECK(source->Apply(&batch).code() == absl::StatusCode::kInternal);
  CHECK(source->Totals(7)->spent == 0);
  CHECK_FALSE(source->Totals(8).has_value());
  batch.clear();
  batch.returns.push_back({7, 1, 61});
  CHECK(source->Apply(&batch).code() == absl::StatusCode::kInternal);
  batch.clear();
  batch.returns.push_back({9, 1, 0});
  CHECK(source->Apply(&batch).code() == absl::StatusCode::kInternal);
  CHECK(Lease(*source, 1, 60, 100, 0) == 40);
}

TEST_CASE("what a process left open is lost when it crashed, and given back when it ended well") {
  for (const bool well : {false, true}) {
    const auto source = MemoryLeaseSource::Create();
    CHECK(Lease(*source, 1, 60, 100, 0) == 60);
    LeaseBatch batch;
    batch.spends.push_back({1, 0, 7, 1, 20});
    REQUIRE(source->Apply(&batch).ok());
    if (well) REQUIRE(source->Close(1000).ok());
    source->Restart(1000);
    CHECK(source->epoch() == 2);
    CHECK(source->Totals(7)->open == 40);
    batch.clear();
    batch.forget_nanos = 1000;  // it ended not before this
    REQUIRE(source->Apply(&batch).ok());
    CHECK(source->Totals(7)->open == 40);
    batch.forget_nanos = 1001;
    REQUIRE(source->Apply(&batch).ok());
    CHECK(source->Totals(7)->open == 0);
    CHECK(source->Totals(7)->lost == (well ? 0 : 40));
    CHECK(source->Totals(7)->returned == (well ? 40 : 0));
    CHECK(Lease(*source, 1, 100, 100, 0) == (well ? 80 : 40));
  }
}

}  // namespace
}  // namespace adagents::ads
