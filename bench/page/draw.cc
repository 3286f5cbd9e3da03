#include "draw.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "fmt/format.h"
#include "shared/svg.h"

namespace adagents::bench {
namespace {

constexpr std::string_view kStyle = R"(
:root { --ink:#1b1f24; --soft:#68717d; --line:#d9dee4; --paper:#fff; --bar:#9fb3c8; --ours:#2f6fb0;
  --good:#2c7a4b; --bad:#b3372c; }
@media (prefers-color-scheme: dark) { :root { --ink:#e4e8ed; --soft:#98a2ae; --line:#39414b;
  --paper:#15191e; --bar:#52657a; --ours:#62a5e8; --good:#5cc98a; --bad:#f0796c; } }
body { font:15px/1.45 system-ui, "Liberation Sans", sans-serif; color:var(--ink);
  background:var(--paper); max-width:1060px; margin:2rem auto; padding:0 1rem; }
h1 { font-size:1.5rem; margin-bottom:.2rem } h2 { font-size:1.15rem; margin:2.2rem 0 .3rem;
  border-bottom:1px solid var(--line) } h3 { font-size:.95rem; margin:1.1rem 0 .1rem }
p, .soft { color:var(--soft) } nav a { margin-right:1rem; color:var(--ours) }
svg { display:block; width:100%; height:auto } svg text { font-size:12.5px; fill:var(--ink) }
svg .soft { fill:var(--soft) } .bar { fill:var(--bar) } .ours { fill:var(--ours) }
.rail { stroke:var(--line) } .past { fill:none; stroke:var(--soft); stroke-width:1.3 }
.limit { stroke:var(--bad); stroke-dasharray:3 3 } .good { fill:var(--good) !important }
.bad { fill:var(--bad) !important }
)";

// Columns of every plot, in its own units.
constexpr double kWidth = 1000, kRow = 21, kBars = 300, kBarsWide = 350, kValue = 725, kRatio = 795,
                 kPast = 820, kPastWide = 170;

std::string Readable(double value, std::string_view unit) {
  const double size = std::abs(value);
  if (unit == "ns") {
    if (size >= 1e9) return Digits(value / 1e9) + " s";
    if (size >= 1e6) return Digits(value / 1e6) + " ms";
    if (size >= 1e3) return Digits(value / 1e3) + " us";
    return Digits(value) + " ns";
  }
  if (size >= 1e6) return Digits(value / 1e6) + " M" + std::string(unit);
  if (size >= 1e3) return Digits(value / 1e3) + " k" + std::string(unit);
  return Digits(value) + std::string(unit.empty() ? "" : " ") + std::string(unit);
}

struct Point {
  const Run* run;
  double value;
};

std::string PointText(const Point& point, std::string_view unit) {
  return Escaped(fmt::format("{} {}: {}", point.run->date.substr(0, 16), point.run->commit,
                             Readable(point.value, unit)));
}

/// A line through what earlier runs and the last one measured; nothing for one alone.
std::string Past(const std::vector<Point>& points, std::string_view unit, double top,
                 const double* limit) {
  if (points.size() < 2) return {};
  double low = points[0].value, high = low;
  for (const Point& point : points) {
    low = std::min(low, point.value);
    high = std::max(high, point.value);
  }
  if (limit != nullptr) {
    low = std::min(low, *limit);
    high = std::max(high, *limit);
  }
  // At least a fifth of the value from edge to edge: noise is not to look like news.
  const double least = 0.2 * std::max(std::abs(low), std::abs(high));
  const double pad = std::max(0.0, least - (high - low)) / 2;
  low -= pad;
  high += pad;
  const double span = high > low ? high - low : 1;
  const auto x = [&](size_t i) {
    return kPast + kPastWide * static_cast<double>(i) / static_cast<double>(points.size() - 1);
  };
  const auto y = [&](double value) { return top + kRow - 4 - (kRow - 8) * (value - low) / span; };
  std::string out, line;
  if (limit != nullptr) {
    out += fmt::format(
        "<line class=\"limit\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kPast,
        kPast + kPastWide, y(*limit), y(*limit));
  }
  for (size_t i = 0; i < points.size(); ++i) {
    line += fmt::format("{:.1f},{:.1f} ", x(i), y(points[i].value));
  }
  out += fmt::format("<polyline class=\"past\" points=\"{}\"/>", line);
  for (size_t i = 0; i < points.size(); ++i) {
    const bool last = i + 1 == points.size();
    out += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}</title></circle>",
        last ? "ours" : "bar", x(i), y(points[i].value), last ? 3 : 2.2,
        PointText(points[i], unit));
  }
  return out;
}

std::string Text(double x, double top, std::string_view text, std::string_view attributes = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>", x, top + kRow - 6, attributes,
                     Escaped(text));
}

/// Names that are too long for their column lose their middle.
std::string Fitting(const std::string& text) {
  constexpr size_t kMost = 44;
  if (text.size() <= kMost) return text;
  return text.substr(0, 24) + "..." + text.substr(text.size() - (kMost - 27));
}

bool Same(const Figure& a, const Figure& b) {
  return a.program == b.program && a.group == b.group && a.row == b.row && a.unit == b.unit;
}

class Page {
 public:
  explicit Page(const std::vector<Run>& runs) : last_(runs.back()) {
    for (const Run& run : runs) {
      if (run.cpu == last_.cpu && run.cores == last_.cores) {
        comparable_.push_back(&run);
      } else {
        ++others_;
      }
    }
  }

