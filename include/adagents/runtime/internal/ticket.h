// A decision in flight with its types.
// Thread safety: RequestState, its base, says which thread may touch what, and when.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "adagents/runtime/board.h"
#include "adagents/runtime/hold.h"
#include "adagents/runtime/internal/request_state.h"
#include "adagents/runtime/internal/type_ops.h"
#include "adagents/runtime/options.h"

namespace adagents::internal {

/// Plain requests are themselves; handles are what they point to.
template <class Req>
struct RequestTraits {
  using Value = Req;
  static const Value* Get(const Req& request) { return &request; }
};
template <class Req>
requires requires(const Req& request) {
  typename Req::element_type;
  *request;
}
struct RequestTraits<Req> {
  using Value = std::remove_const_t<typename Req::element_type>;
  static const Value* Get(const Req& request) { return &*request; }
};

/// What all tickets of one runtime share; set once by its builder.
template <class Req, class Res>
struct TicketShared {
  std::function<Res(const typename RequestTraits<Req>::Value&, const Board&)> fallback;
  std::function<bool(const Res&, const Hold&)> keeps;
};

template <class Req, class Res>
struct Ticket final : RequestState {
  using Traits = RequestTraits<Req>;
  static_assert(std::is_default_constructible_v<Req> && std::is_default_constructible_v<Res>);

  explicit Ticket(const TicketShared<Req, Res>* common) : shared(common) {}

  /// False when the request could not be copied or moved.
  template <class R>
  bool SetRequest(R&& from) {
    try {
      owned = std::forward<R>(from);
    } catch (...) {  // the host's code
      return false;
    }
    this->request = Traits::Get(owned);
    return true;
  }
  void ReferTo(const Req& from) {
    referred = &from;
    this->request = Traits::Get(from);
  }
  bool KeepRequest() override {
    if constexpr (std::is_copy_assignable_v<Req>) {
      if (!SetRequest(*referred)) return false;
      referred = nullptr;
      return true;
    } else {
      return false;
    }
  }

  Answer<Res> TakeAnswer(int which, const Ending& ending) {
    Answer<Res> answer;
    answer.value = std::move(results[which]);
    answer.verdict = ending.verdict;
    answer.id = this->id;
    answer.defaulted = ending.defaulted;
    answer.late = ending.late;
    if (this->explain) answer.trace = ending.trace;
    return answer;
  }

  bool TakeResult(int which, void* slot, bool may_move) override {
    Res& from = *static_cast<Res*>(slot);
    if (may_move) {
      results[which] = std::move(from);
      return true;
    }
    if constexpr (std::is_copy_assignable_v<Res>) {
      try {
        results[which] = from;
        return true;
      } catch (...) {  // the host's code
      }
    }
    return false;
  }

  void MakeFallback(int which, const Board& published) override {
    ResetValue(results[which]);
    if (!shared->fallback) return;
    try {
      results[which] =
          shared->fallback(*static_cast<const typename Traits::Value*>(this->request), published);
    } catch (...) {  // the host's code; the empty result is the answer then
      ResetValue(results[which]);
    }
  }

  void ClearResult(int which) override { ResetValue(results[which]); }

  bool Keeps(int which, const Hold& hold) const override {
    if (!shared->keeps) return endings[which].verdict == Verdict::kDecided;
    try {
      return shared->keeps(results[which], hold);
    } catch (...) {  // the host's code; what it does not claim is undone
      return false;
    }
  }

  void Deliver(int which) override {
    Callback call = std::exchange(callback, nullptr);
    if (call == nullptr) return;
    try {
      call(TakeAnswer(which, endings[which]));
    } catch (...) {  // a callback's exception has nowhere to go
    }
  }

  void Recycle() override {
    if constexpr (!std::is_trivially_destructible_v<Req>) {
      if (referred == nullptr) owned = Req();
    }
    referred = nullptr;
    if constexpr (!std::is_trivially_destructible_v<Res>) {
      ResetValue(results[0]);
      ResetValue(results[1]);
    }
    this->request = nullptr;
  }

  using Callback = absl::AnyInvocable<void(Answer<Res>)>;

  const TicketShared<Req, Res>* const shared;
  Req owned{};
  const Req* referred = nullptr;  // the caller's own, when that is what agents see
  Res results[2]{};
  Callback callback;
};

}  // namespace adagents::internal
