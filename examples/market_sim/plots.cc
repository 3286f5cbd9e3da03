#include "plots.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string_view>
#include <utility>
#include <vector>

#include "adagents/base/status.h"
#include "fmt/format.h"
#include "shared/svg.h"

namespace market_sim {
namespace {

using adagents::bench::Digits;
using adagents::bench::Escaped;

constexpr double kLeastSeen = 50;  // impressions; fewer say nothing

constexpr double kWidth = 860, kHeight = 430, kLeft = 70, kRight = 640, kTop = 52, kBottom = 380;
constexpr std::array<std::string_view, 8> kColors = {"#2f6fb0", "#c5572c", "#2c7a4b", "#8a5fb0",
                                                     "#b0912f", "#2fa3a3", "#b03a6f", "#68717d"};

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Axis {
  std::string label;
  bool logarithmic = false;
  double low = 0, high = 1;

  [[nodiscard]] double Share(double x) const {
    if (!logarithmic) return (x - low) / (high - low);
    return std::log(x / low) / std::log(high / low);
  }
  [[nodiscard]] std::vector<double> Ticks() const {
    std::vector<double> ticks;
    if (logarithmic) {
      for (double decade = std::pow(10, std::floor(std::log10(low))); decade <= high;
           decade *= 10) {
        for (const double part : {1.0, 2.0, 5.0}) {
          if (part * decade >= low && part * decade <= high) ticks.push_back(part * decade);
        }
      }
      return ticks;
    }
    const double rough = (high - low) / 5, decade = std::pow(10, std::floor(std::log10(rough)));
    const double step = decade * (rough / decade > 5 ? 10 : rough / decade > 2 ? 5 : 2);
    for (double t = std::ceil(low / step) * step; t <= high + step / 1000; t += step) {
      ticks.push_back(t);
    }
    return ticks;
  }
};

class Chart {
 public:
  Chart(std::string_view title, Axis x, Axis y) : x_(std::move(x)), y_(std::move(y)) {
    out_ = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" "
        "font-family=\"system-ui, sans-serif\" font-size=\"13\">\n"
        "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
        "<text x=\"{}\" y=\"22\" font-size=\"15\">{}</text>\n",
        kWidth, kHeight, kLeft, Escaped(title));
    for (const double t : x_.Ticks()) {
      Line(X(t), kTop, X(t), kBottom, "#e4e8ed");
      Text(X(t), kBottom + 18, Digits(t), "middle");
    }
    for (const double t : y_.Ticks()) {
      Line(kLeft, Y(t), kRight, Y(t), "#e4e8ed");
      Text(kLeft - 6, Y(t) + 4, Digits(t), "end");
    }
    Text((kLeft + kRight) / 2, kBottom + 40, x_.label, "middle");
    Text(kLeft, kTop - 4, y_.label, "start");
  }

  void Diagonal() {
    const double low = std::max(x_.low, y_.low), high = std::min(x_.high, y_.high);
    Line(X(low), Y(low), X(high), Y(high), "#68717d");
  }

  void Add(const Series& series) {
    const std::string_view color = kColors[count_ % kColors.size()];
    std::string line;
    for (const auto& [x, y] : series.points) line += fmt::format("{:.1f},{:.1f} ", X(x), Y(y));
    out_ += fmt::format(
        "<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"2\" points=\"{}\"/>\n", color, line);
    for (const auto& [x, y] : series.points) {
      out_ += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"><title>{}: {}, {}</title>"
          "</circle>\n",
          X(x), Y(y), color, Escaped(series.name), Digits(x), Digits(y));
    }
    const double at = kTop + 10 + 20 * static_cast<double>(count_++);
    Line(kRight + 12, at, kRight + 32, at, color, 2);
    Text(kRight + 38, at + 4, series.name, "start");
  }

  std::string Done() && { return std::move(out_) + "</svg>\n"; }

 private:
  [[nodiscard]] double X(double x) const { return kLeft + (kRight - kLeft) * Held(x_.Share(x)); }
  [[nodiscard]] double Y(double y) const { return kBottom - (kBottom - kTop) * Held(y_.Share(y)); }
  static double Held(double share) { return std::clamp(share, 0.0, 1.0); }
  void Line(double x1, double y1, double x2, double y2, std::string_view color, int width = 1) {
    out_ += fmt::format(
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"{}\"/>\n",
        x1, y1, x2, y2, color, width);
  }
  void Text(double x, double y, std::string_view text, std::string_view anchor) {
    out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y,
                        anchor, Escaped(text));
  }

  const Axis x_, y_;
  std::string out_;
  size_t count_ = 0;
};

