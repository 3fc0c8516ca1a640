#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
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
#include "mobileone/util/log.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/output.h"
#include "mobileone/util/progress.h"

namespace mobileone::cli {
namespace {

std::string name_of(const Model& model, int64_t label) {
  return label < std::ssize(model.class_names) ? model.class_names[static_cast<size_t>(label)]
                                               : std::to_string(label);
}

/// Prints each image as it comes.
class BoxPrinter {
 public:
  BoxPrinter(const Model& model, PredictionFormat format) : model_(model), format_(format) {
    if (format == PredictionFormat::kCsv) {
      fmt::print("image,index,class,score,left,top,right,bottom,error\n");
    }
  }

  void print(const std::string& name, const std::string& picture, const DetectedPicture& detected) {
    switch (format_) {
      case PredictionFormat::kText:
        if (!detected.error.empty()) return;  // the log has it
        fmt::print("{}{}\n", one_line(name), picture.empty() ? "" : " -> " + one_line(picture));
        for (const Detection& each : detected.found) {
          fmt::print("  {:.3f}  {}  {:.1f} {:.1f} {:.1f} {:.1f}\n", each.score,
                     one_line(name_of(model_, each.label)), each.box.left, each.box.top,
                     each.box.right, each.box.bottom);
        }
        return;
      case PredictionFormat::kCsv:
        return print_csv(csv_field(valid_utf8(name)), detected);
      case PredictionFormat::kJson:
        fmt::print("{}{}", any_ ? ",\n" : "[", to_json(name, picture, detected));
        any_ = true;
        return;
      case PredictionFormat::kJsonLines:
        return fmt::print("{}\n", to_json(name, picture, detected));
    }
  }

  void end() {
    if (format_ == PredictionFormat::kJson) fmt::print("{}]\n", any_ ? "" : "[");
  }

 private:
  void print_csv(const std::string& name, const DetectedPicture& detected) const {
    if (!detected.error.empty()) {
      fmt::print("{},,,,,,,,{}\n", name, csv_field(valid_utf8(detected.error)));
    }
    for (const auto& [box, label, score] : detected.found) {
      fmt::print("{},{},{},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},\n", name, label,
                 csv_field(valid_utf8(name_of(model_, label))), score, box.left, box.top, box.right,
                 box.bottom);
    }
  }

  std::string to_json(const std::string& name, const std::string& picture,
                      const DetectedPicture& detected) const {
    nlohmann::ordered_json json = {{"image", name}};
    if (!detected.error.empty()) {
      json["error"] = detected.error;
    } else {
      if (!picture.empty()) json["picture"] = picture;
      auto& objects = json["objects"] = nlohmann::ordered_json::array();
      for (const auto& [box, label, score] : detected.found) {
        objects.push_back({{"index", label},
                           {"class", name_of(model_, label)},
                           {"score", score},
                           {"box", {box.left, box.top, box.right, box.bottom}}});
      }
    }
    // Names and paths may be any bytes.
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  const Model& model_;
  const PredictionFormat format_;
  bool any_ = false;
};

}  // namespace

void predict_boxes(const PredictOptions& options, const Model& model, const ImageList& images) {
  const std::vector<std::string> stems = output_stems(options.output, images);
  if (!options.output.empty()) {
    for (int64_t i = 0; i < images.size(); ++i) {
      require_output(stems[static_cast<size_t>(i)] + ".jpg", {images.name(i)});
    }
  }
  constexpr int kQuality = 90;
  BoxPrinter printer(model, options.format);
  std::optional<Progress> progress;  // where it is not between the results
  if (::isatty(STDOUT_FILENO) == 0) progress.emplace("predicting", images.size(), "img");
  int64_t done = 0;
  const int64_t unreadable =
      detect(model, images, options.inference.evaluation, [&](DetectedPicture detected) {
        std::erase_if(detected.found,
                      [&](const Detection& each) { return each.score < options.least_score; });
        std::string picture;
        if (!detected.error.empty()) {
          log::warning("left out: {}", detected.error);
        } else if (!options.output.empty()) {
          picture = stems[static_cast<size_t>(detected.index)] + ".jpg";
          const auto pixels =
              read_pixels(images, detected.index, model.config.data.exif_orientation);
          write_whole(
              picture,
              encode_jpeg(with_detections(pixels, detected.found, model.class_names), kQuality));
        }
        printer.print(images.name(detected.index), picture, detected);
        if (progress) progress->update(++done, "");
      });
  printer.end();
  if (unreadable > 0) {
    throw Error("{} of {} images could not be read", unreadable, images.size());
  }
}

}  // namespace mobileone::cli
