#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "cpu_backend.h"
#include "mobileone/kernels/rows.h"
#include "mobileone/util/profile.h"
#include "storage.h"

namespace mobileone {
namespace {

using at::Tensor;
using kernels::Compute;

/// Calls f(tag, image, first element of the image's rows) for every image, images in parallel.
template <typename F>
void for_images(const Tensor& z, const F& f) {
  const int64_t size = z.numel() / z.size(0);
  with_storage(z.scalar_type(), [&](auto tag) {
    at::parallel_for(0, z.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t image = begin; image < end; ++image) f(tag, image, image * size);
    });
  });
}

/// In the dtype in which kernels compute on z.
Tensor for_kernels(const Tensor& values, const Tensor& z) {
  return values.to(compute_type(z)).contiguous();
}

class CpuGates final : public Gates {
 public:
  Tensor relu(const Tensor& z, const Tensor& gate) const override {
    auto out = at::empty_like(z);
    const Span span("SE", 0, 2.0 * static_cast<double>(z.nbytes()));
    const auto scale = for_kernels(gate, z), bias = at::zeros_like(scale[0]);
    const int64_t channels = z.size(1), area = z.size(2) * z.size(3);
    for_images(z, [&](auto tag, int64_t image, int64_t at) {
      using S = decltype(tag);
      using T = Compute<S>;
      const kernels::Affine<T> affine{data_of<const T>(scale) + image * channels,
                                      data_of<const T>(bias)};
      kernels::normalise<S>(area, channels, data_of<const S>(z) + at, nullptr, affine,
                            /*relu=*/true, data_of<S>(out) + at);
    });
    return out;
  }

  Tensor gate_gradient(const Tensor& z, const Tensor& gate, const Tensor& g) const override {
    const Span span("SE backward", 0, 3.0 * static_cast<double>(z.nbytes()));
    const auto scale = for_kernels(gate, z), zeros = at::zeros_like(scale[0]);
    const int64_t channels = z.size(1), area = z.size(2) * z.size(3);
    // Sums of g and of g · z.
    const auto sums = at::zeros({z.size(0), 3, channels}, at::kDouble);
    for_images(z, [&](auto tag, int64_t image, int64_t at) {
      using S = decltype(tag);
      using T = Compute<S>;
      const kernels::Affine<T> affine{data_of<const T>(scale) + image * channels,
                                      data_of<const T>(zeros)};
      kernels::normalise_backward_sums<S>(area, channels, data_of<const S>(z) + at, nullptr, affine,
                                          /*relu=*/true, data_of<const T>(zeros), nullptr,
                                          data_of<S>(g) + at,
                                          data_of<double>(sums) + image * 3 * channels);
    });
    return sums.select(1, 1).to(gate.scalar_type());
  }

  void input_gradient(const Tensor& g, const Tensor& gate, const Tensor& offset) const override {
    const Span span("SE backward", 0, 2.0 * static_cast<double>(g.nbytes()));
    const auto scale = for_kernels(gate, g), constant = for_kernels(offset, g);
    const int64_t channels = g.size(1), area = g.size(2) * g.size(3);
    for_images(g, [&](auto tag, int64_t image, int64_t at) {
      using S = decltype(tag);
      using T = Compute<S>;
      const kernels::Affine<T> affine{data_of<const T>(scale) + image * channels,
                                      data_of<const T>(constant) + image * channels};
      S* rows = data_of<S>(g) + at;
      kernels::normalise<S>(area, channels, rows, nullptr, affine, /*relu=*/false, rows);
    });
  }
};

}  // namespace

const Gates& cpu_gates() {
  static const CpuGates instance;
  return instance;
}

}  // namespace mobileone
