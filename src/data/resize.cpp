#include "mobileone/data/resize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "mobileone/kernels/resize.h"

namespace mobileone {
namespace {

struct Filter {
  double reach;  ///< the weight is zero from this distance on, in pixels of the smaller image
  double (*weight)(double distance);
};

double bilinear_weight(double distance) { return std::max(0.0, 1.0 - distance); }

/// Keys 1981, with a = -1/2.
double bicubic_weight(double distance) {
  constexpr double a = -0.5;
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  if (distance < 2) return (((distance - 5) * distance + 8) * distance - 4) * a;
  return 0;
}

Filter filter_of(Interpolation interpolation) {
  switch (interpolation) {
    case Interpolation::kBilinear:
      return {1, bilinear_weight};
    case Interpolation::kBicubic:
      return {2, bicubic_weight};
  }
  TORCH_CHECK(false, "unknown interpolation");
}

int32_t fixed_point(double weight) {
  constexpr double kOne = 1 << kernels::kFractionBits;
  return static_cast<int32_t>(weight * kOne + (weight < 0 ? -0.5 : 0.5));
}

/// Memory for at least `size` levels.
uint8_t* grown(std::vector<uint8_t>& memory, int64_t size) {
  if (std::ssize(memory) < size) memory.resize(size);
  return memory.data();
}

}  // namespace

Patch patch_of(const at::Tensor& image) {
  TORCH_CHECK(image.stride(1) == 3 && image.stride(2) == 1, "pixels do not lie side by side");
  return {image.const_data_ptr<uint8_t>(), image.size(0), image.size(1), image.stride(0)};
}

void Resizer::set_axis(Axis& axis, const Line& line, Interpolation interpolation) {
  const Filter filter = filter_of(interpolation);
  const double scale = line.length / static_cast<double>(line.outputs);
  const double blur = std::max(scale, 1.0);
  const double reach = filter.reach * blur;
  const int64_t kept = line.last - line.first;
  axis.first.resize(kept);
  axis.count.resize(kept);
  axis.most = 2 * static_cast<int64_t>(std::ceil(reach)) + 1;
  axis.weights.resize(kept * axis.most);
  axis.begin = line.pixels;
  axis.end = 0;
  for (int64_t i = 0; i < kept; ++i) {
    const int64_t output = line.reversed ? line.last - 1 - i : line.first + i;
    const double center = line.begin + (static_cast<double>(output) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(0, static_cast<int64_t>(center - reach + 0.5));
    const int64_t end = std::min(line.pixels, static_cast<int64_t>(center + reach + 0.5));
    exact_.clear();
    double sum = 0;
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const double distance = (static_cast<double>(pixel) - center + 0.5) * (1.0 / blur);
      exact_.push_back(filter.weight(std::abs(distance)));
      sum += exact_.back();
    }
    int32_t* weights = axis.weights.data() + i * axis.most;
    for (const double weight : exact_) *weights++ = fixed_point(weight / sum);
    axis.first[i] = begin;
    axis.count[i] = end - begin;
    axis.begin = std::min(axis.begin, begin);
    axis.end = std::max(axis.end, end);
  }
  for (int64_t& first : axis.first) first -= axis.begin;
}

void Resizer::operator()(const Patch& patch, const Cut& cut, const Sink& sink) {
  constexpr int64_t kRows = 16;  // that are handed over at once
  const CropBox& window = cut.window;
  const int64_t window_bottom = window.top + window.height;
  const int64_t window_right = window.left + window.width;
  const int64_t top = std::max<int64_t>(0, window.top);
  const int64_t bottom = std::min(cut.height, window_bottom);
  const int64_t left = std::max<int64_t>(0, window.left);
  const int64_t right = std::min(cut.width, window_right);
  TORCH_CHECK(top < bottom && left < right, "a window holds nothing of its picture");
  set_axis(rows_, {patch.top, patch.height, patch.rows, cut.height, top, bottom, false},
           cut.interpolation);
  set_axis(columns_, {patch.left, patch.width, patch.columns, cut.width, left, right, cut.flip},
           cut.interpolation);

  // Each pass rounds its levels, so their order matters; this is the one of Pillow since 13.0.
  const bool rows_first = patch.height - static_cast<double>(cut.height) >
                          std::max(0.0, 2 * (patch.width - static_cast<double>(cut.width)));
  const uint8_t* in = patch.pixels + rows_.begin * patch.stride + 3 * columns_.begin;
  const int64_t between_stride = 3 * (rows_first ? columns_.pixels() : columns_.outputs());
  uint8_t* between =
      grown(between_, between_stride * (rows_first ? rows_.outputs() : rows_.pixels()));
  if (rows_first) {
    kernels::weigh_rows(rows_.taps(), 0, rows_.outputs(), in, patch.stride, between_stride, between,
                        between_stride);
  } else {
    kernels::weigh_columns(columns_.taps(), columns_.outputs(), in, patch.stride, rows_.pixels(),
                           between, between_stride);
  }

  const int64_t stride = 3 * window.width;
  const int64_t margin = 3 * (cut.flip ? window_right - right : left - window.left);
  out_.resize(kRows * stride);
  const auto fill_rows = [&] {
    for (auto pixel = out_.begin(); pixel != out_.end(); pixel += 3) {
      std::copy(cut.fill.begin(), cut.fill.end(), pixel);
    }
  };
  if (right - left < window.width) fill_rows();
  for (int64_t y = window.top; y < window_bottom; y += kRows) {
    const int64_t count = std::min(kRows, window_bottom - y);
    const int64_t first = std::clamp(y, top, bottom);
    const int64_t last = std::clamp(y + count, top, bottom);
    if (last - first < count) fill_rows();
    uint8_t* out = out_.data() + (first - y) * stride + margin;
    if (rows_first) {
      kernels::weigh_columns(columns_.taps(), columns_.outputs(),
                             between + (first - top) * between_stride, between_stride, last - first,
                             out, stride);
    } else {
      kernels::weigh_rows(rows_.taps(), first - top, last - top, between, between_stride,
                          between_stride, out, stride);
    }
    sink(out_.data(), count);
  }
}

at::Tensor apply_cut(const Cut& cut, const at::Tensor& image) {
  at::Tensor result = at::empty({cut.window.height, cut.window.width, 3}, at::kByte);
  uint8_t* out = result.mutable_data_ptr<uint8_t>();
  const at::Tensor box =
      image.narrow(0, cut.box.top, cut.box.height).narrow(1, cut.box.left, cut.box.width);
  const bool rows_are_dense = box.stride(1) == 3 && box.stride(2) == 1;
  const at::Tensor dense = rows_are_dense ? box : box.contiguous();
  Resizer()(patch_of(dense), cut, [&](const uint8_t* rows, int64_t count) {
    out = std::copy_n(rows, 3 * count * cut.window.width, out);
  });
  return result;
}

at::Tensor resize(const at::Tensor& image, int64_t height, int64_t width,
                  Interpolation interpolation) {
  return apply_cut({.box = {0, 0, image.size(0), image.size(1)},
                    .height = height,
                    .width = width,
                    .window = {0, 0, height, width},
                    .interpolation = interpolation},
                   image);
}

}  // namespace mobileone
