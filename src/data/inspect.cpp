#include "mobileone/data/inspect.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <functional>
#include <span>
#include <tuple>
#include <utility>

#include "mobileone/data/annotation.h"
#include "mobileone/data/box_cut.h"
#include "mobileone/data/image.h"
#include "mobileone/data/index_mask.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/data/mask_cut.h"
#include "mobileone/data/png.h"
#include "mobileone/data/transforms.h"
#include "mobileone/util/crc32.h"
#include "mobileone/util/in_order.h"
#include "mobileone/util/progress.h"
#include "mobileone/util/system_error.h"

namespace mobileone {
namespace {

std::string format_of(std::string_view bytes) {
  using std::string_view_literals::operator""sv;
  if (is_jpeg(bytes)) return "jpeg";
  if (is_png(bytes)) return "png";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "webp";
  if (bytes.starts_with("BM")) return "bmp";
  if (bytes.starts_with("II*\0"sv) || bytes.starts_with("MM\0*"sv)) return "tiff";
  if (bytes.size() > 1 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6') return "pnm";
  return "other";
}

std::string_view stored_bytes(const StoredImage& image) {
  if (!image.is_decoded()) return image.bytes();
  return {static_cast<const char*>(image.pixels().const_data_ptr()),
          static_cast<size_t>(image.pixels().numel())};
}

struct Finding {
  std::string format, error;
  int64_t width = 0, height = 0;
  uint64_t size = 0;
  uint32_t crc = 0;
  std::string mask_error;
  std::array<int64_t, 256> labels{};  ///< of the mask's pixels
};

void look_at_mask(const ImageList& list, int64_t index, Finding& finding) {
  try {
    const at::Tensor mask = list.annotation(index).mask;
    require_mask_size(mask, finding.height, finding.width, list.name(index));
    finding.labels = label_counts(mask);
  } catch (const Error& error) {
    if (may_pass(error)) throw;
    finding.mask_error = error.what();
  }
}

Finding look_at(const ImageList& list, int64_t index) {
  Finding finding;
  try {
    const StoredImage stored = list.read(index);
    finding.size = stored_bytes(stored).size();
    finding.crc = crc32c(stored_bytes(stored));
    finding.format = stored.is_decoded() ? "pixels" : format_of(stored.bytes());
    const at::Tensor image =
        stored.is_decoded() ? stored.pixels() : decode_image(stored.bytes(), list.name(index));
    finding.height = image.size(0);
    finding.width = image.size(1);
    if (list.masks) look_at_mask(list, index, finding);
  } catch (const Error& error) {
    if (may_pass(error)) throw;
    finding.error = error.what();
  }
  return finding;
}

/// Size, check sum and position of an image: those with the same of the first two may be the same.
using Content = std::tuple<uint64_t, uint32_t, int64_t>;

bool are_same(const ImageList& list, int64_t a, int64_t b) {
  try {
    const StoredImage first = list.read(a), second = list.read(b);
    return stored_bytes(first) == stored_bytes(second);
  } catch (const Error&) {
    return false;  // gone by now
  }
}

std::vector<Duplicate> find_duplicates(const ImageList& list, std::vector<Content> contents) {
  std::sort(contents.begin(), contents.end());
  std::vector<Duplicate> duplicates;
  for (size_t first = 0, i = 1; i < contents.size(); ++i) {
    const auto& [size, crc, index] = contents[i];
    const auto& [first_size, first_crc, first_index] = contents[first];
    if (size != first_size || crc != first_crc) {
      first = i;
    } else if (are_same(list, first_index, index)) {
      duplicates.push_back({first_index, index});
    }
  }
  std::sort(duplicates.begin(), duplicates.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return duplicates;
}

/// Counts the pixels of a mask.
void add_mask(const Finding& finding, Inspection& result) {
  MaskPixels& masks = *result.masks;
  if (!finding.mask_error.empty()) {
    masks.bad.push_back(finding.mask_error);
    return;
  }
  const int64_t pixels = finding.height * finding.width;
  masks.pixels += pixels;
  masks.ignored += finding.labels[kIgnored];
  for (size_t label = 0; label < kIgnored; ++label) {
    if (finding.labels[label] == 0) continue;
    if (label >= masks.per_class.size()) {  // where classes have no names
      for (auto* counts : {&masks.per_class, &masks.around, &result.images_per_class}) {
        counts->resize(label + 1);
      }
    }
    masks.per_class[label] += finding.labels[label];
    masks.around[label] += pixels;
    ++result.images_per_class[label];
  }
}

/// Counts the boxes of an image.
void add_boxes(std::span<const Object> objects, const Finding& finding, Inspection& result) {
  BoxCounts& counts = *result.boxes;
  const auto width = static_cast<double>(finding.width);
  const auto height = static_cast<double>(finding.height);
  std::vector<bool> is_here(counts.per_class.size());
  for (const Object& object : objects) {
    const Box& box = object.box;
    ++counts.boxes;
    ++counts.per_class[object.label];
    counts.crowds += object.crowd;
    counts.difficult += object.difficult;
    counts.empty += !(box.area() > 0);
    counts.outside += reaches_out(box, width, height);
    ++counts.by_area[object.area < kSmallArea ? 0 : object.area < kLargeArea ? 1 : 2];
    is_here[object.label] = true;
    if (object.is_learnt()) {
      counts.learnt.push_back({box, {finding.width, finding.height}});
    }
  }
  counts.images_without += objects.empty();
  for (size_t label = 0; label < is_here.size(); ++label) {
    result.images_per_class[label] += is_here[label];
  }
}

}  // namespace

Spread spread(std::vector<int64_t> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  return {values.front(), values[(values.size() - 1) / 2], values.back()};
}

Inspection inspect(const ImageList& list, int64_t threads) {
  Inspection result;
  result.images = list.size();
  const int64_t labels = 1 + *std::max_element(list.labels.begin(), list.labels.end());
  result.images_per_class.resize(std::max(labels, std::ssize(list.class_names)));
  if (list.objects) {
    result.boxes.emplace();
    result.boxes->per_class.resize(list.class_names.size());
  }
  if (list.masks) {
    result.masks.emplace();
    result.masks->per_class.resize(list.class_names.size());
    result.masks->around.resize(list.class_names.size());
  }
  std::vector<int64_t> widths, heights;
  std::vector<Content> contents;
  Progress progress("inspecting", list.size(), "img");
  in_order(
      0, list.size(), threads, [&](int64_t i) { return look_at(list, i); },
      [&](int64_t i, const Finding& finding) {
        if (list.labels[i] >= 0) ++result.images_per_class[list.labels[i]];
        result.bytes += finding.size;
        if (!finding.format.empty()) ++result.formats[finding.format];
        if (finding.error.empty()) {
          widths.push_back(finding.width);
          heights.push_back(finding.height);
          contents.emplace_back(finding.size, finding.crc, i);
          if (list.masks) add_mask(finding, result);
          if (list.objects) add_boxes(list.objects->of(i), finding, result);
        } else {
          result.bad.push_back(finding.error);
        }
        progress.update(i + 1, "");
      });
  result.widths = spread(std::move(widths));
  result.heights = spread(std::move(heights));
  result.duplicates = find_duplicates(list, std::move(contents));
  return result;
}

std::vector<double> median_frequency_weights(const MaskPixels& masks) {
  std::vector<double> frequencies, present;
  for (size_t label = 0; label < masks.per_class.size(); ++label) {
    const auto around = static_cast<double>(std::max<int64_t>(1, masks.around[label]));
    frequencies.push_back(static_cast<double>(masks.per_class[label]) / around);
    if (frequencies.back() > 0) present.push_back(frequencies.back());
  }
  std::sort(present.begin(), present.end());
  const size_t count = present.size();
  const double median = count == 0 ? 0 : (present[(count - 1) / 2] + present[count / 2]) / 2;
  std::vector<double> weights;
  for (const double frequency : frequencies) {
    weights.push_back(frequency > 0 ? median / frequency : 1);
  }
  return weights;
}

namespace {

Sheet masked_sheet(const ImageList& list) {
  constexpr int64_t kMost = 40, kSide = 240;
  std::vector<Tile> tiles;
  std::array<int64_t, 256> labels{};
  for (int64_t i = 0; i < list.size() && std::ssize(tiles) < kMost; ++i) {
    try {
      const at::Tensor image = read_pixels(list, i), mask = list.annotation(i).mask;
      require_mask_size(mask, image.size(0), image.size(1), list.name(i));
      const Cut middle =
          central_cut(image.size(0), image.size(1), kSide, kSide, Interpolation::kBilinear);
      const at::Tensor shown = cut_mask(middle, mask);
      const auto counts = label_counts(shown);
      std::transform(counts.begin(), counts.end(), labels.begin(), labels.begin(), std::plus());
      tiles.push_back(masked_tile(apply_cut(middle, image), shown, list.storage->relative_name(i)));
    } catch (const Error&) {
      // `inspect` names it.
    }
  }
  if (tiles.empty()) tiles.emplace_back();
  return {fmt::format("{} images with masks", list.size()), std::move(tiles),
          mask_legend(list, labels)};
}

/// The first images, whole, with their boxes.
Sheet boxed_sheet(const ImageList& list) {
  constexpr int64_t kMost = 40, kSide = 240;
  std::vector<Tile> tiles;
  for (int64_t i = 0; i < list.size() && std::ssize(tiles) < kMost; ++i) {
    try {
      const at::Tensor image = read_pixels(list, i);
      const int64_t height = image.size(0), width = image.size(1), longer = std::max(height, width);
      const int64_t rows = std::max<int64_t>(1, kSide * height / longer);
      const int64_t columns = std::max<int64_t>(1, kSide * width / longer);
      const Cut whole{.box = {0, 0, height, width},
                      .height = rows,
                      .width = columns,
                      .window = {(rows - kSide) / 2, (columns - kSide) / 2, kSide, kSide},
                      .fill = {255, 255, 255}};
      std::vector<Object> objects = list.annotation(i).objects;
      for (Object& object : objects) object = cut_object(whole, object);
      tiles.push_back(
          boxed_tile(apply_cut(whole, image), objects, list, list.storage->relative_name(i)));
    } catch (const Error&) {
      // `inspect` names it.
    }
  }
  if (tiles.empty()) tiles.emplace_back();
  return {fmt::format("{} images with boxes", list.size()), std::move(tiles)};
}

}  // namespace

Sheet contact_sheet(const ImageList& list) {
  if (list.masks) return masked_sheet(list);
  if (list.objects) return boxed_sheet(list);
  constexpr int64_t kMostRows = 100, kSide = 160;
  const int64_t classes = 1 + *std::max_element(list.labels.begin(), list.labels.end());
  const int64_t rows = std::min(kMostRows, classes);
  std::vector<Tile> tiles(rows * kSheetColumns);
  std::vector<int64_t> shown(rows);
  for (int64_t i = 0; i < list.size(); ++i) {
    const int64_t row = list.labels[i];
    if (row >= rows || shown[row] == kSheetColumns) continue;
    try {
      const at::Tensor image = read_pixels(list, i);
      const Cut middle =
          central_cut(image.size(0), image.size(1), kSide, kSide, Interpolation::kBilinear);
      tiles[row * kSheetColumns + shown[row]] = {apply_cut(middle, image), {list.class_name(row)}};
      ++shown[row];
    } catch (const Error&) {
      // `inspect` names it.
    }
  }
  for (int64_t row = 0; row < rows; ++row)
    tiles[row * kSheetColumns].lines = {list.class_name(row)};
  return {fmt::format("{} images, {} classes", list.size(), classes), std::move(tiles)};
}

}  // namespace mobileone
