#include "replay.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <thread>

#include "adagents/adapters/openrtb/reader.h"
#include "adagents/base/atomics.h"
#include "adagents/base/status.h"
#include "decision_json.h"
#include "fmt/format.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application

// Below this a thread that waits for the next request's time spins: waking up takes longer.
constexpr int64_t kSpinNanos = 150'000;
// Between two requests on the virtual clock.
constexpr absl::Duration kInlineStep = absl::Milliseconds(1);
// Decisions are numbered from the start of the process when they are to be explained or kept.
constexpr int64_t kSecond = 1'000'000'000;

int64_t SteadyNow() { return SystemClock::Get().Now(); }

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Hands out requests in order, each at its time. Thread-safe.
class Schedule {
 public:
  Schedule(const Options& options, const Recording& recording, int64_t start)
      : options_(options), lines_(recording.lines()), start_(start) {
    if (options.seconds > 0) {
      end_ = start + static_cast<int64_t>((options.warm_up + options.seconds) * kSecond);
    }
    if (options.rate < 0) {
      for (const auto& line : lines_) first_ = std::min(first_, line.arrival);
      double last = first_;
      for (const auto& line : lines_) last = std::max(last, line.arrival);
      period_ = last - first_ + 1.0 / std::max<double>(1, static_cast<double>(lines_.size()));
      // Logs are not always in the order of arrival, and who is handed out late is late.
      order_.resize(lines_.size());
      std::iota(order_.begin(), order_.end(), size_t{0});
      std::stable_sort(order_.begin(), order_.end(), [this](size_t a, size_t b) {
        return lines_[a].arrival < lines_[b].arrival;
      });
    }
  }

  /// The next request's place in the recording and when it is due (steady time); false at the end.
  bool Next(size_t* place, size_t* number, int64_t* due) {
    const size_t n = next_.fetch_add(1, std::memory_order_relaxed);
    if (options_.seconds <= 0 && n >= lines_.size() * static_cast<size_t>(options_.loop)) {
      return false;
    }
    *number = n;
    *place = n % lines_.size();
    if (!order_.empty()) *place = order_[*place];
    if (options_.rate > 0) {
      *due = start_ + static_cast<int64_t>(static_cast<double>(n) * kSecond / options_.rate);
    } else if (options_.rate < 0) {
      const double round = static_cast<double>(n / lines_.size()) * period_;
      *due = start_ + static_cast<int64_t>((round + lines_[*place].arrival - first_) * kSecond);
    } else {
      *due = SteadyNow();
      return *due < end_;
    }
    if (*due >= end_) return false;
    for (int64_t left = *due - SteadyNow(); left > 0; left = *due - SteadyNow()) {
      if (left > kSpinNanos) {
        std::this_thread::sleep_for(std::chrono::nanoseconds(left - kSpinNanos));
      } else {
        StdAtomics::Pause();
      }
    }
    return true;
  }

 private:
  const Options& options_;
  const std::vector<Recording::Line>& lines_;
  const int64_t start_;
  int64_t end_ = INT64_MAX;
  double first_ = 1e18, period_ = 0;
  std::vector<size_t> order_;  // by arrival, at the recorded rate
  std::atomic<size_t> next_{0};
};

/// Moves the virtual clock from request to request.
class InlineTime {
 public:
  InlineTime(const Options& options, const Recording& recording)
      : lines_(recording.lines()),
        step_(absl::Milliseconds(options.inline_step_ms)),
        period_(recording.first() > 0 ? recording.last() - recording.first() + 1 : 0) {}

  /// Request `number` is the line at `place`, in as many rounds as it takes.
  void MoveTo(size_t place, size_t number, testing::VirtualClock* clock) {
    const double arrival = lines_[place].arrival;
    if (step_ > absl::ZeroDuration() || arrival <= 0) {
      return clock->Advance(step_ > absl::ZeroDuration() ? step_ : kInlineStep);
    }
    const double round = static_cast<double>(number / lines_.size()) * period_;
    const absl::Time wall = TimeOf(arrival + round);
    // Steady time follows what was recorded, but where it goes back.
    clock->Advance(number > 0 ? std::max(kInlineStep, wall - latest_) : kInlineStep);
    clock->SetWall(wall);
    latest_ = std::max(latest_, wall);
  }

 private:
  const std::vector<Recording::Line>& lines_;
  const absl::Duration step_;
  const double period_;  // seconds
  absl::Time latest_ = absl::InfinitePast();
};

/// What one thread needs, and what it counts.
struct Lane {
  openrtb::Reader reader;
  std::string response;
  Tally tally;
  std::vector<std::pair<size_t, std::string>> decisions;
};

