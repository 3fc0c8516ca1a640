#pragma once

#include <cstdint>

/// Softmax cross entropy of each pixel of an image whose logits are resized bilinearly as they are
/// read, so that neither they nor their gradients are ever stored at the image's height. Works on
/// strips of columns on the calling thread: the caller divides `strips()` between threads.
/// Instantiated for float and double.
namespace mobileone::kernels {

template <typename T>
struct PixelLoss {
  int64_t classes = 0, rows = 0, height = 0, width = 0;
  const T* logits = nullptr;  ///< [classes,rows,width]: already as wide as the mask
  const uint8_t* mask =
      nullptr;                 ///< [height,width]; pixels of no class below `classes` do not count
  const T* weights = nullptr;  ///< [classes], of each class
  T smoothing = 0;             ///< share of the target that is spread over all classes

  static constexpr int64_t kStrip = 64;  ///< columns
  constexpr int64_t strips() const { return (width + kStrip - 1) / kStrip; }
};

/// Returns the sum over the pixels of strips [begin, end) of Σ_c t_c (log Σ exp z − z_c), where z
/// are a pixel's logits and t_c = (1 − smoothing) weight_y [c = y] + smoothing / classes weight_c
/// for its class y, and adds its gradient to `gradient`, laid out as the logits.
template <typename T>
double pixel_loss(const PixelLoss<T>& loss, int64_t begin, int64_t end, T* gradient);

}  // namespace mobileone::kernels
