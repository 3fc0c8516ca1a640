#include "mobileone/data/detect_transforms.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <utility>

#include "mobileone/data/box_cut.h"
#include "mobileone/data/segment_transforms.h"

namespace mobileone {
namespace {

constexpr double kLeastSide = 0.3;  ///< of a crop, as a share of the picture's
constexpr double kMostRatio = 2;    ///< of its sides

/// Whether any box overlaps enough, of all or of those whose centres are inside; or each.
enum class Overlap { kAnyInside, kAny, kEach };

/// A library's rules. In each a threshold is drawn, for which so many rectangles are tried, then
/// another threshold.
struct CropRules {
  std::array<double, 7> thresholds;
  double whole;  ///< the threshold that stands for the whole picture
  int tries;
  Overlap overlap;
};

constexpr CropRules rules_of(BoxCrop crop) {
  switch (crop) {
    case BoxCrop::kMmdetection:  // MinIoURandomCrop
      return {{1, 0.1, 0.3, 0.5, 0.7, 0.9, 0}, 1, 50, Overlap::kEach};
    case BoxCrop::kTorchvision:  // RandomIoUCrop
      return {{0, 0.1, 0.3, 0.5, 0.7, 0.9, 1}, 1, 40, Overlap::kAnyInside};
    case BoxCrop::kCvnets:  // SSDCroping
      return {{0, 0.1, 0.3, 0.5, 0.7, 0.9, 1}, 0, 40, Overlap::kAny};
    case BoxCrop::kNone:
      break;
  }
  TORCH_CHECK(false, "no rules of a crop");
}

constexpr int64_t kLeastPixels = 100;  ///< of a side of CVNets' crops

/// Nothing where its sides differ too much.
std::optional<CropBox> random_rectangle(int64_t height, int64_t width, Random& random) {
  const auto side = [&](int64_t whole) {
    const double share = random.uniform(kLeastSide, 1);
    return std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(whole) * share));
  };
  const int64_t w = side(width), h = side(height);
  const int64_t left = random.integer(width - w + 1), top = random.integer(height - h + 1);
  const double ratio = static_cast<double>(h) / static_cast<double>(w);
  if (ratio > kMostRatio || ratio < 1 / kMostRatio) return std::nullopt;
  return CropBox{top, left, h, w};
}

bool is_allowed(const CropBox& crop, double threshold, Overlap overlap,
                const std::vector<Object>& objects) {
  const Box rectangle = to_box(crop);
  const auto inside = [&](const Object& object) { return holds_center(rectangle, object.box); };
  const auto enough = [&](const Object& object) { return iou(rectangle, object.box) >= threshold; };
  if (std::ranges::none_of(objects, inside)) return false;
  switch (overlap) {
    case Overlap::kEach:
      return std::ranges::all_of(objects, enough);
    case Overlap::kAny:
      return std::ranges::any_of(objects, enough);
    case Overlap::kAnyInside:
      return std::ranges::any_of(
          objects, [&](const Object& object) { return inside(object) && enough(object); });
  }
  TORCH_CHECK(false, "unknown rule");
}

/// A rectangle in pixels of the picture, which it may reach out of, as a cut to `size` x `size`.
Cut cut_of(const CropBox& rectangle, int64_t height, int64_t width, int64_t size, bool letterbox) {
  const auto clip = [](int64_t begin, int64_t length, int64_t limit) {
    const int64_t first = std::clamp<int64_t>(begin, 0, limit - 1);
    return std::array{first, std::clamp<int64_t>(begin + length, first + 1, limit) - first};
  };
  const auto [top, rows] = clip(rectangle.top, rectangle.height, height);
  const auto [left, columns] = clip(rectangle.left, rectangle.width, width);
  const auto scale = [&](int64_t side) {
    return static_cast<double>(size) / static_cast<double>(side);
  };
  double y_scale = scale(rectangle.height), x_scale = scale(rectangle.width);
  if (letterbox) y_scale = x_scale = std::min(y_scale, x_scale);
  const auto scaled = [](int64_t pixels, double by) {
    return static_cast<int64_t>(std::lround(static_cast<double>(pixels) * by));
  };
  // What the rectangle leaves free of a letterbox lies on both sides of it.
  const int64_t spare_rows = (size - scaled(rectangle.height, y_scale)) / 2;
  const int64_t spare_columns = (size - scaled(rectangle.width, x_scale)) / 2;
  Cut cut{.box = {top, left, rows, columns},
          .height = std::max<int64_t>(1, scaled(rows, y_scale)),
          .width = std::max<int64_t>(1, scaled(columns, x_scale)),
          .window = {scaled(rectangle.top - top, y_scale) - spare_rows,
                     scaled(rectangle.left - left, x_scale) - spare_columns, size, size}};
  // Rounding must not lose what little there may be of the picture.
  cut.window.top = std::clamp(cut.window.top, 1 - size, cut.height - 1);
  cut.window.left = std::clamp(cut.window.left, 1 - size, cut.width - 1);
  return cut;
}

