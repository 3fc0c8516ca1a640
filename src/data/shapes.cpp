#include "mobileone/data/shapes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numbers>

#include "mobileone/data/jpeg.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

using std::numbers::pi;

/// Whether a point belongs to a figure that fills about [-1, 1] x [-1, 1].
using Inside = bool (*)(double u, double v);

bool is_even(double cell) { return static_cast<int64_t>(std::floor(cell)) % 2 == 0; }

/// A coordinate within its cell of a grid of half units, from the cell's middle.
double within_cell(double u) { return u - (std::floor(u * 2) + 0.5) / 2; }

bool in_disc(double u, double v) { return u * u + v * v < 1; }

bool in_square(double u, double v) { return std::max(std::abs(u), std::abs(v)) < 0.85; }

bool in_triangle(double u, double v) {
  const double slant = std::sqrt(3.0) / 2;
  return std::max({-v, v / 2 + slant * u, v / 2 - slant * u}) < 0.5;
}

bool in_star(double u, double v) {
  constexpr double kInnerRadius = 0.42;
  const double radius = std::hypot(u, v);
  const double angle = std::abs(std::remainder(std::atan2(v, u), 2 * pi / 5));
  const double inner_x = kInnerRadius * std::cos(pi / 5);
  const double inner_y = kInnerRadius * std::sin(pi / 5);
  // Left of the edge from the tip (1, 0) to the inner corner.
  return (radius * std::cos(angle) - 1) * inner_y < radius * std::sin(angle) * (inner_x - 1);
}

bool in_cross(double u, double v) {
  return std::max(std::abs(u), std::abs(v)) < 1 && std::min(std::abs(u), std::abs(v)) < 0.28;
}

bool in_ring(double u, double v) { return in_disc(u, v) && u * u + v * v > 0.36; }

bool in_crescent(double u, double v) { return in_disc(u, v) && std::hypot(u - 0.5, v) > 0.8; }

bool in_stripes(double, double v) { return is_even(v * 3); }

bool in_checkerboard(double u, double v) { return is_even(u * 2) == is_even(v * 2); }

bool in_dots(double u, double v) { return std::hypot(within_cell(u), within_cell(v)) < 0.17; }

bool in_stroke(double u, double v) { return std::abs(u) < 1 && std::abs(v) < 0.1; }

struct Shape {
  std::string_view name;
  Inside inside;
  bool fills_the_plane = false;  // a texture, which needs an outline
};

constexpr std::array<Shape, 10> kShapes = {{
    {"checkerboard", in_checkerboard, true},
    {"circle", in_disc},
    {"crescent", in_crescent},
    {"cross", in_cross},
    {"dots", in_dots, true},
    {"ring", in_ring},
    {"square", in_square},
    {"star", in_star},
    {"stripes", in_stripes, true},
    {"triangle", in_triangle},
}};

using Color = std::array<double, 3>;

Color random_color(Random& random, double low, double high) {
  Color color;
  for (double& level : color) level = random.uniform(low, high);
  return color;
}

struct Place {
  double x;  // in px, as all of it but the angle
  double y;
  double radius;
  double angle;
};

/// A square picture in floating point.
class Canvas {
 public:
  Canvas(int64_t size, Random& random) : size_(size), pixels_(size * size), random_(random) {}

  int64_t size() const { return size_; }

  /// A dark colour gradient with slow waves.
  void fill_background() {
    const std::array<Color, 2> colors = {random_color(random_, 0, 130),
                                         random_color(random_, 0, 130)};
    const double angle = random_.uniform(0, 2 * pi);
    const double frequency = random_.uniform(2, 8);
    const double phase = random_.uniform(0, 2 * pi);
    for_each_pixel([&](int64_t x, int64_t y, Color& pixel) {
      const double along = (x * std::cos(angle) + y * std::sin(angle)) / static_cast<double>(size_);
      const double across =
          (y * std::cos(angle) - x * std::sin(angle)) / static_cast<double>(size_);
      const double share = std::clamp(0.5 + along / 2, 0.0, 1.0);
      const double wave = 10 * std::sin(frequency * across + phase);
      for (size_t i = 0; i < 3; ++i) {
        pixel[i] = colors[0][i] + share * (colors[1][i] - colors[0][i]) + wave;
      }
    });
  }

