#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "mobileone/graph/graph.h"

namespace mobileone {

/// Cross-layer equalization (Nagel et al. 2019, section 4.1): the channels of each convolution's
/// output are divided by numbers that the weights of whatever takes them are multiplied by, which
/// changes nothing before quantisation, since ReLU, means and gates pass a positive factor on. The
/// numbers make the ranges of the channels alike on `images`, normalised batches [N,C,H,W]: equal
/// in front of a depthwise convolution, else by half, so that the columns of the weights become
/// alike by the other half. Outputs that anything else takes stay as they are.
graph::Graph equalize(graph::Graph graph, const std::vector<at::Tensor>& images);

/// The same with numbers that make the largest weight of each channel and the largest that it is
/// multiplied by alike, again and again: for weights with one scale a layer.
graph::Graph equalize_weights(graph::Graph graph);

}  // namespace mobileone
