#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "mobileone/graph/graph.h"

namespace mobileone {

struct QuantizeOptions {
  bool per_tensor = false;     ///< one scale for all of a layer's weights, not one a channel
  bool equalize = true;        ///< channels are made alike first (quant/equalize.h)
  bool correct_biases = true;  ///< by what rounding shifts the mean of each channel
  std::vector<std::string> keep_float = {};  ///< layers, by their nodes' names
};

/// What quantisation does to a layer.
struct LayerNoise {
  std::string name;
  double decibels;  ///< signal to noise of its output, all layers before it quantised
};

struct Quantized {
  graph::Graph graph;
  std::vector<LayerNoise> layers;
};

/// A folded network in 8 bits, quantised after training: weights of convolutions and linear layers
/// symmetric, what goes between them from 0 to 255. Layer by layer, on `images`, normalised
/// batches [N,C,H,W], the quantised network beside the one in floating point: ranges are those of
/// least squares. What feeds no such layer stays in floating point. Throws Error where a layer to
/// keep is none, or a weight is not finite.
Quantized quantize(graph::Graph folded, const std::vector<at::Tensor>& images,
                   const QuantizeOptions& options);

}  // namespace mobileone