absl::Status Save(const std::filesystem::path& path, const std::string& text) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return absl::UnavailableError(fmt::format("cannot write {}", path.string()));
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (std::fclose(file) != 0 || !written) {
    return absl::UnavailableError(fmt::format("cannot write all of {}", path.string()));
  }
  return absl::OkStatus();
}

double Highest(const std::vector<Series>& all) {
  double highest = 1e-9;
  for (const Series& s : all) {
    for (const auto& point : s.points) highest = std::max(highest, point.second);
  }
  return highest;
}

std::string Draw(std::string_view title, Axis x, std::string y, const std::vector<Series>& all) {
  Chart chart(title, std::move(x), {std::move(y), false, 0, 1.08 * Highest(all)});
  for (const Series& s : all) chart.Add(s);
  return std::move(chart).Done();
}

std::string Learning(const WorldRuns& runs) {
  std::vector<Series> all;
  for (const std::string& arm : runs.arms) {
    Series& s = all.emplace_back(Series{arm, {}});
    for (size_t step = 0; step < Result::kSteps; ++step) {
      Sums sums;
      for (const Result& r : runs.results.at(arm)) {
        sums.expected_clicks += r.over_time[step].expected_clicks;
        sums.impressions += r.over_time[step].impressions;
      }
      if (sums.impressions == 0) continue;
      s.points.emplace_back(100 * (static_cast<double>(step) + 0.5) / Result::kSteps,
                            100 * sums.expected_clicks / sums.impressions);
    }
  }
  return Draw(fmt::format("Click-through while learning, world '{}'", runs.world),
              {"sessions, % of all", false, 0, 100}, "expected click-through, %", all);
}

std::string Calibration(const WorldRuns& runs) {
  const Axis axis{"predicted click rate, % (campaigns that pay for clicks)", true, 0.1, 50};
  Axis truth = axis;
  truth.label = "true click rate, %";
  Chart chart(fmt::format("Calibration of what won, world '{}'", runs.world), axis, truth);
  chart.Diagonal();
  for (const std::string& arm : runs.arms) {
    Series s{arm, {}};
    for (size_t b = Result::kBins; b-- > 0;) {
      Result::Bin bin;
      for (const Result& r : runs.results.at(arm)) {
        bin.n += r.calibration[b].n;
        bin.predicted += r.calibration[b].predicted;
        bin.truth += r.calibration[b].truth;
      }
      if (bin.n < kLeastSeen) continue;
      s.points.emplace_back(100 * bin.predicted / bin.n, 100 * bin.truth / bin.n);
    }
    chart.Add(s);
  }
  return std::move(chart).Done();
}

std::string Fatigue(const WorldRuns& runs) {
  std::vector<Series> all;
  for (const std::string& arm : runs.arms) {
    Series& s = all.emplace_back(Series{arm, {}});
    for (size_t t = 0; t < Result::kTimes; ++t) {
      Result::Wear wear;
      for (const Result& r : runs.results.at(arm)) {
        wear.n += r.fatigue[t].n;
        wear.clicks += r.fatigue[t].clicks;
      }
      if (wear.n < kLeastSeen) continue;
      s.points.emplace_back(static_cast<double>(t), 100 * wear.clicks / wear.n);
    }
  }
  return Draw(fmt::format("Fatigue, world '{}'", runs.world),
              {"times the brand was heard lately (8: or more)", false, 0, Result::kTimes - 1},
              "expected click-through, %", all);
}

}  // namespace

absl::Status Plot(const WorldRuns& runs, const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(fmt::format("cannot make {}: {}", folder, error.message()));
  }
  for (const auto& [name, svg] :
       {std::pair<std::string_view, std::string>{"learning", Learning(runs)},
        {"calibration", Calibration(runs)},
        {"fatigue", Fatigue(runs)}}) {
    const auto path = std::filesystem::path(folder) / fmt::format("{}-{}.svg", runs.world, name);
    if (absl::Status status = Save(path, svg); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace market_sim
