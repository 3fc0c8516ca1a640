#include "mobileone/kernels/levels.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "levels.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include <hwy/highway.h>

// Products and sums must not be fused, or the levels are not Pillow's: this source is compiled with
// -ffp-contract=off.
HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Bytes = hn::ScalableTag<uint8_t>;
using Floats = hn::CappedTag<float, 8>;
using Ints = hn::RebindToSigned<Floats>;
using Shorts = hn::Rebind<uint16_t, Floats>;
using FewBytes = hn::Rebind<uint8_t, Floats>;

/// Calls f(from, to) for each `block` levels; for the last ones, by way of copies.
template <typename F>
HWY_INLINE void for_blocks(const uint8_t* in, int64_t count, int64_t block, uint8_t* out,
                           const F& f) {
  int64_t i = 0;
  for (; i + block <= count; i += block) f(in + i, out + i);
  if (i == count) return;
  constexpr size_t kLargestBlock = std::max<size_t>(hn::MaxLanes(Bytes()), 3 * 8);
  uint8_t from[kLargestBlock] = {};
  uint8_t to[kLargestBlock];
  std::copy_n(in + i, count - i, from);
  f(from, to);
  std::copy_n(to, count - i, out + i);
}

void mask_levels(const uint8_t* in, int64_t count, uint8_t mask, uint8_t* out) {
  const Bytes d;
  const auto kept = hn::Set(d, mask);
  for_blocks(in, count, hn::Lanes(d), out, [&](const uint8_t* from, uint8_t* to) {
    hn::StoreU(hn::And(hn::LoadU(d, from), kept), d, to);
  });
}

void invert_levels(const uint8_t* in, int64_t count, int first_inverted, uint8_t* out) {
  if (first_inverted > 255) {
    std::copy_n(in, count, out);
    return;
  }
  const Bytes d;
  const auto first = hn::Set(d, static_cast<uint8_t>(first_inverted));
  for_blocks(in, count, hn::Lanes(d), out, [&](const uint8_t* from, uint8_t* to) {
    const auto v = hn::LoadU(d, from);
    hn::StoreU(hn::IfThenElse(hn::Eq(hn::Max(v, first), v), hn::Not(v), v), d, to);
  });
}

std::array<LevelRange, 3> level_ranges(const uint8_t* in, int64_t pixels) {
  const Bytes d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t count = 3 * pixels;
  std::array<LevelRange, 3> ranges;
  const auto extend = [&](int64_t position, uint8_t low, uint8_t high) {
    LevelRange& range = ranges[position % 3];
    range.low = std::min(range.low, low);
    range.high = std::max(range.high, high);
  };
  // Three vectors in a row have the channels at the same lanes as the next three.
  hn::Vec<Bytes> low[3], high[3];
  for (int i = 0; i < 3; ++i) {
    low[i] = hn::Set(d, 255);
    high[i] = hn::Zero(d);
  }
  int64_t at = 0;
  for (; at + 3 * lanes <= count; at += 3 * lanes) {
    for (int i = 0; i < 3; ++i) {
      const auto v = hn::LoadU(d, in + at + i * lanes);
      low[i] = hn::Min(low[i], v);
      high[i] = hn::Max(high[i], v);
    }
  }
  for (int i = 0; i < 3; ++i) {
    uint8_t lows[hn::MaxLanes(d)], highs[hn::MaxLanes(d)];
    hn::StoreU(low[i], d, lows);
    hn::StoreU(high[i], d, highs);
    for (int64_t lane = 0; lane < lanes; ++lane) extend(i * lanes + lane, lows[lane], highs[lane]);
  }
  for (; at < count; ++at) extend(at, in[at], in[at]);
  return ranges;
}

struct Channels {
  hn::Vec<FewBytes> red, green, blue;
};

HWY_INLINE Channels load_pixels(const uint8_t* in) {
  Channels c;
  hn::LoadInterleaved3(FewBytes(), in, c.red, c.green, c.blue);
  return c;
}

HWY_INLINE hn::Vec<Ints> luma(const Channels& c) {
  const Ints d;
  const auto weighted = [&](hn::Vec<FewBytes> levels, int weight) {
    return hn::Mul(hn::PromoteTo(d, levels), hn::Set(d, weight));
  };
  const auto sum = hn::Add(hn::Add(weighted(c.red, 19595), weighted(c.green, 38470)),
                           hn::Add(weighted(c.blue, 7471), hn::Set(d, 0x8000)));
  return hn::ShiftRight<16>(sum);
}

