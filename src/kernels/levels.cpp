#include "mobileone/kernels/levels.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

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

// Half as many lanes, so that doubles fill a vector.
using Halves = hn::Half<Floats>;
using Doubles = hn::Rebind<double, Halves>;
using HalfInts = hn::RebindToSigned<Halves>;

HWY_INLINE hn::Vec<Doubles> as_doubles(hn::Vec<HalfInts> v) { return hn::PromoteTo(Doubles(), v); }
HWY_INLINE hn::Vec<Doubles> as_doubles(hn::Vec<Halves> v) { return hn::PromoteTo(Doubles(), v); }

struct HalfColors {
  hn::Vec<HalfInts> red, green, blue;
};

/// Colours of a hue, in sixths of the circle, from -1 to 5, that is turned by `turn` 256ths. Hue
/// and saturation become bytes in between. Where a number is a float and where a double decides
/// about pixels.
HWY_INLINE HalfColors turned(hn::Vec<Halves> sixths, hn::Vec<Halves> saturation,
                             hn::Vec<HalfInts> value, int turn) {
  const Doubles d;
  const Halves df;
  const HalfInts di;
  const auto one = hn::Set(d, 1.0), whole = hn::Set(d, 255.0), six = hn::Set(d, 6.0);
  const auto turns = hn::Add(hn::Div(as_doubles(sixths), six), one);
  const auto part =
      hn::DemoteTo(df, hn::IfThenElse(hn::Lt(turns, one), turns, hn::Sub(turns, one)));
  const auto hue =
      hn::And(hn::Add(hn::DemoteTo(di, hn::Mul(as_doubles(part), whole)), hn::Set(di, turn)),
              hn::Set(di, 255));
  const auto saturated = hn::DemoteTo(di, hn::Mul(as_doubles(saturation), whole));

  const auto place = hn::Div(hn::Mul(as_doubles(hue), six), whole);
  const auto sector = hn::DemoteTo(di, place);
  const auto rest = hn::DemoteTo(df, hn::Sub(place, as_doubles(sector)));
  const auto strength = hn::DemoteTo(df, hn::Div(as_doubles(saturated), whole));
  const auto brightest = as_doubles(value);
  const auto dimmed = [&](hn::Vec<Doubles> share) {
    const auto level = hn::Mul(brightest, hn::Sub(one, share));
    return hn::DemoteTo(di, hn::Add(level, hn::Set(d, 0.5)));
  };
  const auto low = dimmed(as_doubles(strength));
  const auto falling = dimmed(as_doubles(hn::Mul(strength, rest)));
  const auto rising = dimmed(hn::Mul(as_doubles(strength), hn::Sub(one, as_doubles(rest))));

  const auto in_sector = [&](int i) { return hn::Eq(sector, hn::Set(di, i)); };
  const auto is_1 = in_sector(1), is_2 = in_sector(2), is_3 = in_sector(3), is_4 = in_sector(4),
             is_5 = in_sector(5);
  const auto either = [](auto a, auto b) { return hn::Or(a, b); };
  HalfColors c{value, rising, low};  // of sectors 0 and 6
  c.red = hn::IfThenElse(is_1, falling, c.red);
  c.red = hn::IfThenElse(either(is_2, is_3), low, c.red);
  c.red = hn::IfThenElse(is_4, rising, c.red);
  c.green = hn::IfThenElse(either(is_1, is_2), value, c.green);
  c.green = hn::IfThenElse(is_3, falling, c.green);
  c.green = hn::IfThenElse(either(is_4, is_5), low, c.green);
  c.blue = hn::IfThenElse(is_2, rising, c.blue);
  c.blue = hn::IfThenElse(either(is_3, is_4), value, c.blue);
  c.blue = hn::IfThenElse(is_5, falling, c.blue);
  return c;
}

