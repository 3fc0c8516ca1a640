#include "mobileone/kernels/resize.h"

#include <algorithm>
#include <cstring>

#include "scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "resize.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int32_t kHalf = 1 << (kFractionBits - 1);

/// kVectors vectors of one output.
template <size_t kVectors>
HWY_INLINE void weigh_vectors(const uint8_t* in, int64_t stride, const int32_t* weights,
                              int64_t taps, uint8_t* out) {
  const hn::ScalableTag<int32_t> d;
  const hn::Rebind<uint8_t, hn::ScalableTag<int32_t>> d8;
  const size_t lanes = hn::Lanes(d);
  hn::Vec<decltype(d)> sums[kVectors];
  for (size_t v = 0; v < kVectors; ++v) sums[v] = hn::Set(d, kHalf);
  for (int64_t k = 0; k < taps; ++k, in += stride) {
    const auto weight = hn::Set(d, weights[k]);
    for (size_t v = 0; v < kVectors; ++v) {
      const auto level = hn::PromoteTo(d, hn::LoadU(d8, in + v * lanes));
      sums[v] = hn::Add(sums[v], hn::Mul(weight, level));
    }
  }
  for (size_t v = 0; v < kVectors; ++v) {
    hn::StoreU(hn::DemoteTo(d8, hn::ShiftRight<kFractionBits>(sums[v])), d8, out + v * lanes);
  }
}

/// One output of `width` levels.
HWY_INLINE void weigh_row(const uint8_t* in, int64_t stride, const int32_t* weights, int64_t taps,
                          int64_t width, uint8_t* out) {
  const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<int32_t>()));
  int64_t i = 0;
  for (; i + 3 * lanes <= width; i += 3 * lanes) {
    weigh_vectors<3>(in + i, stride, weights, taps, out + i);
  }
  for (; i + lanes <= width; i += lanes) weigh_vectors<1>(in + i, stride, weights, taps, out + i);
  if (i < width && width >= lanes) {  // the last vector, some of it again
    weigh_vectors<1>(in + width - lanes, stride, weights, taps, out + width - lanes);
    return;
  }
  for (; i < width; ++i) {
    int32_t sum = kHalf;
    for (int64_t k = 0; k < taps; ++k) sum += weights[k] * in[k * stride + i];
    out[i] = static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
  }
}

void weigh(const Taps& taps, int64_t begin, int64_t end, const uint8_t* in, int64_t in_stride,
           int64_t width, uint8_t* out, int64_t out_stride) {
  for (int64_t o = begin; o < end; ++o, out += out_stride) {
    weigh_row(in + taps.first[o] * in_stride, in_stride, taps.weights + o * taps.most,
              taps.count[o], width, out);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {
namespace {

HWY_EXPORT(weigh);

/// Rows of an image whose columns are weighed together: pixels of a column side by side make the
/// columns the rows of another image.
constexpr int64_t kRows = 16;
constexpr int64_t kColumn = 3 * kRows;

/// Copies `count` pixels, of four bytes each but for the last: a pixel's fourth is overwritten by
/// the next.
void copy_pixels(const uint8_t* in, int64_t in_step, uint8_t* out, int64_t out_step,
                 int64_t count) {
  for (int64_t i = 1; i < count; ++i, in += in_step, out += out_step) std::memcpy(out, in, 4);
  std::memcpy(out, in, 3);
}

}  // namespace

void weigh_rows(const Taps& taps, int64_t begin, int64_t end, const uint8_t* in, int64_t in_stride,
                int64_t width, uint8_t* out, int64_t out_stride) {
  HWY_DYNAMIC_DISPATCH(weigh)(taps, begin, end, in, in_stride, width, out, out_stride);
}

void weigh_columns(const Taps& taps, int64_t outputs, const uint8_t* in, int64_t in_stride,
                   int64_t rows, uint8_t* out, int64_t out_stride) {
  int64_t columns = 0;
  for (int64_t o = 0; o < outputs; ++o) columns = std::max(columns, taps.first[o] + taps.count[o]);
  auto* from = scratch<uint8_t>(static_cast<size_t>((columns + outputs) * kColumn));
  auto* to = from + columns * kColumn;
  for (int64_t r = 0; r < rows; r += kRows) {
    const int64_t count = std::min(kRows, rows - r);
    const uint8_t* row = in + r * in_stride;
    for (int64_t x = 0; x < columns; ++x) {
      copy_pixels(row + 3 * x, in_stride, from + x * kColumn, 3, count);
    }
    weigh_rows(taps, 0, outputs, from, kColumn, 3 * count, to, kColumn);
    for (int64_t i = 0; i < count; ++i) {
      copy_pixels(to + 3 * i, kColumn, out + (r + i) * out_stride, 3, outputs);
    }
  }
}

void look_up_levels(int64_t pixels, const uint8_t* in, const float* levels, float* out) {
  for (int64_t p = 0; p < pixels; ++p, in += 3, out += 3) {
    out[0] = levels[in[0]];
    out[1] = levels[256 + in[1]];
    out[2] = levels[512 + in[2]];
  }
}

}  // namespace mobileone::kernels
#endif
