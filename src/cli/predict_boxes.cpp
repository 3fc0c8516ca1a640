#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/output_files.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/data/box_picture.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/eval/detection.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

std::string text_of(const std::vector<Detection>& found, const Model& model) {
  std::string text;
  for (const auto& [box, label, score] : found) {
    text += fmt::format("  {:.3f}  {}  {:.1f} {:.1f} {:.1f} {:.1f}\n", score,
                        one_line(class_name_of(model, label)), box.left, box.top, box.right,
                        box.bottom);
  }
  return text;
}

std::vector<std::string> csv_of(const std::vector<Detection>& found, const Model& model) {
  std::vector<std::string> rows;
  for (const auto& [box, label, score] : found) {
    rows.push_back(fmt::format("{},{},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g}", label,
                               csv_field(valid_utf8(class_name_of(model, label))), score, box.left,
                               box.top, box.right, box.bottom));
  }
  return rows;
}

nlohmann::ordered_json json_of(const std::vector<Detection>& found, const Model& model,
                               const std::string& picture) {
  nlohmann::ordered_json json;
  if (!picture.empty()) json["picture"] = picture;
  auto& objects = json["objects"] = nlohmann::ordered_json::array();
  for (const auto& [box, label, score] : found) {
    objects.push_back({{"index", label},
                       {"class", class_name_of(model, label)},
                       {"score", score},
                       {"box", {box.left, box.top, box.right, box.bottom}}});
  }
  return json;
}

}  // namespace

void predict_boxes(const PredictOptions& options, const Model& model, const ImageList& images,
                   PredictionPrinter& printer) {
  constexpr double kUsual = 0.3;
  const double least_score = options.least_score.value_or(kUsual);
  if (options.count) {
    throw Error("--top: is for classes; {} finds objects (--least-score)", model.origin);
  }
  const std::vector<std::string> stems = output_stems(options.output, images);
  if (!options.output.empty()) {
    for (int64_t i = 0; i < images.size(); ++i) {
      require_output(stems[static_cast<size_t>(i)] + ".jpg", {images.name(i)});
    }
  }
  constexpr int kQuality = 90;
  detect(model, images, options.inference.evaluation, [&](DetectedPicture detected) {
    const std::string name = images.name(detected.index);
    if (!detected.error.empty()) return printer.print_error(name, detected.error);
    auto& found = detected.found;
    std::erase_if(found, [&](const Detection& each) { return each.score < least_score; });
    std::string picture;
    if (!options.output.empty()) {
      picture = stems[static_cast<size_t>(detected.index)] + ".jpg";
      const auto pixels = read_pixels(images, detected.index, model.config.data.exif_orientation);
      write_whole(picture,
                  encode_jpeg(with_detections(pixels, found, model.class_names), kQuality));
    }
    printer.print(name, {.file = picture,
                         .text = [&] { return text_of(found, model); },
                         .csv = [&] { return csv_of(found, model); },
                         .json = [&] { return json_of(found, model, picture); }});
  });
}

}  // namespace mobileone::cli
