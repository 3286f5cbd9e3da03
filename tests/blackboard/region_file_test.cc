// Regions over files: what the next process finds, and what it is refused.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "adagents/base/ids.h"
#include "adagents/base/random.h"
#include "adagents/blackboard/internal/region_format.h"
#include "adagents/testing/virtual_clock.h"
#include "blackboard/region_files.h"
#include "catch.h"

namespace adagents {
namespace {

using internal::kDirectoryOffset;
using internal::kFirstObject;

constexpr size_t kBytes = kFirstObject + (64 << 10);

absl::Status OpenError(const std::string& path, const RegionOptions& options = {}) {
  return Region::Open(path, options).status();
}
bool Says(const absl::Status& status, absl::StatusCode code, const std::string& words) {
  UNSCOPED_INFO(status.ToString());
  return status.code() == code && Message(status).find(words) != std::string_view::npos;
}

/// A region with one of everything, closed.
void Make(const std::string& path, const RegionOptions& more = {}) {
  RegionOptions options = more;
  options.bytes = kBytes;
  auto region = Region::Open(path, options);
  REQUIRE(region.ok());
  Everything all(*region);
  REQUIRE(region->status().ok());
  for (uint64_t key = 0; key < 50; ++key) all.table.Put(key, Block::Of(key));
  for (uint64_t n = 1; n <= 20; ++n) all.stream.Publish(Block::Of(n));
  all.cell->Write(Block::Of(7));
  all.counter->Add(5);
  REQUIRE(all.bounded->TryAdd(600));
}

TEST_CASE("the next process finds what the last one left, by name") {
  const Folder folder;
  Make(folder / "state");
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  CHECK(region->reopened());
  CHECK(region->header().owner_epoch == 2);
  CHECK(region->objects().size() == 5);
  const Everything all(*region);
  REQUIRE(region->status().ok());
  Block found{};
  for (uint64_t key = 0; key < 50; ++key) {
    REQUIRE(all.table.Find(key, &found));
    CHECK((found.IsWhole() && found.words[0] == key));
  }
  CHECK(all.cell->Read().words[0] == 7);
  CHECK(all.cell->version() == 1);
  CHECK(all.counter->Sum() == 5);
  CHECK(all.bounded->value() == 600);
  CHECK(all.bounded->limit() == 1000);
  CHECK(all.stream.published() == 20);
  auto reader = all.stream.SubscribeFromOldest();
  for (uint64_t n = 5; n <= 20; ++n) {
    REQUIRE(reader.Next(&found));
    CHECK((found.IsWhole() && found.words[0] == n));
  }
  CHECK_FALSE(reader.Next(&found));
}

TEST_CASE("a reopened region goes on working, and takes new objects where there is room") {
  const Folder folder;
  Make(folder / "state");
  for (uint64_t turn = 1; turn <= 3; ++turn) {
    auto region = Region::Open(folder / "state");
    REQUIRE(region.ok());
    Everything all(*region);
    all.cell->Write(Block::Of(turn));
    CHECK(all.cell->Read().words[0] == turn);
    CHECK(all.table.Put(1000 + turn, Block::Of(turn)) == Upserted::kInserted);
    for (int i = 0; i < 100; ++i) CHECK(all.stream.Publish(Block::Of(turn)));
    CHECK(all.stream.published() == 20 + 100 * turn);
    const auto more = region->Place<Cell<int>>(std::string("more").append(std::to_string(turn)), 3);
    REQUIRE(more.ok());
    CHECK((*more)->Read() == 3);
    CHECK(region->objects().size() == 5 + turn);
    CHECK(region->status().ok());
  }
}

TEST_CASE("an object is made once, and a table or stream has one owner at a time") {
  const Folder folder;
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  const auto once = region->Place<Counter>("seen");
  const auto twice = region->Place<Counter>("seen");
  REQUIRE((once.ok() && twice.ok()));
  CHECK(*once == *twice);
  {
    Table<int, int> table({.region = &*region, .name = "caps"});
    table.Put(1, 2);
  }
  Table<int, int> again({.region = &*region, .name = "caps"});
  CHECK(again.Contains(1));
  CHECK(region->status().ok());
  const Table<int, int> both({.region = &*region, .name = "caps"});
  CHECK_FALSE(both.Contains(1));
  CHECK(Says(region->status(), absl::StatusCode::kFailedPrecondition, "'caps': is in use already"));
}

TEST_CASE("an object that cannot be in a region says why, and a table has memory of its own") {
  const Folder folder;
  const auto open = [&] { return Region::Open(folder / "state", {.bytes = kBytes}); };
  {
    auto region = open();
    REQUIRE(region.ok());
    Table<int, int> table({.region = &*region});
    table.Put(1, 2);
    CHECK(table.Contains(1));
    CHECK(Says(region->status(), absl::StatusCode::kInvalidArgument, "without a name"));
    CHECK(region->Allocate(1) == nullptr);
    CHECK(region->objects().empty());
  }
  auto region = open();
  REQUIRE(region.ok());
  Table<int, int> big({.capacity = 100'000, .region = &*region, .name = "big"});
  big.Put(1, 2);
  CHECK(big.Contains(1));
  CHECK(Says(region->status(), absl::StatusCode::kResourceExhausted, "'big': room: expected"));
  absl::Status status;
  for (int i = 0; i < 257; ++i) {
    status = region->Place<BoundedCounter>(std::string("b").append(std::to_string(i)), 1).status();
    if (i < 256) REQUIRE(status.ok());
  }
  CHECK(Says(status, absl::StatusCode::kResourceExhausted, "at most 256"));
}

TEST_CASE("an object of another kind, type or capacity is refused by name, field and values") {
  const Folder folder;
  Make(folder / "state");
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  const auto refused = [](const absl::Status& status, const std::string& words) {
    return Says(status, absl::StatusCode::kFailedPrecondition, words);
  };
  CHECK(refused(region->Place<Counter>("forecast").status(),
                "state: 'forecast': kind: expected counter, found cell"));
  CHECK(refused(region->Place<Cell<int>>("forecast").status(),
                "'forecast': bytes of a value: expected 4, found 64"));
  struct Other {
    uint64_t words[8];
  };
  CHECK(refused(region->Place<Cell<Other>>("forecast").status(), "type of a value: expected "));
  struct alignas(16) Aligned {
    uint64_t words[8];
  };
  CHECK(refused(region->Place<Cell<Aligned>>("forecast").status(),
                "alignment of a value: expected 16, found 8"));
  // A table's error is the region's first one, so each needs an opening of its own.
  const auto table_error = [&](auto type, size_t capacity) {
    *region = Region(1);  // closes it
    region = Region::Open(folder / "state");
    REQUIRE(region.ok());
    const decltype(type) table({.capacity = capacity, .region = &*region, .name = "sessions"});
    return region->status();
  };
  CHECK(table_error(Table<uint64_t, Block>(), 100).ok());
  CHECK(refused(table_error(Table<uint64_t, Block>(), 1000),
                "'sessions': capacity in home sets: expected 77, found 8"));
  CHECK(refused(table_error(Table<uint32_t, Block>(), 100), "bytes of a key: expected 4, found 8"));
  CHECK(refused(table_error(Table<int64_t, Block>(), 100),
                "type of a key: expected long, found unsigned long"));
  struct OtherHash {
    uint64_t operator()(uint64_t key) const { return key; }
  };
  CHECK(refused(table_error(Table<uint64_t, Block, StdAtomics, OtherHash>(), 100),
                "type of a key: expected unsigned long by "));
}

struct Early {
  static constexpr std::string_view kRegionFields = "shown u32, clicked u32, spent i64";
  uint32_t shown, clicked;
  int64_t spent;
};
struct Late {  // the same size
  static constexpr std::string_view kRegionFields = "clicked u32, shown u32, spent i64";
  uint32_t clicked, shown;
  int64_t spent;
};

TEST_CASE("a struct that says its fields is refused when they were rearranged") {
  const Folder folder;
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  REQUIRE(region->Place<Cell<Early>>("sums").ok());
  REQUIRE(region->Place<Cell<Early>>("sums").ok());
  CHECK(region->objects()[0].ValueFields() == Early::kRegionFields);
  // The same name, as the type of a later version of the program would have.
  RegionObject wanted = Cell<Late>::Describe("sums");
  wanted.value_type_hash = region->objects()[0].value_type_hash;
  CHECK(Says(region->Attach(wanted, false).status(), absl::StatusCode::kFailedPrecondition,
             "'sums': fields of a value: expected clicked u32, shown u32, spent i64, found shown"));
}

TEST_CASE("fields are read as C++ lays them out, or not at all") {
  using Kind = RegionField::Kind;
  struct Mixed {
    bool on;
    char text[5];
    uint16_t shorts[2];
    double ratio;
    int8_t last;
  };
  constexpr std::string_view kMixed = "on bool,text char[5] , shorts  u16[2], ratio f64, last i8";
  static_assert(internal::FieldsFit(kMixed, sizeof(Mixed)));
  RegionFieldReader reader(kMixed);
  std::vector<RegionField> fields(5);
  for (RegionField& field : fields) REQUIRE(reader.Next(&field));
  CHECK_FALSE(reader.Next(&fields[0]));
  CHECK(reader.ok());
  CHECK((fields[1].kind == Kind::kText && fields[1].count == 5 && fields[1].name == "text"));
  CHECK((fields[2].offset == offsetof(Mixed, shorts) && fields[2].bytes == 2));
  CHECK((fields[3].offset == offsetof(Mixed, ratio) && fields[3].kind == Kind::kFloat));
  CHECK(fields[4].offset == offsetof(Mixed, last));
  static_assert(internal::FieldsOf<int64_t>() == "i64" && internal::FieldsOf<char8_t>() == "u8");
  static_assert(internal::FieldsOf<bool>() == "bool" && internal::FieldsOf<float>() == "f32");
  static_assert(internal::FieldsOf<Block>().empty());
  for (const char* bad :
       {",", "a", "a u9", "a u8,", "a u8,,b u8", "a u8[", "a u8[]", "a u8[0]", "a u8[x]",
        "a u8[99999999]",
        "a u64[9999999],b u64[9999999],c u64[9999999],d u64[9999999],"
        "e u64[9999999],f u64[9999999],g u64[9999999],h u64[9999999],i u64[9999999],"
        "j u64[9999999],k u64[9999999],l u64[9999999],m u64[9999999],n u64[9999999],"
        "o u64[9999999],p u64[9999999],q u64[9999999],r u64[9999999],s u64[9999999],"
        "t u64[9999999],u u64[9999999],v u64[9999999],w u64[9999999],x u64[9999999],"
        "y u64[9999999],z u64[9999999],a u64[9999999],b u64[9999999]"}) {
    RegionFieldReader wrong(bad);
    RegionField field;
    while (wrong.Next(&field)) {
    }
    INFO(bad);
    CHECK_FALSE(wrong.ok());
  }
}

TEST_CASE("only one writer at a time, in this process or another") {
  const Folder folder;
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  CHECK(Says(OpenError(folder / "state"), absl::StatusCode::kUnavailable,
             "state: another writer has it open"));
  *region = Region(1);
  CHECK(OpenError(folder / "state").ok());
}

TEST_CASE("what is no region is refused and left alone") {
  const Folder folder;
  CHECK(Says(OpenError(folder / "no/such/folder"), absl::StatusCode::kNotFound, "no/such/folder"));
  CHECK_FALSE(OpenError(folder / ".").ok());
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(Says(OpenError(folder / "pipe"), absl::StatusCode::kInvalidArgument, "not a regular file"));
  std::ofstream(folder / "text") << "some notes of somebody\n";
  CHECK(Says(OpenError(folder / "text"), absl::StatusCode::kInvalidArgument, "not a region"));
  CHECK(std::filesystem::file_size(folder / "text") == 23);
  std::ofstream(folder / "empty").flush();
  CHECK(Says(OpenError(folder / "empty"), absl::StatusCode::kDataLoss,
             "size: expected " + std::to_string(kFirstObject) + ", found 0"));
  CHECK(Says(OpenError(folder / "huge", {.bytes = size_t{1} << 62}),
             absl::StatusCode::kResourceExhausted, "huge"));
  CHECK_FALSE(std::filesystem::exists(folder / "huge"));
  CHECK_FALSE(std::filesystem::exists(folder / "huge.new"));
}

TEST_CASE("what a killed creation left is neither taken for a region nor in the way") {
  const Folder folder;
  std::ofstream(folder / "state.new") << "half of a header";
  CHECK(OpenError(folder / "state").ok());
  CHECK_FALSE(std::filesystem::exists(folder / "state.new"));
  // Killed after the region got its name and before it lost the other one.
  std::filesystem::create_hard_link(folder / "state", folder / "state.new");
  CHECK(OpenError(folder / "state").ok());
  CHECK_FALSE(std::filesystem::exists(folder / "state.new"));
  std::filesystem::create_hard_link(folder / "state", folder / "state.new");
  std::filesystem::rename(folder / "state", folder / "kept");
  const Image before(folder / "kept");
  CHECK(OpenError(folder / "state").ok());
  CHECK(Image(folder / "kept") == before);
}

/// The region with a changed header, whose checksums are right.
template <class Change>
absl::Status OpenChanged(const Folder& folder, Change&& change, const RegionOptions& options = {}) {
  Image image(folder / "state");
  const auto contents = internal::ReadContents(image.data(), image.size(), "image");
  REQUIRE(contents.ok());
  RegionHeader header = contents->header;
  change(header);
  internal::WriteHeader(image.data(), header);
  image.Save(folder / "changed");
  return OpenError(folder / "changed", options);
}

TEST_CASE("another layout, schema, hash function, host or boot is refused with both values") {
  const Folder folder;
  Make(folder / "state", {.schema_version = 3, .host = "here", .boot = "monday"});
  const RegionOptions same{.schema_version = 3, .host = "here", .boot = "monday"};
  const auto precondition = absl::StatusCode::kFailedPrecondition;
  CHECK(OpenChanged(
            folder, [](RegionHeader&) {}, same)
            .ok());
  CHECK(Says(OpenError(folder / "state", {.schema_version = 4, .host = "here", .boot = "monday"}),
             precondition, "state: schema version: expected 4, found 3"));
  CHECK(Says(OpenError(folder / "state", {.schema_version = 3, .host = "there", .boot = "monday"}),
             precondition, "state: host: expected there, found here"));
  CHECK(Says(OpenChanged(
                 folder, [](RegionHeader& h) { std::strcpy(h.hash_name, "fnv1a"); }, same),
             precondition, "hash function: expected xxh3-64, found fnv1a"));
  CHECK(Says(OpenChanged(
                 folder, [](RegionHeader& h) { h.schema_hash = 1; }, same),
             absl::StatusCode::kDataLoss, "schema hash of the directory: expected 1, found"));

  // Another boot is no reason to refuse what was closed before the machine went down.
  const RegionOptions tuesday{.schema_version = 3, .host = "here", .boot = "tuesday"};
  CHECK(OpenChanged(
            folder, [](RegionHeader&) {}, tuesday)
            .ok());
  CHECK(Says(OpenChanged(
                 folder, [](RegionHeader& h) { h.closed = 0; }, tuesday),
             absl::StatusCode::kDataLoss, "boot: expected tuesday, found monday, and it was not"));

  Image other(folder / "state");
  std::reverse(other.data(), other.data() + 8);
  other.Save(folder / "changed");
  CHECK(Says(OpenError(folder / "changed", same), precondition,
             "changed: byte order: expected this machine's, found the other one"));

  Image image(folder / "state");
  internal::RegionFront front{};
  std::memcpy(&front, image.data(), sizeof(front));
  front.layout_version = 77;
  front.checksum =
      StableHash64({reinterpret_cast<const char*>(&front), sizeof(front) - sizeof(uint64_t)});
  std::memcpy(image.data(), &front, sizeof(front));
  image.Save(folder / "changed");
  std::string words = "changed: layout version: expected ";
  words += std::to_string(RegionHeader::kLayoutVersion);
  words += ", found 77";
  CHECK(Says(OpenError(folder / "changed", same), precondition, words));
}

TEST_CASE("headers that lie are refused, whatever their checksum says") {
  const Folder folder;
  Make(folder / "state");
  const auto lost = [&](auto&& change, const std::string& words) {
    return Says(OpenChanged(folder, change), absl::StatusCode::kDataLoss, words);
  };
  CHECK(lost([](RegionHeader& h) { h.magic = 0; }, "magic in the header"));
  CHECK(lost([](RegionHeader& h) { h.layout_version = 1; }, "layout version in the header"));
  CHECK(lost([](RegionHeader& h) { h.bytes *= 2; }, "size: expected"));
  CHECK(lost([](RegionHeader& h) { h.used = 64; }, "bytes in use"));
  CHECK(lost([](RegionHeader& h) { h.used = ~uint64_t{63}; }, "bytes in use"));
  CHECK(lost([](RegionHeader& h) { h.allocating = ~uint64_t{0}; }, "bytes being allocated"));
  CHECK(lost([](RegionHeader& h) { h.objects = 1000; }, "objects"));
  CHECK(lost([](RegionHeader& h) { h.objects = 6; }, "directory entry 5"));
  CHECK(lost([](RegionHeader& h) { h.objects = 4; }, "schema hash"));
}

TEST_CASE("directory entries that lie are refused, whatever their checksum says") {
  const Folder folder;
  Make(folder / "state");
  const Image image(folder / "state");
  const auto contents = internal::ReadContents(image.data(), image.size(), "image");
  REQUIRE(contents.ok());
  const auto refused = [&](size_t index, auto&& change) {
    Image changed = image;
    RegionHeader header = contents->header;
    auto objects = contents->objects;
    change(objects[index]);
    header.schema_hash = internal::SchemaHash(objects);
    internal::WriteEntry(changed.data(), index, objects[index]);
    internal::WriteHeader(changed.data(), header);
    changed.Save(folder / "changed");
    return OpenError(folder / "changed").code() == absl::StatusCode::kDataLoss;
  };
  for (size_t i = 0; i < contents->objects.size(); ++i) {
    INFO("object " << i);
    CHECK_FALSE(refused(i, [](RegionObject&) {}));
    CHECK(refused(i, [](RegionObject& o) { o.name[0] = 0; }));
    CHECK(refused(i, [](RegionObject& o) { o.kind = ObjectKind{9}; }));
    CHECK(refused(i, [](RegionObject& o) { o.bytes += 64; }));
    CHECK(refused(i, [](RegionObject& o) { o.offset -= 64; }));
    CHECK(refused(i, [](RegionObject& o) { o.offset += 1 << 20; }));
    CHECK(refused(i, [](RegionObject& o) { o.offset = ~uint64_t{63}; }));
    CHECK(refused(i, [](RegionObject& o) { o.capacity = 0; }));
    CHECK(refused(i, [](RegionObject& o) { o.capacity = ~uint64_t{0}; }));
    CHECK(refused(i, [](RegionObject& o) { o.capacity *= 4; }));
    CHECK(refused(i, [](RegionObject& o) { o.value_bytes = 0; }));
    CHECK(refused(i, [](RegionObject& o) { o.value_bytes = ~uint32_t{0}; }));
  }
}

TEST_CASE("contents that would lead outside an object are refused") {
  const Folder folder;
  Make(folder / "state");
  const Image image(folder / "state");
  const auto contents = internal::ReadContents(image.data(), image.size(), "image");
  REQUIRE(contents.ok());
  std::map<std::string, uint64_t> at;
  for (const RegionObject& object : contents->objects)
    at[std::string(object.Name())] = object.offset;
  const auto refused = [&](const std::string& name, uint64_t offset, uint64_t word,
                           const std::string& words) {
    Image changed = image;
    std::memcpy(changed.data() + at[name] + offset, &word, sizeof(word));
    changed.Save(folder / "changed");
    return Says(OpenError(folder / "changed"), absl::StatusCode::kDataLoss,
                "'" + name + "': " + words);
  };
  CHECK(refused("forecast", 0, 4, "current slot"));
  CHECK(refused("sessions", 0, 0xffff, "free slots of set 0"));
  CHECK(refused("budget", 8, ~uint64_t{0}, "value: expected at least 0, found -1"));
  CHECK(refused("budget", 0, ~uint64_t{9}, "limit: expected at least 0, found -10"));
  CHECK(refused("outcomes", 0, ~uint64_t{0}, "node of entry 0"));
  CHECK(refused("outcomes", 8, uint64_t{2} << 24, "node of entry"));  // of somebody else
  CHECK(refused("outcomes", 0, uint64_t{90} << 24 | 79, "turn of entry"));
}

TEST_CASE("every altered byte of header and directory is noticed") {
  const Folder folder;
  Make(folder / "state");
  const Image image(folder / "state");
  const size_t end = kDirectoryOffset + 5 * sizeof(internal::DirectoryEntry);
  for (size_t at = 0; at < end; ++at) {
    Image changed = image;
    changed.data()[at] = static_cast<char>(changed.data()[at] ^ (1 << at % 8));
    const auto contents = internal::ReadContents(changed.data(), changed.size(), "image");
    INFO("byte " << at);
    REQUIRE_FALSE(contents.ok());
  }
}

TEST_CASE("random damage to header and directory is refused, and nothing is written") {
  const uint64_t seed = SeedOfTests();
  INFO("ADAGENTS_SEED=" << seed);
  Random random(seed);
  const Folder folder;
  Make(folder / "state");
  const Image image(folder / "state");
  const size_t end = kDirectoryOffset + 5 * sizeof(internal::DirectoryEntry);
  for (int i = 0; i < 500; ++i) {
    Image changed = image;
    std::string what;
    if (i % 2 == 0) {
      for (uint64_t n = 1 + random.Below(8); n > 0; --n) {
        changed.data()[random.Below(end)] = static_cast<char>(random());
      }
      if (changed == image) continue;
    } else {
      changed.Truncate(i % 4 == 1 ? random.Below(kFirstObject) : random.Below(image.size()));
    }
    changed.Save(folder / "changed");
    const absl::Status status = OpenError(folder / "changed");
    INFO("damage " << i << ": " << status.ToString());
    REQUIRE_FALSE(status.ok());
    REQUIRE(Message(status).find("changed: ") != std::string_view::npos);
    REQUIRE(Message(status).find("expected") != std::string_view::npos);
    REQUIRE(Image(folder / "changed") == changed);
  }
}

TEST_CASE("random damage to contents is refused or read as other values, never a crash") {
  const uint64_t seed = SeedOfTests();
  INFO("ADAGENTS_SEED=" << seed);
  Random random(seed);
  const Folder folder;
  Make(folder / "state");
  const Image image(folder / "state");
  const auto contents = internal::ReadContents(image.data(), image.size(), "image");
  REQUIRE(contents.ok());
  int opened = 0;
  for (int i = 0; i < 500; ++i) {
    Image changed = image;
    const uint64_t length = contents->header.used - kFirstObject;
    for (uint64_t n = 1 + random.Below(50); n > 0; --n) {
      changed.data()[kFirstObject + random.Below(length)] = static_cast<char>(random());
    }
    changed.Save(folder / "changed");
    auto region = Region::Open(folder / "changed");
    if (!region.ok()) continue;
    ++opened;
    Everything all(*region, absl::Seconds(1));
    REQUIRE(region->status().ok());
    Block found{};
    for (uint64_t key = 0; key < 60; ++key) {
      (void)all.table.Find(key, &found);
      all.table.Put(key, found);
      REQUIRE(all.table.Find(key, &found));
    }
    all.table.ForEach([](uint64_t, const Block&) {});
    for (int n = 0; n < 50; ++n) REQUIRE(all.stream.Publish(found));
    auto reader = all.stream.SubscribeFromOldest();
    while (reader.Next(&found)) {
    }
    all.cell->Write(Block::Of(5));
    REQUIRE(all.cell->Read().words[0] == 5);
    all.counter->Add(1);
    if (all.bounded->TryAdd(1)) CHECK(all.bounded->Release(1));
  }
  CHECK(opened > 50);
}

TEST_CASE("a header that a kill left half changed is the old one or the new one") {
  const Folder folder;
  Make(folder / "state");
  Image before(folder / "state");
  const auto old_header = internal::ReadContents(before.data(), before.size(), "image")->header;
  Image after = before;
  RegionHeader new_header = old_header;
  new_header.owner_epoch = 99;
  internal::WriteHeader(after.data(), new_header);
  std::memcpy(before.data() + internal::kStateOffset, &internal::kChanging, 8);

  int old_ones = 0, new_ones = 0;
  const size_t end = internal::kSlotOffset[0] + 2 * sizeof(internal::HeaderSlot);
  for (size_t written = internal::kSlotOffset[0]; written <= end; written += 8) {
    Image killed = before;
    std::memcpy(killed.data() + internal::kSlotOffset[0], after.data() + internal::kSlotOffset[0],
                written - internal::kSlotOffset[0]);
    killed.Save(folder / "killed");
    auto region = Region::Open(folder / "killed");
    INFO("written up to " << written << ": " << region.status().ToString());
    REQUIRE(region.ok());
    old_ones += region->header().owner_epoch == old_header.owner_epoch + 1 ? 1 : 0;
    new_ones += region->header().owner_epoch == 100 ? 1 : 0;
  }
  CHECK(old_ones > 0);
  CHECK(new_ones > 0);
  CHECK(old_ones + new_ones == 1 + 2 * static_cast<int>(sizeof(internal::HeaderSlot) / 8));
}

TEST_CASE("an object that a kill left half made is not there, and its memory is clean again") {
  const Folder folder;
  Make(folder / "state");
  Image image(folder / "state");
  RegionHeader header = internal::ReadContents(image.data(), image.size(), "image")->header;
  header.allocating = header.used + 1024;
  internal::WriteHeader(image.data(), header);
  std::memset(image.data() + header.used, 0xab, 1024);
  image.Save(folder / "killed");
  auto region = Region::Open(folder / "killed");
  REQUIRE(region.ok());
  CHECK(region->objects().size() == 5);
  const auto counter = region->Place<Counter>("new");
  REQUIRE(counter.ok());
  CHECK((*counter)->Sum() == 0);
}

TEST_CASE("slots and sets that dead threads held are free again") {
  const Folder folder;
  Make(folder / "state");
  Image image(folder / "state");
  const auto contents = internal::ReadContents(image.data(), image.size(), "image");
  REQUIRE(contents.ok());
  for (const RegionObject& object : contents->objects) {
    char* at = image.data() + object.offset;
    if (object.kind == ObjectKind::kCell) at[1] = 0xf;  // all slots in use
    if (object.kind == ObjectKind::kTable) {
      for (uint64_t set = 0; set < internal::TableLayout::Sets(object.capacity);
           ++set) {  // by the next process's epoch, even
        at[set * internal::TableLayout::kSetBytes + internal::TableLayout::kWriterOffset] = 2;
      }
    }
  }
  image.Save(folder / "killed");
  auto region = Region::Open(folder / "killed");
  REQUIRE(region.ok());
  Everything all(*region);
  all.cell->Write(Block::Of(3));
  CHECK(all.cell->Read().words[0] == 3);
  CHECK(all.table.Put(1, Block::Of(3)) == Upserted::kUpdated);
}

TEST_CASE("entries expire on time across processes and boots") {
  const Folder folder;
  struct Boot {
    const char* name;
    absl::Duration away;     // of wall time, since the last process
    int64_t steady_seconds;  // of this boot, when the process starts
    bool alive;              // the entry, which lives for 100 s
  };
  const auto start = absl::FromUnixSeconds(1'800'000'000);
  const auto lives = [&](const std::vector<Boot>& boots) {
    const std::string path = folder / ("state" + std::to_string(boots.size()) + boots[0].name);
    testing::VirtualClock first(start);
    first.Advance(absl::Seconds(5000));
    first.SetWall(start);
    {
      auto region = Region::Open(path, {.bytes = kBytes, .clock = &first, .boot = "first"});
      REQUIRE(region.ok());
      Everything(*region, absl::Seconds(100)).table.Put(1, Block::Of(1));
    }
    absl::Time wall = start;
    for (const Boot& boot : boots) {
      wall += boot.away;
      testing::VirtualClock clock;
      clock.Advance(absl::Seconds(boot.steady_seconds) - absl::Seconds(1));
      clock.SetWall(wall);
      auto region = Region::Open(path, {.clock = &clock, .boot = boot.name});
      REQUIRE(region.ok());
      const Everything all(*region, absl::Seconds(100));
      INFO("boot " << boot.name << " after " << absl::FormatDuration(boot.away));
      Block found{};
      CHECK(all.table.Contains(1) == boot.alive);
      CHECK(all.table.Find(1, &found, clock.Now()) == boot.alive);
    }
  };
  lives({{"first", absl::Seconds(99), 5099, true}, {"first", absl::Seconds(2), 5101, false}});
  lives({{"second", absl::Seconds(99), 10, true},
         {"third", absl::Seconds(0), 2, true},
         {"third", absl::Seconds(2), 4, false}});
  lives({{"fourth", absl::Seconds(101), 1'000'000, false}});
  lives({{"first", absl::Seconds(50), 10, true},  // a steady clock that went back
         {"first", absl::Seconds(51), 61, false},
         {"fifth", absl::Hours(-5), 3, false},  // a wall clock that went back: time stands still
         {"fifth", absl::Hours(-5), 3, false}});
}

TEST_CASE("what was kept for ever once is kept for ever, whatever times to live come later") {
  const Folder folder;
  testing::VirtualClock clock;
  const auto with = [&](absl::Duration ttl, auto&& visit) {
    auto region = Region::Open(folder / "state", {.bytes = kBytes, .clock = &clock});
    REQUIRE(region.ok());
    Table<int, int> table({.ttl = ttl, .region = &*region, .name = "caps"});
    REQUIRE(region->status().ok());
    visit(table);
  };
  with(absl::Minutes(1), [](auto& table) { table.Put(1, 10), table.Put(2, 20); });
  with(absl::InfiniteDuration(), [&](auto& table) {
    table.Upsert(1, [](int& value, bool) { ++value; });  // one word, where it is
    table.Put(3, 30);
    clock.Advance(absl::Hours(1));
    CHECK((table.Contains(1) && table.Contains(2) && table.Contains(3)));
  });
  with(absl::Minutes(1), [&](auto& table) {
    clock.Advance(absl::Hours(1));
    int value = 0;
    CHECK((table.Find(1, &value) && value == 11));
    CHECK((table.Contains(2) && table.Contains(3)));
    table.Put(2, 21);
    clock.Advance(absl::Minutes(1));
    CHECK_FALSE(table.Contains(2));
    CHECK(table.Contains(3));
  });
}

TEST_CASE("names that would be cut are refused") {
  const Folder folder;
  auto region = Region::Open(folder / "state", {.bytes = kBytes});
  REQUIRE(region.ok());
  const std::string most(63, 'n');
  CHECK(region->Place<Counter>(most).ok());
  for (const std::string& name : {most + ".clicks", most + "x", std::string("a\0b", 3)}) {
    CHECK(Says(region->Place<Counter>(name).status(), absl::StatusCode::kInvalidArgument,
               "at most 63 bytes"));
  }
  CHECK(region->objects().size() == 1);
}

TEST_CASE("a file that lay there gets the mode that was asked for") {
  const Folder folder;
  std::ofstream(folder / "state.new") << "planted";
  REQUIRE(chmod((folder / "state.new").c_str(), 0666) == 0);
  CHECK(OpenError(folder / "state", {.permissions = 0600}).ok());
  struct stat facts {};
  REQUIRE(stat((folder / "state").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("a link that leads nowhere, and more bytes than a file can have, are named") {
  const Folder folder;
  std::filesystem::create_symlink(folder / "nothing", folder / "link");
  CHECK(Says(OpenError(folder / "link"), absl::StatusCode::kNotFound, "a file that is not there"));
  CHECK(Says(OpenError(folder / "huge", {.bytes = SIZE_MAX - 100}),
             absl::StatusCode::kResourceExhausted, "bytes are too many"));
}

TEST_CASE("a forked child that ends does not close its parent's region") {
  const Folder folder;
  auto region = Region::Open(folder / "state", {.bytes = kBytes});
  REQUIRE(region.ok());
  const Image before(folder / "state");
  const pid_t child = fork();
  if (child == 0) {
    { const Region inherited = *std::move(region); }
    _exit(0);
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(Image(folder / "state") == before);
}

TEST_CASE("a region that is moved keeps its file, and a file's mode is what was asked for") {
  const Folder folder;
  {
    auto opened = Region::Open(folder / "state", {.permissions = 0640});
    REQUIRE(opened.ok());
    Region region = *std::move(opened);
    REQUIRE(region.Place<Cell<int>>("a", 5).ok());
    CHECK(region.Sync().ok());
    CHECK(region.path() == folder / "state");
  }
  struct stat facts {};
  REQUIRE(stat((folder / "state").c_str(), &facts) == 0);
  CHECK((facts.st_mode & 0777) == 0640);
  auto region = Region::Open(folder / "state");
  REQUIRE(region.ok());
  const auto cell = region->Place<Cell<int>>("a", 6);
  REQUIRE(cell.ok());
  CHECK((*cell)->Read() == 5);
}

}  // namespace
}  // namespace adagents
