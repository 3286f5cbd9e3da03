// How answers of asynchronous decisions, and callbacks of refused ones, reach the host.
#include <mutex>
#include <utility>

#include "adagents/runtime/internal/core.h"

namespace adagents::internal {
namespace {

// Calls a function once: when it is told to or, should the host's executor drop it, at its end.
// A callback's exception has nowhere to go.
class Once {
 public:
  explicit Once(absl::AnyInvocable<void()> function) : function_(std::move(function)) {}
  Once(Once&& other) noexcept : function_(std::exchange(other.function_, nullptr)) {}
  ~Once() { Call(); }
  void Call() {
    if (function_ == nullptr) return;
    absl::AnyInvocable<void()> function = std::exchange(function_, nullptr);
    try {
      function();
    } catch (...) {
    }
  }

 private:
  absl::AnyInvocable<void()> function_;
};

}  // namespace

void Core::Later(absl::AnyInvocable<void()> function) {
  // After a fork there is no other thread here, and a mutex may be held for ever; and nobody runs
  // what is queued when the inline scheduler is shut down.
  if (Forked() || (inline_mode() && closed_.load(std::memory_order_acquire))) {
    Once(std::move(function)).Call();
    return;
  }
  {
    std::unique_lock<std::mutex> lock(later_mutex_);
    if (answers_closed_.load(std::memory_order_relaxed) != 0) {
      lock.unlock();
      Once(std::move(function)).Call();
      return;
    }
    later_.push_back(std::move(function));
  }
  later_count_.fetch_add(1, std::memory_order_release);
  answer_parker_.Notify();
}

bool Core::RunLater() {
  if (later_count_.load(std::memory_order_acquire) == 0) return false;
  absl::AnyInvocable<void()> function;
  {
    const std::lock_guard<std::mutex> lock(later_mutex_);
    if (later_.empty()) return false;
    function = std::move(later_.front());
    later_.pop_front();
  }
  later_count_.fetch_sub(1, std::memory_order_relaxed);
  Once once(std::move(function));
  if (callbacks_) {
    try {
      callbacks_([once = std::move(once)]() mutable { once.Call(); });
    } catch (...) {  // the host's code
    }
  }
  return true;
}

void Core::Answered(RequestState& state) {
  if (state.mode == Mode::kStrict) {
    state.latch.Answer();
  } else if (state.mode == Mode::kAsync) {
    PushAnswer(state);
  }
}

void Core::PushAnswer(RequestState& state) {
  answers_.Push(state.index);  // as many places as tickets
  // A thread that was stuck when the answer thread ended delivers what it brings itself. A
  // read-modify-write on both sides: either this one sees the end, or CloseAnswers() the answer.
  if (no_more_work_.load(std::memory_order_acquire) &&
      answers_closed_.fetch_or(0, std::memory_order_acq_rel) != 0) {
    (void)CloseAnswers();
  }
}

void Core::DeliverNow(RequestState& state) {
  if (Which(state) == RequestState::kOtherwise && !state.finished.load(std::memory_order_acquire)) {
    executor_.FinishOtherwise(state);
  }
  (void)EndingOf(state);
  // Delivers when told to or, should the host's executor drop it, at its end.
  struct Delivery {
    Delivery(Core* c, RequestState* s) : core(c), state(s) {}
    Delivery(Delivery&& other) noexcept
        : core(other.core), state(std::exchange(other.state, nullptr)) {}
    ~Delivery() { Now(); }
    void Now() {
      if (state == nullptr) return;
      RequestState& mine = *std::exchange(state, nullptr);
      Recording* const recording = mine.recording;
      const int64_t began = recording != nullptr ? recording->Now() : 0;
      mine.Deliver(Which(mine));
      if (recording != nullptr) recording->Add(Timeline::Kind::kCallback, began);
      core->LeaveAnswered(mine);
    }
    Core* core;
    RequestState* state;
  };
  Delivery delivery(this, &state);
  if (!callbacks_) return;
  try {
    callbacks_([delivery = std::move(delivery)]() mutable { delivery.Now(); });
  } catch (...) {  // the host's code
  }
}

}  // namespace adagents::internal
