#include "onnx_graph.h"

#include <ATen/ATen.h>

#include <stdexcept>

namespace mobileone {
namespace {

constexpr int64_t kIrVersion = 8;  // that of opset 17's release, ONNX 1.12
constexpr int64_t kOpset = 17;

/// Field numbers of onnx.proto.
namespace model_field {
enum : protozero::pbf_tag_type {
  kIrVersion = 1,
  kProducerName = 2,
  kProducerVersion = 3,
  kGraph = 7,
  kOpsetImport = 8,
  kMetadata = 14
};
}  // namespace model_field
namespace graph_field {
enum : protozero::pbf_tag_type {
  kNode = 1,
  kName = 2,
  kInitializer = 5,
  kInput = 11,
  kOutput = 12
};
}  // namespace graph_field
namespace node_field {
enum : protozero::pbf_tag_type { kInput = 1, kOutput = 2, kName = 3, kType = 4, kAttribute = 5 };
}  // namespace node_field
namespace attribute_field {
enum : protozero::pbf_tag_type { kName = 1, kInteger = 3, kText = 4, kIntegers = 8, kType = 20 };
}  // namespace attribute_field
namespace tensor_field {
enum : protozero::pbf_tag_type { kSizes = 1, kType = 2, kName = 8, kBytes = 9 };
}  // namespace tensor_field
namespace value_field {
enum : protozero::pbf_tag_type {
  kName = 1,
  kType = 2,
  kTensorType = 1,
  kElementType = 1,
  kShape = 2,
  kSize = 1,
  kSizeNumber = 1,
  kSizeName = 2
};
}  // namespace value_field
constexpr protozero::pbf_tag_type kEntryKey = 1, kEntryValue = 2, kOpsetVersion = 2;
constexpr int32_t kIntegerAttribute = 2, kTextAttribute = 3, kIntegersAttribute = 7;

void add_value(protozero::pbf_writer& graph, protozero::pbf_tag_type field, const std::string& name,
               at::ScalarType type, const std::vector<OnnxSize>& shape) {
  namespace f = value_field;
  protozero::pbf_writer value(graph, field);
  value.add_string(f::kName, name);
  protozero::pbf_writer value_type(value, f::kType);
  protozero::pbf_writer tensor(value_type, f::kTensorType);
  tensor.add_int32(f::kElementType, onnx_type(type));
  protozero::pbf_writer sizes(tensor, f::kShape);
  for (const auto& size : shape) {
    protozero::pbf_writer entry(sizes, f::kSize);
    if (const auto* number = std::get_if<int64_t>(&size)) {
      entry.add_int64(f::kSizeNumber, *number);
    } else {
      entry.add_string(f::kSizeName, std::get<std::string>(size));
    }
  }
}

}  // namespace

int32_t onnx_type(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return 1;
    case at::kByte:
      return 2;
    case at::kChar:
      return 3;
    case at::kInt:
      return 6;
    case at::kLong:
      return 7;
    case at::kHalf:
      return 10;
    default:
      throw std::invalid_argument("expected float32, float16, uint8, int8, int32 or int64");
  }
}

OnnxGraph::OnnxGraph(const std::string& name) { graph_.add_string(graph_field::kName, name); }

void OnnxGraph::add_input(const std::string& name, at::ScalarType type,
                          const std::vector<OnnxSize>& shape) {
  add_value(graph_, graph_field::kInput, name, type, shape);
}

void OnnxGraph::add_output(const std::string& name, at::ScalarType type,
                           const std::vector<OnnxSize>& shape) {
  add_value(graph_, graph_field::kOutput, name, type, shape);
}

std::string OnnxGraph::add_initializer(const std::string& name, const at::Tensor& tensor) {
  namespace f = tensor_field;
  const at::Tensor values = tensor.detach().cpu().contiguous();
  protozero::pbf_writer initializer(graph_, graph_field::kInitializer);
  for (const int64_t size : values.sizes()) initializer.add_int64(f::kSizes, size);
  initializer.add_int32(f::kType, onnx_type(values.scalar_type()));
  initializer.add_string(f::kName, name);
  // Little endian, as every machine that LibTorch's wheels are made for.
  initializer.add_bytes(f::kBytes, static_cast<const char*>(values.data_ptr()), values.nbytes());
  return name;
}

std::string OnnxGraph::add_node(const std::string& type, const std::string& name,
                                const std::vector<std::string>& inputs,
                                const Attributes& attributes, const std::string& output) {
  const std::string& result = output.empty() ? name : output;
  add_node(type, name, inputs, attributes, std::vector{result});
  return result;
}

void OnnxGraph::add_node(const std::string& type, const std::string& name,
                         const std::vector<std::string>& inputs, const Attributes& attributes,
                         const std::vector<std::string>& outputs) {
  protozero::pbf_writer node(graph_, graph_field::kNode);
  for (const auto& input : inputs) node.add_string(node_field::kInput, input);
  for (const auto& output : outputs) node.add_string(node_field::kOutput, output);
  node.add_string(node_field::kName, name);
  node.add_string(node_field::kType, type);
  for (const auto& [key, value] : attributes) {
    namespace f = attribute_field;
    protozero::pbf_writer attribute(node, node_field::kAttribute);
    attribute.add_string(f::kName, key);
    if (const auto* number = std::get_if<int64_t>(&value)) {
      attribute.add_int64(f::kInteger, *number);
      attribute.add_enum(f::kType, kIntegerAttribute);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      attribute.add_bytes(f::kText, *text);
      attribute.add_enum(f::kType, kTextAttribute);
    } else {
      for (const int64_t entry : std::get<std::vector<int64_t>>(value)) {
        attribute.add_int64(f::kIntegers, entry);
      }
      attribute.add_enum(f::kType, kIntegersAttribute);
    }
  }
}

std::string onnx_model(const OnnxGraph& graph, const std::string& producer,
                       const std::string& producer_version,
                       const std::vector<std::pair<std::string, std::string>>& metadata) {
  namespace f = model_field;
  std::string bytes;
  protozero::pbf_writer model(bytes);
  model.add_int64(f::kIrVersion, kIrVersion);
  model.add_string(f::kProducerName, producer);
  model.add_string(f::kProducerVersion, producer_version);
  protozero::pbf_writer(model, f::kOpsetImport).add_int64(kOpsetVersion, kOpset);
  model.add_message(f::kGraph, graph.bytes());
  for (const auto& [key, value] : metadata) {
    protozero::pbf_writer entry(model, f::kMetadata);
    entry.add_string(kEntryKey, key);
    entry.add_string(kEntryValue, value);
  }
  return bytes;
}

}  // namespace mobileone