class Replayer {
 public:
  Replayer(const Options& options, const Recording& recording, Setting& setting,
           const ReplayWish& wish, Feedback* feedback)
      : options_(options),
        recording_(recording),
        setting_(setting),
        wish_(wish),
        feedback_(feedback),
        time_(options, recording) {}

  ReplayResult Run();

 private:
  struct Timing {
    int64_t due = 0, begun = 0, parsed = 0, decided = 0, limit = 0;
    size_t place = 0, number = 0;
  };

  void Work(Lane& lane, Schedule& schedule);
  void WorkAsync(Lane& lane, Schedule& schedule);
  void Answered(Lane& lane, const ads::Request& request, const Answer<ads::Decision>& answer,
                const Timing& timing);
  CallOptions Call(const ads::Request& request, Timing* timing) const;
  bool Read(Lane& lane, Timing* timing, ads::RequestPtr* request);
  void Progress(const Schedule& schedule, int64_t start);

  const Options& options_;
  const Recording& recording_;
  Setting& setting_;
  const ReplayWish wish_;
  Feedback* const feedback_;
  InlineTime time_;
  int64_t count_from_ = 0;
  std::atomic<bool> done_{false};
  std::atomic<uint64_t> finished_{0};
  std::counting_semaphore<1024> slots_{0};
  Lane answers_;  // async: of the answer thread
};

bool Replayer::Read(Lane& lane, Timing* timing, ads::RequestPtr* request) {
  const Recording::Line& line = recording_.lines()[timing->place];
  timing->begun = SteadyNow();
  const bool counts = timing->due >= count_from_;
  if (counts) ++lane.tally.requests;
  auto read = lane.reader.ReadPadded(line.json);
  timing->parsed = SteadyNow();
  if (read.ok()) {
    *request = *std::move(read);
    return true;
  }
  finished_.fetch_add(1, std::memory_order_relaxed);
  if (counts) lane.tally.Refuse(line.number, Message(read.status()));
  if (wish_.keep_decisions) {
    lane.decisions.emplace_back(timing->number, RefusalJson(line.number, Message(read.status())));
  }
  return false;
}

CallOptions Replayer::Call(const ads::Request& request, Timing* timing) const {
  CallOptions call;
  call.trusted = options_.mode == Mode::kTrusted;
  call.explain = wish_.keep_decisions;
  const auto deadline = static_cast<int64_t>(options_.deadline_ms * 1e6);
  timing->limit =
      request.tmax ? std::min<int64_t>(deadline, *request.tmax * int64_t{1'000'000}) : deadline;
  if (!options_.inline_scheduler) call.arrival_nanos = timing->due;
  return call;
}

void Replayer::Answered(Lane& lane, const ads::Request& request,
                        const Answer<ads::Decision>& answer, const Timing& t) {
  lane.response.clear();
  setting_.writer->Write(request, answer.value, setting_.clock().WallNow(), &lane.response);
  const int64_t written = SteadyNow();
  if (feedback_ != nullptr) feedback_->Answered(t.number, request, answer.value);
  finished_.fetch_add(1, std::memory_order_relaxed);
  if (wish_.keep_decisions) {
    lane.decisions.emplace_back(t.number,
                                DecisionJson(recording_.lines()[t.place].number, request, answer));
  }
  if (t.due < count_from_) return;
  Tally& tally = lane.tally;
  ++tally.decided;
  const ads::Decision& d = answer.value;
  if (d.bids.empty()) {
    ++tally.no_bids[d.nbr];
  } else {
    ++tally.with_bids;
    tally.bids += d.bids.size();
    for (const ads::Bid& bid : d.bids) {
      auto of = tally.prices.find(bid.cur.code());
      if (of == tally.prices.end())
        of = tally.prices.try_emplace(std::string(bid.cur.code())).first;
      ++of->second.bids;
      of->second.sum += bid.price.units();
    }
  }
  if (answer.degraded()) ++tally.degraded;
  if (answer.verdict == Verdict::kExpired || t.decided - t.due > t.limit) ++tally.late;
  tally.bytes_out += lane.response.size();
  tally.latency.Add(written - t.due);
  tally.parse.Add(t.parsed - t.begun);
  tally.decide.Add(t.decided - t.parsed);
  tally.write.Add(written - t.decided);
}