void turn_hue(const uint8_t* in, int64_t pixels, int turn, uint8_t* out) {
  const Ints d;
  const Floats df;
  const Halves half;
  const HalfInts half_ints;
  constexpr size_t kLanes = hn::MaxLanes(Ints());
  for_blocks(in, 3 * pixels, 3 * hn::Lanes(d), out, [&](const uint8_t* from, uint8_t* to) {
    const Channels c = load_pixels(from);
    const auto red = hn::PromoteTo(d, c.red), green = hn::PromoteTo(d, c.green),
               blue = hn::PromoteTo(d, c.blue);
    const auto brightest = hn::Max(red, hn::Max(green, blue));
    const auto darkest = hn::Min(red, hn::Min(green, blue));
    const auto range = hn::Sub(brightest, darkest);
    // How far the channel that is neither lies below the brightest; 0 of grey, whatever its hue.
    const auto below = hn::Sub(hn::Add(hn::Add(brightest, brightest), darkest),
                               hn::Add(red, hn::Add(green, blue)));
    const auto share = [&](hn::Vec<Ints> part, hn::Vec<Ints> of) {
      const auto at_least_1 = hn::Max(of, hn::Set(d, 1));
      return hn::Div(hn::ConvertTo(df, part), hn::ConvertTo(df, at_least_1));
    };
    const auto q = share(below, range);
    const auto before = [&](float end) { return hn::Sub(hn::Set(df, end), q); };
    const auto behind = [&](float begin) { return hn::Add(hn::Set(df, begin), q); };
    const auto choose = [&](auto mask, hn::Vec<Floats> yes, hn::Vec<Floats> no) {
      return hn::IfThenElse(hn::RebindMask(df, mask), yes, no);
    };
    auto sixths = choose(hn::Gt(red, green), before(5), behind(3));
    sixths =
        choose(hn::Eq(green, brightest), choose(hn::Gt(blue, red), before(3), behind(1)), sixths);
    sixths =
        choose(hn::Eq(red, brightest), choose(hn::Gt(blue, green), behind(-1), before(1)), sixths);
    const auto saturation = share(range, brightest);
    float of_sixths[kLanes], of_saturation[kLanes];
    int32_t values[kLanes], levels[3][kLanes];
    hn::StoreU(sixths, df, of_sixths);
    hn::StoreU(saturation, df, of_saturation);
    hn::StoreU(brightest, d, values);
    for (size_t i = 0; i < hn::Lanes(d); i += hn::Lanes(half)) {
      const HalfColors colors =
          turned(hn::LoadU(half, of_sixths + i), hn::LoadU(half, of_saturation + i),
                 hn::LoadU(half_ints, values + i), turn);
      hn::StoreU(colors.red, half_ints, levels[0] + i);
      hn::StoreU(colors.green, half_ints, levels[1] + i);
      hn::StoreU(colors.blue, half_ints, levels[2] + i);
    }
    const auto channel = [&](int i) { return hn::DemoteTo(FewBytes(), hn::LoadU(d, levels[i])); };
    hn::StoreInterleaved3(channel(0), channel(1), channel(2), FewBytes(), to);
  });
}

