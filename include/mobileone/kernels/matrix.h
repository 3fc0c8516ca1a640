#pragma once

#include <cstdint>
#include <span>

#include "mobileone/kernels/types.h"

/// Dense products on raw row-major memory, one thread each: the caller divides rows between
/// threads. Instantiated for float, double and bfloat16 operands; arithmetic is in the
/// compute type.
namespace mobileone::kernels {

/// Elements in a row of a panel: one cache line.
template <typename T>
inline constexpr int64_t kPanel = 64 / static_cast<int64_t>(sizeof(T));

/// Elements that `pack` writes for a right-hand side of [k,n].
template <typename T>
constexpr int64_t packed_size(int64_t k, int64_t n) {
  return (n + kPanel<T> - 1) / kPanel<T> * kPanel<T> * k;
}

/// Lays out b [k,n], element (i,j) at b[i * stride_k + j * stride_n], as panels of kPanel columns,
/// the last filled with zeros: the form in which `multiply` reads it.
template <typename T>
void pack(int64_t k, int64_t n, const T* b, int64_t stride_k, int64_t stride_n, T* packed);

/// a [rows,k] · b [k,n]: rows of a lie `stride` elements apart, b is packed.
template <typename S>
struct Factors {
  const S* a = nullptr;
  int64_t k = 0, stride = 0;
  const Compute<S>* packed = nullptr;
};

/// Products that a call of `multiply` can sum.
inline constexpr int64_t kMostProducts = 2;

/// What `multiply` does to a sum of products on its way to memory.
template <typename T>
struct Epilogue {
  const T* bias = nullptr;  ///< [n], added
  bool accumulate = false;  ///< add to what `y` holds
  bool relu = false;
};

/// y [rows,n] = the sum of the products, with an epilogue; rows of y lie `stride` elements apart.
template <typename S>
void multiply(int64_t rows, int64_t n, std::span<const Factors<S>> products,
              const Epilogue<Compute<S>>& epilogue, S* y, int64_t stride);

/// Columns of a matrix of `rows` rows: element (r,i) is data[r * stride + i] − shift[i].
template <typename S>
struct Columns {
  const S* data = nullptr;
  int64_t count = 0;
  int64_t stride = 0;
  const Compute<S>* shift = nullptr;  ///< [count]; null: none
  double* sums = nullptr;             ///< [count], each column's sum is added; null: nowhere
};

/// Which elements (i,j) of a product must be right.
enum class Part {
  kAll,
  kUpper,  ///< i ≤ j: of a symmetric product, at about half the cost
};

/// c [a.count, b.count] += aᵀ b, summed over `rows` rows: 64 at a time in the compute type, some of
/// these sums likewise, then in double.
template <typename S>
void outer_product(int64_t rows, const Columns<S>& a, const Columns<S>& b, Part part, double* c,
                   int64_t stride_c);

}  // namespace mobileone::kernels
