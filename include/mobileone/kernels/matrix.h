#pragma once

#include <cstdint>

#include "mobileone/kernels/types.h"

/// Dense products on raw row-major memory, one thread each: the caller divides rows between
/// threads. Instantiated for float and double, and for bfloat16 operands where said.
namespace mobileone::kernels {

/// Elements in a row of a panel: two cache lines.
template <typename T>
inline constexpr int64_t kPanel = 128 / static_cast<int64_t>(sizeof(T));

/// Elements that `pack` writes for a right-hand side of [k,n].
template <typename T>
constexpr int64_t packed_size(int64_t k, int64_t n) {
  return (n + kPanel<T> - 1) / kPanel<T> * kPanel<T> * k;
}

/// Lays out b [k,n], element (i,j) at b[i * stride_k + j * stride_n], as panels of kPanel columns,
/// the last filled with zeros: the form in which `multiply` reads it.
template <typename T>
void pack(int64_t k, int64_t n, const T* b, int64_t stride_k, int64_t stride_n, T* packed);

/// What `multiply` does to a product on its way to memory.
template <typename T>
struct Epilogue {
  const T* bias = nullptr;  ///< [n], added
  bool accumulate = false;  ///< add to what `y` holds
  bool relu = false;
};

/// y [rows,n] = a [rows,k] · b [k,n], with an epilogue; b is packed, rows of a and y lie `stride_a`
/// and `stride_y` elements apart.
template <typename T>
void multiply(int64_t rows, int64_t k, int64_t n, const T* a, int64_t stride_a, const T* packed,
              const Epilogue<T>& epilogue, T* y, int64_t stride_y);

/// Columns of a matrix of `rows` rows: element (r,i) is data[r * stride + i] − shift[i].
template <typename S>
struct Columns {
  const S* data = nullptr;
  int64_t count = 0;
  int64_t stride = 0;
  const Compute<S>* shift = nullptr;  ///< [count]; null: none
};

/// c [a.count, b.count] += aᵀ b, summed over `rows` rows: in blocks in the operands' precision,
/// over blocks in double. Only elements (i,j) with i < j + diagonal need be right: 0 and a = b
/// give the upper half of a symmetric product; a.count gives all.
template <typename S>
void outer_product(int64_t rows, const Columns<S>& a, const Columns<S>& b, int64_t diagonal,
                   double* c, int64_t stride_c);

}  // namespace mobileone::kernels
