#include "mobileone/eval/segmentation_report.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mobileone/data/jpeg.h"
#include "mobileone/data/mask_picture.h"
#include "mobileone/eval/confusion.h"
#include "mobileone/report/page.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/output.h"

namespace mobileone {
namespace {

double percent(int64_t part, int64_t whole) {
  return whole > 0 ? 100.0 * static_cast<double>(part) / static_cast<double>(whole)
                   : std::numeric_limits<double>::quiet_NaN();
}

std::string number(double value) { return number_or("–", value); }

/// The images of the lowest mIoU first.
std::vector<SegmentedImage> worst_images(const SegmentationEvaluation& evaluation, int64_t most) {
  std::vector<SegmentedImage> images;
  std::ranges::copy_if(evaluation.images, std::back_inserter(images),
                       [](const SegmentedImage& image) { return std::isfinite(image.miou); });
  std::ranges::stable_sort(images, {}, &SegmentedImage::miou);
  images.resize(std::min<size_t>(images.size(), static_cast<size_t>(most)));
  return images;
}

Table summary(const SegmentationEvaluation& evaluation) {
  const auto& meter = evaluation.meter;
  return {
      {"images", "unreadable", "mIoU, %", "pixel accuracy, %", "loss", "labelled pixels", "img/s"},
      {{std::to_string(meter.images()), std::to_string(evaluation.damaged),
        number(meter.confusion().miou()), number(meter.confusion().pixel_accuracy()),
        fmt::format("{:.4f}", meter.loss()), std::to_string(meter.confusion().pixels()),
        fmt::format("{:.1f}", evaluation.images_per_second())}}};
}

std::vector<std::string> doubts_of(const SegmentationEvaluation& evaluation) {
  std::vector<std::string> doubts;
  if (evaluation.damaged > 0) {
    doubts.push_back(
        fmt::format("{} images could not be read and are left out.", evaluation.damaged));
  }
  if (evaluation.meter.without_numbers() > 0) {
    doubts.push_back(fmt::format("Of {} images the logits are not finite numbers.",
                                 evaluation.meter.without_numbers()));
  }
  const auto classes = per_class(evaluation.meter.confusion());
  const auto absent = std::ranges::count_if(
      classes, [](const SegmentedClass& each) { return std::isnan(each.recall); });
  if (absent > 0) {
    doubts.push_back(
        fmt::format("{} of {} classes have no labelled pixel.", absent, classes.size()));
  }
  return doubts;
}

/// The lowest IoU first.
Table class_table(const SegmentationEvaluation& evaluation) {
  auto classes = per_class(evaluation.meter.confusion());
  std::ranges::stable_sort(classes, [](const auto& a, const auto& b) {
    return std::isnan(b.iou) ? !std::isnan(a.iou) : a.iou < b.iou;
  });
  Table table{{"class", "IoU, %", "recall, %", "precision, %", "of the pixels, %"}, {}};
  for (const auto& each : classes) {
    table.rows.push_back({evaluation.class_names[static_cast<size_t>(each.label)], number(each.iou),
                          number(each.recall), number(each.precision), number(each.share)});
  }
  return table;
}

/// The classes whose pixels are taken for others, as shares of the label's pixels.
std::string confusion_section(const SegmentationEvaluation& evaluation) {
  constexpr size_t kInSight = 20;
  struct Pair {
    int64_t label, prediction;
    double share;
  };
  const auto& names = evaluation.class_names;
  const auto counts = evaluation.meter.confusion().counts();
  const auto totals = counts.sum(1);
  std::vector<Pair> pairs;
  std::vector<ConfusionCount> percents;
  for (int64_t i = 0; i < counts.size(0); ++i) {
    for (int64_t j = 0; j < counts.size(1); ++j) {
      const double share = percent(counts[i][j].item<int64_t>(), totals[i].item<int64_t>());
      if (std::isnan(share) || share == 0) continue;
      if (std::lround(share) > 0) percents.push_back({i, j, std::lround(share)});
      if (i != j) pairs.push_back({i, j, share});
    }
  }
  std::ranges::stable_sort(pairs, std::greater(), &Pair::share);
  Table table{{"label", "taken for", "of the label, %"}, {}};
  for (const Pair& pair : pairs) {
    if (table.rows.size() == kInSight) break;
    table.rows.push_back({names[static_cast<size_t>(pair.label)],
                          names[static_cast<size_t>(pair.prediction)], number(pair.share)});
  }
  std::string body = html::table(table);
  if (names.size() <= kMostDrawnClasses) {
    body += html::paragraph("Percent of the label's pixels:") +
            html::figures({confusion_svg(names, percents)});
  }
  return body;
}

/// Picture, mask and prediction side by side, at most 240 px high.
std::string triptych(const at::Tensor& image, const at::Tensor& label,
                     const at::Tensor& predicted) {
  constexpr double kOpacity = 0.6;
  constexpr int64_t kHeight = 240;
  return small_jpeg(
      at::cat({image, overlay(image, label, kOpacity), overlay(image, predicted, kOpacity)}, 1),
      kHeight);
}

std::vector<Card> worst_cards(const SegmentationEvaluation& evaluation, const Model& model,
                              const ImageList& list, const EvaluationOptions& options,
                              int64_t shown) {
  std::vector<Card> cards;
  for (const auto& worst : worst_images(evaluation, shown)) {
    const std::string caption = fmt::format("mIoU {:.1f} %, {:.1f} % of the pixels right",
                                            worst.miou, worst.pixel_accuracy);
    try {
      const SegmentedPicture picture = segment_one(model, list, worst.index, options.precision);
      const at::Tensor label = list.annotation(worst.index).mask;
      cards.push_back(
          {triptych(picture.image, label, picture.mask), {caption, list.name(worst.index)}});
    } catch (const Error&) {
      cards.push_back({"", {caption, list.name(worst.index) + ": cannot be read any more"}});
    }
  }
  return cards;
}

std::vector<Key> keys_of(const std::vector<std::string>& class_names) {
  std::vector<Key> keys;
  for (size_t i = 0; i < class_names.size(); ++i) {
    keys.push_back({class_color(static_cast<int64_t>(i)), class_names[i]});
  }
  return keys;
}

std::string page(const SegmentationEvaluation& evaluation, const Model& model,
                 const ImageList& list, const EvaluationOptions& options, int64_t shown) {
  const std::string measured = fmt::format("{} ({}) on {}", model.origin, model.form, list.origin);
  const std::vector<Card> cards = worst_cards(evaluation, model, list, options, shown);
  std::string body = html::paragraph(measured) + html::table(summary(evaluation)) +
                     html::doubts(doubts_of(evaluation)) +
                     html::heading("Classes, the lowest IoU first") +
                     html::table(class_table(evaluation)) + html::heading("Most confused classes") +
                     confusion_section(evaluation);
  if (!cards.empty()) {
    body += html::heading("Images of the lowest mIoU: picture, mask, prediction") +
            html::legend(keys_of(evaluation.class_names)) + html::wide_contact_sheet(cards);
  }
  return html::page("Evaluation", body);
}

std::string confusion_csv(const SegmentationEvaluation& evaluation) {
  std::string text = "label";
  for (const auto& name : evaluation.class_names) text += "," + csv_field(name);
  const auto& counts = evaluation.meter.confusion().counts();
  for (int64_t i = 0; i < counts.size(0); ++i) {
    text += "\n" + csv_field(evaluation.class_names[static_cast<size_t>(i)]);
    for (int64_t j = 0; j < counts.size(1); ++j) {
      text += fmt::format(",{}", counts[i][j].item<int64_t>());
    }
  }
  return text + "\n";
}

std::string images_csv(const SegmentationEvaluation& evaluation, const ImageList& list) {
  std::string text = "path,miou,pixel_accuracy\n";
  for (const auto& image : evaluation.images) {
    text += fmt::format("{},{:.4f},{:.4f}\n", csv_field(list.name(image.index)), image.miou,
                        image.pixel_accuracy);
  }
  return text;
}

}  // namespace

std::vector<SegmentedClass> per_class(const PixelConfusion& confusion) {
  const auto& counts = confusion.counts();
  const auto labelled = counts.sum(1), predicted = counts.sum(0);
  const std::vector<double> iou = confusion.class_iou();
  std::vector<SegmentedClass> classes;
  for (int64_t i = 0; i < confusion.classes(); ++i) {
    const auto hits = counts[i][i].item<int64_t>(), own = labelled[i].item<int64_t>();
    classes.push_back({i, iou[static_cast<size_t>(i)], percent(hits, own),
                       percent(hits, predicted[i].item<int64_t>()),
                       percent(own, confusion.pixels())});
  }
  return classes;
}

std::string per_class_csv(const SegmentationEvaluation& evaluation) {
  std::string text = "class,iou,recall,precision,share_of_pixels\n";
  for (const auto& each : per_class(evaluation.meter.confusion())) {
    text += fmt::format("{},{:.4f},{:.4f},{:.4f},{:.4f}\n",
                        csv_field(evaluation.class_names[static_cast<size_t>(each.label)]),
                        each.iou, each.recall, each.precision, each.share);
  }
  return text;
}

void require_segmentation_report(const std::filesystem::path& dir,
                                 const std::vector<std::filesystem::path>& inputs) {
  require_outputs(dir, {"report.html", "per_class.csv", "confusion.csv", "images.csv"}, inputs);
}

void write_segmentation_report(const std::filesystem::path& dir,
                               const SegmentationEvaluation& evaluation, const Model& model,
                               const ImageList& list, const EvaluationOptions& options,
                               int64_t shown) {
  write_whole(dir / "report.html", page(evaluation, model, list, options, shown));
  write_whole(dir / "per_class.csv", per_class_csv(evaluation));
  write_whole(dir / "confusion.csv", confusion_csv(evaluation));
  write_whole(dir / "images.csv", images_csv(evaluation, list));
}

}  // namespace mobileone
