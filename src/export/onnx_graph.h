#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace mobileone {

/// A size, or the name of one that may vary.
using OnnxSize = std::variant<int64_t, std::string>;

/// An ONNX GraphProto in the making (onnx.proto).
class OnnxGraph {
 public:
  using Attribute = std::variant<int64_t, std::vector<int64_t>, std::string>;
  using Attributes = std::vector<std::pair<std::string, Attribute>>;

  explicit OnnxGraph(const std::string& name);

  void add_input(const std::string& name, at::ScalarType type, const std::vector<OnnxSize>& shape);
  void add_output(const std::string& name, at::ScalarType type, const std::vector<OnnxSize>& shape);
  /// A constant; returns its name.
  std::string add_initializer(const std::string& name, const at::Tensor& tensor);
  /// A node with one output; returns its name, which is the node's unless `output` is given. An
  /// input without a name is an optional one that is left out.
  std::string add_node(const std::string& type, const std::string& name,
                       const std::vector<std::string>& inputs, const Attributes& attributes = {},
                       const std::string& output = "");

  /// A node with several outputs, by their names.
  void add_node(const std::string& type, const std::string& name,
                const std::vector<std::string>& inputs, const Attributes& attributes,
                const std::vector<std::string>& outputs);

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  protozero::pbf_writer graph_{bytes_};
};

/// TensorProto.DataType of a float32, float16, uint8, int8, int32 or int64.
int32_t onnx_type(at::ScalarType type);

/// A ModelProto of opset 17 with `metadata` as its metadata_props.
std::string onnx_model(const OnnxGraph& graph, const std::string& producer,
                       const std::string& producer_version,
                       const std::vector<std::pair<std::string, std::string>>& metadata);

}  // namespace mobileone
