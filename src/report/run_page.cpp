#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <set>
#include <span>

#include "mobileone/report/chart.h"
#include "mobileone/report/page.h"
#include "mobileone/report/run.h"
#include "mobileone/report/text.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace {

/// A column of metrics.csv as a curve of a chart.
struct Curve {
  std::string column;
  std::string variant = "";  ///< empty where the chart has but one kind of curve
  Dash dash = Dash::kSolid;
};

struct Panel {
  std::string title;
  Axis axis;
  std::vector<Curve> curves;
  bool second_half = false;  ///< only of the epochs, where small differences show
  bool best = false;         ///< whether each run's highest point is marked
};

/// A metric of validation, of the moving average and of the weights themselves.
std::vector<Curve> both_sets(const std::string& metric) {
  return {{"ema_" + metric, "EMA", Dash::kSolid}, {"val_" + metric, "raw", Dash::kDashed}};
}

/// Of the metric that decides which network is the best.
Panel score_panel(const char* title, const char* label, const std::string& metric) {
  return {title, {label}, both_sets(metric), /*second_half=*/false, /*best=*/true};
}

Panel later_half(Panel panel) {
  panel.title += ", second half";
  panel.second_half = true;
  return panel;
}

std::vector<Panel> known_panels() {
  return {{"Loss",
           {.label = "cross entropy", .log = true},
           {{"ema_loss", "validation, EMA", Dash::kSolid},
            {"val_loss", "validation, raw", Dash::kDashed},
            {"train_loss", "training", Dash::kDotted}}},
          score_panel("Top-1 accuracy", "top-1, %", "top1"),
          later_half(score_panel("Top-1 accuracy", "top-1, %", "top1")),
          score_panel("Mean intersection over union", "mIoU, %", "miou"),
          later_half(score_panel("Mean intersection over union", "mIoU, %", "miou")),
          score_panel("Average precision", "AP, %", "ap"),
          later_half(score_panel("Average precision", "AP, %", "ap")),
          {"Top-5 accuracy", {"top-5, %"}, both_sets("top5")},
          {"Pixel accuracy", {"pixel accuracy, %"}, both_sets("pixel_accuracy")},
          {"Average precision at an overlap of 0.5", {"AP50, %"}, both_sets("ap50")},
          {"Learning rate", {.label = "learning rate", .from = 0}, {{"lr"}}},
          {"Weight decay", {.label = "weight decay", .from = 0}, {{"weight_decay"}}},
          {"Training speed", {.label = "img/s", .from = 0}, {{"images_per_second"}}}};
}

bool is_finite(double value) { return std::isfinite(value); }

/// The highest point of a run's curves, of which there is one at least, with what it is.
Series best_point(std::span<const Series> curves) {
  Series best{"", {NAN}, {NAN}, curves.front().color, Dash::kNone};
  for (const auto& curve : curves) {
    for (size_t i = 0; i < curve.y.size(); ++i) {
      if (!is_finite(curve.y[i]) || curve.y[i] <= best.y[0]) continue;
      best.x[0] = curve.x[i];
      best.y[0] = curve.y[i];
      best.color = curve.color;
    }
  }
  best.labels = {fmt::format("best: {:.2f} at {:.0f}", best.y[0], best.x[0])};
  return best;
}

/// Several runs differ in colour, their curves in dashes; of one alone, the curves differ in both.
std::vector<Series> panel_series(const std::vector<TrainingRun>& runs, const Panel& panel) {
  std::vector<Series> series;
  for (size_t i = 0; i < runs.size(); ++i) {
    const size_t first = series.size();
    for (size_t j = 0; j < panel.curves.size(); ++j) {
      const auto& [column, variant, dash] = panel.curves[j];
      const auto epochs = runs[i].metrics["epoch"], values = runs[i].metrics[column];
      if (std::none_of(values.begin(), values.end(), is_finite)) continue;
      if (runs.size() == 1) {
        series.push_back({variant, epochs, values, static_cast<int>(j), dash});
      } else {
        series.push_back({runs[i].name, epochs, values, static_cast<int>(i), dash, variant});
      }
    }
    if (panel.best && series.size() > first) {
      series.push_back(best_point(std::span(series).subspan(first)));
    }
  }
  return series;
}

bool image_size_changes(const std::vector<TrainingRun>& runs) {
  std::set<double> sizes;
  for (const auto& run : runs) {
    const auto values = run.metrics["size"];
    std::copy_if(values.begin(), values.end(), std::inserter(sizes, sizes.end()), is_finite);
  }
  return sizes.size() > 1;
}

