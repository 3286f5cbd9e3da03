// What an engine has to do now and then, and the thread that does it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "adagents/ads/inventory_forecast.h"
#include "adagents/ads/ledger.h"
#include "adagents/ads/moment.h"
#include "adagents/ads/outcome_book.h"
#include "adagents/ads/pacer.h"
#include "adagents/ads/sessions.h"
#include "adagents/base/clock.h"

namespace adagents::ads::internal {

/// Thread-safe; Start() is called once, before what follows it here.
class Upkeep {
 public:
  struct Parts {
    const Clock* clock = nullptr;
    std::shared_ptr<Ledger> ledger;  // may be null, as the pacer
    std::shared_ptr<Pacer> pacer;
    std::shared_ptr<OutcomeBook> book;
    std::shared_ptr<RelevanceModels> models;
    std::shared_ptr<Sessions> sessions;  // both null, or neither
    std::shared_ptr<Moments> moments;
    std::shared_ptr<InventoryForecast> inventory;                           // may be null
    std::function<void(const std::function<bool(uint64_t)>& gone)> forget;  // may be empty
  };
  explicit Upkeep(Parts parts) : parts_(std::move(parts)) {}
  ~Upkeep() { Stop(); }

  /// Does what is due by the clock. The ledger's error.
  absl::Status Tick();
  /// The thread, named "adagents-engine".
  void Start();
  void AskToStop();
  /// Returns when the thread has ended, which may be in the ledger's storage; at once to whoever
  /// calls it beside another.
  void Stop();

 private:
  void Run();
  void ForgetMoments(int64_t now);
  absl::Duration Pause() const;

  const Parts parts_;
  std::mutex mutex_;  // of what follows
  int64_t next_pace_ = 0, next_settle_ = 0, next_purge_ = 0;
  std::vector<uint64_t> gone_;  // sessions whose moments were forgotten a second ago

  std::mutex stop_mutex_;
  std::condition_variable stopped_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace adagents::ads::internal
