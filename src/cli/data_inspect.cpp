#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/sheet_file.h"
#include "mobileone/config/reader.h"
#include "mobileone/data/box_cut.h"
#include "mobileone/data/detect_transforms.h"
#include "mobileone/data/inspect.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/model/anchors.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct InspectOptions {
  std::string source, sheet, anchors;
  DataConfig data;  ///< what masks and boxes are
  int64_t workers = 2;
  bool json = false;
};

using Json = nlohmann::ordered_json;

Json to_json(const Spread& spread) {
  return {{"least", spread.least}, {"median", spread.median}, {"most", spread.most}};
}

int64_t count_mislabelled(const ImageList& list, const Inspection& found) {
  return std::count_if(
      found.duplicates.begin(), found.duplicates.end(),
      [&](const Duplicate& pair) { return list.labels[pair.first] != list.labels[pair.index]; });
}

double percent(int64_t part, int64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
}

constexpr std::array kQuantiles = {0.01, 0.1, 0.5, 0.9, 0.99};

/// Of the sides of squares as large as the boxes, in percent of those of squares as large as their
/// images.
std::vector<double> side_quantiles(const BoxCounts& boxes) {
  std::vector<double> sides;
  for (const auto& [box, image] : boxes.learnt) {
    const auto pixels = static_cast<double>(image.width * image.height);
    sides.push_back(100 * std::sqrt(box.area() / pixels));
  }
  std::ranges::sort(sides);
  std::vector<double> quantiles;
  for (const double quantile : kQuantiles) {
    const double last = static_cast<double>(std::ssize(sides)) - 1;
    quantiles.push_back(sides.empty() ? 0 : sides[static_cast<size_t>(quantile * last)]);
  }
  return quantiles;
}

/// How many boxes have no anchor of a configuration's that overlaps them enough to be learnt from
/// them alone.
struct Unreached {
  std::string config;
  int64_t size = 0;  ///< px, of the network's image
  double iou = 0;
  int64_t boxes = 0;
};

Unreached count_unreached(const BoxCounts& boxes, const std::string& path) {
  Config config = load_config(path, {});
  if (config.model.head != HeadKind::kSsdLite) {
    throw Error("{}: has no anchors; --anchors takes a configuration with model.head=ssdlite",
                path);
  }
  config.model.num_classes = std::ssize(boxes.per_class);
  Unreached result{path, config.data.eval_crop, config.detect.positive_iou};
  const auto head = std::get<SsdLiteOptions>(network_options(config).head);
  const std::vector<Box> anchors = anchor_boxes(ssd_anchors(head, result.size, result.size));
  const Transform transform = detect_eval_transform(config.data);
  Random random(0);
  for (const auto& [box, image] : boxes.learnt) {
    const Cut cut = transform.cut(image.height, image.width, {}, random);
    const Box shown = cut_box(cut, box);
    result.boxes += std::ranges::none_of(
        anchors, [&](const Box& anchor) { return iou(shown, anchor) >= result.iou; });
  }
  return result;
}

Json boxes_to_json(const BoxCounts& boxes, const std::optional<Unreached>& unreached) {
  Json json = {{"boxes", boxes.boxes},
               {"crowds", boxes.crowds},
               {"difficult", boxes.difficult},
               {"empty", boxes.empty},
               {"outside", boxes.outside},
               {"images_without", boxes.images_without},
               {"small", boxes.by_area[0]},
               {"medium", boxes.by_area[1]},
               {"large", boxes.by_area[2]},
               {"side_quantiles", kQuantiles},
               {"side_percent", side_quantiles(boxes)}};
  if (unreached) {
    json["anchors"] = {
        {"size", unreached->size}, {"iou", unreached->iou}, {"unreached_boxes", unreached->boxes}};
  }
  return json;
}

