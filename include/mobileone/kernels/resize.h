#pragma once

#include <cstdint>

/// Weighted sums of pixels, to resize images with. Weights are integers of kFractionBits fractional
/// bits, and so are the sums, from which a half and a shift make levels: that is Pillow's
/// arithmetic. One thread each.
namespace mobileone::kernels {

inline constexpr int kFractionBits = 22;

/// Output o is made of inputs first[o] to first[o] + count[o] - 1, by weights[most * o] and on.
struct Taps {
  const int64_t* first;
  const int64_t* count;
  const int32_t* weights;
  int64_t most;
};

/// out[o, i] = Σ_k weight[o, k] · in[first[o] + k, i] as a level, for outputs [begin, end) and i <
/// `width`; the first row written is that of output `begin`.
void weigh_rows(const Taps& taps, int64_t begin, int64_t end, const uint8_t* in, int64_t in_stride,
                int64_t width, uint8_t* out, int64_t out_stride);

/// out[r, o, c] = Σ_k weight[o, k] · in[r, first[o] + k, c] as a level, for `rows` rows r,
/// `outputs` outputs and three channels c.
void weigh_columns(const Taps& taps, int64_t outputs, const uint8_t* in, int64_t in_stride,
                   int64_t rows, uint8_t* out, int64_t out_stride);

/// out[p, c] = levels[256 · c + in[p, c]] for p < `pixels` and three channels c.
void look_up_levels(int64_t pixels, const uint8_t* in, const float* levels, float* out);

}  // namespace mobileone::kernels
