#include "mobileone/kernels/pixel_loss.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "pixel_loss.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include <hwy/contrib/math/math-inl.h>

#include "vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// A vector of columns and all rows of an image.
template <typename T>
class ColumnLoss {
 public:
  static constexpr int64_t kLanes = hn::MaxLanes(Tag<T>());

  /// Elements of memory: the logits of two rows, the gradients of both, a pixel's.
  static size_t size(const PixelLoss<T>& loss) {
    return static_cast<size_t>(5 * loss.classes * kLanes);
  }

  ColumnLoss(const PixelLoss<T>& loss, int64_t column, T* gradient, T* memory)
      : loss_(loss),
        column_(column),
        count_(std::min(kLanes, loss.width - column)),
        gradient_(gradient),
        top_(memory),
        bottom_(top_ + loss.classes * kLanes),
        top_gradient_(bottom_ + loss.classes * kLanes),
        bottom_gradient_(top_gradient_ + loss.classes * kLanes),
        pixel_(bottom_gradient_ + loss.classes * kLanes) {
    for (int64_t c = 0; c < loss.classes; ++c) {
      spread_ += loss.weights[c] * loss.smoothing / static_cast<T>(loss.classes);
    }
  }

  double sum() {
    const double scale = static_cast<double>(loss_.rows) / static_cast<double>(loss_.height);
    double sum = 0;
    int64_t band = -1;
    for (int64_t y = 0; y < loss_.height; ++y) {
      // As torch's upsample_bilinear2d with align_corners=False.
      const double source = std::max(0.0, (static_cast<double>(y) + 0.5) * scale - 0.5);
      const auto above = std::min(static_cast<int64_t>(source), loss_.rows - 1);
      if (above != band) {
        if (band >= 0) add_gradients(band);
        band = above;
        read(above, top_, top_gradient_);
        read(below(above), bottom_, bottom_gradient_);
      }
      sum += row(y, static_cast<T>(source - static_cast<double>(above)));
    }
    add_gradients(band);
    return sum;
  }

 private:
  int64_t below(int64_t row) const { return std::min(row + 1, loss_.rows - 1); }
  int64_t at(int64_t c, int64_t row) const {
    return (c * loss_.rows + row) * loss_.width + column_;
  }

  void read(int64_t row, T* logits, T* gradients) const {
    const Tag<T> d;
    for (int64_t c = 0; c < loss_.classes; ++c) {
      hn::Store(load(loss_.logits + at(c, row), static_cast<size_t>(count_)), d,
                logits + c * kLanes);
      hn::Store(hn::Zero(d), d, gradients + c * kLanes);
    }
  }

  void add_gradients(int64_t band) const {
    const Tag<T> d;
    const auto count = static_cast<size_t>(count_);
    for (int64_t c = 0; c < loss_.classes; ++c) {
      T* const first = gradient_ + at(c, band);
      store(hn::Add(load(first, count), hn::Load(d, top_gradient_ + c * kLanes)), first, count);
      T* const second = gradient_ + at(c, below(band));
      store(hn::Add(load(second, count), hn::Load(d, bottom_gradient_ + c * kLanes)), second,
            count);
    }
  }

