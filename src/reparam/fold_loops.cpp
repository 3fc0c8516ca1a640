#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "cpu_backend.h"
#include "mobileone/kernels/matrix.h"
#include "patches.h"
#include "product.h"

namespace mobileone {
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

/// out += a · w.
template <typename T>
void add_scaled(T a, const T* w, int64_t size, T* out) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) out[i] += a * w[i];
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

/// aᵀ b of [n,P] each, known to be symmetric, as [1,P,P]: half the work of a product.
Tensor symmetric_product(const Tensor& a, const Tensor& b) {
  const int64_t size = a.size(1);
  auto product = at::empty({1, size, size}, a.options());
  AT_DISPATCH_FLOATING_TYPES(a.scalar_type(), "fold", [&] {
    const auto columns = [&](const Tensor& m, int64_t row) {
      return kernels::Columns<scalar_t>{m.const_data_ptr<scalar_t>() + row * size, size, size};
    };
    const auto sums =
        product_sums(a.size(0), size * size, [&](int64_t begin, int64_t end, double* partial) {
          kernels::outer_product(end - begin, columns(a, begin), columns(b, begin),
                                 kernels::Part::kUpper, partial, size);
        });
    const auto* upper = sums.const_data_ptr<double>();
    auto* out = product.data_ptr<scalar_t>();
    for_outputs(size, [&](int64_t i) {
      for (int64_t j = 0; j < size; ++j) {
        out[i * size + j] = static_cast<scalar_t>(upper[std::min(i, j) * size + std::max(i, j)]);
      }
    });
  });
  return product;
}

}  // namespace

BranchMoments CpuBackend::branch_moments(const BranchStack& branches,
                                         const PatchMoments& moments) const {
  const auto& weight = branches.weight;
  const int64_t count = weight.size(0), outputs = weight.size(1), patch = weight.size(2),
                groups = moments.mean.size(0);
  const auto grouped = at::bmm(by_group(weight, groups), moments.covariance);
  BranchMoments result{
      groups == 1 ? grouped.view(weight.sizes()) : grouped.transpose(0, 1).contiguous(),
      at::empty({count, outputs}, weight.options()), at::empty({count, outputs}, weight.options())};
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "fold", [&] {
    for_outputs(outputs, [&](int64_t o) {
      const auto* m = moments.mean.const_data_ptr<scalar_t>() + (groups == 1 ? 0 : o * patch);
      for (int64_t row = o; row < count * outputs; row += outputs) {
        const auto* w = weight.const_data_ptr<scalar_t>() + row * patch;
        const auto* wc = result.weight_covariance.const_data_ptr<scalar_t>() + row * patch;
        result.mean.data_ptr<scalar_t>()[row] = dot(w, m, patch);
        result.var.data_ptr<scalar_t>()[row] = dot(w, wc, patch);
      }
    });
  });
  return result;
}

Tensor CpuBackend::weighted_sum(const Tensor& weight, const Tensor& scale) const {
  const int64_t count = weight.size(0), outputs = weight.size(1), patch = weight.size(2);
  auto sum = at::zeros({outputs, patch}, weight.options());
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "fold", [&] {
    for_outputs(outputs, [&](int64_t o) {
      auto* out = sum.data_ptr<scalar_t>() + o * patch;
      for (int64_t row = o; row < count * outputs; row += outputs) {
        add_scaled(scale.const_data_ptr<scalar_t>()[row],
                   weight.const_data_ptr<scalar_t>() + row * patch, patch, out);
      }
    });
  });
  return sum;
}

Tensor CpuBackend::row_products(const Tensor& a, const Tensor& b) const {
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

FoldGradients CpuBackend::fold_gradients(const BranchStack& branches, const PatchMoments& moments,
                                         const Tensor& weight_covariance,
                                         const Tensor& weight_gradient,
                                         const BranchGradients& by) const {
  const auto& weight = branches.weight;
  const int64_t count = weight.size(0), outputs = weight.size(1), patch = weight.size(2),
                groups = moments.mean.size(0);
  FoldGradients gradients;
  gradients.weight = at::empty_like(weight);
  const auto scaled = at::empty_like(weight);  // dv · w
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "fold", [&] {
    for_outputs(outputs, [&](int64_t o) {
      const auto* m = moments.mean.const_data_ptr<scalar_t>() + (groups == 1 ? 0 : o * patch);
      const auto* dw = weight_gradient.const_data_ptr<scalar_t>() + o * patch;
      for (int64_t row = o; row < count * outputs; row += outputs) {
        combine(by.scale.const_data_ptr<scalar_t>()[row], dw,
                by.mean.const_data_ptr<scalar_t>()[row], m, by.var.const_data_ptr<scalar_t>()[row],
                weight_covariance.const_data_ptr<scalar_t>() + row * patch,
                weight.const_data_ptr<scalar_t>() + row * patch, patch,
                gradients.weight.data_ptr<scalar_t>() + row * patch,
                scaled.data_ptr<scalar_t>() + row * patch);
      }
    });
  });
  const auto rows = by_group(weight, groups);
  const auto mean_gradient = by.mean.narrow(0, 0, count).unsqueeze(2);
  gradients.moments.mean =
      at::bmm(by_group(mean_gradient, groups).transpose(1, 2), rows).squeeze(1);
  gradients.moments.covariance = groups == 1
                                     ? symmetric_product(scaled.flatten(0, 1), rows[0])
                                     : at::bmm(by_group(scaled, groups).transpose(1, 2), rows);
  return gradients;
}

}  // namespace mobileone
