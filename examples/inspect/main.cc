// Shows what is in a region while another process writes it, or after that one died:
//
//   inspect /dev/shm/ads                 refreshes every second until Ctrl-C
//   inspect /dev/shm/ads --once          prints it once; --json for programs
//
// It maps the file read-only and takes no lock, so it cannot disturb the writer; and it goes on
// when the writer dies, or when the file is truncated, removed or replaced.
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <optional>

#include "adagents/base/status.h"
#include "fmt/format.h"
#include "look.h"
#include "screen.h"
#include "shared/output.h"

namespace inspect {
namespace {

constexpr int kBadRegion = 1, kBadUsage = 2;

struct Options {
  LookOptions look;
  double interval = 1;
  bool once = false, json = false;
};

volatile sig_atomic_t stop = 0;

/// True when the time is over, false when it was interrupted.
bool Sleep(double seconds) {
  timespec left{};
  left.tv_sec = static_cast<time_t>(seconds);
  left.tv_nsec = static_cast<long>((seconds - static_cast<double>(left.tv_sec)) * 1e9);
  return nanosleep(&left, nullptr) == 0 || errno != EINTR;
}

/// The terminal's second screen, without a cursor, for as long as it lives.
class Terminal {
 public:
  explicit Terminal(bool on) : on_(on) {
    if (on_) fmt::print("\x1b[?1049h\x1b[?25l");
  }
  ~Terminal() {
    if (on_) fmt::print("\x1b[?25h\x1b[?1049l");
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Show(const std::string& text) {
    winsize size{};
    if (!on_ || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 2) {
      fmt::print("{}{}", text, on_ ? "" : "\n");
    } else {
      fmt::print("\x1b[H\x1b[2J{}", Clipped(text, size.ws_row - 1U, size.ws_col));
    }
    std::fflush(stdout);
  }

 private:
  const bool on_;
};

int Once(const Options& options) {
  const auto look = TakeLook(options.look);
  if (!look.ok()) {
    fmt::print(stderr, "inspect: {}\n", adagents::Message(look.status()));
    return kBadRegion;
  }
  fmt::print("{}{}", options.json ? Json(*look) : Screen(*look, nullptr), options.json ? "\n" : "");
  return 0;
}

int Watch(const Options& options) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    action.sa_handler = [](int) { stop = 1; };
    sigaction(signal, &action, nullptr);
  }
  Terminal terminal(!options.json && isatty(STDOUT_FILENO) != 0);
  std::optional<Look> before;
  while (stop == 0 && std::ferror(stdout) == 0) {
    auto look = TakeLook(options.look);
    if (!look.ok()) {  // it may come, or come back
      if (options.json) {
        fmt::print(stderr, "inspect: {}\n", adagents::Message(look.status()));
      } else {
        terminal.Show(fmt::format("{}\n", adagents::Message(look.status())));
      }
      before.reset();
    } else if (options.json) {
      fmt::print("{}\n", Json(*look));
      std::fflush(stdout);
    } else {
      terminal.Show(Screen(*look, before ? &*before : nullptr));
      before = *std::move(look);
    }
    Sleep(options.interval);
  }
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Shows what is in a region of adagents, without disturbing who writes it.\n"
      "Exit codes: 0, 1 when there is no such region or it is damaged, 2 for wrong options.");
  app.add_option("region", options.look.path, "Its file, such as /dev/shm/ads")->required();
  app.add_flag("--once", options.once, "Print it once instead of refreshing it");
  app.add_flag("--json", options.json, "One line of JSON instead of a table");
  app.add_option("--interval", options.interval, "Seconds between two looks")
      ->check(CLI::Range(0.01, 86400.0))
      ->capture_default_str();
  app.add_option("--object", options.look.object, "Only the object of this name");
  app.add_option("--entries", options.look.entries, "Entries to show of each table")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--sets", options.look.sets,
                 "Sets (some 13 entries each) of a table to look at, from which the rest is "
                 "estimated; 0 for all")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }
  return options.once ? Once(options) : Watch(options);
}

}  // namespace
}  // namespace inspect

int main(int argc, char** argv) {
  return examples::WithOutput("inspect", [&] { return inspect::Main(argc, argv); });
}
