// What others see of a region while a process writes it, and whatever its bytes are.
#include "adagents/blackboard/region_view.h"

#include <atomic>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/testing/virtual_clock.h"
#include "blackboard/region_files.h"
#include "catch.h"

namespace adagents {
namespace {

enum : size_t { kTable, kStream, kCell, kCounter, kBounded };  // as Everything makes them

Block BlockOf(const std::vector<unsigned char>& bytes) {
  Block out{};
  REQUIRE(bytes.size() == sizeof(out));
  std::memcpy(&out, bytes.data(), sizeof(out));
  return out;
}

RegionView Look(const std::string& path, const Clock* clock = nullptr) {
  auto view = RegionView::Open(path, clock);
  UNSCOPED_INFO(view.status().ToString());
  REQUIRE(view.ok());
  return *std::move(view);
}

TEST_CASE("a view shows every kind of object while its writer has it open") {
  const Folder folder;
  testing::VirtualClock clock(absl::FromUnixSeconds(1'800'000'000));
  auto region = Region::Open(folder / "state", {.clock = &clock});
  REQUIRE(region.ok());
  Everything all(*region, absl::Seconds(100));
  const auto look = [&] { return Look(folder / "state", &clock); };
  CHECK(look().Stream(kStream)->published == 0);
  CHECK(look().Stream(kStream)->newest.empty());
  CHECK(look().Table(kTable)->live == 0);

  all.cell->Write(Block::Of(7));
  all.counter->Add(-5);
  REQUIRE(all.bounded->TryAdd(600));
  all.table.Put(3, Block::Of(3));
  clock.Advance(absl::Seconds(60));
  all.table.Put(4, Block::Of(4));
  for (uint64_t n = 1; n <= 37; ++n) REQUIRE(all.stream.Publish(Block::Of(n)));

  const RegionView view = look();
  CHECK(view.objects().size() == 5);
  CHECK(view.header().owner_epoch == 1);
  const auto cell = view.Cell(kCell);
  REQUIRE(cell);
  CHECK((cell->version == 1 && cell->writing == 0 && BlockOf(cell->value).words[5] == 7));
  CHECK(view.Counter(kCounter) == -5);
  REQUIRE(view.BoundedCounter(kBounded));
  CHECK(view.BoundedCounter(kBounded)->value == 600);
  CHECK(view.BoundedCounter(kBounded)->limit == 1000);
  const auto stream = view.Stream(kStream);
  REQUIRE(stream);
  CHECK((stream->capacity == 16 && stream->published == 37));
  CHECK(BlockOf(stream->newest).words[0] == 37);
  const auto table = view.Table(kTable, {.entries = 10});
  REQUIRE(table);
  CHECK((table->live == 2 && table->expired == 0 && table->writing == 0 && table->versions == 2));
  CHECK(table->sets == internal::TableLayout::Sets(8));
  REQUIRE(table->some.size() == 2);
  for (const auto& entry : table->some) {
    uint64_t key = 0;
    REQUIRE(entry.key.size() == sizeof(key));
    std::memcpy(&key, entry.key.data(), sizeof(key));
    CHECK(BlockOf(entry.value).words[0] == key);
    CHECK(entry.expires_in == absl::ToInt64Nanoseconds(absl::Seconds(key == 3 ? 40 : 100)));
  }
  clock.Advance(absl::Seconds(50));
  CHECK(view.Table(kTable)->expired == 1);
  CHECK(view.Table(kTable)->some.empty());

  // Of another kind, or not there.
  CHECK_FALSE(view.Cell(kTable));
  CHECK_FALSE(view.Table(kStream));
  CHECK_FALSE(view.Stream(5));
  CHECK_FALSE(view.Counter(kBounded));
  CHECK_FALSE(view.BoundedCounter(kCounter));
}

TEST_CASE("a view shows how many slots and sets dead writers hold") {
  const Folder folder;
  {
    auto region = Region::Open(folder / "state");
    REQUIRE(region.ok());
    const Everything all(*region);
  }
  Image image(folder / "state");
  const RegionView before = Look(folder / "state");
  for (const RegionObject& object : before.objects()) {
    char* at = image.data() + object.offset;
    if (object.kind == ObjectKind::kCell) at[1] = 0x7;
    if (object.kind == ObjectKind::kTable) at[internal::TableLayout::kWriterOffset] = 1;
  }
  image.Save(folder / "killed");
  const RegionView view = Look(folder / "killed");
  CHECK(view.Cell(kCell)->writing == 2);
  CHECK(view.Table(kTable)->writing == 1);
}

TEST_CASE("a look at some sets of a big table estimates the rest") {
  const Folder folder;
  auto region = Region::Open(folder / "state", {.bytes = size_t{32} << 20});
  REQUIRE(region.ok());
  Table<uint64_t, uint64_t> table({.capacity = 100'000, .region = &*region, .name = "caps"});
  REQUIRE(region->status().ok());
  for (uint64_t key = 0; key < 60'000; ++key) table.Put(key * 7919, key);
  const RegionView view = Look(folder / "state");
  CHECK(view.Table(0)->live == 60'000);
  for (const uint64_t start : {0, 12345}) {
    const auto some = view.Table(0, {.max_sets = 1000, .start = start});
    REQUIRE(some);
    CHECK(some->looked == 1000);
    CHECK((some->live > 55'000 && some->live < 65'000));
    CHECK((some->versions > 55'000 && some->versions < 65'000));
  }
}

TEST_CASE("what a view shows of a region that four threads write is whole") {
  const Folder folder;
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  Everything all(*region);
  std::atomic<bool> stop{false};
  std::vector<std::thread> writers;
  for (uint64_t me = 0; me < 4; ++me) {
    writers.emplace_back([&, me] {
      for (uint64_t n = me; !stop.load(std::memory_order_relaxed); n += 4) {
        all.cell->Write(Block::Of(n));
        all.table.Put(n % 20, Block::Of(n));
        if (n % 3 == 0) all.table.Erase(n % 20);
        (void)all.stream.Publish(Block::Of(n));
      }
    });
  }
  bool whole = true;
  uint64_t entries = 0, published = 0, version = 0;
  for (int i = 0; i < 2000 || entries == 0; ++i) {
    const RegionView view = Look(folder / "state");
    if (const auto cell = view.Cell(kCell)) {
      whole &= BlockOf(cell->value).IsWhole() && cell->version >= version;
      version = cell->version;
    }
    const auto table = view.Table(kTable, {.entries = 100});
    REQUIRE(table);
    for (const auto& entry : table->some) {
      uint64_t key = 0;
      std::memcpy(&key, entry.key.data(), sizeof(key));
      const Block value = BlockOf(entry.value);
      whole &= value.IsWhole() && value.words[0] % 20 == key;
      ++entries;
    }
    if (const auto stream = view.Stream(kStream)) {
      whole &= stream->newest.empty() || BlockOf(stream->newest).IsWhole();
      published = stream->published;
    }
  }
  stop = true;
  for (auto& writer : writers) writer.join();
  CHECK(whole);
  CHECK(version > 0);
  CHECK(published > 0);
}

TEST_CASE("a view of random bytes where objects are is bounded, and never a crash") {
  const uint64_t seed = SeedOfTests();
  INFO("ADAGENTS_SEED=" << seed);
  Random random(seed);
  const Folder folder;
  {
    auto region = Region::Open(folder / "state", {.bytes = Region::FileOverhead() + (64 << 10)});
    REQUIRE(region.ok());
    Everything all(*region, absl::Seconds(1));
    REQUIRE(region->status().ok());
    for (uint64_t n = 0; n < 40; ++n) all.table.Put(n, Block::Of(n)), all.stream.Publish(Block());
  }
  const Image image(folder / "state");
  const RegionView first = Look(folder / "state");
  for (int i = 0; i < 500; ++i) {
    Image changed = image;
    const size_t from = Region::FileOverhead();
    for (uint64_t n = 1 + random.Below(400); n > 0; --n) {
      changed.data()[from + random.Below(first.header().used - from)] = static_cast<char>(random());
    }
    changed.Save(folder / "changed");
    const RegionView view = Look(folder / "changed");
    (void)view.Cell(kCell);
    (void)view.Counter(kCounter);
    (void)view.BoundedCounter(kBounded);
    (void)view.Stream(kStream);
    const auto table = view.Table(kTable, {.start = random(), .entries = 1000});
    REQUIRE(table);
    CHECK(table->some.size() <= table->sets * internal::TableLayout::kSlots);
  }
}

TEST_CASE("a view is refused what is no region, and needs neither the lock nor the same host") {
  const Folder folder;
  CHECK(RegionView::Open(folder / "none").status().code() == absl::StatusCode::kNotFound);
  CHECK_FALSE(RegionView::Open(folder / ".").ok());
  std::ofstream(folder / "text") << "some notes of somebody\n";
  CHECK(RegionView::Open(folder / "text").status().code() == absl::StatusCode::kInvalidArgument);
  std::ofstream(folder / "empty").flush();
  CHECK(RegionView::Open(folder / "empty").status().code() == absl::StatusCode::kDataLoss);
  auto region =
      Region::Open(folder / "state", {.schema_version = 9, .host = "elsewhere", .boot = "monday"});
  REQUIRE(region.ok());
  CHECK(Look(folder / "state").header().schema_version == 9);
  REQUIRE(Region::Open(folder / "state", {.schema_version = 9}).status().code() ==
          absl::StatusCode::kUnavailable);
  *region = Region(1);
  std::filesystem::resize_file(folder / "state", Region::FileOverhead());
  CHECK(RegionView::Open(folder / "state").status().code() == absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace adagents
