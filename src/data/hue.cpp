#include "mobileone/data/hue.h"

#include <ATen/ATen.h>

#include "mobileone/kernels/levels.h"

namespace mobileone {

at::Tensor turn_hue(const at::Tensor& image, double shift) {
  at::Tensor result = at::empty_like(image);
  kernels::turn_hue(image.const_data_ptr<uint8_t>(), image.numel() / 3,
                    static_cast<int>(shift * 255), result.mutable_data_ptr<uint8_t>());
  return result;
}

}  // namespace mobileone
