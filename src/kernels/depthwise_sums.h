#pragma once

namespace mobileone::kernels {

/// The fast way's sums: of products x[q] x[q + offset] by offset over the whole map and over its
/// edges, of which the products of two taps are differences.
enum FastRow {
  kOffsets = 0,        // (0,0..2), (1,-2..2), (2,-2..2)
  kFirstRow = 13,      // (0,0..2) with q in the first row
  kLastRow = 16,       // likewise in the last
  kFirstColumn = 19,   // (0..2,0) with q in the first column
  kLastColumn = 22,    // likewise in the last
  kCorners = 25,       // x², first or last row × first or last column
  kTotal = 29,         // x over the map
  kEdges = 30,         // x over first row, last row, first column, last column
  kCornerValues = 34,  // x at the corners
  kFastRows = 38
};

}  // namespace mobileone::kernels
