#include "model/torch_reference.h"

#include <ATen/Parallel.h>
#include <torch/csrc/jit/api/module.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "fmt/format.h"
#include "model/torch_encoder.h"

namespace adagents::model {
namespace {

/// Forward() of torch_encoder.cc as TorchScript, with the weights as attributes w0, w1 and so on in
/// their order.
std::string Script(const TokenSchema& schema, const EncoderShape& shape) {
  std::map<std::string, std::string> at;
  for (const WeightPart& part : EncoderParts(schema, shape)) {
    at[part.name] = fmt::format("self.w{}", at.size());
  }
  std::string text =
      "def forward(self, categories: List[Tensor], known: Tensor, number: Tensor, age: Tensor,\n"
      "            mask: Tensor, present: Tensor, count: Tensor):\n";
  const auto line = [&text](const std::string& code) { text += "    " + code + "\n"; };
  line(fmt::format("x = torch.embedding({}, age)", at["age"]));
  for (size_t f = 0; f < schema.categories().size(); ++f) {
    line(fmt::format("x = x + torch.embedding({}, categories[{}])",
                     at["category." + schema.categories()[f].name], f));
  }
  for (size_t f = 0; f < schema.numbers().size(); ++f) {
    const std::string& both = at["number." + schema.numbers()[f].name];
    line(
        fmt::format("x = x + torch.narrow(known, 2, {0}, 1) * {1}[0] + "
                    "torch.narrow(number, 2, {0}, 1) * {1}[1]",
                    f, both));
  }
  line("x = x * present");
  const int features = shape.width / shape.heads;
  const auto norm = [&](const std::string& from, const std::string& name) {
    return fmt::format("torch.layer_norm({}, [{}], {}, {})", from, shape.width, at[name + ".scale"],
                       at[name + ".shift"]);
  };
  const auto linear = [&](const std::string& from, const std::string& name) {
    return fmt::format("torch.linear({}, {}, {})", from, at[name + ".weight"], at[name + ".bias"]);
  };
  for (int l = 0; l < shape.layers; ++l) {
    const std::string layer = fmt::format("layer{}", l);
    line("h = " + linear(norm("x", layer + ".norm1"), layer + ".qkv"));
    line(fmt::format("h = h.view([x.size(0), x.size(1), 3, {}, {}])", shape.heads, features));
    line("q = torch.transpose(torch.select(h, 2, 0), 1, 2)");
    line("k = torch.transpose(torch.select(h, 2, 1), 1, 2)");
    line("v = torch.transpose(torch.select(h, 2, 2), 1, 2)");
    line(fmt::format("s = torch.matmul(q, torch.transpose(k, 2, 3)) / {:.9} + mask",
                     std::sqrt(static_cast<double>(features))));
    line("a = torch.transpose(torch.matmul(torch.softmax(s, 3), v), 1, 2)");
    line(fmt::format("a = a.reshape([x.size(0), x.size(1), {}])", shape.width));
    line("x = x + " + linear("a", layer + ".out"));
    line("u = torch.relu(" + linear(norm("x", layer + ".norm2"), layer + ".up") + ")");
    line("x = x + " + linear("u", layer + ".down"));
  }
  line("return torch.sum(" + norm("x", "norm") + " * present, [1]) / count");
  return text;
}

}  // namespace

struct TorchReference::State {
  TokenSchema schema;
  EncoderShape shape;
  uint64_t id;
  Mode mode;
  internal::Weights weights;
  torch::jit::Module module{"Encoder"};
  internal::WindowTensors windows;
  std::vector<c10::IValue> inputs;
  at::Tensor out;
};

TorchReference::TorchReference() = default;
TorchReference::TorchReference(TorchReference&&) noexcept = default;
TorchReference::~TorchReference() = default;

absl::StatusOr<TorchReference> TorchReference::Create(const Encoder& encoder, Mode mode) {
  TorchReference made;
  made.state_ = std::make_unique<State>();
  State& state = *made.state_;
  state.schema = encoder.schema();
  state.shape = encoder.shape();
  state.id = encoder.id();
  state.mode = mode;
  state.weights = internal::MakeWeights(state.schema, state.shape, encoder.weights());
  if (mode == Mode::kEager) return made;
  try {
    const c10::InferenceMode guard(false);
    size_t place = 0;
    for (const WeightPart& part : EncoderParts(state.schema, state.shape)) {
      state.module.register_parameter(fmt::format("w{}", place++), state.weights.at(part.name),
                                      /*is_buffer=*/true);
    }
    state.module.define(Script(state.schema, state.shape));
    state.module.eval();
    state.module = torch::jit::freeze(state.module);
    state.module = torch::jit::optimize_for_inference(state.module);
  } catch (const std::exception& error) {
    return MakeStatus(absl::StatusCode::kInternal, fmt::format("LibTorch: {}", error.what()));
  }
  return made;
}

void TorchReference::Set(std::span<const TokenWindow> windows) {
  state_->windows = internal::MakeTensors(state_->schema, state_->shape, windows);
  const internal::WindowTensors& w = state_->windows;
  state_->inputs = {
      c10::List<at::Tensor>(w.categories), w.known, w.number, w.age, w.mask, w.present, w.count};
}

void TorchReference::Run() {
  if (state_->mode == Mode::kEager) {
    const c10::InferenceMode guard;
    state_->out =
        internal::Forward(state_->schema, state_->shape, state_->weights, state_->windows);
  } else {
    const c10::InferenceMode guard;
    state_->out = state_->module.forward(state_->inputs).toTensor();
  }
}

void TorchReference::Get(std::span<SessionVector> out) const {
  const at::Tensor values = state_->out.contiguous();
  for (int64_t i = 0; i < values.size(0); ++i) {
    SessionVector& vector = out[static_cast<size_t>(i)];
    vector = {.trunk = state_->id};
    std::copy_n(values.data_ptr<float>() + i * state_->shape.width, state_->shape.width,
                vector.value);
  }
}

void SetTorchThreads(int threads) { at::set_num_threads(threads); }

double TorchProductGflops(int n, int rounds) {
  const c10::InferenceMode guard;
  const at::Tensor a = at::full({n, n}, 0.5, at::kFloat), b = at::full({n, n}, 0.25, at::kFloat);
  at::Tensor c = at::empty({n, n}, at::kFloat);
  double best = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto begun = std::chrono::steady_clock::now();
    at::mm_out(c, a, b);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    best = std::max(best, 2.0 * n * n * n / took.count() / 1e9);
  }
  return best;
}

}  // namespace adagents::model
