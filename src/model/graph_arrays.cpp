#include "mobileone/model/graph_arrays.h"

#include <ATen/ATen.h>

#include <memory>

namespace mobileone {

at::Tensor tensor_of(const graph::Array& array, at::ScalarType type) {
  return at::from_blob(const_cast<float*>(array.values.get()), array.shape, at::kFloat)
      .to(type, /*non_blocking=*/false, /*copy=*/true);
}

graph::Array array_of(const at::Tensor& tensor) {
  const auto kept =
      std::make_shared<const at::Tensor>(tensor.detach().to(at::kCPU, at::kFloat).contiguous());
  return {kept->sizes().vec(), {kept, kept->const_data_ptr<float>()}};
}

at::Tensor weight_levels(const graph::Graph& graph, graph::Parameter weight) {
  const at::Tensor values = tensor_of(graph[weight]).to(at::kDouble);
  std::vector<int64_t> shape(static_cast<size_t>(values.dim()), 1);
  shape[0] = -1;
  const auto scales = at::tensor(graph.scales.at(weight.id), at::kFloat).to(at::kDouble);
  return (values / scales.view(shape)).round();
}

at::Tensor bias_levels(const graph::Graph& graph, graph::Parameter bias, graph::Parameter weight,
                       const graph::Grid& input) {
  const auto scales = at::tensor(graph.scales.at(weight.id), at::kFloat) * input.scale;
  return (tensor_of(graph[bias]).to(at::kDouble) / scales.to(at::kDouble)).round();
}

}  // namespace mobileone
