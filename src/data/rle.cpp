#include "mobileone/data/rle.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "mobileone/util/error.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

constexpr int kFifths = 5;  ///< of a pixel, in which vertices are rounded
constexpr size_t kMostPassed = 1 << 24;

/// In fifths of a pixel.
struct Point {
  int64_t x, y;
};

/// Halves up, but towards zero left of and above the image, as a conversion in C does.
int64_t rounded(double value) { return static_cast<int64_t>(value + 0.5); }

/// Where edges pass the columns of an image.
class PassedColumns {
 public:
  PassedColumns(int64_t height, int64_t width, const std::string& name)
      : height_(height), width_(width), name_(name) {}

  void add_edge(Point from, Point to) {
    const int64_t across = std::abs(to.x - from.x), down = std::abs(to.y - from.y);
    const bool is_flat = across >= down;
    if (is_flat ? from.x > to.x : from.y > to.y) std::swap(from, to);
    const int64_t left = std::min(from.x, to.x), right = std::max(from.x, to.x);
    // A column's middle is passed between the points at c and c + 1.
    const int64_t first = std::max<int64_t>(0, (left - kMiddle + kFifths - 1) / kFifths);
    for (int64_t column = first; column < width_; ++column) {
      const int64_t c = kFifths * column + kMiddle;
      if (c >= right) return;
      add(column, is_flat ? flat_height(from, to, c) : steep_height(from, to, c));
    }
  }

  /// The runs between them.
  Rle rle() {
    std::sort(passed_.begin(), passed_.end());
    Rle rle{height_, width_, {}};
    const auto size = static_cast<uint32_t>(height_ * width_);
    uint32_t end = 0;
    for (size_t i = 0; i < passed_.size();) {
      const uint32_t at = passed_[i];
      size_t next = i + 1;
      while (next < passed_.size() && passed_[next] == at) ++next;
      if ((next - i) % 2 == 1 && at < size) {
        rle.counts.push_back(at - end);
        end = at;
      }
      i = next;
    }
    rle.counts.push_back(size - end);
    return rle;
  }

 private:
  static constexpr int64_t kMiddle = 2;  ///< the last point that is left of a column's middle

  /// The upper of both points of an edge that has one for each x.
  static int64_t flat_height(Point from, Point to, int64_t c) {
    const double slope = static_cast<double>(to.y - from.y) / static_cast<double>(to.x - from.x);
    const auto y = [&](int64_t x) {
      return rounded(static_cast<double>(from.y) + slope * static_cast<double>(x - from.x));
    };
    return std::min(y(c), y(c + 1));
  }

  /// The upper of both points of an edge that has one for each y.
  static int64_t steep_height(Point from, Point to, int64_t c) {
    const double slope = static_cast<double>(to.x - from.x) / static_cast<double>(to.y - from.y);
    const auto is_before = [&](int64_t t) {
      const int64_t x = rounded(static_cast<double>(from.x) + slope * static_cast<double>(t));
      return (x > c) == (slope < 0);
    };
    const double estimate = (static_cast<double>(c - from.x) + 0.5) / slope;
    int64_t t = std::clamp(static_cast<int64_t>(estimate), int64_t{0}, to.y - from.y - 1);
    while (!is_before(t)) --t;
    while (is_before(t + 1)) ++t;
    return from.y + t;
  }

  void add(int64_t column, int64_t y) {
    if (passed_.size() == kMostPassed) {
      throw Error("{}: a polygon's edges pass more than {} columns of pixels", name_, kMostPassed);
    }
    const double middle = (static_cast<double>(y) + 0.5) / kFifths - 0.5;
    const double row = std::ceil(std::clamp(middle, 0.0, static_cast<double>(height_)));
    passed_.push_back(static_cast<uint32_t>(column * height_ + static_cast<int64_t>(row)));
  }

  int64_t height_, width_;
  const std::string& name_;
  std::vector<uint32_t> passed_;  ///< the first pixel behind each, counted along the columns
};

}  // namespace

Rle polygon_rle(const Polygon& polygon, int64_t height, int64_t width, const std::string& name) {
  const size_t vertices = polygon.size() / 2;
  const auto vertex = [&](size_t i) {
    return Point{rounded(kFifths * polygon[2 * i]), rounded(kFifths * polygon[2 * i + 1])};
  };
  PassedColumns passed(height, width, name);
  for (size_t i = 0; i < vertices; ++i) passed.add_edge(vertex(i), vertex((i + 1) % vertices));
  return passed.rle();
}

std::vector<uint32_t> parse_rle_counts(std::string_view text, const std::string& name) {
  constexpr int kBits = 5, kMostBits = 35;
  constexpr unsigned kMore = 1 << kBits, kNegative = 1 << (kBits - 1), kFirst = 48;
  std::vector<uint32_t> counts;
  for (size_t i = 0; i < text.size();) {
    int64_t count = 0;
    int bits = 0;
    unsigned digit;
    do {
      if (i == text.size()) throw Error("{}: its compressed `counts` end within a number", name);
      digit = static_cast<unsigned char>(text[i]) - kFirst;
      if (digit >= 2 * kMore) {
        throw Error("{}: `{}` in its compressed `counts` is none of the characters `0` to `o`",
                    name, one_line(text.substr(i, 1)));
      }
      if (bits == kMostBits) throw Error("{}: has a run of 2^32 pixels or more", name);
      count |= static_cast<int64_t>(digit % kMore) << bits;
      bits += kBits;
      ++i;
    } while ((digit & kMore) != 0);
    if ((digit & kNegative) != 0) count -= int64_t{1} << bits;
    if (counts.size() > 2) count += counts[counts.size() - 2];
    if (count < 0 || count > std::numeric_limits<uint32_t>::max()) {
      throw Error("{}: has a run of {} pixels", name, count);
    }
    counts.push_back(static_cast<uint32_t>(count));
  }
  return counts;
}

Rle unite(const std::vector<Rle>& parts) {
  if (parts.size() == 1) return parts.front();
  std::vector<std::pair<int64_t, int>> borders;  // where parts begin (1) and end (-1)
  for (const Rle& part : parts) {
    for_runs_inside(part, [&](int64_t begin, int64_t end) {
      borders.emplace_back(begin, 1);
      borders.emplace_back(end, -1);
    });
  }
  // What begins where another part ends goes on.
  std::sort(borders.begin(), borders.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second > b.second;
  });
  Rle rle{parts.front().height, parts.front().width, {}};
  int64_t depth = 0, done = 0;
  for (const auto& [at, change] : borders) {
    const bool was_inside = depth > 0;
    depth += change;
    if ((depth > 0) == was_inside) continue;
    rle.counts.push_back(static_cast<uint32_t>(at - done));
    done = at;
  }
  if (done < rle.height * rle.width || rle.counts.empty()) {
    rle.counts.push_back(static_cast<uint32_t>(rle.height * rle.width - done));
  }
  return rle;
}

at::Tensor rle_mask(const Rle& rle) {
  const at::Tensor columns = at::zeros({rle.width, rle.height}, at::kByte);
  auto* pixels = columns.mutable_data_ptr<uint8_t>();
  for_runs_inside(rle, [&](int64_t begin, int64_t end) {
    std::fill(pixels + begin, pixels + end, uint8_t{1});
  });
  return columns.t().contiguous();
}

}  // namespace mobileone
