#include "feedback.h"

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>

#include "adagents/base/status.h"
#include "fmt/format.h"
#include "shared/read_text.h"

namespace ad_server {
namespace {

using namespace adagents;  // NOLINT: an application

constexpr std::string_view kExchange = "simulated events";
/// How often a thread looks whether the exchange has something to report.
constexpr auto kLook = std::chrono::milliseconds(2);

}  // namespace

absl::StatusOr<std::unique_ptr<LineReader>> LineReader::Open(const std::string& path) {
  auto reader = std::make_unique<LineReader>();
  reader->path_ = path;
  if (path == "-") {
    reader->path_ = "standard input";
    reader->in_ = &std::cin;
  } else if (path.ends_with(".xz")) {
    auto text = examples::ReadText(path);
    if (!text.ok()) return text.status();
    reader->text_.str(*std::move(text));
    reader->in_ = &reader->text_;
  } else {
    reader->file_.open(path, std::ios::binary);
    if (!reader->file_ || reader->file_.peek() == std::ifstream::traits_type::eof()) {
      // An empty file is fine, a folder is not.
      if (!reader->file_.eof()) return NotFound("cannot read '" + path + "'");
    }
    reader->in_ = &reader->file_;
  }
  return reader;
}

bool LineReader::Next(std::string* line) {
  buffer_.resize(kMostBytes + 2);  // with the end of the line, or of the text
  for (;;) {
    in_->getline(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    const auto got = static_cast<size_t>(in_->gcount());
    const bool too_long = in_->fail() && got + 1 == buffer_.size();
    if (in_->fail() && !too_long) return false;
    ++number_;
    line->assign(buffer_, 0, too_long || in_->eof() ? got : got - 1);
    if (too_long) {
      in_->clear();
      in_->ignore(std::numeric_limits<std::streamsize>::max(), '\n');
      return true;
    }
    if (line->find_first_not_of(" \t\r") != std::string::npos) return true;
  }
}

Feedback::Feedback(const Options& options, Setting& setting)
    : options_(options),
      setting_(setting),
      desk_(*setting.engine, *setting.signer, setting.clock(), options.inline_scheduler) {}

absl::StatusOr<std::unique_ptr<Feedback>> Feedback::Open(const Options& options, Setting& setting) {
  std::unique_ptr<Feedback> feedback(new Feedback(options, setting));
  if (!options.events.empty()) {
    auto file = LineReader::Open(options.events);
    if (!file.ok()) return file.status();
    feedback->file_ = *std::move(file);
  }
  if (!options.events_out.empty()) {
    feedback->out_.open(options.events_out, std::ios::binary);
    if (!feedback->out_) return InvalidArgument("cannot write '" + options.events_out + "'");
  }
  if (options.simulate_events || !options.events_out.empty()) {
    feedback->exchange_.emplace(options, *setting.signer, *setting.engine);
  }
  return feedback;
}

Feedback::~Feedback() {
  done_.store(true, std::memory_order_relaxed);
  if (reporter_.joinable()) reporter_.join();
  if (reader_.joinable()) reader_.join();
}

void Feedback::Start() {
  if (options_.inline_scheduler) return;
  if (file_ != nullptr) reader_ = std::thread([this] { ReadAll(); });
  if (options_.simulate_events) reporter_ = std::thread([this] { Report(); });
}

void Feedback::Answered(uint64_t number, const ads::Request& request,
                        const ads::Decision& decision) {
  if (exchange_) exchange_->Answer(number, setting_.clock().WallNow(), request, decision);
}

/// Reads on until there is a line of the file that can be applied.
bool Feedback::Peek() {
  std::string text;
  while (!peeked_ && file_ != nullptr) {
    if (!file_->Next(&text)) return false;
    if (text.size() > LineReader::kMostBytes) {
      desk_.Refuse(file_->path(), file_->number(),
                   fmt::format("the line: is longer than {} bytes", LineReader::kMostBytes));
      continue;
    }
    auto line = ParseEvent(text);
    if (line.ok()) {
      peeked_ = *std::move(line);
    } else {
      desk_.Refuse(file_->path(), file_->number(), Message(line.status()));
    }
  }
  return peeked_.has_value();
}

bool Feedback::TakeFromExchange() {
  std::string text;
  if (!exchange_->Take(&text)) return false;
  ++exchange_lines_;
  if (out_.is_open()) out_ << text << '\n';
  if (!options_.simulate_events) return true;
  const auto line = ParseEvent(text);
  if (line.ok()) {
    desk_.Take(kExchange, exchange_lines_, *line);
  } else {
    desk_.Refuse(kExchange, exchange_lines_, Message(line.status()));
  }
  return true;
}

/// When the next line of either comes; InfiniteFuture() when there is none.
absl::Time Feedback::NextAt() {
  absl::Time next = absl::InfiniteFuture();
  if (Peek()) next = peeked_->at.value_or(absl::InfinitePast());
  if (options_.simulate_events) next = std::min(next, exchange_->next());
  return next;
}

/// The earliest, if it is not after `until`.
bool Feedback::ApplyNext(absl::Time until) {
  const absl::Time next = NextAt();
  if (next > until || next == absl::InfiniteFuture()) return false;
  if (peeked_ && peeked_->at.value_or(absl::InfinitePast()) <= next) {
    desk_.Take(file_->path(), file_->number(), *peeked_);
    peeked_.reset();
    return true;
  }
  return TakeFromExchange();
}

void Feedback::CatchUp() {
  const absl::Time now = setting_.clock().WallNow();
  while (ApplyNext(now)) {
  }
}

absl::Status Feedback::Finish() {
  if (options_.inline_scheduler) {
    for (;;) {
      const absl::Time next = NextAt();
      if (next == absl::InfiniteFuture()) break;
      setting_.virtual_clock->Advance(next - setting_.virtual_clock->WallNow());
      (void)setting_.engine->Tick();
      if (!ApplyNext(next)) break;
    }
    (void)setting_.engine->runtime().RunPending();
  } else {
    if (reader_.joinable()) reader_.join();
    done_.store(true, std::memory_order_relaxed);
    if (reporter_.joinable()) reporter_.join();
  }
  if (exchange_) {
    while (TakeFromExchange()) {
    }
  }
  if (out_.is_open() && !out_.flush()) {
    return DataLoss("cannot write '" + options_.events_out + "' to its end");
  }
  return absl::OkStatus();
}

void Feedback::ReadAll() {
  while (Peek()) {
    desk_.Take(file_->path(), file_->number(), *peeked_);
    peeked_.reset();
  }
}

void Feedback::Report() {
  while (!done_.load(std::memory_order_relaxed)) {
    while (exchange_->next() <= setting_.clock().WallNow()) TakeFromExchange();
    std::this_thread::sleep_for(kLook);
  }
}

}  // namespace ad_server
