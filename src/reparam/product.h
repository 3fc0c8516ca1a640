#pragma once

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "parallel.h"

namespace mobileone {

/// a [n,K] · b [K,N]: a row-major in the activations' dtype, b of any floating dtype and layout.
struct Product {
  at::Tensor a, b;
};

/// What is added to a sum of products on its way to memory.
struct ProductOptions {
  at::Tensor bias = {};     ///< [N], of any floating dtype
  bool accumulate = false;  ///< add to what y holds
  bool relu = false;
};

/// y [n,N] = the sum of the products, row-major in the activations' dtype. Products go over y once;
/// those of bfloat16 are LibTorch's where the processor multiplies bfloat16 (AVX512_BF16, AMX).
void multiply_rows(const std::vector<Product>& products, const ProductOptions& options,
                   const at::Tensor& y);

/// b [k,n] in panels of T, as kernels::multiply reads it.
template <typename T>
at::Tensor pack_right(const at::Tensor& b);

/// parallel_sums over rows in blocks that stay in a core's L2 cache, with at most a few hundred MiB
/// for all threads' sums.
template <typename F>
at::Tensor product_sums(int64_t rows, int64_t size, const F& f) {
  constexpr int64_t kMostBytes = int64_t{512} << 20, kBlock = 192;
  const int64_t workers = std::clamp<int64_t>(kMostBytes / (8 * size), 1, at::get_num_threads());
  return parallel_sums((rows + workers - 1) / workers, rows, size,
                       [&](int64_t begin, int64_t end, double* sums) {
                         for (int64_t row = begin; row < end; row += kBlock) {
                           f(row, std::min(row + kBlock, end), sums);
                         }
                       });
}

}  // namespace mobileone
