#include "adagents/runtime/chrome_trace.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "fmt/format.h"

namespace adagents {
namespace {

using Kind = Timeline::Kind;

constexpr std::string_view kBegin = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
constexpr std::string_view kEnd = "\n]}\n";

/// Bytes of the UTF-8 character at `at`; 0 when it is none (Unicode 15, table 3-7).
size_t Utf8Length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) {
    return at + i < text.size() ? static_cast<uint8_t>(text[at + i]) : uint8_t{0};
  };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const size_t length = lead >= 0xc2 && lead <= 0xdf   ? 2
                        : lead >= 0xe0 && lead <= 0xef ? 3
                        : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                       : 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool wrong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f) ||
                     (lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f);
  return wrong ? 0 : length;
}

/// As a JSON string; what is no UTF-8 becomes U+FFFD.
std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text, at);
    if (length == 0) {
      out += "\\ufffd";
      ++at;
    } else if (length > 1) {
      out += text.substr(at, length);
      at += length;
    } else {
      const char c = text[at++];
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (static_cast<uint8_t>(c) < 0x20) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out += c;
      }
    }
  }
  return out + '"';
}

/// The format's unit is the microsecond; written without rounding.
std::string Micros(int64_t nanos) {
  const char* sign = nanos < 0 ? "-" : "";
  const uint64_t n = nanos < 0 ? 0 - static_cast<uint64_t>(nanos) : static_cast<uint64_t>(nanos);
  return fmt::format("{}{}.{:03}", sign, n / 1000, n % 1000);
}

/// One timeline's events.
class Events {
 public:
  Events(const Timeline& timeline, int process)
      : timeline_(timeline), process_(process), id_(fmt::format("{:#018x}", timeline.id)) {}

  void NameThread(const Timeline::Thread& thread) {
    Line(fmt::format(R"({{"ph":"M","name":"thread_name","pid":{},"tid":{},"args":{{"name":{}}}}})",
                     process_, thread.id, Quoted(thread.name)));
  }

  void Spans() {
    // Outer ones first, where they begin together: viewers nest by that.
    std::vector<const Timeline::Span*> spans;
    for (const Timeline::Span& span : timeline_.spans) {
      if (span.thread != 0) spans.push_back(&span);
    }
    std::stable_sort(spans.begin(), spans.end(), [](const auto* a, const auto* b) {
      return a->begin != b->begin ? a->begin < b->begin : a->end > b->end;
    });
    for (const Timeline::Span* span : spans) OnThread(*span);
    if (timeline_.settled_by != 0) {
      Line(fmt::format(
          R"({{"ph":"i","s":"t","cat":"settle","name":{},"ts":{},"pid":{},"tid":{},"args":{{"decision":"{}"}}}})",
          Quoted(fmt::format("settled: {}", Name(timeline_.verdict))), Micros(timeline_.settled),
          process_, timeline_.settled_by, id_));
    }
  }

