// An encoder run by LibTorch, for tests and benchmarks to compare with. Private: without a tensor,
// so that what includes it compiles fast, but not installed.
#pragma once

#include <memory>
#include <span>

#include "adagents/base/status.h"
#include "adagents/model/encoder.h"

namespace adagents::model {

/// Thread-compatible.
class TorchReference {
 public:
  enum class Mode { kEager, kScript };

  /// kScript compiles the formula as TorchScript, frozen and optimised for inference. Internal with
  /// LibTorch's message when that fails.
  static absl::StatusOr<TorchReference> Create(const Encoder& encoder, Mode mode);
  TorchReference(TorchReference&&) noexcept;
  ~TorchReference();

  /// Makes the tensors of these windows, to run on.
  void Set(std::span<const TokenWindow> windows);
  /// A forward pass, without gradients.
  void Run();
  /// out[i]: what Run() made of the i-th window.
  void Get(std::span<SessionVector> out) const;

 private:
  TorchReference();
  struct State;
  std::unique_ptr<State> state_;
};

/// Threads of LibTorch within an operation, for the process.
void SetTorchThreads(int threads);
/// Billions of additions and multiplications a second of a product of n x n matrices on LibTorch:
/// the best of `rounds`. What one core can do at most.
double TorchProductGflops(int n, int rounds);

}  // namespace adagents::model
