#include "mobileone/export/onnx.h"

#include <torch/types.h>

#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>

#include "mobileone/config/writer.h"
#include "mobileone/report/text.h"
#include "mobileone/util/file.h"
#include "mobileone/util/version.h"
#include "onnx_graph.h"

namespace mobileone {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

/// Adds a network's nodes to a graph. Each function takes the name of its input and returns that of
/// its output.
class OnnxNetwork {
 public:
  OnnxNetwork(const MobileOne& folded, OnnxGraph& graph)
      : type_(folded->parameters().front().scalar_type()), graph_(graph) {
    for (const auto& item : state_dict(*folded)) {
      graph_.add_initializer(item.key(), item.value());
    }
  }

  std::string normalize(const std::string& images, const LevelNorm& norm) {
    const std::string mean = graph_.add_initializer("preprocessing.mean", norm.mean);
    const std::string std = graph_.add_initializer("preprocessing.std", norm.std);
    std::string x = graph_.add_node("Transpose", "preprocessing.transpose", {images},
                                    {{"perm", std::vector<int64_t>{0, 3, 1, 2}}});
    x = cast("preprocessing.float", x, torch::kFloat32);
    x = graph_.add_node("Sub", "preprocessing.centred", {x, mean});
    x = graph_.add_node("Div", "preprocessing.scaled", {x, std});
    return type_ == torch::kFloat32 ? x : cast("preprocessing.half", x, type_);
  }

  std::string unit(const std::string& input, const UnitOptions& o) {
    std::string x = conv(input, o.name + ".reparam_conv", o);
    if (o.se) x = squeeze_excite(x, o.name + ".se");
    return graph_.add_node("Relu", o.name + ".relu", {x});
  }

  std::string classify(const std::string& features, const std::string& output) {
    std::string x = graph_.add_node("GlobalAveragePool", "pool", {features});
    x = graph_.add_node("Flatten", "flatten", {x}, {{"axis", 1}});
    return graph_.add_node("Gemm", "linear", {x, "linear.weight", "linear.bias"}, {{"transB", 1}},
                           output);
  }

  void softmax(const std::string& logits, const std::string& output) {
    const std::string x =
        type_ == torch::kFloat32 ? logits : cast("logits.float", logits, torch::kFloat32);
    graph_.add_node("Softmax", "softmax", {x}, {{"axis", 1}}, output);
  }

 private:
  std::string cast(const std::string& name, const std::string& x, torch::ScalarType type) {
    return graph_.add_node("Cast", name, {x}, {{"to", int64_t{onnx_type(type)}}});
  }

  std::string conv(const std::string& x, const std::string& key, const UnitOptions& o) {
    const int64_t pad = o.padding();
    return graph_.add_node("Conv", key, {x, key + ".weight", key + ".bias"},
                           {{"kernel_shape", std::vector{o.kernel, o.kernel}},
                            {"strides", std::vector{o.stride, o.stride}},
                            {"pads", std::vector{pad, pad, pad, pad}},
                            {"dilations", std::vector{o.dilation, o.dilation}},
                            {"group", o.groups}});
  }

  std::string squeeze_excite(const std::string& x, const std::string& key) {
    std::string s = graph_.add_node("GlobalAveragePool", key + ".pool", {x});
    s = conv(s, key + ".reduce", UnitOptions{});
    s = graph_.add_node("Relu", key + ".relu", {s});
    s = conv(s, key + ".expand", UnitOptions{});
    s = graph_.add_node("Sigmoid", key + ".sigmoid", {s});
    return graph_.add_node("Mul", key, {x, s});
  }

  const torch::ScalarType type_;
  OnnxGraph& graph_;
};

/// Names may be any bytes; ONNX wants UTF-8.
std::string json_text(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Metadata metadata(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                  Preprocessing preprocessing) {
  const DataConfig& data = checkpoint.config.data;
  Metadata entries{{"class_names", json_text(checkpoint.class_names)},
                   {"resize", std::to_string(data.eval_resize)},
                   {"crop", std::to_string(data.eval_crop)},
                   {"interpolation", std::string(to_string(data.interpolation))}};
  if (preprocessing == Preprocessing::kOutside) {
    entries.emplace_back("mean", json_text(data.mean));
    entries.emplace_back("std", json_text(data.std));
  }
  entries.emplace_back(kConfigFile, valid_utf8(to_yaml(checkpoint.config)));
  entries.emplace_back(kDescriptionFile, description(folded, checkpoint, source, preprocessing));
  return entries;
}

}  // namespace

std::string to_onnx(const MobileOne& folded, const Checkpoint& checkpoint,
                    const std::string& source, Preprocessing preprocessing) {
  const bool inside = preprocessing == Preprocessing::kInside;
  const auto type = folded->parameters().front().scalar_type();
  OnnxGraph graph("MobileOne");
  OnnxNetwork network(folded, graph);
  std::string x = "images";
  if (inside) {
    graph.add_input(x, torch::kByte, {"batch", "height", "width", folded->options.in_channels});
    x = network.normalize(x, level_norm(checkpoint.config.data));
  } else {
    graph.add_input(x, type, {"batch", folded->options.in_channels, "height", "width"});
  }
  for (const auto& unit : folded->units()) x = network.unit(x, unit->options);
  x = network.classify(x, "logits");
  if (inside) network.softmax(x, "probabilities");
  graph.add_output(inside ? "probabilities" : "logits", inside ? torch::kFloat32 : type,
                   {"batch", folded->options.num_classes});
  return onnx_model(graph, "mobileone", std::string(version()),
                    metadata(folded, checkpoint, source, preprocessing));
}

std::map<std::string, std::string> onnx_metadata(std::string_view bytes) {
  constexpr protozero::pbf_tag_type kMetadataProps = 14, kKey = 1, kValue = 2;  // onnx.proto
  std::map<std::string, std::string> metadata;
  try {
    protozero::pbf_reader model(bytes.data(), bytes.size());
    while (model.next(kMetadataProps)) {
      std::string key, value;
      for (protozero::pbf_reader entry = model.get_message(); entry.next();) {
        if (entry.tag() == kKey) {
          key = entry.get_string();
        } else if (entry.tag() == kValue) {
          value = entry.get_string();
        } else {
          entry.skip();
        }
      }
      metadata.insert_or_assign(key, value);
    }
  } catch (const protozero::exception&) {
    // It ends here.
  }
  return metadata;
}

void export_onnx(const MobileOne& folded, const Checkpoint& checkpoint, const std::string& source,
                 const std::filesystem::path& path, Preprocessing preprocessing) {
  write_whole(path, to_onnx(folded, checkpoint, source, preprocessing));
}

}  // namespace mobileone
