#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mobileone/cli/output_files.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/mask_picture.h"
#include "mobileone/eval/segmentation.h"
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

/// A class and the share of the picture that it takes, 0 to 1.
struct ClassShare {
  int64_t index;
  std::string class_name;
  double share;
};

/// The largest first.
std::vector<ClassShare> shares_of(const at::Tensor& mask, const Model& model) {
  const auto counts = mask.flatten().to(at::kLong).bincount();
  std::vector<ClassShare> shares;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    const auto pixels = counts[i].item<int64_t>();
    if (pixels == 0) continue;
    const bool named = i < std::ssize(model.class_names);
    shares.push_back({i, named ? model.class_names[static_cast<size_t>(i)] : std::to_string(i),
                      static_cast<double>(pixels) / static_cast<double>(mask.numel())});
  }
  std::ranges::stable_sort(shares, std::greater(), &ClassShare::share);
  return shares;
}

/// Where the pictures of an image go; empty where none are asked for.
struct MaskFiles {
  std::string mask, overlay;
};

void write_pictures(const MaskFiles& files, const SegmentedPicture& picture) {
  constexpr double kOpacity = 0.5;
  constexpr int kQuality = 90;
  write_whole(files.mask, encode_mask_png(picture.mask));
  write_whole(files.overlay, encode_jpeg(overlay(picture.image, picture.mask, kOpacity), kQuality));
}

/// Prints each image as it comes.
class MaskPrinter {
 public:
  MaskPrinter(PredictionFormat format, int64_t count) : format_(format), count_(count) {
    if (format == PredictionFormat::kCsv) fmt::print("image,mask,index,class,share,error\n");
  }

  void print(const std::string& name, const MaskFiles& files, std::vector<ClassShare> shares,
             const std::string& error) {
    if (std::ssize(shares) > count_) shares.resize(static_cast<size_t>(count_));
    switch (format_) {
      case PredictionFormat::kText:
        if (!error.empty()) return;  // the log has it
        fmt::print("{}{}\n", one_line(name),
                   files.mask.empty() ? "" : " -> " + one_line(files.mask));
        for (const auto& each : shares) {
          fmt::print("  {:6.2f} %  {}\n", 100 * each.share, one_line(each.class_name));
        }
        return;
      case PredictionFormat::kCsv:
        return print_csv(csv_field(valid_utf8(name)), csv_field(valid_utf8(files.mask)), shares,
                         error);
      case PredictionFormat::kJson:
        fmt::print("{}{}", any_ ? ",\n" : "[", to_json(name, files, shares, error));
        any_ = true;
        return;
      case PredictionFormat::kJsonLines:
        return fmt::print("{}\n", to_json(name, files, shares, error));
    }
  }

  void end() {
    if (format_ == PredictionFormat::kJson) fmt::print("]\n");
  }

 private:
  static void print_csv(const std::string& name, const std::string& mask,
                        const std::vector<ClassShare>& shares, const std::string& error) {
    if (!error.empty()) fmt::print("{},,,,,{}\n", name, csv_field(valid_utf8(error)));
    for (const auto& each : shares) {
      fmt::print("{},{},{},{},{:.6g},\n", name, mask, each.index,
                 csv_field(valid_utf8(each.class_name)), each.share);
    }
  }

  static std::string to_json(const std::string& name, const MaskFiles& files,
                             const std::vector<ClassShare>& shares, const std::string& error) {
    nlohmann::ordered_json json = {{"image", name}};
    if (!error.empty()) {
      json["error"] = error;
    } else {
      if (!files.mask.empty()) json.update({{"mask", files.mask}, {"overlay", files.overlay}});
      auto& classes = json["classes"] = nlohmann::ordered_json::array();
      for (const auto& each : shares) {
        classes.push_back(
            {{"index", each.index}, {"class", each.class_name}, {"share", each.share}});
      }
    }
    // Names and paths may be any bytes.
    return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  }

  const PredictionFormat format_;
  const int64_t count_;
  bool any_ = false;
};

}  // namespace

void predict_masks(const PredictOptions& options, const Model& model, const ImageList& images) {
  std::vector<MaskFiles> files;
  for (const std::string& stem : output_stems(options.output, images)) {
    files.push_back(stem.empty() ? MaskFiles{} : MaskFiles{stem + ".png", stem + "_overlay.jpg"});
    if (stem.empty()) continue;
    require_output(files.back().mask, {images.name(std::ssize(files) - 1)});
  }
  MaskPrinter printer(options.format, options.count);
  std::optional<Progress> progress;  // where it is not between the results
  if (::isatty(STDOUT_FILENO) == 0) progress.emplace("predicting", images.size(), "img");
  int64_t done = 0;
  const int64_t unreadable =
      segment(model, images, options.inference.evaluation, [&](const SegmentedPicture& picture) {
        const MaskFiles& own = files[static_cast<size_t>(picture.index)];
        std::vector<ClassShare> shares;
        if (picture.error.empty()) {
          if (!own.mask.empty()) write_pictures(own, picture);
          shares = shares_of(picture.mask, model);
        } else {
          log::warning("left out: {}", picture.error);
        }
        printer.print(images.name(picture.index), own, shares, picture.error);
        if (progress) progress->update(++done, "");
      });
  printer.end();
  if (unreadable > 0) {
    throw Error("{} of {} images could not be read", unreadable, images.size());
  }
}

}  // namespace mobileone::cli
