#include "mobileone/eval/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mobileone/data/image.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/resize.h"
#include "mobileone/eval/calibration.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/eval/mistakes.h"
#include "mobileone/report/page.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone {
namespace {

/// A JPEG of the whole image, at most 160 px wide and high; empty if it cannot be read (any more).
std::string thumbnail(const ImageList& list, int64_t index, bool upright) {
  constexpr double kSide = 160;
  constexpr int kQuality = 85;
  try {
    const auto image = read_pixels(list, index, upright);
    const double scale = kSide / std::max(image.size(0), image.size(1));
    if (scale >= 1) return encode_jpeg(image, kQuality);
    const auto scaled = [&](int64_t side) {
      return std::max<int64_t>(1, std::lround(scale * side));
    };
    return encode_jpeg(
        resize(image, scaled(image.size(0)), scaled(image.size(1)), Interpolation::kBilinear),
        kQuality);
  } catch (const Error&) {
    return "";
  }
}

Table summary(const Evaluation& evaluation, const Calibration& calibration) {
  const auto& meter = evaluation.meter;
  return {{"images", "unreadable", "top-1, %", "top-5, %", "loss", "ECE, %", "img/s"},
          {{std::to_string(meter.images()), std::to_string(evaluation.damaged),
            fmt::format("{:.2f}", meter.top1()), fmt::format("{:.2f}", meter.top5()),
            fmt::format("{:.4f}", meter.loss()), fmt::format("{:.2f}", calibration.ece),
            fmt::format("{:.0f}", evaluation.images_per_second())}}};
}

Table class_table(const Evaluation& evaluation, const std::vector<ClassAccuracy>& classes) {
  Table table{{"class", "images", "correct", "accuracy, %", "most often taken for"}, {}};
  const auto& names = evaluation.class_names;
  for (const auto& entry : classes) {
    table.rows.push_back({names[entry.label], std::to_string(entry.images),
                          std::to_string(entry.correct), fmt::format("{:.2f}", entry.percent()),
                          entry.mistaken_for < 0 ? "" : names[entry.mistaken_for]});
  }
  return table;
}

/// The worst first; of many classes only these are in sight.
std::string class_section(const Evaluation& evaluation) {
  constexpr size_t kInSight = 20;
  auto classes = per_class(evaluation);
  std::stable_sort(classes.begin(), classes.end(),
                   [](const auto& a, const auto& b) { return a.percent() < b.percent(); });
  if (classes.size() <= 2 * kInSight) return html::table(class_table(evaluation, classes));
  const std::vector<ClassAccuracy> worst(classes.begin(), classes.begin() + kInSight);
  return html::table(class_table(evaluation, worst)) +
         html::details(fmt::format("All {} classes", classes.size()),
                       html::table(class_table(evaluation, classes)));
}

}  // namespace

std::string evaluation_page(const Evaluation& evaluation, const Model& model,
                            const ImageList& list) {
  const Calibration calibration = calibrate(evaluation.images);
  const std::string measured = fmt::format("{} ({}) on {}", model.origin, model.form, list.origin);
  const std::string error =
      fmt::format("Expected calibration error: {:.2f} % ({} bins of equal width, {} images).",
                  calibration.ece, calibration.bins.size(), calibration.images);
  return html::page(
      "Evaluation",
      html::paragraph(measured) + html::table(summary(evaluation, calibration)) +
          html::link("mistakes.html", "The worst mistakes") + html::heading("Calibration") +
          html::figures({reliability_svg(calibration), confidence_svg(calibration)}) +
          html::paragraph(error) + html::heading("Accuracy by class, the worst first") +
          class_section(evaluation) + html::heading("Confusion") +
          html::figures({confusion_svg(evaluation)}));
}

void require_report(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& inputs) {
  require_outputs(dir,
                  {"report.html", "mistakes.html", "per_class.csv", "confusion.csv",
                   "confusion.svg", "calibration.csv", "mistakes.csv"},
                  inputs);
}

void write_report(const std::filesystem::path& dir, const Evaluation& evaluation,
                  const Model& model, const ImageList& list, int64_t shown_mistakes) {
  std::vector<std::string> thumbnails;
  for (const auto& image : mistakes(evaluation)) {
    if (static_cast<int64_t>(thumbnails.size()) == shown_mistakes) break;
    thumbnails.push_back(thumbnail(list, image.index, model.config.data.exif_orientation));
  }
  write_whole(dir / "report.html", evaluation_page(evaluation, model, list));
  write_whole(dir / "per_class.csv", per_class_csv(evaluation));
  write_whole(dir / "confusion.csv", confusion_csv(evaluation));
  write_whole(dir / "confusion.svg", confusion_svg(evaluation));
  write_whole(dir / "calibration.csv", calibration_csv(calibrate(evaluation.images)));
  write_whole(dir / "mistakes.csv", mistakes_csv(evaluation, list));
  write_whole(dir / "mistakes.html", mistakes_page(evaluation, list, thumbnails));
}

}  // namespace mobileone
