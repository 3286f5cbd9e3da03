#include "adagents/testing/interleave.h"

#include <stdexcept>

#include "fmt/format.h"
#include "testing/machine.h"

namespace adagents::testing {

ExploreResult Explore(const ExploreOptions& options, const ProgramMaker& make) {
  Machine machine(options);
  ExploreResult result;
  for (; result.ok && result.schedules < options.schedules; ++result.schedules) {
    result.seed = options.seed + result.schedules;
    result.ok = machine.RunSchedule(make, result.seed);
  }
  result.steps = machine.steps();
  result.report = machine.Report();
  return result;
}

namespace {

std::vector<std::memory_order> OneStepWeaker(std::memory_order order) {
  switch (order) {
    case std::memory_order_acquire:
    case std::memory_order_consume:
    case std::memory_order_release:
      return {std::memory_order_relaxed};
    case std::memory_order_acq_rel:
      return {std::memory_order_acquire, std::memory_order_release};
    case std::memory_order_seq_cst:
      return {std::memory_order_acq_rel};
    case std::memory_order_relaxed:
      break;
  }
  return {};
}

Mutant Hunt(const ExploreOptions& options, const std::vector<ProgramMaker>& programs,
            const OrderSite& site, std::memory_order to) {
  Mutant mutant;
  mutant.name = fmt::format("{} {} -> {}", Name(site), Name(site.order), Name(to));
  Machine machine(options);
  machine.Weaken(site, to);
  for (uint64_t i = 0; i < options.schedules; ++i) {
    for (const ProgramMaker& make : programs) {
      ++mutant.schedules;
      if (machine.RunSchedule(make, options.seed + i)) continue;
      mutant.caught = true;
      mutant.how = machine.failure();
      return mutant;
    }
  }
  return mutant;
}

}  // namespace

std::vector<Mutant> ExploreMutants(const ExploreOptions& options,
                                   const std::vector<ProgramMaker>& programs) {
  // Enough schedules to pass through every access of the programs at least once.
  constexpr uint64_t kSurvey = 2000;
  Machine survey(options);
  for (uint64_t i = 0; i < kSurvey; ++i) {
    for (const ProgramMaker& make : programs) {
      if (!survey.RunSchedule(make, options.seed + i)) {
        return {{"without any mutation", false, i, survey.Report()}};
      }
    }
  }
  std::vector<Mutant> mutants;
  for (const OrderSite& site : survey.sites()) {
    for (std::memory_order to : OneStepWeaker(site.order)) {
      mutants.push_back(Hunt(options, programs, site, to));
    }
  }
  return mutants;
}

std::string Describe(const std::vector<Mutant>& mutants) {
  std::string out;
  for (const Mutant& m : mutants) {
    out += fmt::format("{} {} (after {} schedules{}{})\n", m.caught ? "caught" : "SURVIVED", m.name,
                       m.schedules, m.how.empty() ? "" : ": ", m.how);
  }
  return out;
}

bool AllCaught(const std::vector<Mutant>& mutants) {
  for (const Mutant& m : mutants) {
    if (!m.caught) return false;
  }
  return !mutants.empty();
}

namespace model {
namespace {

Machine& Active() {
  Machine* machine = Machine::Active();
  if (machine == nullptr) throw std::logic_error("ModelAtomics used outside testing::Explore()");
  return *machine;
}

}  // namespace

void Fail(const char* what) { Active().Fail(what); }

uint32_t Construct(const void* address, uint64_t value, bool plain) {
  Machine& machine = Active();
  uint32_t id = 0;
  machine.Require(machine.memory().Construct(machine.current(), address, value, plain, &id));
  return id;
}

void Destroy(uint32_t id, const void* address) {
  Machine& machine = Active();
  machine.Point();  // so that others may get in before the memory is gone
  machine.Require(machine.memory().Destroy(machine.current(), id, address));
}

uint64_t Load(uint32_t id, const void* address, std::memory_order order) {
  Machine& machine = Active();
  machine.Point();
  machine.CheckNamed(order);
  uint64_t value = 0;
  machine.Require(machine.memory().Load(machine.current(), id, address, order, &value));
  machine.Note("load", id, value, order);
  return value;
}

void Store(uint32_t id, const void* address, uint64_t value, std::memory_order order) {
  Machine& machine = Active();
  machine.Point();
  machine.CheckNamed(order);
  machine.Note("store", id, value, order);
  machine.Require(machine.memory().Store(machine.current(), id, address, value, order));
}

uint64_t BeginModify(uint32_t id, const void* address) {
  Machine& machine = Active();
  machine.Point();
  uint64_t before = 0;
  machine.Require(machine.memory().BeginModify(machine.current(), id, address, &before));
  return before;
}

void EndModify(uint32_t id, uint64_t value, std::memory_order order) {
  Machine& machine = Active();
  machine.CheckNamed(order);
  machine.Note("modify", id, value, order);
  machine.memory().EndModify(machine.current(), id, value, order);
}

bool Cas(uint32_t id, const void* address, uint64_t* expected, uint64_t desired, bool weak,
         std::memory_order success, std::memory_order failure) {
  Machine& machine = Active();
  machine.Point();
  machine.CheckNamed(success);
  machine.CheckNamed(failure);
  bool swapped = false;
  machine.Require(machine.memory().Cas(machine.current(), id, address, expected, desired, weak,
                                       success, failure, &swapped));
  machine.Note(swapped ? "swap" : "no swap", id, swapped ? desired : *expected,
               swapped ? success : failure);
  return swapped;
}

void PlainRead(uint32_t id, const void* address) {
  Machine& machine = Active();
  machine.Note("read", id, 0, std::memory_order_relaxed);
  machine.Require(machine.memory().PlainRead(machine.current(), id, address));
}

void PlainWrite(uint32_t id, const void* address) {
  Machine& machine = Active();
  machine.Note("write", id, 0, std::memory_order_relaxed);
  machine.Require(machine.memory().PlainWrite(machine.current(), id, address));
}

std::memory_order SiteOrder(const SiteType* type, int site, std::memory_order order) {
  return Active().Order({type, site, order});
}

void Pause() { Active().Pause(); }

uint32_t CurrentThread() { return Active().current(); }

void Wait(uint32_t id, const void* address, uint32_t expected, bool timed) {
  Active().Wait(id, address, expected, timed);
}

void Wake(uint32_t id, const void* address, int count) { Active().Wake(id, address, count); }

}  // namespace model
}  // namespace adagents::testing
