#pragma once

#include <string>

#include "mobileone/graph/graph.h"

namespace mobileone::graph {

/// The graph with images uint8 [N,H,W,C] for its input, which a first node normalises.
Graph with_levels(Graph graph, Normalize normalize);

/// The graph with `operation` on its only output, which is called `name` then.
Graph with_last(Graph graph, const std::string& node, Operation operation, const std::string& name);

}  // namespace mobileone::graph
