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

/// y [n,N] = the sum of the products, row-major in the activations' dtype. bfloat16 products are
/// LibTorch's (AMX, AVX-512 BF16); the others are the project's, which go over y once.
void multiply_rows(const std::vector<Product>& products, const ProductOptions& options,
                   const at::Tensor& y);

/// parallel_sums over rows in blocks that stay in a core's L2 cache, with at most a few hundred MiB
/// for all threads' sums. Kernels sum in the activations' precision within a block.
template <typename F>
at::Tensor product_sums(int64_t rows, int64_t size, const F& f, int64_t block = 192) {
  constexpr int64_t kMostBytes = int64_t{512} << 20;
  const int64_t workers = std::clamp<int64_t>(kMostBytes / (8 * size), 1, at::get_num_threads());
  return parallel_sums((rows + workers - 1) / workers, rows, size,
                       [&](int64_t begin, int64_t end, double* sums) {
                         for (int64_t row = begin; row < end; row += block) {
                           f(row, std::min(row + block, end), sums);
                         }
                       });
}

}  // namespace mobileone