/// One pixel of a line.
void sample_pixel(const uint8_t* in, int64_t height, int64_t width, const Line& line, int64_t x,
                  uint8_t* out) {
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

void sample_bilinear(const uint8_t* in, int64_t height, int64_t width, const Line& line,
                     int64_t begin, int64_t end, uint8_t* out) {
  const Doubles d;
  const HalfInts di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const auto stride = static_cast<int32_t>(3 * width);
  // Pixels are read as words of four bytes, and written likewise: not the last ones.
  const auto last_word = hn::Set(di, static_cast<int32_t>(3 * width * height - 4));
  const auto pixels_at = [&](hn::Vec<HalfInts> row, hn::Vec<HalfInts> column) {
    const auto place = hn::Add(row, hn::Add(column, hn::Add(column, column)));
    return hn::GatherOffset(di, reinterpret_cast<const int32_t*>(in), place);
  };
  const auto between = [](hn::Vec<Doubles> a, hn::Vec<Doubles> b, hn::Vec<Doubles> share) {
    return hn::Add(a, hn::Mul(hn::Sub(b, a), share));
  };
  int64_t x = begin;
  for (; x + lanes < end; x += lanes, out += 3 * lanes) {
    const auto middle = hn::Add(hn::Iota(d, static_cast<double>(x)), hn::Set(d, 0.5));
    const auto position = [&](double step, double row, double zero) {
      const auto moved = hn::Add(hn::Mul(hn::Set(d, step), middle), hn::Set(d, row));
      return hn::Sub(hn::Add(moved, hn::Set(d, zero)), hn::Set(d, 0.5));
    };
    const auto at_x = position(line.step_x, line.row_x, line.x0);
    const auto at_y = position(line.step_y, line.row_y, line.y0);
    const auto before = [&](hn::Vec<Doubles> at) {
      return hn::Sub(hn::DemoteTo(di, hn::Add(at, hn::Set(d, 1.0))), hn::Set(di, 1));
    };
    const auto column = before(at_x), row = before(at_y);
    const auto share_x = hn::Sub(at_x, as_doubles(column)),
               share_y = hn::Sub(at_y, as_doubles(row));
    const auto next = [&](hn::Vec<HalfInts> v, int64_t count) {
      return hn::Min(hn::Add(v, hn::Set(di, 1)), hn::Set(di, static_cast<int32_t>(count - 1)));
    };
    const auto left = hn::Max(column, hn::Zero(di)), right = next(column, width);
    const auto above = hn::Mul(hn::Max(row, hn::Zero(di)), hn::Set(di, stride));
    const auto below = hn::Mul(next(row, height), hn::Set(di, stride));
    const auto furthest = hn::Add(below, hn::Add(right, hn::Add(right, right)));
    if (!hn::AllFalse(di, hn::Gt(furthest, last_word))) {
      for (int64_t i = 0; i < lanes; ++i) {
        sample_pixel(in, height, width, line, x + i, out + 3 * i);
      }
      continue;
    }
    const auto above_left = pixels_at(above, left), above_right = pixels_at(above, right);
    const auto below_left = pixels_at(below, left), below_right = pixels_at(below, right);
    const auto level = [&](auto shift) {
      constexpr int kShift = decltype(shift)::value;
      const auto of = [&](hn::Vec<HalfInts> pixels) {
        return as_doubles(hn::And(hn::ShiftRight<kShift>(pixels), hn::Set(di, 255)));
      };
      const auto upper = between(of(above_left), of(above_right), share_x);
      const auto lower = between(of(below_left), of(below_right), share_x);
      return hn::ShiftLeft<kShift>(hn::DemoteTo(di, between(upper, lower, share_y)));
    };
    const auto red = level(std::integral_constant<int, 0>());
    const auto green = level(std::integral_constant<int, 8>());
    const auto blue = level(std::integral_constant<int, 16>());
    int32_t words[hn::MaxLanes(Ints())];
    hn::StoreU(hn::Or(red, hn::Or(green, blue)), di, words);
    for (int64_t i = 0; i < lanes; ++i) std::memcpy(out + 3 * i, words + i, 4);
  }
  for (; x < end; ++x, out += 3) sample_pixel(in, height, width, line, x, out);
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
HWY_EXPORT(turn_hue);
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

void turn_hue(const uint8_t* in, int64_t pixels, int turn, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(turn_hue)(in, pixels, turn, out);
}

void sample_bilinear(const uint8_t* in, int64_t height, int64_t width, const Line& line,
                     int64_t begin, int64_t end, uint8_t* out) {
  HWY_DYNAMIC_DISPATCH(sample_bilinear)(in, height, width, line, begin, end, out);
}

}  // namespace mobileone::kernels
#endif