  /// Paints where both `inside` and `outline` hold, its edges smoothed.
  void paint(Inside inside, Inside outline, const Place& place, const Color& color) {
    constexpr int kGrid = 3;  // points per pixel and axis
    const double cosine = std::cos(place.angle) / place.radius;
    const double sine = std::sin(place.angle) / place.radius;
    for_each_pixel_near(place, [&](int64_t x, int64_t y, Color& pixel) {
      int hits = 0;
      for (int point = 0; point < kGrid * kGrid; ++point) {
        const double dx = x + (point % kGrid + 0.5) / kGrid - place.x;
        const double dy = y + (point / kGrid + 0.5) / kGrid - place.y;
        const double u = cosine * dx + sine * dy;
        const double v = cosine * dy - sine * dx;
        if (outline(u, v) && inside(u, v)) ++hits;
      }
      const double share = static_cast<double>(hits) / (kGrid * kGrid);
      for (size_t i = 0; i < 3; ++i) pixel[i] += share * (color[i] - pixel[i]);
    });
  }

  /// `count` small figures and strokes anywhere.
  void scatter_clutter(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      const auto side = static_cast<double>(size_);
      Place place{random_.uniform(0, side), random_.uniform(0, side),
                  side * random_.uniform(0.02, 0.07), random_.uniform(0, 2 * pi)};
      constexpr std::array<Inside, 4> kClutter = {in_disc, in_square, in_triangle, in_stroke};
      const Inside figure = kClutter[random_.integer(kClutter.size())];
      if (figure == in_stroke) place.radius *= 3;
      paint(figure, figure, place, random_color(random_, 0, 255));
    }
  }

  at::Tensor with_noise(double deviation) {
    at::Tensor image = at::empty({size_, size_, 3}, at::kByte);
    uint8_t* out = image.mutable_data_ptr<uint8_t>();
    for_each_pixel([&](int64_t, int64_t, const Color& pixel) {
      for (double level : pixel) {
        *out++ = static_cast<uint8_t>(
            std::lround(std::clamp(level + deviation * random_.normal(), 0.0, 255.0)));
      }
    });
    return image;
  }

 private:
  template <typename F>
  void for_each_pixel(F&& visit) {
    for (int64_t i = 0; i < size_ * size_; ++i) visit(i % size_, i / size_, pixels_[i]);
  }

  /// Those that a figure of that place may touch.
  template <typename F>
  void for_each_pixel_near(const Place& place, F&& visit) {
    const double reach = place.radius * std::numbers::sqrt2 + 1;
    const auto clamped = [&](double v) {
      return static_cast<int64_t>(std::clamp(v, 0.0, static_cast<double>(size_)));
    };
    for (int64_t y = clamped(place.y - reach); y < clamped(place.y + reach); ++y) {
      for (int64_t x = clamped(place.x - reach); x < clamped(place.x + reach); ++x) {
        visit(x, y, pixels_[y * size_ + x]);
      }
    }
  }

  int64_t size_;
  std::vector<Color> pixels_;
  Random& random_;
};

constexpr std::string_view kDescriptionStart = "{\"train_per_class\": ";

/// What makes the drawn set; kept in it to know it again.
std::string describe(const ShapesOptions& options) {
  return fmt::format("{}{}, \"val_per_class\": {}, \"size\": {}, \"seed\": {}}}\n",
                     kDescriptionStart, options.train_per_class, options.val_per_class,
                     options.size, options.seed);
}

