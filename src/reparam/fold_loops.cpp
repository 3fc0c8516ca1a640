#include "fold_loops.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

namespace mobileone::fold_loops {
namespace {

using at::Tensor;

/// Calls f(o) for every output, outputs in parallel.
template <typename F>
void for_outputs(int64_t outputs, const F& f) {
  constexpr int64_t kGrain = 16;
  at::parallel_for(0, outputs, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) f(o);
  });
}

template <typename T>
T dot(const T* a, const T* b, int64_t size) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

/// out = a · dw + dm · m + 2 dv · wc and out_scaled = dv · w.
template <typename T>
void combine(T a, const T* dw, T dm, const T* m, T dv, const T* wc, const T* w, int64_t size,
             T* out, T* out_scaled) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) {
    out[i] = a * dw[i] + dm * m[i] + 2 * dv * wc[i];
    out_scaled[i] = dv * w[i];
  }
}

/// Branches' rows as one matrix a group: [B,Cout,P] → [G, B·Cout/G, P].
Tensor by_group(const Tensor& weight, int64_t groups) {
  return groups == 1 ? weight.flatten(0, 1).unsqueeze(0) : weight.transpose(0, 1);
}

}  // namespace

void statistics(const BranchStack& branches, const PatchMoments& moments, Tensor& weight_covariance,
                Tensor& mean, Tensor& var) {
  const auto& weight = branches.weight;
  const int64_t count = weight.size(0), outputs = weight.size(1), patch = weight.size(2),
                groups = moments.mean.size(0);
  const auto grouped = at::bmm(by_group(weight, groups), moments.covariance);
  weight_covariance =
      groups == 1 ? grouped.view(weight.sizes()) : grouped.transpose(0, 1).contiguous();
  if (!weight.is_cpu()) {
    mean = (weight * moments.mean).sum(2);
    var = (weight * weight_covariance).sum(2);
    return;
  }
  mean = at::empty({count, outputs}, weight.options());
  var = at::empty_like(mean);
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "fold", [&] {
    for_outputs(outputs, [&](int64_t o) {
      const auto* m = moments.mean.const_data_ptr<scalar_t>() + (groups == 1 ? 0 : o * patch);
      for (int64_t row = o; row < count * outputs; row += outputs) {
        const auto* w = weight.const_data_ptr<scalar_t>() + row * patch;
        const auto* wc = weight_covariance.const_data_ptr<scalar_t>() + row * patch;
        mean.data_ptr<scalar_t>()[row] = dot(w, m, patch);
        var.data_ptr<scalar_t>()[row] = dot(w, wc, patch);
      }
    });
  });
}

Tensor row_products(const Tensor& a, const Tensor& b) {
  if (!a.is_cpu()) return (a * b).sum(2);
  const int64_t count = a.size(0), outputs = a.size(1), patch = a.size(2);
  auto products = at::empty({count, outputs}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "fold", [&] {
    for_outputs(outputs, [&](int64_t o) {
      for (int64_t row = o; row < count * outputs; row += outputs) {
        products.data_ptr<scalar_t>()[row] = dot(a.const_data_ptr<scalar_t>() + row * patch,
                                                 b.const_data_ptr<scalar_t>() + o * patch, patch);
      }
    });
  });
  return products;
}

void backward(const BranchStack& branches, const PatchMoments& moments,
              const Tensor& weight_covariance, const Tensor& weight_gradient, const Tensor& scale,
              const Tensor& d_mean, const Tensor& d_var, FoldGradients& gradients) {
  const auto& weight = branches.weight;
  const int64_t count = weight.size(0), outputs = weight.size(1), patch = weight.size(2),
                groups = moments.mean.size(0);
  const auto mean_factor = d_mean.narrow(0, 0, count), var_factor = d_var.narrow(0, 0, count);
  Tensor scaled;  // dv · w
  if (weight.is_cpu()) {
    gradients.weight = at::empty_like(weight);
    scaled = at::empty_like(weight);
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "fold", [&] {
      for_outputs(outputs, [&](int64_t o) {
        const auto* m = moments.mean.const_data_ptr<scalar_t>() + (groups == 1 ? 0 : o * patch);
        const auto* dw = weight_gradient.const_data_ptr<scalar_t>() + o * patch;
        for (int64_t row = o; row < count * outputs; row += outputs) {
          combine(scale.const_data_ptr<scalar_t>()[row], dw, d_mean.const_data_ptr<scalar_t>()[row],
                  m, d_var.const_data_ptr<scalar_t>()[row],
                  weight_covariance.const_data_ptr<scalar_t>() + row * patch,
                  weight.const_data_ptr<scalar_t>() + row * patch, patch,
                  gradients.weight.data_ptr<scalar_t>() + row * patch,
                  scaled.data_ptr<scalar_t>() + row * patch);
        }
      });
    });
  } else {
    scaled = weight * var_factor.unsqueeze(2);
    gradients.weight = scale.narrow(0, 0, count).unsqueeze(2) * weight_gradient;
    gradients.weight.addcmul_(mean_factor.unsqueeze(2), moments.mean)
        .addcmul_(var_factor.unsqueeze(2), weight_covariance, 2);
  }
  const auto rows = by_group(weight, groups);
  gradients.moments.mean =
      at::bmm(by_group(mean_factor.unsqueeze(2), groups).transpose(1, 2), rows).squeeze(1);
  gradients.moments.covariance = at::bmm(by_group(scaled, groups).transpose(1, 2), rows);
}

}  // namespace mobileone::fold_loops
