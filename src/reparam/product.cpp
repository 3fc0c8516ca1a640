#include "product.h"

#include <ATen/ATen.h>

#include "mobileone/kernels/instruction_set.h"
#include "mobileone/kernels/matrix.h"
#include "mobileone/kernels/rows.h"
#include "mobileone/util/profile.h"
#include "storage.h"

namespace mobileone {
namespace {

template <typename S>
void multiply(const std::vector<Product>& products, const ProductOptions& options,
              const at::Tensor& y) {
  using T = kernels::Compute<S>;
  TORCH_CHECK(products.size() <= kernels::kMostProducts, "too many products for one sum");
  const int64_t n = y.size(1);
  std::vector<at::Tensor> right;
  std::vector<kernels::Factors<S>> factors;
  for (const auto& [a, b] : products) {
    right.push_back(pack_right<T>(b));
    factors.push_back({data_of<const S>(a), a.size(1), a.size(1), data_of<const T>(right.back())});
  }
  const auto bias =
      options.bias.defined() ? options.bias.to(kComputeType<S>).contiguous() : at::Tensor();
  const kernels::Epilogue<T> epilogue{bias.defined() ? data_of<const T>(bias) : nullptr,
                                      options.accumulate, options.relu};
  constexpr int64_t kFewestRows = 96;  // of a thread
  at::parallel_for(0, y.size(0), kFewestRows, [&](int64_t begin, int64_t end) {
    auto here = factors;
    for (auto& f : here) f.a += begin * f.stride;
    kernels::multiply<S>(end - begin, n, here, epilogue, data_of<S>(y) + begin * n, n);
  });
}

/// Whether the processor multiplies bfloat16 itself, which LibTorch's products make use of: where
/// it does not, they take a hundred times as long as in float32.
bool has_bfloat16_products() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

/// Products of LibTorch, then bias and ReLU in a pass of their own.
void multiply_bfloat16(const std::vector<Product>& products, const ProductOptions& options,
                       const at::Tensor& y) {
  for (size_t i = 0; i < products.size(); ++i) {
    const auto right = products[i].b.to(at::kBFloat16);
    auto out = y;
    if (i > 0 || options.accumulate) {
      out.addmm_(products[i].a, right);
    } else {
      at::mm_out(out, products[i].a, right);
    }
  }
  if (!options.bias.defined() && !options.relu) return;
  const int64_t n = y.size(1);
  const auto scale = at::ones({n}, at::kFloat),
             bias = options.bias.defined() ? options.bias.to(at::kFloat).contiguous()
                                           : at::zeros({n}, at::kFloat);
  const kernels::Affine<float> affine{data_of<const float>(scale), data_of<const float>(bias)};
  at::parallel_for(0, y.size(0), 96, [&](int64_t begin, int64_t end) {
    auto* rows = data_of<kernels::bfloat16>(y) + begin * n;
    kernels::normalise<kernels::bfloat16>(end - begin, n, rows, nullptr, affine, options.relu,
                                          rows);
  });
}

}  // namespace

template <typename T>
at::Tensor pack_right(const at::Tensor& b) {
  const int64_t k = b.size(0), n = b.size(1);
  const auto right = b.to(at::CppTypeToScalarType<T>::value);
  auto panels = at::empty({kernels::packed_size<T>(k, n)}, right.options());
  at::parallel_for(
      0, panels.numel() / (k * kernels::kPanel<T>), 1, [&](int64_t begin, int64_t end) {
        const int64_t first = begin * kernels::kPanel<T>,
                      last = std::min(end * kernels::kPanel<T>, n);
        kernels::pack(k, last - first, data_of<const T>(right) + first * right.stride(1),
                      right.stride(0), right.stride(1), data_of<T>(panels) + first * k);
      });
  return panels;
}
template at::Tensor pack_right<float>(const at::Tensor&);
template at::Tensor pack_right<double>(const at::Tensor&);

void multiply_rows(const std::vector<Product>& products, const ProductOptions& options,
                   const at::Tensor& y) {
  double flops = 0, bytes = static_cast<double>(y.nbytes()) * (options.accumulate ? 2 : 1);
  for (const auto& product : products) {
    flops += 2.0 * static_cast<double>(product.a.numel() * y.size(1));
    bytes += static_cast<double>(product.a.nbytes());
  }
  const Span span("products", flops, bytes);
  switch (y.scalar_type()) {
    case at::kDouble:
      return multiply<double>(products, options, y);
    case at::kBFloat16:
      if (has_bfloat16_products()) return multiply_bfloat16(products, options, y);
      return multiply<kernels::bfloat16>(products, options, y);
    default:
      return multiply<float>(products, options, y);
  }
}

}  // namespace mobileone
