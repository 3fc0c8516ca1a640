#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/output_files.h"
#include "mobileone/cli/tasks.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/mask_picture.h"
#include "mobileone/eval/segmentation.h"
#include "mobileone/report/text.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/output.h"

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
    shares.push_back({i, class_name_of(model, i),
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

std::string text_of(const std::vector<ClassShare>& shares) {
  std::string text;
  for (const auto& each : shares) {
    text += fmt::format("  {:6.2f} %  {}\n", 100 * each.share, one_line(each.class_name));
  }
  return text;
}

std::vector<std::string> csv_of(const std::vector<ClassShare>& shares, const MaskFiles& files) {
  std::vector<std::string> rows;
  for (const auto& each : shares) {
    rows.push_back(fmt::format("{},{},{},{:.6g}", csv_field(valid_utf8(files.mask)), each.index,
                               csv_field(valid_utf8(each.class_name)), each.share));
  }
  return rows;
}

nlohmann::ordered_json json_of(const std::vector<ClassShare>& shares, const MaskFiles& files) {
  nlohmann::ordered_json json;
  if (!files.mask.empty()) json = {{"mask", files.mask}, {"overlay", files.overlay}};
  auto& classes = json["classes"] = nlohmann::ordered_json::array();
  for (const auto& each : shares) {
    classes.push_back({{"index", each.index}, {"class", each.class_name}, {"share", each.share}});
  }
  return json;
}

}  // namespace

void predict_masks(const PredictOptions& options, const Model& model, const ImageList& images,
                   PredictionPrinter& printer) {
  const int64_t count = classes_of(options, model);
  std::vector<MaskFiles> files;
  for (const std::string& stem : output_stems(options.output, images)) {
    files.push_back(stem.empty() ? MaskFiles{} : MaskFiles{stem + ".png", stem + "_overlay.jpg"});
    if (stem.empty()) continue;
    require_output(files.back().mask, {images.name(std::ssize(files) - 1)});
  }
  segment(model, images, options.inference.evaluation, [&](const SegmentedPicture& picture) {
    const std::string name = images.name(picture.index);
    if (!picture.error.empty()) return printer.print_error(name, picture.error);
    const MaskFiles& own = files[static_cast<size_t>(picture.index)];
    if (!own.mask.empty()) write_pictures(own, picture);
    std::vector<ClassShare> shares = shares_of(picture.mask, model);
    if (std::ssize(shares) > count) shares.resize(static_cast<size_t>(count));
    printer.print(name, {.file = own.mask,
                         .text = [&] { return text_of(shares); },
                         .csv = [&] { return csv_of(shares, own); },
                         .json = [&] { return json_of(shares, own); }});
  });
}

}  // namespace mobileone::cli
