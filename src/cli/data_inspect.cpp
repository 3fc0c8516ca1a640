#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/cli/sheet_file.h"
#include "mobileone/data/inspect.h"
#include "mobileone/data/mask_sets.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"
#include "mobileone/util/output.h"

namespace mobileone::cli {
namespace {

struct InspectOptions {
  std::string source, sheet;
  DataConfig data;  ///< what masks are
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

void print_json(const ImageList& list, const Inspection& found) {
  Json duplicates = Json::array();
  for (const auto& pair : found.duplicates) {
    duplicates.push_back({list.name(pair.first), list.name(pair.index)});
  }
  Json classes = Json::array();
  for (int64_t i = 0; i < std::ssize(found.images_per_class); ++i) {
    classes.push_back({{"class", list.class_name(i)}, {"images", found.images_per_class[i]}});
    if (found.masks) classes.back()["pixels"] = found.masks->per_class[i];
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

double percent(int64_t part, int64_t whole) {
  return 100.0 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
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

void print_text(const ImageList& list, const Inspection& found) {
  fmt::print("{}: {} images {} {} classes, {:.1f} MB\n", list.origin, found.images,
             found.masks ? "with masks of" : "of", found.images_per_class.size(),
             found.bytes / 1e6);
  print_spread("images of a class", spread(found.images_per_class));
  print_spread("width, px", found.widths);
  print_spread("height, px", found.heights);
  for (const auto& [format, count] : found.formats) fmt::print("{:<18}{}\n", format, count);
  if (found.masks) {
    print_masks(list, found);
  } else if (found.images_per_class.size() <= 100) {
    for (int64_t i = 0; i < std::ssize(found.images_per_class); ++i) {
      fmt::print("  {:>6}  {}\n", found.images_per_class[i], list.class_name(i));
    }
  }
  fmt::print("{:<18}{}", "duplicates", found.duplicates.size());
  if (!found.masks) fmt::print(", of them {} under another label", count_mislabelled(list, found));
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
  const Inspection found = inspect(list, options.workers);
  if (!options.sheet.empty()) write_sheet(options.sheet, contact_sheet(list));
  options.json ? print_json(list, found) : print_text(list, found);
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
      ->add_option("source", options->source,
                   "Folder, CSV list, tar shards or pack; of images with masks a list, too")
      ->required();
  add_mask_options(*command, options->data);
  command->add_option(
      "--sheet", options->sheet,
      "Picture (.png) or page (.html) to write: some images of each class, a row; or\n"
      "the first images with their masks");
  command->add_option("--workers", options->workers, "Threads that read and decode")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print one JSON object and nothing else");
  command->callback([options] { inspect_data(*options); });
}

}  // namespace mobileone::cli