void Replayer::Work(Lane& lane, Schedule& schedule) {
  Timing timing;
  ads::RequestPtr request;
  while (schedule.Next(&timing.place, &timing.number, &timing.due)) {
    if (setting_.virtual_clock != nullptr) {
      time_.MoveTo(timing.place, timing.number, setting_.virtual_clock.get());
      if (feedback_ != nullptr) feedback_->CatchUp();
      (void)setting_.engine->Tick();  // the ledger's health tells
    }
    if (!Read(lane, &timing, &request)) continue;
    const Answer<ads::Decision> answer = setting_.engine->Decide(request, Call(*request, &timing));
    timing.decided = SteadyNow();
    Answered(lane, *request, answer, timing);
  }
}

void Replayer::WorkAsync(Lane& lane, Schedule& schedule) {
  Timing timing;
  ads::RequestPtr request;
  while (schedule.Next(&timing.place, &timing.number, &timing.due)) {
    slots_.acquire();
    if (!Read(lane, &timing, &request)) {
      slots_.release();
      continue;
    }
    const CallOptions call = Call(*request, &timing);
    setting_.engine->DecideAsync(request, call,
                                 [this, request, timing](Answer<ads::Decision> answer) mutable {
                                   timing.decided = SteadyNow();
                                   Answered(answers_, *request, answer, timing);
                                   slots_.release();
                                 });
  }
}

void Replayer::Progress(const Schedule&, int64_t start) {
  uint64_t before = 0;
  int64_t then = start;
  for (int tick = 0; !done_.load(std::memory_order_relaxed); ++tick) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    if (tick % 10 != 9) continue;
    const int64_t now = SteadyNow();
    const uint64_t finished = finished_.load(std::memory_order_relaxed);
    const double rate =
        static_cast<double>(finished - before) * 1e9 / static_cast<double>(now - then);
    fmt::print(stderr, "\r  {:>5.1f} s  {:>10} requests  {:>8.0f}/s ",
               static_cast<double>(now - start) / 1e9, finished, rate);
    before = finished;
    then = now;
  }
  fmt::print(stderr, "\r{:60}\r", "");
}

ReplayResult Replayer::Run() {
  ReplayResult result;
  if (recording_.lines().empty()) return result;
  const int64_t start = SteadyNow();
  Schedule schedule(options_, recording_, start);
  count_from_ = options_.warm_up > 0 ? start + static_cast<int64_t>(options_.warm_up * kSecond) : 0;
  if (options_.mode == Mode::kAsync) slots_.release(options_.in_flight);

  if (feedback_ != nullptr) feedback_->Start();
  std::vector<Lane> lanes(static_cast<size_t>(options_.threads));
  std::vector<std::thread> threads;
  for (Lane& lane : lanes) {
    threads.emplace_back([this, &lane, &schedule] {
      if (options_.mode == Mode::kAsync) {
        WorkAsync(lane, schedule);
      } else {
        Work(lane, schedule);
      }
    });
  }
  std::thread progress;
  if (wish_.show_progress && isatty(STDERR_FILENO) == 1) {
    progress = std::thread([this, &schedule, start] { Progress(schedule, start); });
  }
  int64_t from = start;
  double cpu_from = CpuSeconds();
  if (options_.warm_up > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(options_.warm_up));
    from = SteadyNow();
    cpu_from = CpuSeconds();
  }
  for (std::thread& thread : threads) thread.join();
  if (options_.mode == Mode::kAsync) {  // all slots back: all answered
    for (int i = 0; i < options_.in_flight; ++i) slots_.acquire();
  }
  result.wall_seconds = static_cast<double>(SteadyNow() - from) / 1e9;
  result.cpu_seconds = CpuSeconds() - cpu_from;
  done_.store(true, std::memory_order_relaxed);
  if (progress.joinable()) progress.join();
  result.pacing = MakePacingReport(setting_);
  if (feedback_ != nullptr) result.feedback = feedback_->Finish();

  std::vector<std::pair<size_t, std::string>> kept;
  lanes.push_back(std::move(answers_));
  for (Lane& lane : lanes) {
    result.tally.Merge(lane.tally);
    std::move(lane.decisions.begin(), lane.decisions.end(), std::back_inserter(kept));
  }
  std::sort(kept.begin(), kept.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [number, text] : kept) result.decisions.push_back(std::move(text));
  const int64_t decisions = setting_.census->decisions.Sum();
  if (decisions > 0) {
    result.candidates_per_decision =
        static_cast<double>(setting_.census->candidates.Sum()) / static_cast<double>(decisions);
  }
  return result;
}

}  // namespace

ReplayResult Replay(const Options& options, const Recording& recording, Setting& setting,
                    const ReplayWish& wish, Feedback* feedback) {
  return Replayer(options, recording, setting, wish, feedback).Run();
}

}  // namespace ad_server
