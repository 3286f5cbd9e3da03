#include "adagents/model/trainer.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <numbers>
#include <numeric>
#include <string>
#include <utility>

#include "adagents/base/random.h"
#include "adagents/model/metrics.h"
#include "fmt/format.h"
#include "model/torch_encoder.h"

namespace adagents::model {
namespace {

using internal::Weights;

absl::Status Check(const TrainOptions& options) {
  if (options.epochs < 1 || options.patience < 1 || options.batch < 1 || options.threads < 1) {
    return InvalidArgument("training: epochs, patience, batch and threads are at least 1");
  }
  if (!(options.rate > 0) || !std::isfinite(options.rate) || !(options.decay >= 0) ||
      !std::isfinite(options.decay)) {
    return InvalidArgument(
        fmt::format("training: a rate of {} and a decay of {}", options.rate, options.decay));
  }
  return absl::OkStatus();
}

/// Uniform in +- bound.
std::vector<float> Uniform(size_t count, double bound, Random* random) {
  std::vector<float> floats(count);
  for (float& f : floats) f = static_cast<float>((2 * random->Uniform() - 1) * bound);
  return floats;
}

at::Tensor Tensor(std::vector<float> floats, at::IntArrayRef shape) {
  at::Tensor tensor = at::empty(shape, at::kFloat);
  std::copy(floats.begin(), floats.end(), tensor.data_ptr<float>());
  return tensor;
}

std::vector<float> Floats(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// Calls `use` with all row numbers, some at a time: what a pass takes in memory does not grow with
/// the data.
template <class Use>
void ForEachPiece(int64_t rows, Use use) {
  constexpr int64_t kPiece = 4'096;
  for (int64_t at = 0; at < rows; at += kPiece) {
    use(at::arange(at, std::min(rows, at + kPiece), at::kLong));
  }
}

/// The mean of what `loss(rows)` says of the pieces.
template <class Loss>
double MeanOverPieces(int64_t rows, Loss loss) {
  double sum = 0;
  ForEachPiece(rows, [&](const at::Tensor& some) {
    sum += loss(some).template item<double>() * static_cast<double>(some.numel());
  });
  return sum / static_cast<double>(rows);
}

/// A tensor that is learned. Biases and norms do not decay.
struct Learned {
  at::Tensor tensor;
  bool decays;
};
std::vector<Learned> LearnedOf(const Weights& weights) {
  std::vector<Learned> all;
  for (const auto& [name, tensor] : weights) {
    all.push_back({tensor, !name.ends_with(".bias") && !name.ends_with(".scale") &&
                               !name.ends_with(".shift")});
  }
  return all;
}

/// AdamW.
class AdamW {
 public:
  AdamW(const std::vector<Learned>& all, double decay) : decay_(decay) {
    for (const Learned& learned : all) {
      learned.tensor.set_requires_grad(true);
      all_.push_back({learned, at::zeros_like(learned.tensor), at::zeros_like(learned.tensor)});
    }
  }
  void Step(const at::Tensor& loss, double rate) {
    for (Slot& slot : all_) slot.of.tensor.mutable_grad() = at::Tensor();
    loss.backward();
    const at::NoGradGuard guard;
    ++steps_;
    constexpr double kFirst = 0.9, kSecond = 0.999;
    const double first = 1 - std::pow(kFirst, steps_), second = 1 - std::pow(kSecond, steps_);
    for (Slot& slot : all_) {
      at::Tensor& weight = slot.of.tensor;
      const at::Tensor& gradient = weight.grad();
      if (!gradient.defined()) continue;
      if (slot.of.decays) weight.mul_(1 - rate * decay_);
      slot.mean.mul_(kFirst).add_(gradient, 1 - kFirst);
      slot.square.mul_(kSecond).addcmul_(gradient, gradient, 1 - kSecond);
      weight.addcdiv_(slot.mean, (slot.square / second).sqrt_().add_(1e-8), -rate / first);
    }
  }

 private:
  struct Slot {
    Learned of;
    at::Tensor mean, square;
  };
  std::vector<Slot> all_;
  double decay_;
  int steps_ = 0;
};

/// Runs the epochs. `loss(rows)` is the mean loss of training rows, `validate()` that on the
/// validation data, `clean()` what follows each step.
template <class Loss, class Validate, class Clean>
std::vector<EpochReport> Fit(const TrainOptions& options, size_t examples,
                             const std::vector<Learned>& weights, Loss loss, Validate validate,
                             Clean clean) {
  Random random(options.seed, 7);
  AdamW optimizer(weights, options.decay);
  std::vector<int64_t> order(examples);
  std::iota(order.begin(), order.end(), int64_t{0});
  std::vector<EpochReport> reports;
  std::vector<at::Tensor> best;
  double least = std::numeric_limits<double>::infinity();
  int without = 0;
  const auto batch = static_cast<size_t>(options.batch);
  const size_t steps = (examples + batch - 1) / batch * static_cast<size_t>(options.epochs);
  size_t step = 0;
  for (int epoch = 1; epoch <= options.epochs && without < options.patience; ++epoch) {
    for (size_t i = examples; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
    double sum = 0;
    for (size_t at = 0; at < examples; at += batch) {
      const auto count = static_cast<int64_t>(std::min(batch, examples - at));
      const at::Tensor rows = at::from_blob(order.data() + at, {count}, at::kLong).clone();
      const double along = static_cast<double>(step++) / static_cast<double>(steps);
      const double rate =
          options.rate * (0.1 + 0.9 * 0.5 * (1 + std::cos(std::numbers::pi * along)));
      const at::Tensor value = loss(rows);
      optimizer.Step(value, rate);
      clean();
      sum += value.template item<double>() * static_cast<double>(count);
    }
    EpochReport report{epoch, sum / static_cast<double>(examples), validate(), false};
    report.best = report.validation_loss < least;
    without = report.best ? 0 : without + 1;
    if (report.best) {
      least = report.validation_loss;
      best.clear();
      for (const Learned& w : weights) best.push_back(w.tensor.detach().clone());
    }
    reports.push_back(report);
    if (options.progress && !options.progress(report)) break;
  }
  const at::NoGradGuard guard;
  size_t i = 0;
  if (!best.empty()) {
    for (const Learned& w : weights) w.tensor.detach().copy_(best[i++]);
  }
  return reports;
}

double Least(const std::vector<EpochReport>& reports) {
  double least = std::numeric_limits<double>::infinity();
  for (const EpochReport& report : reports) least = std::min(least, report.validation_loss);
  return least;
}

/// By field: what the next token is, [B] of int64.
std::vector<at::Tensor> Targets(const TokenSchema& schema, const std::vector<Token>& next) {
  std::vector<at::Tensor> targets;
  for (size_t f = 0; f < schema.categories().size(); ++f) {
    at::Tensor target = at::empty({static_cast<int64_t>(next.size())}, at::kLong);
    for (size_t i = 0; i < next.size(); ++i) {
      const int value = next[i].category[f];
      target.data_ptr<int64_t>()[i] = value < schema.categories()[f].size ? value : 0;
    }
    targets.push_back(target);
  }
  return targets;
}

/// The cross-entropy of always predicting the shares of `training`, each value counted once more.
double ShareLoss(const TokenSchema& schema, const std::vector<at::Tensor>& training,
                 const std::vector<at::Tensor>& validation) {
  double sum = 0;
  for (size_t f = 0; f < training.size(); ++f) {
    std::vector<double> count(static_cast<size_t>(schema.categories()[f].size), 1);
    const auto* from = training[f].data_ptr<int64_t>();
    for (int64_t i = 0; i < training[f].numel(); ++i) ++count[static_cast<size_t>(from[i])];
    const double total = std::accumulate(count.begin(), count.end(), 0.0);
    const auto* of = validation[f].data_ptr<int64_t>();
    for (int64_t i = 0; i < validation[f].numel(); ++i) {
      sum -= std::log(count[static_cast<size_t>(of[i])] / total);
    }
  }
  return sum / static_cast<double>(validation[0].numel());
}

/// Values that no training window has keep an embedding of 0: they add nothing instead of noise.
std::vector<float> FirstWeights(const TokenSchema& schema, const EncoderShape& shape,
                                const std::vector<TokenWindow>& windows, Random* random) {
  std::vector<std::vector<bool>> seen;
  for (const auto& c : schema.categories()) seen.emplace_back(static_cast<size_t>(c.size));
  for (const TokenWindow& window : windows) {
    for (uint32_t t = 0; t < std::min<uint32_t>(window.count, kMaxTokens); ++t) {
      for (size_t f = 0; f < seen.size(); ++f) {
        const size_t value = window.tokens[t].category[f];
        seen[f][value < seen[f].size() ? value : 0] = true;
      }
    }
  }
  size_t field = 0;
  std::vector<float> flat(EncoderWeights(schema, shape));
  for (const WeightPart& part : EncoderParts(schema, shape)) {
    std::vector<float> values(part.size(), 0.0f);
    if (part.name.ends_with(".scale")) values.assign(part.size(), 1.0f);
    // Glorot and Bengio's for products, small for embeddings.
    if (part.name.ends_with(".weight")) {
      values = Uniform(part.size(), std::sqrt(6.0 / static_cast<double>(part.rows + part.columns)),
                       random);
    } else if (!part.name.starts_with("layer") && !part.name.starts_with("norm.")) {
      values = Uniform(part.size(), 0.1, random);
    }
    if (part.name.starts_with("category.")) {
      for (size_t i = 0; i < values.size(); ++i) {
        if (!seen[field][i / part.columns]) values[i] = 0;
      }
      ++field;
    }
    std::copy(values.begin(), values.end(), flat.begin() + static_cast<ptrdiff_t>(part.offset));
  }
  return flat;
}

absl::StatusOr<Pretrained> PretrainOn(const TokenSchema& schema, const PretrainOptions& options,
                                      const Sequences& training, const Sequences& validation) {
  const EncoderShape& shape = options.shape;
  Random random(options.train.seed);
  const Weights trunk =
      internal::MakeWeights(schema, shape, FirstWeights(schema, shape, training.windows, &random));
  Weights all = trunk;  // and the layers that tell the next token
  std::vector<std::pair<at::Tensor, at::Tensor>> tellers;
  for (const auto& category : schema.categories()) {
    const double bound = 1 / std::sqrt(static_cast<double>(shape.width));
    at::Tensor weight =
        Tensor(Uniform(static_cast<size_t>(category.size) * static_cast<size_t>(shape.width), bound,
                       &random),
               {category.size, shape.width});
    at::Tensor bias = at::zeros({category.size}, at::kFloat);
    all["next." + category.name + ".weight"] = weight;
    all["next." + category.name + ".bias"] = bias;
    tellers.emplace_back(weight, bias);
  }
  const internal::WindowTensors seen = internal::MakeTensors(schema, shape, training.windows);
  const internal::WindowTensors later = internal::MakeTensors(schema, shape, validation.windows);
  const std::vector<at::Tensor> next = Targets(schema, training.next);
  const std::vector<at::Tensor> later_next = Targets(schema, validation.next);
  const auto loss = [&](const internal::WindowTensors& windows,
                        const std::vector<at::Tensor>& targets) {
    const at::Tensor vector = internal::Forward(schema, shape, trunk, windows);
    at::Tensor sum;
    for (size_t f = 0; f < tellers.size(); ++f) {
      const at::Tensor one = at::cross_entropy_loss(
          at::linear(vector, tellers[f].first, tellers[f].second), targets[f]);
      sum = sum.defined() ? sum + one : one;
    }
    return sum;
  };
  const auto on_rows = [&](const at::Tensor& rows) {
    std::vector<at::Tensor> targets;
    for (const at::Tensor& target : next) targets.push_back(target.index_select(0, rows));
    return loss(internal::Pick(seen, rows), targets);
  };
  const auto validate = [&] {
    const at::NoGradGuard guard;
    return MeanOverPieces(later.age.size(0), [&](const at::Tensor& rows) {
      std::vector<at::Tensor> targets;
      for (const at::Tensor& target : later_next) targets.push_back(target.index_select(0, rows));
      return loss(internal::Pick(later, rows), targets);
    });
  };
  std::vector<EpochReport> epochs =
      Fit(options.train, training.windows.size(), LearnedOf(all), on_rows, validate, [] {});
  auto encoder = Encoder::Create(schema, shape, internal::Flatten(schema, shape, trunk));
  if (!encoder.ok()) return encoder.status();
  return Pretrained{*std::move(encoder), epochs, Least(epochs),
                    ShareLoss(schema, next, later_next)};
}

struct OutcomeTensors {
  at::Tensor rows, weights;  // [N, per_candidate], and the same with 1 more dimension
  at::Tensor sessions;       // [N, width]
  at::Tensor happened;       // [N]
};

OutcomeTensors Pick(const OutcomeTensors& all, const at::Tensor& rows) {
  return {all.rows.index_select(0, rows), all.weights.index_select(0, rows),
          all.sessions.index_select(0, rows), all.happened.index_select(0, rows)};
}

OutcomeTensors MakeTensors(const HeadSchema& schema, int width, const Outcomes& from) {
  const auto n = static_cast<int64_t>(from.size()), each = static_cast<int64_t>(from.per_candidate);
  OutcomeTensors out{at::zeros({n, each}, at::kLong), at::zeros({n, each, 1}, at::kFloat),
                     at::zeros({n, width}, at::kFloat), at::zeros({n}, at::kFloat)};
  for (int64_t i = 0; i < n * each; ++i) {
    const HeadEntry& entry = from.entries[static_cast<size_t>(i)];
    out.rows.data_ptr<int64_t>()[i] = entry.row < schema.rows() ? entry.row : 0;
    out.weights.data_ptr<float>()[i] = entry.weight;
  }
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<size_t>(i);
    if (!from.sessions.empty()) {
      std::copy_n(from.sessions[at].value, width, out.sessions.data_ptr<float>() + i * width);
    }
    out.happened.data_ptr<float>()[i] = from.happened[at] != 0 ? 1.0f : 0.0f;
  }
  return out;
}

at::Tensor Logits(const HeadShape& shape, const Weights& w, const OutcomeTensors& on) {
  const at::Tensor sum = (at::embedding(w.at("table"), on.rows) * on.weights).sum(1);
  const at::Tensor hidden =
      at::relu(at::linear(on.sessions, w.at("session.weight"), w.at("hidden.bias")) +
               sum.narrow(1, 0, shape.hidden));
  return at::mv(hidden, w.at("out.weight")) + sum.select(1, shape.hidden) + w.at("out.bias");
}

absl::StatusOr<TrainedHead> TrainHeadOn(const HeadSchema& schema, const HeadShape& shape,
                                        const TrainOptions& options, uint64_t trunk,
                                        const Outcomes& training, const Outcomes& validation) {
  Random random(options.seed, 3);
  const auto hidden = static_cast<size_t>(shape.hidden), width = static_cast<size_t>(shape.width);
  const size_t columns = hidden + 1;
  std::vector<bool> seen_rows(schema.rows());
  for (const HeadEntry& entry : training.entries) {
    if (entry.row > 0 && entry.row < schema.rows()) seen_rows[entry.row] = true;
  }
  std::vector<float> table = Uniform(schema.rows() * columns, 0.05, &random);
  for (size_t i = 0; i < table.size(); ++i) {
    // Rows that no example has stay 0 and add nothing instead of noise.
    if (!seen_rows[i / columns] || i % columns == hidden) table[i] = 0;
  }
  double share = 0;
  for (const uint8_t h : training.happened) share += h != 0;
  share /= static_cast<double>(training.size());
  Weights w;
  w["table"] = Tensor(std::move(table), {schema.rows(), static_cast<int64_t>(columns)});
  w["session.weight"] =
      Tensor(Uniform(hidden * width, std::sqrt(6.0 / static_cast<double>(hidden + width)), &random),
             {shape.hidden, shape.width});
  w["hidden.bias"] = at::zeros({shape.hidden}, at::kFloat);
  w["out.weight"] =
      Tensor(Uniform(hidden, 1 / std::sqrt(static_cast<double>(hidden)), &random), {shape.hidden});
  w["out.bias"] = at::full({1}, std::log(share / (1 - share)), at::kFloat);
  const OutcomeTensors seen = MakeTensors(schema, shape.width, training);
  const OutcomeTensors later = MakeTensors(schema, shape.width, validation);
  const auto loss = [&](const OutcomeTensors& some) {
    return at::binary_cross_entropy_with_logits(Logits(shape, w, some), some.happened);
  };
  const auto on_rows = [&](const at::Tensor& rows) { return loss(Pick(seen, rows)); };
  const auto validate = [&] {
    const at::NoGradGuard guard;
    return MeanOverPieces(later.happened.size(0),
                          [&](const at::Tensor& rows) { return loss(Pick(later, rows)); });
  };
  const auto clean = [&] {
    const at::NoGradGuard guard;
    w["table"].detach()[0].zero_();
  };
  std::vector<EpochReport> epochs =
      Fit(options, training.size(), LearnedOf(w), on_rows, validate, clean);
  HeadWeights found;
  found.table = Floats(w["table"]);
  found.session = Floats(w["session.weight"]);
  found.bias = Floats(w["hidden.bias"]);
  found.out = Floats(w["out.weight"]);
  found.out_bias = w["out.bias"].item<float>();
  {
    const at::NoGradGuard guard;
    std::vector<float> logits;
    ForEachPiece(later.happened.size(0), [&](const at::Tensor& rows) {
      const std::vector<float> some = Floats(Logits(shape, w, Pick(later, rows)));
      logits.insert(logits.end(), some.begin(), some.end());
    });
    const Scale scale = FitScale(logits, validation.happened);
    found.slope = static_cast<float>(scale.slope);
    found.intercept = static_cast<float>(scale.intercept);
  }
  auto head = Head::Create(schema, shape, std::move(found), trunk);
  if (!head.ok()) return head.status();
  return TrainedHead{*std::move(head), std::move(epochs)};
}

absl::Status Check(const Outcomes& outcomes, uint64_t trunk, std::string_view part) {
  const auto wrong = [&](std::string_view what) {
    return InvalidArgument(fmt::format("training: {} data: {}", part, what));
  };
  const size_t n = outcomes.size();
  if (n == 0) return wrong("there is none");
  if (outcomes.per_candidate == 0 || outcomes.entries.size() != n * outcomes.per_candidate) {
    return wrong(fmt::format("{} entries for {} outcomes of {}", outcomes.entries.size(), n,
                             outcomes.per_candidate));
  }
  if (outcomes.sessions.size() != (trunk == 0 ? 0 : n)) {
    return wrong(fmt::format("{} session vectors for {} outcomes", outcomes.sessions.size(), n));
  }
  for (const SessionVector& vector : outcomes.sessions) {
    if (vector.trunk != trunk) return wrong("a session's vector is of another trunk");
  }
  for (const HeadEntry& entry : outcomes.entries) {
    if (!std::isfinite(entry.weight)) return wrong("a weight is not a finite number");
  }
  const auto ones = std::count_if(outcomes.happened.begin(), outcomes.happened.end(),
                                  [](uint8_t h) { return h != 0; });
  if (ones == 0 || static_cast<size_t>(ones) == n) {
    return wrong(fmt::format("{} of {} happened: there is nothing to tell apart", ones, n));
  }
  return absl::OkStatus();
}

/// LibTorch's number of threads is the process's, and a serial OpenBLAS, which has no locks,
/// computes something else when two threads are in it (seen).
std::mutex& OneAtATime() {
  static std::mutex mutex;
  return mutex;
}

absl::Status Failed(const std::exception& error) {
  return MakeStatus(absl::StatusCode::kInternal, fmt::format("LibTorch: {}", error.what()));
}

}  // namespace

absl::StatusOr<Pretrained> Pretrain(const TokenSchema& schema, const PretrainOptions& options,
                                    const Sequences& training, const Sequences& validation) {
  for (const absl::Status& status : {schema.Check(), options.shape.Check(), Check(options.train)}) {
    if (!status.ok()) return status;
  }
  if (schema.categories().empty()) return InvalidArgument("training: the schema has no category");
  for (const auto& [part, name] :
       {std::pair(&training, "training"), std::pair(&validation, "validation")}) {
    if (part->windows.empty() || part->windows.size() != part->next.size()) {
      return InvalidArgument(fmt::format("training: {} windows and {} next tokens for {}",
                                         part->windows.size(), part->next.size(), name));
    }
  }
  try {
    const std::lock_guard<std::mutex> lock(OneAtATime());
    at::set_num_threads(options.train.threads);
    return PretrainOn(schema, options, training, validation);
  } catch (const std::exception& error) {
    return Failed(error);
  }
}

absl::StatusOr<TrainedHead> TrainHead(const HeadSchema& schema, const TrainHeadOptions& options,
                                      const Encoder* trunk, const Outcomes& training,
                                      const Outcomes& validation) {
  HeadShape shape{.hidden = options.hidden};
  if (trunk != nullptr) shape.width = trunk->shape().width;
  const uint64_t id = trunk == nullptr ? 0 : trunk->id();
  for (const absl::Status& status :
       {schema.Check(), shape.Check(), Check(options.train), Check(training, id, "training"),
        Check(validation, id, "validation")}) {
    if (!status.ok()) return status;
  }
  try {
    const std::lock_guard<std::mutex> lock(OneAtATime());
    at::set_num_threads(options.train.threads);
    return TrainHeadOn(schema, shape, options.train, id, training, validation);
  } catch (const std::exception& error) {
    return Failed(error);
  }
}

}  // namespace adagents::model