  /// Where the decision was while no thread had it, and its ends.
  void Row() {
    struct Event {
      int64_t at;
      int order;  // of those at one time
      std::string line;
    };
    std::vector<Event> events;
    const auto add = [&](char phase, int64_t at, int order, std::string_view name,
                         std::string_view args = "{}") {
      events.push_back(
          {at, order,
           fmt::format(
               R"({{"ph":"{}","cat":"decision","id":"{}","name":{},"ts":{},"pid":{},"tid":0,"args":{}}})",
               phase, id_, Quoted(name), Micros(at), process_, args)});
    };
    const auto span = [&](int64_t from, int64_t to, std::string_view name) {
      if (to <= from) return;
      add('b', from, 2, name);
      add('e', to, 1, name);
    };
    const Timeline& t = timeline_;
    add('b', std::min(t.arrival, t.admitted), 0, "decision",
        fmt::format(
            R"({{"decision":"{}","mode":"{}","lane":"{}","verdict":"{}","defaulted":{},"late":{},"deadline_us":{},"spans_dropped":{}}})",
            id_, t.mode, Name(t.lane), Name(t.verdict), t.defaulted, t.late,
            Micros(t.deadline - t.arrival), t.spans_dropped));
    if (t.mode != "trusted") {
      const int64_t until = t.begun != 0 ? t.begun : t.settled;
      span(t.admitted, until, "waits in the lane");
    }
    for (const Timeline::Span& each : t.spans) {
      if (each.kind == Kind::kReplica) {
        span(each.begin, each.end, fmt::format("{} of {}", Name(each.kind), each.agent));
      }
    }
    if (t.deadline <= t.ended) add('n', t.deadline, 3, "deadline");
    if (t.settled != 0) add('n', t.settled, 3, fmt::format("settled: {}", Name(t.verdict)));
    add('e', t.ended, 4, "decision");
    std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
      return a.at != b.at ? a.at < b.at : a.order < b.order;
    });
    for (Event& event : events) Line(std::move(event.line));
  }

  std::string Text() && { return std::move(text_); }

 private:
  void Line(std::string_view line) {
    if (!text_.empty()) text_ += ",\n";
    text_ += line;
  }

  void OnThread(const Timeline::Span& span) {
    const bool of_agent = !span.agent.empty();
    std::string args = fmt::format(R"("decision":"{}")", id_);
    if (of_agent) args += fmt::format(R"(,"outcome":"{}")", Name(span.outcome));
    if (span.cause != Cause::kNone) args += fmt::format(R"(,"cause":"{}")", Name(span.cause));
    if (span.round != 0) args += fmt::format(R"(,"round":{})", span.round);
    std::string name = of_agent ? span.agent : std::string(Name(span.kind));
    if (span.kind == Kind::kRun) name = "decision";
    if (span.kind == Kind::kNotRun) {
      Line(fmt::format(
          R"({{"ph":"i","s":"t","cat":"not run","name":{},"ts":{},"pid":{},"tid":{},"args":{{{}}}}})",
          Quoted(fmt::format("{} {}", name, Name(span.outcome))), Micros(span.begin), process_,
          span.thread, args));
      return;
    }
    Line(fmt::format(
        R"({{"ph":"X","cat":"{}","name":{},"ts":{},"dur":{},"pid":{},"tid":{},"args":{{{}}}}})",
        Name(span.kind), Quoted(name), Micros(span.begin), Micros(span.end - span.begin), process_,
        span.thread, args));
  }

  const Timeline& timeline_;
  const int process_;
  const std::string id_;
  std::string text_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ChromeTraceFile>> ChromeTraceFile::Create(
    const std::string& path, ChromeTraceOptions options) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) {
    return InvalidArgument(fmt::format("cannot write '{}': {}", path, std::strerror(errno)));
  }
  std::unique_ptr<ChromeTraceFile> trace(new ChromeTraceFile(path, file, std::move(options)));
  if (!trace->status_.ok()) return trace->status_;
  return trace;
}

ChromeTraceFile::ChromeTraceFile(std::string path, int file, ChromeTraceOptions options)
    : path_(std::move(path)), file_(file), options_(std::move(options)), process_(getpid()) {
  end_ = static_cast<int64_t>(kBegin.size());
  if (pwrite(file_, kBegin.data(), kBegin.size(), 0) != static_cast<ssize_t>(kBegin.size())) {
    status_ = DataLoss(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
    return;
  }
  Append(fmt::format(R"({{"ph":"M","name":"process_name","pid":{},"tid":0,"args":{{"name":{}}}}})",
                     process_, Quoted(options_.process)));
}

ChromeTraceFile::~ChromeTraceFile() { close(file_); }

// In one call, so that whoever reads the file or kills the process seldom finds it in between.
void ChromeTraceFile::Append(std::string text) {
  if (!empty_) text.insert(0, ",\n");
  const auto size = static_cast<int64_t>(text.size());
  text += kEnd;
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote =
        pwrite(file_, text.data() + done, text.size() - done, end_ + static_cast<int64_t>(done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote > 0) {
      done += static_cast<size_t>(wrote);
      continue;
    }
    status_ = DataLoss(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
    // As it was before; where even that fails, it ends in the middle.
    if (pwrite(file_, kEnd.data(), kEnd.size(), end_) == static_cast<ssize_t>(kEnd.size())) {
      (void)!ftruncate(file_, end_ + static_cast<int64_t>(kEnd.size()));
    }
    return;
  }
  end_ += size;
  empty_ = false;
}

void ChromeTraceFile::Add(const Timeline& timeline) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Events events(timeline, process_);
  std::vector<const Timeline::Thread*> named;
  for (const Timeline::Thread& thread : timeline.threads) {
    const auto known = threads_.find(thread.id);
    if (known != threads_.end() && known->second == thread.name) continue;
    events.NameThread(thread);
    named.push_back(&thread);
  }
  events.Row();
  events.Spans();
  std::string text = std::move(events).Text();
  const auto bytes = static_cast<int64_t>(text.size() + kEnd.size());
  if (!status_.ok() || end_ + bytes > options_.max_bytes) {
    ++left_out_;
    return;
  }
  Append(std::move(text));
  if (!status_.ok()) {
    ++left_out_;
    return;
  }
  for (const Timeline::Thread* thread : named) threads_[thread->id] = thread->name;
  ++written_;
}

absl::Status ChromeTraceFile::status() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return status_;
}

uint64_t ChromeTraceFile::written() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return written_;
}

uint64_t ChromeTraceFile::left_out() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return left_out_;
}

}  // namespace adagents
