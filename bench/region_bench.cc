// What it takes to keep ten million sessions of 128 bytes in a region, to open it again after its
// writer was killed, and to have an inspector look at it while it is written.
//   REGION_BENCH_ENTRIES   another number of sessions
//   REGION_BENCH_FOLDER    on a disk, for the cold start; the current folder by default
// Run: region_bench [ROUNDS [inspector|sessions|cold]]
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "adagents/base/random.h"
#include "adagents/base/status.h"
#include "adagents/blackboard/region.h"
#include "adagents/blackboard/table.h"
#include "bars.h"
#include "fmt/format.h"
#include "inspect/look.h"
#include "inspect/screen.h"

namespace adagents::bench {
namespace {

using Session = std::array<uint64_t, 16>;  // 128 bytes
using Sessions = Table<uint64_t, Session>;
constexpr double kGiB = 1024.0 * 1024 * 1024;

uint64_t KeyOf(uint64_t i) { return i * 0x9e3779b97f4a7c15ULL; }

/// A file that goes with the benchmark.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& folder, const char* name)
      : path_(folder + "/" + name + "-" + std::to_string(getpid())) {}
  ~TemporaryFile() { (void)unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Up to main(): files go away on the way.
[[noreturn]] void GiveUp(std::string_view why) { throw std::runtime_error(std::string(why)); }
[[noreturn]] void GiveUp(const absl::Status& status) { GiveUp(Message(status)); }

/// Resident memory of this process, shared memory included.
double ResidentGiB() {
  std::ifstream file("/proc/self/statm");
  double pages = 0;
  file >> pages >> pages;
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / kGiB;
}

TableOptions OptionsFor(Region& region, uint64_t entries) {
  return {.capacity = entries, .ttl = absl::Hours(24), .region = &region, .name = "sessions"};
}

struct Filled {
  double seconds = 0, used_gib = 0, rss_gib = 0;
};

/// Fills a region in a process of its own, which is then killed.
Filled FillAndDie(const std::string& path, size_t bytes, uint64_t entries) {
  int ends[2];
  if (pipe(ends) != 0) GiveUp("there is no pipe");
  const pid_t child = fork();
  if (child == 0) {
    const double before = ResidentGiB();
    auto region = Region::Open(path, {.bytes = bytes});
    if (!region.ok()) GiveUp(region.status());
    Sessions sessions(OptionsFor(*region, entries));
    if (!region->status().ok()) GiveUp(region->status());
    Filled out;
    const double start = Seconds();
    for (uint64_t i = 0; i < entries; ++i) sessions.Put(KeyOf(i), Session{i, i, i});
    out.seconds = Seconds() - start;
    out.used_gib = static_cast<double>(region->header().used) / kGiB;
    out.rss_gib = ResidentGiB() - before;
    if (write(ends[1], &out, sizeof(out)) != sizeof(out)) _exit(1);
    kill(getpid(), SIGKILL);
  }
  close(ends[1]);
  Filled out;
  const bool got = read(ends[0], &out, sizeof(out)) == sizeof(out);
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!got) GiveUp("the process that fills the region has failed");
  return out;
}

/// The floor of opening a region: its file is read once.
double TouchSeconds(const std::string& path) {
  const double start = Seconds();
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::vector<char> buffer(1 << 20);
  while (read(fd, buffer.data(), buffer.size()) > 0) {
  }
  close(fd);
  return Seconds() - start;
}

/// From nothing to the first session found.
double ReopenSeconds(const std::string& path, uint64_t entries) {
  const double start = Seconds();
  auto region = Region::Open(path);
  if (!region.ok()) GiveUp(region.status());
  Sessions sessions(OptionsFor(*region, entries));
  Session session;
  if (!region->status().ok() || !sessions.Find(KeyOf(1), &session)) GiveUp(region->status());
  return Seconds() - start;
}

uint64_t CountHeld(const std::string& path, uint64_t entries) {
  auto region = Region::Open(path);
  if (!region.ok()) GiveUp(region.status());
  Sessions sessions(OptionsFor(*region, entries));
  uint64_t held = 0;
  for (uint64_t i = 0; i < entries; ++i) {
    Session session;
    held += sessions.Find(KeyOf(i), &session) && session[0] == i && session[2] == i ? 1 : 0;
  }
  return held;
}

void MeasureSessions(int rounds, uint64_t entries, Bars& bars) {
  const TemporaryFile file("/dev/shm", "adagents-region-bench");
  const double share = static_cast<double>(entries) / 1e7;
  const auto bytes = static_cast<size_t>(2 * kGiB * share) + Region::FileOverhead();
  const Filled filled = FillAndDie(file.path(), bytes, entries);
  const std::string what = fmt::format("{} sessions of 128 bytes", entries);
  bars.AtMost(what + ": GiB of the region", filled.used_gib, 2 * share,
              fmt::format("filled in {:.1f} s", filled.seconds));
  bars.AtMost(what + ": GiB resident", filled.rss_gib, 2 * share, "of the process that wrote them");
  const Pair reopen = Paired(
      rounds, [&] { return TouchSeconds(file.path()); },
      [&] { return ReopenSeconds(file.path(), entries); });
  bars.AtMost("seconds to open them after kill -9", reopen.ours, 2,
              fmt::format("reading the file takes {:.2f} s", reopen.floor));
  const uint64_t held = CountHeld(file.path(), entries);
  bars.AtLeast(what + ": share that is held",
               static_cast<double>(held) / static_cast<double>(entries), 0.999999,
               fmt::format("{} found, each whole", held));
}

/// From a disk, with nothing of the file in the page cache.
void MeasureColdStart(uint64_t entries) {
  const char* folder = std::getenv("REGION_BENCH_FOLDER");
  const TemporaryFile file(folder == nullptr ? "." : folder, "adagents-region-bench");
  const auto bytes =
      static_cast<size_t>(2 * kGiB * static_cast<double>(entries) / 1e7) + Region::FileOverhead();
  std::error_code error;
  const auto room = std::filesystem::space(std::filesystem::path(file.path()).parent_path(), error);
  if (error || room.available < 2 * bytes) {
    fmt::print("      no room on a disk for the cold start\n");
    return;
  }
  FillAndDie(file.path(), bytes, entries);
  const auto cold = [&](auto&& measure) {
    const int fd = open(file.path().c_str(), O_RDWR | O_CLOEXEC);
    fsync(fd);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return measure();
  };
  const double floor = cold([&] { return TouchSeconds(file.path()); });
  const double ours = cold([&] { return ReopenSeconds(file.path(), entries); });
  fmt::print("      {:<52} {:12.6g}  (reading the file takes {:.2f} s)\n",
             "seconds to open them from a disk, cold", ours, floor);
}

/// examples/inspect, in a process of its own, as often as it looks by default. It is stopped while
/// it is not wanted, so that its start is not measured.
class Inspector {
 public:
  explicit Inspector(const std::string& path) : child_(fork()) {
    if (child_ == 0) {
      execl("/proc/self/exe", "region_bench", "--inspect", path.c_str(), nullptr);
      _exit(9);
    }
  }
  ~Inspector() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  Inspector(const Inspector&) = delete;
  Inspector& operator=(const Inspector&) = delete;

