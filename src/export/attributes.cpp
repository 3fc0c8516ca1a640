#include "attributes.h"

namespace mobileone {

std::vector<std::pair<std::string, Attribute>> attributes_of(const Package& package) {
  const Description& d = package.description;
  const Preparation& p = d.preparation;
  std::vector<std::pair<std::string, Attribute>> attributes{
      {"class_names", d.class_names},
      {"resize", p.resize},
      {"crop", p.crop},
      {"interpolation", std::string(to_string(p.interpolation))}};
  if (d.interface.preprocessing == Preprocessing::kOutside) {
    attributes.emplace_back("mean", p.mean);
    attributes.emplace_back("std", p.std);
  }
  if (d.task == "detection") attributes.emplace_back("letterbox", int64_t{p.letterbox});
  for (const graph::Node& node : package.graph.nodes) {
    const auto* boxes = std::get_if<graph::DecodeBoxes>(&node.operation);
    if (boxes == nullptr || d.output == "detections") continue;
    const float* first = boxes->anchors.values.get();
    attributes.emplace_back(
        "anchors", std::vector<double>(first, first + graph::element_count(boxes->anchors.shape)));
    attributes.emplace_back("variances",
                            std::vector<double>(boxes->variances.begin(), boxes->variances.end()));
  }
  return attributes;
}

}  // namespace mobileone