  std::string Draw() && {
    Head();
    std::vector<std::string> programs;
    const auto note = [&](const std::string& program) {
      if (std::find(programs.begin(), programs.end(), program) == programs.end()) {
        programs.push_back(program);
      }
    };
    for (const Demand& demand : last_.demands) note(demand.program);
    for (const Figure& figure : last_.figures) note(figure.program);
    out_ += "<nav>";
    for (const auto& program : programs) {
      out_ += fmt::format("<a href=\"#{0}\">{0}</a>", Escaped(program));
    }
    out_ += "</nav>\n";
    for (const std::string& program : programs) {
      out_ += fmt::format("<h2 id=\"{0}\">{0}</h2>\n", Escaped(program));
      Demands(program);
      Groups(program);
    }
    out_ += "</body></html>\n";
    return std::move(out_);
  }

 private:
  void Head() {
    out_ = fmt::format(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>adagents: benchmarks</title><style>{}</style></head><body>\n"
        "<h1>adagents: benchmarks</h1>\n<p>{}, commit {}, on {} with {} core{}. ",
        kStyle, Escaped(last_.date), Escaped(last_.commit), Escaped(last_.cpu), last_.cores,
        last_.cores == 1 ? "" : "s");
    const size_t earlier = comparable_.size() - 1;
    out_ += earlier == 0 ? "No earlier results of this processor."
                         : fmt::format(
                               "The lines on the right are this and {} earlier run{} on the "
                               "same processor; point at a dot for its commit.",
                               earlier, earlier == 1 ? "" : "s");
    if (others_ > 0) {
      out_ += fmt::format(" {} result{} of other processors left out.", others_,
                          others_ == 1 ? "" : "s");
    }
    out_ += "</p>\n";
  }

  void Svg(size_t rows, const std::string& body) {
    out_ += fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">{}</svg>\n", kWidth,
                        kRow * static_cast<double>(rows) + 4, body);
  }

  void Demands(const std::string& program) {
    std::string body;
    size_t row = 0, met = 0;
    for (const Demand& demand : last_.demands) {
      if (demand.program != program) continue;
      const double top = kRow * static_cast<double>(row++);
      met += demand.pass ? 1 : 0;
      std::vector<Point> points;
      for (const Run* run : comparable_) {
        for (const Demand& before : run->demands) {
          if (before.program == program && before.text == demand.text && before.row == demand.row) {
            points.push_back({run, before.value});
          }
        }
      }
      body += Text(0, top, demand.text) + Text(430, top, demand.row, "class=\"soft\"");
      body += Text(kValue - 35, top, Digits(demand.value),
                   fmt::format("text-anchor=\"end\" class=\"{}\"", demand.pass ? "good" : "bad"));
      body += Text(kValue - 20, top,
                   fmt::format("{} {:g}", demand.at_least ? ">=" : "<=", demand.limit),
                   "class=\"soft\"");
      body += Past(points, "", top, &demand.limit);
    }
    if (row == 0) return;
    out_ += fmt::format("<h3>Bars: {} of {} met</h3>\n", met, row);
    Svg(row, body);
  }

  void Groups(const std::string& program) {
    std::vector<std::string> groups;
    for (const Figure& figure : last_.figures) {
      if (figure.program == program &&
          std::find(groups.begin(), groups.end(), figure.group) == groups.end()) {
        groups.push_back(figure.group);
      }
    }
    for (const std::string& group : groups) {
      std::vector<const Figure*> rows;
      for (const Figure& figure : last_.figures) {
        if (figure.program == program && figure.group == group) rows.push_back(&figure);
      }
      Group(group, rows);
    }
  }

  void Group(const std::string& group, const std::vector<const Figure*>& rows) {
    double low = rows[0]->value, high = low;
    for (const Figure* row : rows) {
      low = std::min(low, row->value);
      high = std::max(high, row->value);
    }
    constexpr double kTooWide = 50;  // one bar of fifty times another shows nothing of that
    const bool logarithmic = low > 0 && high / low > kTooWide;
    const auto length = [&](double value) {
      if (high <= 0 || value <= 0) return 0.0;
      if (!logarithmic) return kBarsWide * value / high;
      return kBarsWide * std::log(2 * value / low) / std::log(2 * high / low);
    };
    const bool more_is_better = rows[0]->unit == "/s";
    out_ += fmt::format("<h3>{} <span class=\"soft\">({}{})</span></h3>\n", Escaped(group),
                        more_is_better ? "more is better" : "less is better",
                        logarithmic ? ", logarithmic" : "");
    std::string body;
    for (size_t i = 0; i < rows.size(); ++i) {
      const Figure& figure = *rows[i];
      const double top = kRow * static_cast<double>(i);
      std::vector<Point> points;
      for (const Run* run : comparable_) {
        for (const Figure& before : run->figures) {
          if (Same(before, figure)) points.push_back({run, before.value});
        }
      }
      const bool ours = figure.row.find("adagents") != std::string::npos;
      body += Text(0, top, Fitting(figure.row));
      body += fmt::format(
          "<rect class=\"{}\" x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"2\"/>",
          ours ? "ours" : "bar", kBars, top + 4, std::max(1.0, length(figure.value)), kRow - 8);
      body += Text(kValue, top, Readable(figure.value, figure.unit), "text-anchor=\"end\"");
      if (i > 0 && rows[0]->value > 0) {
        body += Text(kRatio, top, Digits(figure.value / rows[0]->value) + "x",
                     "text-anchor=\"end\" class=\"soft\"");
      }
      body += Past(points, figure.unit, top, nullptr);
    }
    Svg(rows.size(), body);
  }

  const Run& last_;
  std::vector<const Run*> comparable_;
  int others_ = 0;
  std::string out_;
};

}  // namespace

std::string DrawPage(const std::vector<Run>& runs) { return Page(runs).Draw(); }

}  // namespace adagents::bench