/// Without syncing each file to disk: the whole folder counts only once it is renamed.
void draw_split(const fs::path& folder, uint64_t split, int64_t per_class,
                const ShapesOptions& options) {
  constexpr int kQuality = 90;
  for (size_t shape = 0; shape < kShapes.size(); ++shape) {
    const fs::path class_folder = folder / kShapes[shape].name;
    fs::create_directories(class_folder);
    for (int64_t i = 0; i < per_class; ++i) {
      Random random(options.seed, {split, shape, static_cast<uint64_t>(i)});
      const at::Tensor image = draw_shape(static_cast<int64_t>(shape), options.size, random);
      const fs::path path = class_folder / fmt::format("{:04}.jpg", i);
      std::ofstream stream(path, std::ios::binary);
      stream << encode_jpeg(image, kQuality) << std::flush;
      if (!stream) throw Error("{}: cannot be written: {}", path.string(), std::strerror(errno));
    }
  }
}

/// Whether `folder` already holds the set. Throws Error if it holds anything else.
bool holds_set(const fs::path& folder, const fs::path& marker, const std::string& description) {
  if (!fs::exists(folder)) return false;
  if (!fs::is_directory(folder)) throw Error("{}: is not a folder", folder.string());
  if (fs::is_empty(folder)) return false;
  if (!fs::exists(marker)) {
    throw Error("{}: holds other files; name a new or an empty folder for the shapes",
                folder.string());
  }
  if (read_file(marker) != description) {
    throw Error("{}: holds shapes drawn with other options; name another folder or remove it",
                folder.string());
  }
  return true;
}

/// Removes what a killed process has drawn. Throws Error if `folder` holds anything else: the
/// marker is the first file in it.
void remove_unfinished(const fs::path& folder, const fs::path& marker) {
  if (!fs::exists(folder)) return;
  const bool own = fs::is_directory(folder) &&
                   (fs::is_empty(folder) || (fs::is_regular_file(marker) &&
                                             read_file(marker).starts_with(kDescriptionStart)));
  if (!own) {
    throw Error(
        "{}: is there already, and no unfinished set of shapes, which would be drawn there; move "
        "it away, or name another folder",
        folder.string());
  }
  fs::remove_all(folder);
}

}  // namespace

std::vector<std::string_view> shape_names() {
  std::vector<std::string_view> names;
  for (const Shape& shape : kShapes) names.push_back(shape.name);
  return names;
}

at::Tensor draw_shape(int64_t shape, int64_t size, Random& random) {
  const auto& [name, inside, fills_the_plane] = kShapes.at(shape);
  Canvas canvas(size, random);
  canvas.fill_background();
  canvas.scatter_clutter(2 + random.integer(4));

  // Lighter than the ground, so that a network of a minute's training can find the outline.
  const auto side = static_cast<double>(size);
  const double radius = side * random.uniform(0.25, 0.42);
  const Place place{random.uniform(radius, side - radius), random.uniform(radius, side - radius),
                    radius, random.uniform(0, 2 * pi)};
  const Inside patch = random.chance(0.5) ? in_disc : in_square;
  canvas.paint(inside, fills_the_plane ? patch : inside, place, random_color(random, 140, 255));

  canvas.scatter_clutter(random.integer(3));
  return canvas.with_noise(random.uniform(2, 14));
}

bool draw_shapes(const std::string& folder, const ShapesOptions& options) {
  constexpr const char* kMarker = "shapes.json";
  const std::string description = describe(options);
  fs::path target = fs::path(folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // drops a trailing slash
  const fs::path partial = target.string() + ".partial";
  try {
    if (holds_set(target, target / kMarker, description)) return false;
    remove_unfinished(partial, partial / kMarker);
    write_whole(partial / kMarker, description);
    draw_split(partial / "train", 0, options.train_per_class, options);
    draw_split(partial / "val", 1, options.val_per_class, options);
    fs::rename(partial, target);
  } catch (const fs::filesystem_error& error) {
    throw Error("{}: cannot be written: {}", folder, error.code().message());
  }
  return true;
}

}  // namespace mobileone