void print_json(const ImageList& list, const Inspection& found,
                const std::optional<Unreached>& unreached) {
  Json duplicates = Json::array();
  for (const auto& pair : found.duplicates) {
    duplicates.push_back({list.name(pair.first), list.name(pair.index)});
  }
  Json classes = Json::array();
  for (int64_t i = 0; i < std::ssize(found.images_per_class); ++i) {
    classes.push_back({{"class", list.class_name(i)}, {"images", found.images_per_class[i]}});
    if (found.masks) classes.back()["pixels"] = found.masks->per_class[i];
    if (found.boxes) classes.back()["boxes"] = found.boxes->per_class[i];
  }
  Json json = {{"images", found.images},
               {"bytes", found.bytes},
               {"classes", classes},
               {"images_per_class", to_json(spread(found.images_per_class))},
               {"width", to_json(found.widths)},
               {"height", to_json(found.heights)},
               {"formats", found.formats},
               {"bad", found.bad},
               {"duplicates", duplicates},
               {"duplicates_under_other_labels", count_mislabelled(list, found)},
               {"sha1", fingerprint(list)}};
  if (found.boxes) json["boxes"] = boxes_to_json(*found.boxes, unreached);
  if (found.masks) {
    json["masks"] = {{"pixels", found.masks->pixels},
                     {"ignored_pixels", found.masks->ignored},
                     {"median_frequency_weights", median_frequency_weights(*found.masks)},
                     {"bad", found.masks->bad}};
  }
  fmt::print("{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void print_spread(const char* what, const Spread& spread) {
  fmt::print("{:<18}{} to {}, median {}\n", what, spread.least, spread.most, spread.median);
}

/// The first of what may be many.
void print_lines(const std::vector<std::string>& lines) {
  constexpr size_t kShown = 20;
  for (size_t i = 0; i < std::min(kShown, lines.size()); ++i) {
    fmt::print("  {}\n", one_line(lines[i]));
  }
  if (lines.size() > kShown) fmt::print("  and {} more (--json)\n", lines.size() - kShown);
}

/// The classes of masks, how much there is of each, and weights of them.
void print_masks(const ImageList& list, const Inspection& found) {
  const MaskPixels& masks = *found.masks;
  const std::vector<double> weights = median_frequency_weights(masks);
  const int64_t labelled = masks.pixels - masks.ignored;
  fmt::print("{:<18}{:.1f} million, {:.2f} % of them ignored\n", "pixels of masks",
             static_cast<double>(masks.pixels) / 1e6, percent(masks.ignored, masks.pixels));
  fmt::print("  {:>6}  {:>8}  {:>8}  class\n", "images", "pixels", "weight");
  std::string nowhere, pasted;
  for (int64_t i = 0; i < std::ssize(weights); ++i) {
    fmt::print("  {:>6}  {:>6.2f} %  {:>8.4g}  {}\n", found.images_per_class[i],
               percent(masks.per_class[i], labelled), weights[i], list.class_name(i));
    pasted += fmt::format("{}{:.4g}", i == 0 ? "" : ",", weights[i]);
    if (masks.per_class[i] == 0) nowhere += (nowhere.empty() ? "" : ", ") + list.class_name(i);
  }
  if (!nowhere.empty()) fmt::print("{:<18}{}\n", "occur nowhere", nowhere);
  fmt::print("the weights, by median frequency: loss.class_weights=[{}]\n", pasted);
}

/// The boxes of each class, and how large they are.
void print_boxes(const ImageList& list, const Inspection& found,
                 const std::optional<Unreached>& unreached) {
  const BoxCounts& boxes = *found.boxes;
  fmt::print("{:<18}{}: {} of crowds, {} difficult, {} empty, {} reach out of their images\n",
             "boxes", boxes.boxes, boxes.crowds, boxes.difficult, boxes.empty, boxes.outside);
  fmt::print("{:<18}{} images ({:.1f} %)\n", "without boxes", boxes.images_without,
             percent(boxes.images_without, found.images));
  fmt::print("  {:>6}  {:>8}  class\n", "images", "boxes");
  for (int64_t i = 0; i < std::ssize(boxes.per_class); ++i) {
    fmt::print("  {:>6}  {:>8}  {}\n", found.images_per_class[i], boxes.per_class[i],
               list.class_name(i));
  }
  const auto [small, medium, large] = boxes.by_area;
  fmt::print("{:<18}{:.1f} % small, {:.1f} % medium, {:.1f} % large (below 32² px, 96² px)\n",
             "areas", percent(small, boxes.boxes), percent(medium, boxes.boxes),
             percent(large, boxes.boxes));
  const auto sides = side_quantiles(boxes);
  fmt::print("{:<18}", "sides");
  for (size_t i = 0; i < sides.size(); ++i) {
    fmt::print("{}{:g} % up to {:.1f} %", i == 0 ? "" : ", ", 100 * kQuantiles[i], sides[i]);
  }
  fmt::print(" of the image's (square roots of areas)\n");
  if (!unreached) return;
  fmt::print(
      "{:<18}{} of the boxes that are learnt ({:.1f} %) overlap none by {:g} at {} px ({})\n",
      "anchors", unreached->boxes, percent(unreached->boxes, std::ssize(boxes.learnt)),
      unreached->iou, unreached->size, unreached->config);
}

void print_text(const ImageList& list, const Inspection& found,
                const std::optional<Unreached>& unreached) {
  fmt::print("{}: {} images {} {} classes, {:.1f} MB\n", list.origin, found.images,
             found.masks   ? "with masks of"
             : found.boxes ? "with boxes of"
                           : "of",
             found.images_per_class.size(), found.bytes / 1e6);
  print_spread("images of a class", spread(found.images_per_class));
  print_spread("width, px", found.widths);
  print_spread("height, px", found.heights);
  for (const auto& [format, count] : found.formats) fmt::print("{:<18}{}\n", format, count);
  if (found.masks) {
    print_masks(list, found);
  } else if (found.boxes) {
    print_boxes(list, found, unreached);
  } else if (found.images_per_class.size() <= 100) {
    for (int64_t i = 0; i < std::ssize(found.images_per_class); ++i) {
      fmt::print("  {:>6}  {}\n", found.images_per_class[i], list.class_name(i));
    }
  }
  fmt::print("{:<18}{}", "duplicates", found.duplicates.size());
  if (!found.masks && !found.boxes)
    fmt::print(", of them {} under another label", count_mislabelled(list, found));
  fmt::print("\n");
  std::vector<std::string> lines;
  for (const auto& pair : found.duplicates) {
    lines.push_back(list.name(pair.index) + " is " + list.name(pair.first));
  }
  print_lines(lines);
  fmt::print("{:<18}{}\n", "bad", found.bad.size());
  print_lines(found.bad);
  if (!found.masks) return;
  fmt::print("{:<18}{}\n", "bad masks", found.masks->bad.size());
  print_lines(found.masks->bad);
}

void inspect_data(const InspectOptions& options) {
  if (!options.sheet.empty()) require_format_ending("--sheet", options.sheet, kSheetEndings);
  set_threads(1);  // each worker decodes by itself
  if (!options.sheet.empty()) require_output(options.sheet, {options.source});
  const ImageList list = read_any_list(options.source, options.data.train_masks, options.data);
  if (!options.anchors.empty() && !list.objects) {
    throw Error("{}: has no boxes to compare with the anchors of {}", options.source,
                options.anchors);
  }
  const Inspection found = inspect(list, options.workers);
  if (!options.sheet.empty()) write_sheet(options.sheet, contact_sheet(list));
  std::optional<Unreached> unreached;
  if (!options.anchors.empty()) unreached = count_unreached(*found.boxes, options.anchors);
  options.json ? print_json(list, found, unreached) : print_text(list, found, unreached);
  if (!found.bad.empty()) {
    throw Error("{}: {} of {} images cannot be read", options.source, found.bad.size(),
                found.images);
  }
  if (found.masks && !found.masks->bad.empty()) {
    throw Error("{}: {} of {} masks cannot be used", options.source, found.masks->bad.size(),
                found.images);
  }
}

}  // namespace

void add_data_inspect(CLI::App& data) {
  auto options = std::make_shared<InspectOptions>();
  auto* command =
      data.add_subcommand("inspect", "Decode all images of a data set and say what is in it");
  command
      ->add_option(
          "source", options->source,
          "Folder, CSV list, tar shards or pack; of images with masks or boxes a list, or\n"
          "COCO's file of annotations, too")
      ->required();
  add_set_options(*command, options->data);
  command->add_option(
      "--sheet", options->sheet,
      "Picture (.png) or page (.html) to write: some images of each class, a row; or\n"
      "the first images with their masks or boxes");
  command->add_option("--anchors", options->anchors,
                      "Configuration with model.head=ssdlite, to whose anchors boxes are compared");
  command->add_option("--workers", options->workers, "Threads that read and decode")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->callback([options] { inspect_data(*options); });
}

}  // namespace mobileone::cli