  void Run(bool on) { kill(child_, on ? SIGCONT : SIGSTOP); }
  [[nodiscard]] bool Alive() const { return waitpid(child_, nullptr, WNOHANG) == 0; }

 private:
  const pid_t child_;
};

int Inspect(const char* path) {
  std::FILE* out = std::fopen("/dev/null", "w");
  for (;;) {
    const auto look = inspect::TakeLook({.path = path, .object = {}});
    if (!look.ok()) GiveUp(look.status());
    fmt::print(out, "{}", inspect::Screen(*look, nullptr));
    std::fflush(out);
    sleep(1);
  }
}

/// Operations a second of as many threads as there are cores, one in four an update.
double Throughput(Sessions& sessions, uint64_t entries, double seconds) {
  const unsigned threads = std::max(1U, std::thread::hardware_concurrency());
  std::atomic<bool> stop{false}, missed{false};
  std::atomic<uint64_t> total{0};
  std::vector<std::thread> workers;
  const double start = Seconds();
  for (unsigned t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      Random random(t);
      uint64_t done = 0;
      for (; !stop.load(std::memory_order_relaxed); ++done) {
        const uint64_t key = KeyOf(random.Below(entries));
        Session session;
        if (done % 4 == 0) {
          sessions.Upsert(key, [](Session& s, bool) { ++s[3]; });
        } else if (!sessions.Find(key, &session)) {
          missed = true;
          break;
        }
      }
      total += done;
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  stop = true;
  for (auto& worker : workers) worker.join();
  if (missed) GiveUp("an entry is not in the table");
  return static_cast<double>(total.load()) / (Seconds() - start);
}

void MeasureInspector(int rounds, Bars& bars) {
  constexpr uint64_t kEntries = 1'000'000;
  constexpr double kSlice = 2;  // seconds: two looks in each
  const TemporaryFile file("/dev/shm", "adagents-region-bench-live");
  auto region = Region::Open(file.path(), {.bytes = size_t{300} << 20});
  if (!region.ok()) GiveUp(region.status());
  Sessions sessions(OptionsFor(*region, kEntries));
  if (!region->status().ok()) GiveUp(region->status());
  for (uint64_t i = 0; i < kEntries; ++i) sessions.Put(KeyOf(i), Session{i});
  Inspector inspector(file.path());
  const auto measure = [&](bool inspected) {
    inspector.Run(inspected);
    return Throughput(sessions, kEntries, kSlice);
  };
  const Pair pair = Paired(
      rounds, [&] { return measure(false); }, [&] { return measure(true); });
  if (!inspector.Alive()) GiveUp("the inspector has ended");
  bars.AtLeast(
      "throughput with an inspector / without", pair.ratio, 0.99,
      fmt::format("{:.2f} M, {:.2f} M operations a second", pair.ours / 1e6, pair.floor / 1e6));
}

}  // namespace
}  // namespace adagents::bench

int main(int argc, char** argv) try {
  using namespace adagents::bench;  // NOLINT: a program
  if (argc == 3 && std::strcmp(argv[1], "--inspect") == 0) return Inspect(argv[2]);
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 15;
  const char* wanted = std::getenv("REGION_BENCH_ENTRIES");
  const uint64_t entries = wanted == nullptr ? 10'000'000 : std::strtoull(wanted, nullptr, 10);
  const std::string_view part = argc > 2 ? argv[2] : "";
  Bars bars;
  if (part.empty() || part == "inspector") MeasureInspector(rounds, bars);
  if (part.empty() || part == "sessions") MeasureSessions(std::min(rounds, 5), entries, bars);
  if (part.empty() || part == "cold") MeasureColdStart(entries);
  bars.Print();
  return bars.failed() > 0 ? 1 : 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "region_bench: {}\n", error.what());
  return 1;
}
