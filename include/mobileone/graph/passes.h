#pragma once

#include <cstdint>
#include <string>

#include "mobileone/graph/graph.h"

namespace mobileone::graph {

/// The graph with images uint8 [N,H,W,C] for its input, which a first node normalises.
Graph with_levels(Graph graph, Normalize normalize);

/// The graph with `operation` on its only output, which is called `name` then.
Graph with_last(Graph graph, const std::string& node, Operation operation, const std::string& name);

/// The graph of a detector, whose outputs are `boxes` [N,A,4], offsets, and `logits` [N,A,1+C], for
/// images of `height` × `width` alone: it gives `scores` [N,A,1+C], probabilities, and `boxes`
/// [N,A,4] in pixels.
Graph with_boxes(Graph graph, DecodeBoxes decode, int64_t height, int64_t width);

/// That of `with_boxes` for one image alone, with `detections` [n,6] as its only output.
Graph with_detections(Graph graph, Suppress suppress);

}  // namespace mobileone::graph