  /// The loss of row y, `share` of the way from the upper of the two rows to the lower.
  HWY_INLINE double row(int64_t y, T share) {
    const Tag<T> d;
    const uint8_t* labels = loss_.mask + y * loss_.width + column_;
    HWY_ALIGN T target[kLanes] = {}, all[kLanes] = {};  // of the pixel's class; of all classes
    bool any = false;
    for (int64_t i = 0; i < count_; ++i) {
      if (labels[i] >= loss_.classes) continue;
      target[i] = (1 - loss_.smoothing) * loss_.weights[labels[i]];
      all[i] = target[i] + spread_;
      any = true;
    }
    if (!any) return 0;
    const int64_t classes = loss_.classes;
    const auto low = hn::Set(d, share), high = hn::Set(d, 1 - share);
    auto most = hn::Set(d, -std::numeric_limits<T>::infinity());
    for (int64_t c = 0; c < classes; ++c) {
      const auto value = hn::MulAdd(low, hn::Load(d, bottom_ + c * kLanes),
                                    hn::Mul(high, hn::Load(d, top_ + c * kLanes)));
      hn::Store(value, d, pixel_ + c * kLanes);
      most = hn::Max(most, value);
    }
    double sum = 0;
    for (int64_t i = 0; i < count_; ++i) {
      if (all[i] != 0) sum -= static_cast<double>(target[i] * pixel_[labels[i] * kLanes + i]);
    }
    // Highway's exponential of a NaN is 0: x − x is 0 only of a finite x.
    auto total = hn::Zero(d), spread = hn::Zero(d);
    const T part = loss_.smoothing / static_cast<T>(classes);
    for (int64_t c = 0; c < classes; ++c) {
      const auto value = hn::Load(d, pixel_ + c * kLanes), power = hn::Exp(d, hn::Sub(value, most));
      hn::Store(power, d, pixel_ + c * kLanes);
      total = hn::Add(total, hn::Add(power, hn::Sub(value, value)));
      if (part > 0) spread = hn::MulAdd(value, hn::Set(d, loss_.weights[c] * part), spread);
    }
    const auto factor = hn::Div(hn::Load(d, all), total);
    for (int64_t c = 0; c < classes; ++c) {
      auto g = hn::Mul(hn::Load(d, pixel_ + c * kLanes), factor);
      if (part > 0) {
        const auto counts = hn::Ne(hn::Load(d, all), hn::Zero(d));
        g = hn::Sub(g, hn::IfThenElseZero(counts, hn::Set(d, loss_.weights[c] * part)));
      }
      T *const first = top_gradient_ + c * kLanes, *const second = bottom_gradient_ + c * kLanes;
      hn::Store(hn::MulAdd(high, g, hn::Load(d, first)), d, first);
      hn::Store(hn::MulAdd(low, g, hn::Load(d, second)), d, second);
    }
    HWY_ALIGN T highest[kLanes], sums[kLanes], spreads[kLanes];
    hn::Store(most, d, highest);
    hn::Store(total, d, sums);
    hn::Store(spread, d, spreads);
    for (int64_t i = 0; i < count_; ++i) {
      if (all[i] == 0) continue;
      sum += static_cast<double>(all[i] * (highest[i] + std::log(sums[i])) - spreads[i]);
      top_gradient_[labels[i] * kLanes + i] -= (1 - share) * target[i];
      bottom_gradient_[labels[i] * kLanes + i] -= share * target[i];
    }
    return sum;
  }

  const PixelLoss<T>& loss_;
  int64_t column_, count_;
  T* gradient_;
  T *top_, *bottom_, *top_gradient_, *bottom_gradient_, *pixel_;
  T spread_ = 0;  ///< the target of all classes together, but for the pixel's own
};

template <typename T>
double sum_of_strips(const PixelLoss<T>& loss, int64_t begin, int64_t end, T* gradient) {
  T* const memory = scratch<T>(ColumnLoss<T>::size(loss));
  double sum = 0;
  const int64_t last = std::min(end * PixelLoss<T>::kStrip, loss.width);
  for (int64_t x = begin * PixelLoss<T>::kStrip; x < last; x += ColumnLoss<T>::kLanes) {
    sum += ColumnLoss<T>(loss, x, gradient, memory).sum();
  }
  return sum;
}

double pixel_loss_float(const PixelLoss<float>& loss, int64_t begin, int64_t end, float* gradient) {
  return sum_of_strips(loss, begin, end, gradient);
}
double pixel_loss_double(const PixelLoss<double>& loss, int64_t begin, int64_t end,
                         double* gradient) {
  return sum_of_strips(loss, begin, end, gradient);
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

HWY_EXPORT(pixel_loss_float);
HWY_EXPORT(pixel_loss_double);

template <>
double pixel_loss(const PixelLoss<float>& loss, int64_t begin, int64_t end, float* gradient) {
  return HWY_DYNAMIC_DISPATCH(pixel_loss_float)(loss, begin, end, gradient);
}
template <>
double pixel_loss(const PixelLoss<double>& loss, int64_t begin, int64_t end, double* gradient) {
  return HWY_DYNAMIC_DISPATCH(pixel_loss_double)(loss, begin, end, gradient);
}

}  // namespace mobileone::kernels
#endif
