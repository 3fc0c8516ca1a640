#pragma once

#include <string>
#include <vector>

#include "mobileone/graph/graph.h"
#include "mobileone/model/mobileone.h"
#include "mobileone/model/state_dict.h"

namespace mobileone {

/// What a network does once it is folded, as a graph of floating point images [N,C,H,W]. Its output
/// is `logits`, of a classifier [N,num_classes], of DeepLabV3 [N,num_classes,H,W], which has a
/// second one, `auxiliary`, unless `options.folded`; of SSDLite `boxes` [N,A,4], the offsets from
/// the anchors, and `logits` [N,A,1+num_classes], background first; a backbone's are `stage1` to
/// `stage4`. The parameters, by their keys and in the order of a folded network's state dict, have
/// shapes but no values.
graph::Graph lower(const NetworkOptions& options);

/// The same with the parameters' values, in float32; those of a network of float32 on the CPU share
/// its memory. Throws Error if the network is not folded.
graph::Graph lower(const MobileOne& folded);

/// Gives a graph's parameters the values that `state` has under their names, as above. Throws Error
/// naming one that is missing there or has another shape.
void take_values(graph::Graph& graph, const StateDict& state);

// Parts of a network. Each adds nodes, with parameters that have no values, and returns its output.

/// A convolution with bias: the parameters `name`.weight and `name`.bias. Of `shape` counts what a
/// folded unit has: channels, kernel, stride, dilation and groups.
graph::Value lower_conv(graph::Graph& graph, const std::string& name, const UnitOptions& shape,
                        graph::Value x);

/// A folded unit: [N,Cin,H,W] → [N,Cout,H',W'].
graph::Value lower_unit(graph::Graph& graph, const UnitOptions& unit, graph::Value x);

/// All units: the output of each stage, finest first.
std::vector<graph::Value> lower_stages(graph::Graph& graph, const NetworkOptions& options,
                                       graph::Value images);

/// The mean of each channel and a linear layer, `linear`: [N,C,H,W] → logits [N,classes].
graph::Value lower_classifier(graph::Graph& graph, int64_t channels, int64_t classes,
                              graph::Value features);

/// The layers of `head_table` over the outputs of the stages.
std::vector<graph::Output> lower_deeplab(graph::Graph& graph, const NetworkOptions& options,
                                         const std::vector<graph::Value>& stages);

/// Likewise.
std::vector<graph::Output> lower_ssdlite(graph::Graph& graph, const NetworkOptions& options,
                                         const std::vector<graph::Value>& stages);

}  // namespace mobileone
