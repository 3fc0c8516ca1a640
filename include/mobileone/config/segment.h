#pragma once

#include <cstdint>
#include <vector>

#include "mobileone/config/field.h"  // IWYU pragma: keep

namespace mobileone {

/// The DeepLabV3 head (Chen et al. 2017, section 3; CVNets' form of it).
struct SegmentConfig {
  int64_t output_stride = 16;
  int64_t channels = 512;
  std::vector<int64_t> rates = {};
  bool pooling = true;
  double dropout = 0.1;
  bool separable = false;
  double auxiliary = 0.4;

  bool operator==(const SegmentConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("output_stride", output_stride,
      {"Ratio of input to feature size, in the place of model.output_stride: beyond it stages "
       "dilate, in every branch.",
       "",
       8,
       16,
       {8, 16}});
    v("channels", channels,
      {"Outputs of each branch of atrous spatial pyramid pooling (ASPP) and of the projection that "
       "follows.",
       "channels", 1, 4096});
    v("rates", rates,
      {"Dilation of ASPP's three 3x3 branches; empty: 6, 12, 18 at an output stride of 16, twice "
       "that at 8.",
       "",
       1,
       1000,
       {0, 3}});
    v("pooling", pooling, {"Whether ASPP has a branch of the image's mean."});
    v("dropout", dropout,
      {"Probability that a channel is dropped before the last layer.", "", 0, 0.9});
    v("separable", separable,
      {"Whether the 3x3 branches are a depthwise and a pointwise convolution, an eighth of the "
       "work."});
    v("auxiliary", auxiliary,
      {"Weight in the loss of a second head, on stage 3, which only training has; 0: none.", "", 0,
       10});
  }
};

}  // namespace mobileone
