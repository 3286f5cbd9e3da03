#include "testing/machine.h"

#include <algorithm>
#include <exception>

#include "fmt/format.h"

namespace adagents::testing {
namespace {

// Enough for a structure's deepest call with a test's locals in an unoptimised build.
constexpr size_t kStackBytes = 128 * 1024;
// The end of a trace that a report shows.
constexpr size_t kTraceShown = 80;
// Priorities below this belong to threads that spin.
constexpr uint64_t kLowest = uint64_t{1} << 40;

thread_local Machine* active = nullptr;

}  // namespace

std::string_view Name(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

std::string Name(const OrderSite& site) {
  if (site.type == nullptr) return "";
  std::string_view name = "?";
  if (site.site >= 0 && site.site < 32) name = site.type->names[static_cast<size_t>(site.site)];
  // "... [with auto kValue = ns::Ring<...>::kPublish; ...]" (GCC), "... [kValue = ...]" (Clang).
  const size_t start = name.find("kValue = ");
  if (start != std::string_view::npos) name.remove_prefix(start + 9);
  name = name.substr(0, name.find_first_of(";]"));
  const size_t member = name.rfind("::");
  if (member == std::string_view::npos) return std::string(name);
  std::string_view owner = name.substr(0, member);
  owner = owner.substr(0, owner.find('<'));
  if (owner.find("anonymous") != std::string_view::npos) owner = {};
  const size_t scope = owner.rfind("::");
  if (scope != std::string_view::npos) owner.remove_prefix(scope + 2);
  return std::string(owner) + std::string(name.substr(owner.empty() ? member + 2 : member));
}

Machine* Machine::Active() { return active; }

Machine::Machine(const ExploreOptions& options) : options_(options) {
  for (uint32_t i = 0; i < kMaxThreads; ++i) fibers_.emplace_back(kStackBytes);
}

void Machine::Weaken(const OrderSite& site, std::memory_order to) {
  weakens_ = true;
  weakened_ = site;
  weakened_to_ = to;
}

bool Machine::RunSchedule(const ProgramMaker& make, uint64_t seed) {
  seed_ = seed;
  random_ = Random(Mix64(seed));
  // A quarter of the schedules each with stale reads never, sometimes, often, mostly.
  static constexpr uint64_t kStale[] = {0, 64, 128, 230};
  memory_.Reset(&random_, kStale[random_.Below(4)]);
  mode_ = static_cast<Mode>(random_.Below(3));
  change_every_ = uint64_t{4} << random_.Below(5);
  threads_.fill(ThreadState{});
  threads_[0].state = State::kRunnable;
  thread_count_ = 1;
  current_ = 0;
  concurrent_ = false;
  schedule_steps_ = 0;
  lowest_ = kLowest;
  trace_.clear();
  failure_.clear();
  make_ = &make;
  program_ = new Program();

  Machine* const outer = active;
  active = this;
  fibers_[0].Start(&Machine::MainEntry);
  Fiber::Switch(native_, fibers_[0]);
  active = outer;
  // After a failure the program's objects are in an unknown state, and some are still on abandoned
  // stacks: they are left alone for ever.
  if (failure_.empty()) delete program_;
  return failure_.empty();
}

void Machine::MainEntry() {
  Machine* const self = active;
  Fiber::Arrived(&self->native_);
  try {
    self->RunMain();
  } catch (const std::exception& e) {
    self->Fail(fmt::format("exception: {}", e.what()));
  } catch (...) {
    self->Fail("an exception of unknown type");
  }
  Fiber::Switch(self->fibers_[0], self->native_);
}

void Machine::RunMain() {
  (*make_)(*program_);
  if (program_->threads.size() + 1 > kMaxThreads) Fail("a program has at most 7 threads");
  StartThreads();
  for (uint32_t t = 1; t < thread_count_; ++t) memory_.Join(0, t);
  if (program_->finally) program_->finally();
  program_->threads.clear();
  program_->finally = nullptr;
}

void Machine::StartThreads() {
  thread_count_ = static_cast<uint32_t>(program_->threads.size()) + 1;
  if (thread_count_ == 1) return;
  for (uint32_t t = 1; t < thread_count_; ++t) {
    ThreadState& thread = threads_[t];
    thread.state = State::kRunnable;
    thread.priority = kLowest + random_.Below(kLowest);
    const bool dies = program_->threads[t - 1].mortal && random_.Below(2) == 0;
    thread.dies_in = dies ? 1 + random_.Below(uint64_t{2} << random_.Below(6)) : 0;
    memory_.Join(t, 0);
    fibers_[t].Start(&Machine::ThreadEntry);
  }
  threads_[0].state = State::kWaiting;
  concurrent_ = true;
  SwitchTo(Choose());  // returns when the last thread has ended
}

void Machine::ThreadEntry() {
  Machine* const self = active;
  Fiber::Arrived(nullptr);
  try {
    self->program_->threads[self->current_ - 1].body();
  } catch (const std::exception& e) {
    self->Fail(fmt::format("exception: {}", e.what()));
  } catch (...) {
    self->Fail("an exception of unknown type");
  }
  self->EndThread(State::kEnded);
}

void Machine::EndThread(State state) {
  threads_[current_].state = state;
  SwitchTo(Choose());
}

uint32_t Machine::Choose() {
  std::array<uint32_t, kMaxThreads> ready{};
  uint32_t count = 0;
  bool waiting = false;
  for (uint32_t t = 1; t < thread_count_; ++t) {
    const ThreadState& thread = threads_[t];
    waiting |= thread.state == State::kWaiting;
    if (thread.state == State::kRunnable ||
        (thread.state == State::kWaiting && thread.timed && options_.timeouts)) {
      ready[count++] = t;
    }
  }
  if (count == 0) {
    if (waiting) Fail("deadlock: a thread waits and nobody is left to wake it");
    concurrent_ = false;
    threads_[0].state = State::kRunnable;
    return 0;
  }
  if (mode_ == Mode::kPriorities) {
    return *std::max_element(ready.begin(), ready.begin() + count, [this](uint32_t a, uint32_t b) {
      return threads_[a].priority < threads_[b].priority;
    });
  }
  if (mode_ == Mode::kSticky && random_.Below(4) != 0 &&
      std::find(ready.begin(), ready.begin() + count, current_) != ready.begin() + count) {
    return current_;
  }
  return ready[random_.Below(count)];
}

void Machine::SwitchTo(uint32_t thread) {
  if (thread == current_) return;
  const uint32_t from = current_;
  current_ = thread;
  threads_[thread].state = State::kRunnable;
  Fiber::Switch(fibers_[from], fibers_[thread]);
}

void Machine::Point() {
  ++steps_;
  if (++schedule_steps_ > options_.max_steps) Fail("no progress: the schedule does not end");
  if (!concurrent_) return;
  ThreadState& thread = threads_[current_];
  if (thread.dies_in > 0 && --thread.dies_in == 0) {
    Note("killed", 0, 0, std::memory_order_relaxed);
    EndThread(State::kKilled);
  }
  if (mode_ == Mode::kPriorities && random_.Below(change_every_) == 0) {
    thread.priority = kLowest + random_.Below(kLowest);
  }
  SwitchTo(Choose());
}

void Machine::Pause() {
  if (!concurrent_) {
    Point();
    return;
  }
  threads_[current_].priority = --lowest_;  // spinners take turns behind everyone else
  const uint32_t before = current_;
  Point();
  // Whoever spins lets another thread run, or a schedule would be mostly spinning.
  for (int tries = 0; current_ == before && tries < 2; ++tries) SwitchTo(Choose());
}

void Machine::Fail(const std::string& what) {
  failure_ = what;
  Fiber::Switch(fibers_[current_], native_);  // leaves this stack for good
  std::terminate();                           // not reached: nobody switches back
}

void Machine::Note(const char* what, uint32_t location, uint64_t value, std::memory_order order) {
  ThreadState& thread = threads_[current_];
  trace_.push_back({current_, what, location, value, order, thread.last_site});
  thread.last_site = {};
  thread.named = 0;
}

std::memory_order Machine::Order(const OrderSite& site) {
  if (std::find(sites_.begin(), sites_.end(), site) == sites_.end()) sites_.push_back(site);
  ThreadState& thread = threads_[current_];
  thread.last_site = site;
  const std::memory_order order = weakens_ && site == weakened_ ? weakened_to_ : site.order;
  thread.named |= 1u << static_cast<int>(order);
  return order;
}

void Machine::CheckNamed(std::memory_order order) {
  if (order != std::memory_order_relaxed &&
      (threads_[current_].named & (1u << static_cast<int>(order))) == 0) {
    Fail("an order stronger than relaxed does not go through Atomics::At()");
  }
}

void Machine::Wait(uint32_t id, const void* address, uint32_t expected, bool timed) {
  Point();
  uint64_t value = 0;
  Require(memory_.Newest(current_, id, address, &value));
  Note("wait", id, expected, std::memory_order_relaxed);
  if (static_cast<uint32_t>(value) != expected) return;
  if (random_.Below(32) == 0) return;  // futexes may wake for no reason
  if (!concurrent_) Fail("deadlock: the only thread waits");
  ThreadState& thread = threads_[current_];
  thread.waits_on = address;
  thread.timed = timed;
  thread.state = State::kWaiting;
  SwitchTo(Choose());
  thread.waits_on = nullptr;
}

void Machine::Wake(uint32_t id, const void* address, int count) {
  Point();
  uint64_t value = 0;
  Require(memory_.Newest(current_, id, address, &value));
  Note("wake", id, static_cast<uint64_t>(count), std::memory_order_relaxed);
  for (int woken = 0; woken < count; ++woken) {
    std::array<uint32_t, kMaxThreads> waiting{};
    uint32_t found = 0;
    for (uint32_t t = 1; t < thread_count_; ++t) {
      if (threads_[t].state == State::kWaiting && threads_[t].waits_on == address) {
        waiting[found++] = t;
      }
    }
    if (found == 0) return;
    threads_[waiting[random_.Below(found)]].state = State::kRunnable;
  }
}

std::string Machine::Report() const {
  if (failure_.empty()) return "";
  std::string out = fmt::format("{}\nseed {}, {} accesses; the last of them:\n", failure_, seed_,
                                schedule_steps_);
  const size_t from = trace_.size() > kTraceShown ? trace_.size() - kTraceShown : 0;
  for (size_t i = from; i < trace_.size(); ++i) {
    const Event& e = trace_[i];
    out += fmt::format("  thread {}  {:<8} #{:<3} {:#x} {} {}\n", e.thread, e.what, e.location,
                       e.value, Name(e.order), Name(e.site));
  }
  return out;
}

}  // namespace adagents::testing
