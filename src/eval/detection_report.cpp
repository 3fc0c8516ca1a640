#include "mobileone/eval/detection_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "mobileone/report/bars.h"
#include "mobileone/report/chart.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone {
namespace {

constexpr size_t kCurves = 5;  ///< in a chart, which has as many looks

std::string percent_or(const char* none, double share) { return number_or(none, 100 * share); }

/// Labels of the classes with objects, sorted by `order`, which compares two labels.
template <typename Order>
std::vector<int64_t> classes_by(const CocoScores& scores, Order order) {
  std::vector<int64_t> labels(scores.class_ap.size());
  std::iota(labels.begin(), labels.end(), int64_t{0});
  std::erase_if(
      labels, [&](int64_t label) { return scores.class_objects[static_cast<size_t>(label)] == 0; });
  std::ranges::stable_sort(labels, order);
  return labels;
}

Table counts_table(const DetectionEvaluation& evaluation) {
  const auto sum = [](const std::vector<int64_t>& counts) {
    return std::to_string(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  };
  return {{"images", "classes", "objects", "detections"},
          {{std::to_string(evaluation.images), std::to_string(evaluation.class_names.size()),
            sum(evaluation.scores.class_objects), sum(evaluation.scores.class_detections)}}};
}

/// COCO's twelve.
std::string numbers_section(const CocoScores& scores) {
  constexpr std::array kHeads = {"AP, %",        "AP50, %",     "AP75, %",      "AP small, %",
                                 "AP medium, %", "AP large, %", "AR 1, %",      "AR 10, %",
                                 "AR 100, %",    "AR small, %", "AR medium, %", "AR large, %"};
  std::string body;
  for (const size_t first : {size_t{0}, kHeads.size() / 2}) {
    Table table{{}, {{}}};
    for (size_t i = first; i < first + kHeads.size() / 2; ++i) {
      table.header.push_back(kHeads[i]);
      table.rows[0].push_back(percent_or("–", scores.*kCocoNumbers[i].second));
    }
    body += html::heading(first == 0 ? "Average precision" : "Average recall") + html::table(table);
  }
  return body;
}

std::vector<std::string> doubts_of(const DetectionEvaluation& evaluation) {
  constexpr int64_t kFewObjects = 20;
  const CocoScores& scores = evaluation.scores;
  std::vector<std::string> doubts;
  const auto absent = std::ranges::count(scores.class_objects, 0);
  if (absent > 0) {
    doubts.push_back(
        fmt::format("{} of {} classes have no object, and are left out of the means; what is found "
                    "of them costs nothing.",
                    absent, scores.class_objects.size()));
  }
  const auto few = std::ranges::count_if(
      scores.class_objects, [](int64_t count) { return count > 0 && count < kFewObjects; });
  if (few > 0) {
    doubts.push_back(fmt::format("{} classes have fewer than {} objects.", few, kFewObjects));
  }
  return doubts;
}

/// Up to where no precision is left.
Series curve_of(const std::string& name, std::span<const double> precision, int color) {
  Series series{.name = name, .x = {}, .y = {}, .color = color};
  for (size_t i = 0; i < kCocoRecalls; ++i) {
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(100 * precision[i]);
    if (precision[i] == 0) break;
  }
  return series;
}

Chart curves_chart(const std::string& title) {
  return {.title = title,
          .x = {.label = "recall, %", .from = 0, .to = 100},
          .y = {.label = "precision, %", .from = 0, .to = 100},
          .series = {}};
}

/// The mean of the classes' curves, at every other overlap.
std::string mean_curves(const CocoScores& scores) {
  Chart chart = curves_chart("Mean over the classes, by overlap");
  const auto labels = classes_by(scores, std::less());
  for (size_t i = 0; i < kCurves; ++i) {
    const size_t overlap = 2 * i;
    std::vector<double> mean(kCocoRecalls);
    for (const int64_t label : labels) {
      const auto curve = scores.curve(label, overlap);
      for (size_t j = 0; j < mean.size(); ++j) {
        mean[j] += curve[j] / static_cast<double>(labels.size());
      }
    }
    chart.series.push_back(
        curve_of(fmt::format("IoU {:.1f}", kCocoOverlaps[overlap]), mean, static_cast<int>(i)));
  }
  return to_svg(chart);
}

std::string class_curves(const DetectionEvaluation& evaluation) {
  const CocoScores& scores = evaluation.scores;
  auto labels = classes_by(scores, [&](int64_t a, int64_t b) {
    return scores.class_objects[static_cast<size_t>(a)] >
           scores.class_objects[static_cast<size_t>(b)];
  });
  Chart chart = curves_chart(labels.size() <= kCurves ? "Classes at IoU 0.5"
                                                      : "Classes of most objects at IoU 0.5");
  labels.resize(std::min(labels.size(), kCurves));
  for (size_t i = 0; i < labels.size(); ++i) {
    chart.series.push_back(curve_of(evaluation.class_names[static_cast<size_t>(labels[i])],
                                    scores.curve(labels[i], 0), static_cast<int>(i)));
  }
  return to_svg(chart);
}

std::string errors_section(const DetectionErrors& errors) {
  BarChart chart{.title = "What AP50 would gain if one kind of error were mended",
                 .x = {.label = "points of AP50, %"},
                 .bars = {}};
  for (size_t i = 0; i < kDetectionErrors.size(); ++i) {
    const auto& [count, cost] = errors.kinds[i];
    chart.bars.push_back({.label = kDetectionErrors[i],
                          .value = 100 * cost,
                          .note = fmt::format("{:.2f}; {} of them", 100 * cost, count)});
  }
  return html::figures({to_svg(chart)}) +
         html::paragraph(
             "Duplicate: of an object that a surer detection has found. Class: of an object of "
             "another class, in its place (IoU 0.5 or more). Localization: of the class, but apart "
             "from the object (IoU from 0.1 to 0.5). Both: neither class nor place. Background: of "
             "nothing (IoU below 0.1). Missed: objects that no detection is meant for.");
}

/// The lowest AP first.
std::string class_section(const DetectionEvaluation& evaluation) {
  constexpr size_t kInSight = 20;
  const CocoScores& scores = evaluation.scores;
  const auto labels = classes_by(scores, [&](int64_t a, int64_t b) {
    return scores.class_ap[static_cast<size_t>(a)] < scores.class_ap[static_cast<size_t>(b)];
  });
  const auto table = [&](size_t most) {
    Table result{{"class", "AP, %", "AP50, %", "objects", "detections"}, {}};
    for (size_t i = 0; i < std::min(most, labels.size()); ++i) {
      const auto label = static_cast<size_t>(labels[i]);
      result.rows.push_back({evaluation.class_names[label], percent_or("–", scores.class_ap[label]),
                             percent_or("–", scores.class_ap50[label]),
                             std::to_string(scores.class_objects[label]),
                             std::to_string(scores.class_detections[label])});
    }
    return html::table(result);
  };
  if (labels.size() <= 2 * kInSight) return table(labels.size());
  return table(kInSight) + html::details(fmt::format("All {} classes with objects", labels.size()),
                                         table(labels.size()));
}

std::string page(const std::string& measured, const DetectionEvaluation& evaluation,
                 const std::vector<Card>& worst) {
  std::string body = html::paragraph(measured) + html::table(counts_table(evaluation)) +
                     html::doubts(doubts_of(evaluation)) + numbers_section(evaluation.scores) +
                     html::heading("Precision and recall") +
                     html::figures({mean_curves(evaluation.scores), class_curves(evaluation)}) +
                     html::heading("What costs precision") + errors_section(evaluation.errors) +
                     html::heading("Classes, the lowest AP first") + class_section(evaluation);
  if (!worst.empty()) {
    body += html::heading("Images with the most errors") + html::wide_contact_sheet(worst);
  }
  return html::page("Evaluation", body);
}

std::string precision_recall_csv(const DetectionEvaluation& evaluation) {
  std::string text = "class,iou,recall,precision\n";
  for (const int64_t label : classes_by(evaluation.scores, std::less())) {
    const std::string name = csv_field(evaluation.class_names[static_cast<size_t>(label)]);
    for (size_t overlap = 0; overlap < kCocoOverlaps.size(); ++overlap) {
      const auto curve = evaluation.scores.curve(label, overlap);
      for (size_t i = 0; i < curve.size(); ++i) {
        text +=
            fmt::format("{},{:.2f},{},{:.4f}\n", name, kCocoOverlaps[overlap], i, 100 * curve[i]);
      }
    }
  }
  return text;
}

std::string errors_csv(const DetectionErrors& errors) {
  std::string text = "kind,count,ap50_points\n";
  for (size_t i = 0; i < kDetectionErrors.size(); ++i) {
    text += fmt::format("{},{},{:.4f}\n", kDetectionErrors[i], errors.kinds[i].count,
                        100 * errors.kinds[i].cost);
  }
  return text;
}

}  // namespace

std::string per_class_csv(const DetectionEvaluation& evaluation) {
  const CocoScores& scores = evaluation.scores;
  std::string text = "class,ap,ap50,objects,detections\n";
  for (size_t i = 0; i < scores.class_ap.size(); ++i) {
    text += fmt::format("{},{},{},{},{}\n", csv_field(evaluation.class_names[i]),
                        percent_or("", scores.class_ap[i]), percent_or("", scores.class_ap50[i]),
                        scores.class_objects[i], scores.class_detections[i]);
  }
  return text;
}

void require_detection_report(const std::filesystem::path& dir,
                              const std::vector<std::filesystem::path>& inputs) {
  require_outputs(dir, {"report.html", "per_class.csv", "precision_recall.csv", "errors.csv"},
                  inputs);
}

void write_detection_report(const std::filesystem::path& dir, const std::string& measured,
                            const DetectionEvaluation& evaluation, const std::vector<Card>& worst) {
  write_whole(dir / "report.html", page(measured, evaluation, worst));
  write_whole(dir / "per_class.csv", per_class_csv(evaluation));
  write_whole(dir / "precision_recall.csv", precision_recall_csv(evaluation));
  write_whole(dir / "errors.csv", errors_csv(evaluation.errors));
}

}  // namespace mobileone
