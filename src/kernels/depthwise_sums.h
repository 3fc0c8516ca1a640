#pragma once

namespace mobileone::kernels {

/// The fast way's sums: of products x[q] x[q + offset] by offset over the whole map and over its
/// edges, of which the products of two taps are differences.
enum FastRow {
  kOffsets = 0,        // (0,0..2), (1,-2..2), (2,-2..2)
  kTotal = 13,         // x over the map
  kFirstRow = 14,      // (0,0..2) with q in the first row
  kLastRow = 17,       // likewise in the last
  kFirstColumn = 20,   // (0..2,0) with q in the first column
  kLastColumn = 23,    // likewise in the last
  kCorners = 26,       // x², first or last row × first or last column
  kEdges = 30,         // x over first row, last row, first column, last column
  kCornerValues = 34,  // x at the corners
  kFastRows = 38
};

}  // namespace mobileone::kernels
