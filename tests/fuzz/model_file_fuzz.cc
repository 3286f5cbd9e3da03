// A model file, changed by the input and then given a digest that fits: what is behind the digest
// must hold, too. Every three bytes of the input are a place among the contents and what to write
// there; a last odd byte cuts the file. Whatever is accepted is computed with.
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "adagents/model/model.h"
#include "model/model_file.h"
#include "model/model_kit.h"

namespace {

using namespace adagents::model;  // NOLINT: a test

std::string SmallFile() {
  const TokenSchema schema({{"kind", 3}}, {{"energy", 0, 1}});
  const EncoderShape shape{.width = 16, .layers = 1, .heads = 1, .feed_forward = 16, .tokens = 2};
  Encoder encoder = *Encoder::Create(schema, shape, testing::SomeWeights(schema, shape, 3));
  const HeadSchema facts({{"genre", 2}});
  const HeadShape small{.width = 16, .hidden = 16};
  Model::Heads heads;
  heads.emplace("click", *Head::Create(facts, small, testing::SomeHeadWeights(facts, small, 1),
                                       encoder.id()));
  return (*Model::Create(std::move(encoder), std::move(heads), "a note"))->Serialize();
}

void Use(const Model& model) {
  SessionVector vector;
  if (model.encoder() != nullptr) {
    EncoderScratch scratch;
    TokenWindow window;
    for (uint16_t i = 0; i < 20; ++i) {
      Token token;
      token.category[0] = i;
      window.Push(token);
    }
    model.encoder()->Encode(window, &scratch, &vector);
  }
  const std::vector<HeadEntry> entries = {{0, 1}, {1, 1}, {1'000'000, 1}};
  std::vector<float> out(3);
  for (const auto& [name, head] : model.heads()) {
    if (!head.Score(vector, entries, 1, out).ok()) std::abort();  // the model's own trunk
  }
  const auto again = ParseModel(model.Serialize());
  if (!again.ok() || (*again)->Serialize() != model.Serialize()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kHeader = 64;
  static const std::string file = SmallFile();
  (void)ParseModel({reinterpret_cast<const char*>(data), size});
  std::string changed = file;
  for (size_t i = 0; i + 3 <= size; i += 3) {
    const size_t at = kHeader + (data[i] + 256u * data[i + 1]) % (file.size() - kHeader);
    changed[at] = static_cast<char>(data[i + 2]);
  }
  if (size % 3 == 1) changed.resize(kHeader + (changed.size() - kHeader) * data[size - 1] / 256);
  if (const auto model = ParseModel(SealModel(std::move(changed))); model.ok()) Use(**model);
  return 0;
}