HWY_INLINE hn::Vec<FewBytes> blend(hn::Vec<Ints> from, hn::Vec<Ints> to, hn::Vec<Floats> factor) {
  const Floats d;
  const auto change = hn::Mul(factor, hn::ConvertTo(d, hn::Sub(to, from)));
  const auto level = hn::ConvertTo(Ints(), hn::Add(hn::ConvertTo(d, from), change));
  return hn::DemoteTo(FewBytes(), level);
}

int64_t sum_of_luma(const uint8_t* in, int64_t pixels) {
  constexpr int64_t kPixelsPerFlush = 1 << 20;  // sums of 32 bits hold them
  const Ints d;
  int64_t sum = 0;
  for (int64_t begin = 0; begin < pixels; begin += kPixelsPerFlush) {
    auto sums = hn::Zero(d);
    const int64_t count = std::min(kPixelsPerFlush, pixels - begin);
    uint8_t unused[3 * 8];
    const auto lanes = static_cast<int64_t>(hn::Lanes(d));
    const uint8_t* part = in + 3 * begin;
    const int64_t whole = count / lanes * lanes;
    for (int64_t i = 0; i < whole; i += lanes) {
      sums = hn::Add(sums, luma(load_pixels(part + 3 * i)));
    }
    for_blocks(part + 3 * whole, 3 * (count - whole), 3 * lanes, unused,
               [&](const uint8_t* from, uint8_t*) {  // black adds nothing
                 sums = hn::Add(sums, luma(load_pixels(from)));
               });
    sum += hn::GetLane(hn::SumOfLanes(d, sums));
  }
  return sum;
}

void blend_with_luma(const uint8_t* in, int64_t pixels, float factor, uint8_t* out) {
  const Ints d;
  const auto factors = hn::Set(Floats(), factor);
  for_blocks(in, 3 * pixels, 3 * hn::Lanes(d), out, [&](const uint8_t* from, uint8_t* to) {
    const Channels c = load_pixels(from);
    const auto grey = luma(c);
    hn::StoreInterleaved3(blend(grey, hn::PromoteTo(d, c.red), factors),
                          blend(grey, hn::PromoteTo(d, c.green), factors),
                          blend(grey, hn::PromoteTo(d, c.blue), factors), FewBytes(), to);
  });
}

/// From the levels of three rows around `at`.
HWY_INLINE hn::Vec<FewBytes> sharpened(const uint8_t* at, int64_t stride, hn::Vec<Floats> factor) {
  const Shorts d;
  const Ints di;
  const auto level = [&](const uint8_t* p) { return hn::PromoteTo(d, hn::LoadU(FewBytes(), p)); };
  const auto around = [&](const uint8_t* p) { return hn::Add(level(p - 3), level(p + 3)); };
  const auto centre = level(at);
  auto sum = hn::Add(hn::Add(around(at - stride), around(at)), around(at + stride));
  sum = hn::Add(sum, hn::Add(level(at - stride), level(at + stride)));
  sum = hn::Add(sum, hn::Add(hn::ShiftLeft<2>(centre), centre));
  // Division by 13, rounded: exact for sums of 13 levels.
  const auto smooth = hn::MulHigh(hn::Add(sum, hn::Set(d, 6)), hn::Set(d, 5042));
  return blend(hn::PromoteTo(di, smooth), hn::PromoteTo(di, centre), factor);
}

void sharpen(const uint8_t* in, int64_t height, int64_t width, float factor, uint8_t* out) {
  const int64_t stride = 3 * width;
  const auto lanes = static_cast<int64_t>(hn::Lanes(Floats()));
  const auto factors = hn::Set(Floats(), factor);
  std::copy_n(in, height * stride, out);
  for (int64_t y = 1; y < height - 1; ++y) {
    const int64_t end = (y + 1) * stride - 3;
    int64_t i = y * stride + 3;
    for (; i + lanes <= end; i += lanes) {
      hn::StoreU(sharpened(in + i, stride, factors), FewBytes(), out + i);
    }
    for (; i < end; ++i) {
      int sum = 4 * in[i];
      for (int64_t row : {i - stride, i, i + stride}) sum += in[row - 3] + in[row] + in[row + 3];
      const int smooth = (sum + 6) / 13;
      const float level = static_cast<float>(smooth) + factor * static_cast<float>(in[i] - smooth);
      out[i] = static_cast<uint8_t>(std::clamp(level, 0.0f, 255.0f));
    }
  }
}

