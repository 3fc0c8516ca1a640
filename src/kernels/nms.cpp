#include "mobileone/kernels/nms.h"

#include "scratch.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nms.cpp"
#include <hwy/foreach_target.h>
// The order matters: Highway compiles what follows once for each instruction set.
#include <hwy/highway.h>

#include "vectors-inl.h"

HWY_BEFORE_NAMESPACE();
namespace mobileone::kernels {
namespace HWY_NAMESPACE {

/// The boxes that are kept so far, one edge after the other.
class KeptBoxes {
 public:
  static size_t size(int64_t most) { return static_cast<size_t>(5 * rounded(most)); }

  KeptBoxes(int64_t most, float* memory) : stride_(rounded(most)), memory_(memory) {}

  void add(float left, float top, float right, float bottom, float area) {
    float* out = memory_ + count_++;
    for (const float value : {left, top, right, bottom, area}) {
      *out = value;
      out += stride_;
    }
  }

  /// Whether one of them overlaps a box by more.
  bool overlap(float left, float top, float right, float bottom, float area,
               float threshold) const {
    const Tag<float> d;
    const auto zero = hn::Zero(d);
    for (int64_t i = 0; i < count_; i += kLanes) {
      const float* own = memory_ + i;
      const auto x0 = hn::Max(hn::Load(d, own), hn::Set(d, left));
      const auto y0 = hn::Max(hn::Load(d, own + stride_), hn::Set(d, top));
      const auto x1 = hn::Min(hn::Load(d, own + 2 * stride_), hn::Set(d, right));
      const auto y1 = hn::Min(hn::Load(d, own + 3 * stride_), hn::Set(d, bottom));
      const auto both = hn::Mul(hn::Max(hn::Sub(x1, x0), zero), hn::Max(hn::Sub(y1, y0), zero));
      const auto either = hn::Sub(hn::Add(hn::Load(d, own + 4 * stride_), hn::Set(d, area)), both);
      const auto over = hn::Gt(hn::Div(both, either), hn::Set(d, threshold));
      const auto there = hn::FirstN(d, static_cast<size_t>(count_ - i));
      if (!hn::AllFalse(d, hn::And(over, there))) return true;
    }
    return false;
  }

  int64_t count() const { return count_; }

 private:
  static constexpr int64_t kLanes = hn::MaxLanes(Tag<float>());
  static int64_t rounded(int64_t most) { return (most + kLanes - 1) / kLanes * kLanes; }

  const int64_t stride_;
  float* const memory_;
  int64_t count_ = 0;
};

int64_t suppress_boxes(const BoxEdges& boxes, float threshold, int64_t most, int32_t* kept) {
  most = HWY_MIN(most, boxes.count);
  KeptBoxes all(most, scratch<float>(KeptBoxes::size(most)));
  for (int64_t i = 0; i < boxes.count && all.count() < most; ++i) {
    const float left = boxes.left[i], top = boxes.top[i];
    const float right = boxes.right[i], bottom = boxes.bottom[i];
    const float area = (right - left) * (bottom - top);
    if (all.overlap(left, top, right, bottom, area, threshold)) continue;
    kept[all.count()] = static_cast<int32_t>(i);
    all.add(left, top, right, bottom, area);
  }
  return all.count();
}

}  // namespace HWY_NAMESPACE
}  // namespace mobileone::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace mobileone::kernels {

HWY_EXPORT(suppress_boxes);

int64_t suppress(const BoxEdges& boxes, float threshold, int64_t most, int32_t* kept) {
  return HWY_DYNAMIC_DISPATCH(suppress_boxes)(boxes, threshold, most, kept);
}

}  // namespace mobileone::kernels
#endif