/// Columns that have no place yet, of another version's runs, in one panel each.
std::vector<Panel> other_panels(const std::vector<TrainingRun>& runs,
                                const std::vector<Panel>& panels) {
  std::set<std::string> placed = {"epoch", "step", "size", "seconds", "ema_better"};
  for (const auto& panel : panels) {
    for (const auto& curve : panel.curves) placed.insert(curve.column);
  }
  std::vector<Panel> others;
  for (const auto& run : runs) {
    for (const auto& [name, values] : run.metrics.columns) {
      if (placed.insert(name).second) others.push_back({name, {name}, {{name}}});
    }
  }
  return others;
}

double last_epoch(const std::vector<TrainingRun>& runs) {
  double last = 0;
  for (const auto& run : runs) {
    for (const double epoch : run.metrics["epoch"]) last = std::fmax(last, epoch);
  }
  return last;
}

std::vector<std::string> charts(const std::vector<TrainingRun>& runs) {
  constexpr double kFewEpochs = 20;
  auto panels = known_panels();
  if (image_size_changes(runs)) panels.push_back({"Image size", {"side, px"}, {{"size"}}});
  const auto others = other_panels(runs, panels);
  panels.insert(panels.end(), others.begin(), others.end());
  std::vector<std::string> svgs;
  for (const auto& panel : panels) {
    auto series = panel_series(runs, panel);
    if (series.empty() || (panel.second_half && last_epoch(runs) < kFewEpochs)) continue;
    Axis epochs = {"epoch"};
    if (panel.second_half) epochs.from = last_epoch(runs) / 2;
    svgs.push_back(to_svg({panel.title, epochs, panel.axis, std::move(series)}));
  }
  return svgs;
}

std::string number(double value, int decimals) { return number_or("–", value, decimals); }

/// The largest value and its epoch; "–" twice if there is none.
std::pair<std::string, std::string> best(const RunMetrics& metrics, std::string_view column) {
  const auto epochs = metrics["epoch"], values = metrics[column];
  double value = NAN, epoch = NAN;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!is_finite(values[i]) || values[i] <= value) continue;
    value = values[i];
    epoch = epochs[i];
  }
  return {number(value, 2), number(epoch, 0)};
}

/// The metric that decides which of a run's networks is the best, and its title.
std::pair<std::string, std::string> score_of(const TrainingRun& run) {
  for (const auto& [name, title] : {std::pair("miou", "mIoU"), {"ap", "AP"}}) {
    const auto values = run.metrics[std::string("val_") + name];
    if (std::ranges::any_of(values, is_finite)) return {name, title};
  }
  return {"top1", "top-1"};
}

Table summary_table(const std::vector<TrainingRun>& runs) {
  std::string title = score_of(runs.front()).second;
  for (const auto& run : runs) {
    if (score_of(run).second != title) title = "score";
  }
  Table table;
  table.header = {"run",
                  "epochs",
                  fmt::format("best {} EMA,\u00a0%", title),
                  "at epoch",
                  fmt::format("best {} raw,\u00a0%", title),
                  "at epoch",
                  "last loss, training",
                  "last loss, validation",
                  "training time",
                  "mean img/s"};
  for (const auto& run : runs) {
    const auto& metrics = run.metrics;
    const auto seconds = metrics["seconds"], speed = metrics["images_per_second"];
    const double time = std::accumulate(seconds.begin(), seconds.end(), 0.0);
    const double images = std::inner_product(seconds.begin(), seconds.end(), speed.begin(), 0.0);
    const std::string score = score_of(run).first;
    const auto [ema, ema_epoch] = best(metrics, "ema_" + score);
    const auto [raw, raw_epoch] = best(metrics, "val_" + score);
    table.rows.push_back({run.name, number(metrics["epoch"].back(), 0), ema, ema_epoch, raw,
                          raw_epoch, number(metrics["train_loss"].back(), 4),
                          number(metrics["val_loss"].back(), 4),
                          is_finite(time) ? format_duration(time) : "–", number(images / time, 0)});
  }
  return table;
}

}  // namespace

std::string run_curves(const std::vector<TrainingRun>& runs) {
  return html::table(summary_table(runs)) + html::heading("Curves") + html::figures(charts(runs));
}

std::string run_page(const std::vector<TrainingRun>& runs) {
  const bool alone = runs.size() == 1;
  std::string body = run_curves(runs);
  if (alone && !runs[0].config.empty()) {
    body += html::heading("Configuration") +
            html::details("config.yaml", html::preformatted(runs[0].config));
  }
  return html::page(
      alone ? "Training run " + runs[0].name : fmt::format("{} training runs", runs.size()), body);
}

}  // namespace mobileone