std::array<uint8_t, 3> mean_color(const std::vector<double>& mean) {
  std::array<uint8_t, 3> color;
  for (size_t i = 0; i < color.size(); ++i) {
    const double share = mean[mean.size() == 1 ? 0 : i];
    color[i] = static_cast<uint8_t>(std::lround(255 * std::clamp(share, 0.0, 1.0)));
  }
  return color;
}

/// The picture somewhere on a canvas whose sides are up to `most` times its own.
CropBox zoomed_out(int64_t height, int64_t width, double most, Random& random) {
  const double ratio = random.uniform(1, most);
  const auto side = [&](int64_t own) {
    return std::max(own, static_cast<int64_t>(static_cast<double>(own) * ratio));
  };
  const int64_t rows = side(height), columns = side(width);
  return {-random.integer(rows - height + 1), -random.integer(columns - width + 1), rows, columns};
}

std::vector<Object> shifted(std::vector<Object> objects, int64_t left, int64_t top) {
  for (Object& object : objects) {
    object.box.left += static_cast<double>(left);
    object.box.right += static_cast<double>(left);
    object.box.top += static_cast<double>(top);
    object.box.bottom += static_cast<double>(top);
  }
  return objects;
}

}  // namespace

CropBox random_box_crop(BoxCrop crop, int64_t height, int64_t width,
                        const std::vector<Object>& objects, Random& random) {
  const CropBox whole{0, 0, height, width};
  if (crop == BoxCrop::kNone) return whole;
  const CropRules rules = rules_of(crop);
  constexpr int kDraws = 50;  // of thresholds, where the libraries draw without end
  for (int draw = 0; draw < kDraws; ++draw) {
    const double threshold = rules.thresholds[random.integer(rules.thresholds.size())];
    if (threshold == rules.whole) return whole;
    for (int attempt = 0; attempt < rules.tries; ++attempt) {
      const auto rectangle = random_rectangle(height, width, random);
      if (!rectangle) continue;
      const bool small = std::min(rectangle->height, rectangle->width) < kLeastPixels;
      if (crop == BoxCrop::kCvnets && small) continue;
      if (is_allowed(*rectangle, threshold, rules.overlap, objects)) return *rectangle;
    }
  }
  return whole;
}

Transform detect_train_transform(const AugmentConfig& augment, const DataConfig& data,
                                 int64_t size) {
  Transform transform;
  transform.cut = [detect = augment.detect, flip = augment.flip, size,
                   interpolation = data.interpolation, letterbox = data.letterbox,
                   fill = mean_color(data.mean)](int64_t height, int64_t width,
                                                 const Annotation& annotation, Random& random) {
    CropBox canvas{0, 0, height, width};
    if (random.chance(detect.zoom_out)) {
      canvas = zoomed_out(height, width, detect.most_zoom, random);
    }
    std::vector<Object> objects = annotation.objects;
    if (objects.empty()) objects.push_back({.box = to_box({0, 0, height, width})});
    CropBox rectangle =
        random_box_crop(detect.crop, canvas.height, canvas.width,
                        shifted(std::move(objects), -canvas.left, -canvas.top), random);
    rectangle.top += canvas.top;
    rectangle.left += canvas.left;
    Cut cut = cut_of(rectangle, height, width, size, letterbox);
    cut.flip = random.chance(flip);
    cut.interpolation = interpolation;
    cut.fill = fill;
    return cut;
  };
  if (augment.detect.photometric > 0) {
    transform.augment = [probability = augment.detect.photometric](Sample& sample, Random& random) {
      sample.image = photometric_distortion(sample.image, probability, random);
    };
  }
  return transform;
}

Transform detect_eval_transform(const DataConfig& data) {
  Transform transform;
  transform.cut = [size = data.eval_crop, interpolation = data.interpolation,
                   letterbox = data.letterbox, fill = mean_color(data.mean)](
                      int64_t height, int64_t width, const Annotation&, Random&) {
    Cut cut = cut_of({0, 0, height, width}, height, width, size, letterbox);
    cut.interpolation = interpolation;
    cut.fill = fill;
    return cut;
  };
  return transform;
}

}  // namespace mobileone
