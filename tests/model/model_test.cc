#include "adagents/model/model.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "catch.h"
#include "fmt/format.h"
#include "model/model_file.h"
#include "model/model_kit.h"
#include "temporary_folder.h"

namespace adagents::model {
namespace {

using namespace testing;  // NOLINT: a test

std::string Problem(std::string_view bytes, LoadOptions options = {}) {
  const auto model = ParseModel(bytes, options);
  return model.ok() ? "" : std::string(Message(model.status()));
}

/// Small, so that every bit of it can be tried.
std::unique_ptr<const Model> SmallModel() {
  const TokenSchema schema({{"kind", 3}}, {{"energy", 0, 1}});
  const EncoderShape shape{.width = 16, .layers = 1, .heads = 1, .feed_forward = 16, .tokens = 2};
  Encoder encoder = *Encoder::Create(schema, shape, SomeWeights(schema, shape, 3));
  const HeadSchema facts({{"genre", 2}});
  const HeadShape small{.width = 16, .hidden = 16};
  Model::Heads heads;
  heads.emplace("click",
                *Head::Create(facts, small, SomeHeadWeights(facts, small, 1), encoder.id()));
  return *Model::Create(std::move(encoder), std::move(heads), "a note");
}

TEST_CASE("a model is the same after it was saved and loaded") {
  const Folder folder;
  const std::string path = folder / "some.model";
  const auto model = SomeModel();
  REQUIRE(model->Save(path).ok());
  const auto again = LoadModel(path, {.token_schema = SomeSchema().Hash()});
  REQUIRE(again.ok());
  CHECK((*again)->Serialize() == model->Serialize());
  CHECK((*again)->note() == "made up");
  CHECK((*again)->encoder()->id() == model->encoder()->id());
  REQUIRE((*again)->head("click") != nullptr);
  CHECK((*again)->head("nothing") == nullptr);
  CHECK((*again)->head("click")->schema().Hash() == SomeHeadSchema().Hash());
  CHECK((*again)->head("click")->weights().slope == model->head("click")->weights().slope);
  Random random(2);
  const TokenWindow window = SomeWindow(SomeSchema(), random, 11);
  EncoderScratch scratch;
  SessionVector a, b;
  model->encoder()->Encode(window, &scratch, &a);
  (*again)->encoder()->Encode(window, &scratch, &b);
  CHECK(std::memcmp(&a, &b, sizeof(a)) == 0);
}

TEST_CASE("a model may be a trunk alone, or heads without one") {
  const auto trunk = Model::Create(SomeEncoder(), {});
  REQUIRE(trunk.ok());
  CHECK(Problem((*trunk)->Serialize()).empty());
  Model::Heads heads;
  heads.emplace("click", SomeHead(0));
  const auto alone = Model::Create(std::nullopt, std::move(heads));
  REQUIRE(alone.ok());
  CHECK(Problem((*alone)->Serialize(), {.token_schema = TokenSchema().Hash()}).empty());
}

TEST_CASE("every truncation of a model file is refused") {
  const std::string bytes = SmallModel()->Serialize();
  REQUIRE(Problem(bytes).empty());
  for (size_t size = 0; size < bytes.size(); ++size) {
    if (Problem(std::string_view(bytes).substr(0, size)).empty()) FAIL("accepted at " << size);
  }
  CHECK_FALSE(Problem(bytes + '\0').empty());
  CHECK_FALSE(Problem(bytes + bytes).empty());
}

TEST_CASE("every flipped bit of a model file is refused") {
  std::string bytes = SmallModel()->Serialize();
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    if (Problem(bytes).empty()) FAIL("accepted with bit " << bit);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  }
  CHECK(Problem(bytes).empty());
}

TEST_CASE("a refused file says what is wrong with it") {
  const std::string bytes = SmallModel()->Serialize();
  const auto has = [](const std::string& text, std::string_view part) {
    INFO(text);
    return text.find(part) != std::string::npos;
  };
  CHECK(has(Problem("PK\3\4 something else"), "not a model file"));
  CHECK(has(Problem(bytes.substr(0, 30)), "header"));
  CHECK(has(Problem(bytes.substr(0, bytes.size() - 1)), "bytes where its header says"));
  std::string changed = bytes;
  for (const char version : {0, 1, 3}) {  // whole, but of another library
    changed[8] = version;
    const absl::Status other = ParseModel(SealModel(changed)).status();
    CHECK(other.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(has(std::string(Message(other)), fmt::format("format version {}", int{version})));
  }
  changed = bytes;
  changed[500] = static_cast<char>(changed[500] + 1);
  CHECK(has(Problem(changed), "digest"));
  const auto foreign = ParseModel(bytes, {.token_schema = SomeSchema().Hash()});
  CHECK(foreign.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(has(std::string(Message(foreign.status())), "foreign: its token schema"));

  const Folder folder;
  const std::string path = folder / "x.model";
  CHECK(LoadModel(path).status().code() == absl::StatusCode::kNotFound);
  std::ofstream(path) << bytes.substr(0, 100);
  CHECK(has(std::string(Message(LoadModel(path).status())), path));
  CHECK(LoadModel(path, {.max_bytes = 99}).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(has(std::string(Message(LoadModel(folder / "").status())), "not a regular file"));
}

TEST_CASE("a file whose digest fits but whose contents do not is refused as well") {
  // Made by changing the contents before the digest, as a faulty writer would: lengths of all kinds
  // go wrong, and none may lead outside of the file.
  const std::string bytes = SmallModel()->Serialize();
  Random random(1);
  int refused = 0;
  for (int i = 0; i < 3'000; ++i) {
    std::string changed = bytes;
    const size_t at = 64 + random.Below(i % 2 == 0 ? 120 : bytes.size() - 64);
    changed[at] = static_cast<char>(random.Below(256));
    if (i % 3 == 0) changed.resize(64 + random.Below(changed.size() - 64));
    const std::string sealed = SealModel(std::move(changed));
    refused += !Problem(sealed).empty();
  }
  CHECK(refused > 500);
}

TEST_CASE("heads of another trunk do not go into a model") {
  Model::Heads heads;
  heads.emplace("click", SomeHead(12345));
  const auto made = Model::Create(SomeEncoder(), std::move(heads));
  CHECK(Message(made.status()).find("head 'click' was trained on trunk") != std::string::npos);
  Model::Heads narrow;
  Encoder encoder = SomeEncoder();
  narrow.emplace("click", SomeHead(encoder.id(), 1, {.width = 16}));
  const auto other = Model::Create(std::move(encoder), std::move(narrow));
  CHECK(Message(other.status()).find("vectors of 16") != std::string::npos);
}

TEST_CASE("saving over a model that is in use leaves no half-written file") {
  const Folder folder;
  const std::string path = folder / "some.model";
  REQUIRE(SomeModel(1)->Save(path).ok());
  REQUIRE(SomeModel(2)->Save(path).ok());
  CHECK(std::distance(std::filesystem::directory_iterator(folder / ""), {}) == 1);
  CHECK((*LoadModel(path))->Serialize() == SomeModel(2)->Serialize());
  const absl::Status status = SomeModel()->Save(folder / "no/such/folder/x");
  CHECK(status.code() == absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace adagents::model