using Words = hn::ScalableTag<uint32_t>;

void weigh_neighbours(const uint8_t* before, const uint8_t* at, const uint8_t* after, int64_t count,
                      uint32_t centre, uint32_t beside, uint8_t* out) {
  const Words d;
  const hn::Rebind<uint8_t, Words> d8;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto level = [&](const uint8_t* from) { return hn::PromoteTo(d, hn::LoadU(d8, from)); };
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const auto sum =
        hn::Add(hn::Mul(level(at + i), hn::Set(d, centre)),
                hn::Mul(hn::Add(level(before + i), level(after + i)), hn::Set(d, beside)));
    const auto rounded = hn::ShiftRight<24>(hn::Add(sum, hn::Set(d, 1 << 23)));
    hn::StoreU(hn::U8FromU32(rounded), d8, out + i);
  }
  for (; i < count; ++i) {
    const uint32_t sum = at[i] * centre + (uint32_t{before[i]} + after[i]) * beside;
    out[i] = static_cast<uint8_t>((sum + (1 << 23)) >> 24);
  }
}

void sample_bilinear(const uint8_t* in, int64_t height, int64_t width, const Line& line,
                     int64_t begin, int64_t end, uint8_t* out) {
  for (int64_t x = begin; x < end; ++x, out += 3) {
    const double middle = static_cast<double>(x) + 0.5;
    const double at_x = line.step_x * middle + line.row_x + line.x0 - 0.5;
    const double at_y = line.step_y * middle + line.row_y + line.y0 - 0.5;
    const auto left = static_cast<int64_t>(at_x + 1) - 1, top = static_cast<int64_t>(at_y + 1) - 1;
    const double share_x = at_x - static_cast<double>(left),
                 share_y = at_y - static_cast<double>(top);
    const int64_t right = std::min(left + 1, width - 1), bottom = std::min(top + 1, height - 1);
    const int64_t from_left = 3 * std::max<int64_t>(left, 0), from_right = 3 * right;
    const uint8_t* above = in + 3 * width * std::max<int64_t>(top, 0);
    const uint8_t* below = in + 3 * width * bottom;
    for (int c = 0; c < 3; ++c) {
      const auto between = [](double a, double b, double share) { return a + (b - a) * share; };
      const double upper = between(above[from_left + c], above[from_right + c], share_x);
      const double lower = between(below[from_left + c], below[from_right + c], share_x);
      out[c] = static_cast<uint8_t>(between(upper, lower, share_y));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

HWY_EXPORT(mask_levels);
HWY_EXPORT(invert_levels);
HWY_EXPORT(level_ranges);
HWY_EXPORT(sum_of_luma);
HWY_EXPORT(blend_with_luma);
HWY_EXPORT(sharpen);
HWY_EXPORT(weigh_neighbours);
HWY_EXPORT(sample_bilinear);

void mask_levels(const uint8_t* in, int64_t count, uint8_t mask, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(mask_levels)(in, count, mask, out);
}

void invert_levels(const uint8_t* in, int64_t count, int first_inverted, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(invert_levels)(in, count, first_inverted, out);
}

std::array<LevelRange, 3> level_ranges(const uint8_t* in, int64_t pixels) {
  return HWY_DYNAMIC_DISPATCH(level_ranges)(in, pixels);
}

int64_t sum_of_luma(const uint8_t* in, int64_t pixels) {
  return HWY_DYNAMIC_DISPATCH(sum_of_luma)(in, pixels);
}

void blend_with_luma(const uint8_t* in, int64_t pixels, float factor, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(blend_with_luma)(in, pixels, factor, out);
}

void sharpen(const uint8_t* in, int64_t height, int64_t width, float factor, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(sharpen)(in, height, width, factor, out);
}

void weigh_neighbours(const uint8_t* before, const uint8_t* at, const uint8_t* after, int64_t count,
                      uint32_t centre, uint32_t beside, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(weigh_neighbours)(before, at, after, count, centre, beside, out);
}

void sample_bilinear(const uint8_t* in, int64_t height, int64_t width, const Line& line,
                     int64_t begin, int64_t end, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(sample_bilinear)(in, height, width, line, begin, end, out);
}

}  // namespace mobileone::kernels
#endif
