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
  const MeanScores scores = mean_scores(evaluation.images);
  Table table{{}, {{}}};
  const auto add = [&](const char* name, const std::string& value) {
    table.header.push_back(name);
    table.rows[0].push_back(value);
  };
  add("images", std::to_string(meter.images()));
  add("unreadable", std::to_string(evaluation.damaged));
  add("top-1, %", fmt::format("{:.2f}", meter.top1()));
  if (std::isfinite(meter.top5())) add("top-5, %", fmt::format("{:.2f}", meter.top5()));
  add("loss", fmt::format("{:.4f}", meter.loss()));
  add("ECE, %", fmt::format("{:.2f}", calibration.ece));
  add("balanced accuracy, %", fmt::format("{:.2f}", scores.balanced_accuracy));
  add("macro precision, %", fmt::format("{:.2f}", scores.precision));
  add("macro recall, %", fmt::format("{:.2f}", scores.recall));
  add("macro F1, %", fmt::format("{:.2f}", scores.f1));
  add("img/s", fmt::format("{:.0f}", evaluation.images_per_second()));
  return table;
}

/// What keeps the figures from being what they seem.
std::vector<std::string> doubts_of(const Evaluation& evaluation) {
  constexpr int64_t kFewImages = 20;
  std::vector<std::string> doubts;
  if (evaluation.damaged > 0) {
    doubts.push_back(
        fmt::format("{} images could not be read and are left out.", evaluation.damaged));
  }
  const auto infinite =
      std::count_if(evaluation.images.begin(), evaluation.images.end(),
                    [](const ImageResult& image) { return !std::isfinite(image.probability); });
  if (infinite > 0) {
    doubts.push_back(fmt::format("Of {} images the logits are not finite numbers.", infinite));
  }
  const auto classes = per_class(evaluation.images);
  if (classes.size() < evaluation.class_names.size()) {
    doubts.push_back(fmt::format("{} of {} classes have no image.",
                                 evaluation.class_names.size() - classes.size(),
                                 evaluation.class_names.size()));
  }
  const auto smallest =
      std::min_element(classes.begin(), classes.end(),
                       [](const auto& a, const auto& b) { return a.images < b.images; });
  if (smallest != classes.end() && smallest->images < kFewImages) {
    doubts.push_back(fmt::format("{} has {} images: one of them is {:.0f} % of its recall.",
                                 evaluation.class_names[smallest->label], smallest->images,
                                 100.0 / smallest->images));
  }
  return doubts;
}

Table class_table(const Evaluation& evaluation, const std::vector<ClassScores>& classes) {
  Table table{
      {"class", "images", "correct", "precision, %", "recall, %", "F1, %", "most often taken for"},
      {}};
  const auto& names = evaluation.class_names;
  for (const auto& entry : classes) {
    table.rows.push_back({names[entry.label], std::to_string(entry.images),
                          std::to_string(entry.correct), fmt::format("{:.2f}", entry.precision()),
                          fmt::format("{:.2f}", entry.recall()), fmt::format("{:.2f}", entry.f1()),
                          entry.mistaken_for < 0 ? "" : names[entry.mistaken_for]});
  }
  return table;
}

/// The worst first; of many classes only these are in sight.
std::string class_section(const Evaluation& evaluation) {
  constexpr size_t kInSight = 20;
  auto classes = per_class(evaluation.images);
  std::stable_sort(classes.begin(), classes.end(),
                   [](const auto& a, const auto& b) { return a.f1() < b.f1(); });
  if (classes.size() <= 2 * kInSight) return html::table(class_table(evaluation, classes));
  const std::vector<ClassScores> worst(classes.begin(), classes.begin() + kInSight);
  return html::table(class_table(evaluation, worst)) +
         html::details(fmt::format("All {} classes", classes.size()),
                       html::table(class_table(evaluation, classes)));
}

/// The pairs that are confused most, and the whole matrix where it is legible.
std::string confusion_section(const Evaluation& evaluation) {
  constexpr size_t kInSight = 20;
  const auto& names = evaluation.class_names;
  Table table{{"label", "taken for", "images", "of the label, %"}, {}};
  for (const auto& pair : most_confused(evaluation.images, kInSight)) {
    table.rows.push_back({names[pair.label], names[pair.prediction], std::to_string(pair.images),
                          fmt::format("{:.2f}", pair.share)});
  }
  std::string body = table.rows.empty() ? html::paragraph("No image is taken for another class.")
                                        : html::table(table);
  if (names.size() <= kMostDrawnClasses) body += html::figures({confusion_svg(evaluation)});
  return body;
}

}  // namespace

std::string evaluation_page(const Evaluation& evaluation, const Model& model,
                            const ImageList& list) {
  const Calibration calibration = calibrate(evaluation.images);
  const std::string measured = fmt::format("{} ({}) on {}", model.origin, model.form, list.origin);
  const std::string error =
      fmt::format("Expected calibration error: {:.2f} % ({} bins of equal width, {} images).",
                  calibration.ece, calibration.bins.size(), calibration.images);
  return html::page("Evaluation",
                    html::paragraph(measured) + html::table(summary(evaluation, calibration)) +
                        html::doubts(doubts_of(evaluation)) +
                        html::link("mistakes.html", "The worst mistakes") +
                        html::heading("Calibration") +
                        html::figures({reliability_svg(calibration), confidence_svg(calibration)}) +
                        html::paragraph(error) + html::heading("Classes, the lowest F1 first") +
                        class_section(evaluation) + html::heading("Most confused classes") +
                        confusion_section(evaluation));
}

void require_report(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& inputs) {
  require_outputs(dir,
                  {"report.html", "mistakes.html", "per_class.csv", "confused_pairs.csv",
                   "confusion.csv", "confusion.svg", "calibration.csv", "mistakes.csv"},
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
  write_whole(dir / "confused_pairs.csv", confused_pairs_csv(evaluation));
  const size_t classes = evaluation.class_names.size();
  if (classes <= kMostMatrixClasses) write_whole(dir / "confusion.csv", confusion_csv(evaluation));
  if (classes <= kMostDrawnClasses) write_whole(dir / "confusion.svg", confusion_svg(evaluation));
  write_whole(dir / "calibration.csv", calibration_csv(calibrate(evaluation.images)));
  write_whole(dir / "mistakes.csv", mistakes_csv(evaluation, list));
  write_whole(dir / "mistakes.html", mistakes_page(evaluation, list, thumbnails));
}

}  // namespace mobileone
