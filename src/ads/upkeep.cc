#include "ads/upkeep.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace adagents::ads::internal {
namespace {

constexpr int64_t kSettleEvery = 1'000'000'000;
constexpr int64_t kPurgeEvery = 600 * kSettleEvery;
/// So that nothing is much later than it could be, and no thread is busy with looking.
constexpr absl::Duration kLongestPause = absl::Seconds(1), kShortestPause = absl::Milliseconds(1);

}  // namespace

absl::Status Upkeep::Tick() {
  const std::lock_guard<std::mutex> lock(mutex_);
  absl::Status status;
  if (parts_.ledger != nullptr && !parts_.ledger->options().background) {
    status = parts_.ledger->Tick();
  }
  const int64_t now = parts_.clock->Now();
  if (parts_.pacer != nullptr && now >= next_pace_) {
    if (parts_.ledger != nullptr) {
      for (const CarriedSpend& late : parts_.ledger->TakeCarriedOver()) {
        parts_.pacer->OnSpend(late.campaign, late.amount);
      }
    }
    parts_.pacer->Tick(parts_.clock->WallNow());
    next_pace_ = now + absl::ToInt64Nanoseconds(parts_.pacer->tick());
  }
  if (now >= next_settle_) {
    (void)parts_.book->Settle(now, parts_.models.get());
    next_settle_ = now + kSettleEvery;
    if (parts_.sessions != nullptr) {
      parts_.sessions->Sweep();
      ForgetMoments(now);
    }
  }
  if (parts_.inventory != nullptr) parts_.inventory->Advance(parts_.clock->WallNow());
  return status;
}

/// Those of who has withdrawn consent or was erased, and what has expired. Twice, a second apart: a
/// decision that was under way the first time may have left one since.
void Upkeep::ForgetMoments(int64_t now) {
  std::vector<uint64_t> gone = parts_.sessions->TakeWithdrawn();
  const size_t fresh = gone.size();
  gone.insert(gone.end(), gone_.begin(), gone_.end());
  if (gone.empty() && now < next_purge_) return;
  const auto is_gone = [&](uint64_t key) {
    return std::find(gone.begin(), gone.end(), key) != gone.end();
  };
  (void)parts_.moments->Purge(is_gone);
  (void)parts_.moments->PurgeListeners(is_gone);
  if (parts_.forget) parts_.forget(is_gone);
  gone.resize(fresh);
  gone_ = std::move(gone);
  next_purge_ = now + kPurgeEvery;
}

void Upkeep::Start() {
  thread_ = std::thread([this] { Run(); });
  pthread_setname_np(thread_.native_handle(), "adagents-engine");
}

void Upkeep::AskToStop() {
  {
    const std::lock_guard<std::mutex> lock(stop_mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
}

void Upkeep::Stop() {
  AskToStop();
  std::thread thread;
  {
    const std::lock_guard<std::mutex> lock(stop_mutex_);
    thread.swap(thread_);  // of two who stop it one waits
  }
  if (thread.joinable()) thread.join();
}

absl::Duration Upkeep::Pause() const {
  absl::Duration pause = kLongestPause;
  if (parts_.pacer != nullptr) pause = std::min(pause, parts_.pacer->tick());
  if (parts_.ledger != nullptr && !parts_.ledger->options().background) {
    pause = std::min(pause, parts_.ledger->options().tick);
  }
  return std::max(pause, kShortestPause);
}

void Upkeep::Run() {
  const auto pause = absl::ToChronoNanoseconds(Pause());
  for (;;) {
    (void)Tick();  // the ledger's health tells
    std::unique_lock<std::mutex> lock(stop_mutex_);
    if (stopped_.wait_for(lock, pause, [this] { return stop_; })) return;
  }
}

}  // namespace adagents::ads::internal
