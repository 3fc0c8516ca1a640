#include "mobileone/data/voc_xml.h"

#include <array>
#include <cmath>
#include <optional>
#include <pugixml.hpp>

#include "mobileone/data/file_kind.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/error.h"
#include "mobileone/util/number.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

std::optional<double> number_of(const pugi::xml_node& parent, const char* name) {
  const auto value = parse_number<double>(trimmed(parent.child(name).text().get()));
  return value && std::isfinite(*value) ? value : std::nullopt;
}

int64_t pixels_of(const pugi::xml_node& size, const char* name) {
  const auto value = number_of(size, name);
  return value && *value >= 0 && *value < 1e9 ? static_cast<int64_t>(*value) : 0;
}

/// `place` is "x.xml: object 3 (cat)".
Box box_of(const pugi::xml_node& object, const std::string& place) {
  constexpr std::array kEdges = {"xmin", "ymin", "xmax", "ymax"};
  const pugi::xml_node box = object.child("bndbox");
  if (!box) throw Error("{}: has no bndbox", place);
  std::array<double, 4> edges;
  for (size_t i = 0; i < edges.size(); ++i) {
    const auto value = number_of(box, kEdges[i]);
    if (!value) {
      throw Error("{}: {} is `{}`, expected a number of pixels", place, kEdges[i],
                  one_line(trimmed(box.child(kEdges[i]).text().get()).substr(0, 40)));
    }
    edges[i] = *value;
  }
  if (edges[0] > edges[2] + 1 || edges[1] > edges[3] + 1) {  // one more is a box of no pixel
    throw Error("{}: its box goes from ({}, {}) to ({}, {}), expected the smaller numbers first",
                place, edges[0], edges[1], edges[2], edges[3]);
  }
  return {edges[0] - 1, edges[1] - 1, edges[2], edges[3]};
}

/// 0 where it is not said.
bool flag_of(const pugi::xml_node& object, const char* name, const std::string& place) {
  const pugi::xml_node child = object.child(name);
  const std::string_view value = trimmed(child.text().get());
  if (child && value != "0" && value != "1") {
    throw Error("{}: {} is `{}`, expected 0 or 1", place, name, one_line(value.substr(0, 40)));
  }
  return value == "1";
}

}  // namespace

VocAnnotation parse_voc_xml(std::string_view bytes, const std::string& name) {
  pugi::xml_document document;
  const auto result = document.load_buffer(
      bytes.data(), bytes.size(), pugi::parse_default | pugi::parse_doctype | pugi::parse_fragment);
  const pugi::xml_node root = document.document_element();
  if (!result || !root) {
    if (bytes.find('<') == bytes.npos) {
      throw Error("{}: is {}, expected an XML annotation of Pascal VOC's", name,
                  file_kind(bytes.substr(0, 512)));
    }
    throw Error("{}: is no sound XML: {} at byte {}", name,
                result ? "No document element found" : result.description(), result.offset);
  }
  for (const auto& node : document) {
    const bool is_text = node.type() == pugi::node_pcdata || node.type() == pugi::node_cdata;
    if (is_text || (node.type() == pugi::node_element && node != root)) {
      throw Error("{}: has more than its <{}>, from byte {} on; expected one <annotation>", name,
                  one_line(root.name()), node.offset_debug());
    }
    if (node.type() == pugi::node_doctype) {
      throw Error("{}: has a document type, whose entities are not expanded; remove <!DOCTYPE ...>",
                  name);
    }
  }
  if (std::string_view(root.name()) != "annotation") {
    throw Error("{}: its root is <{}>, expected <annotation>", name, one_line(root.name()));
  }
  VocAnnotation annotation;
  annotation.file_name = trimmed(root.child("filename").text().get());
  annotation.width = pixels_of(root.child("size"), "width");
  annotation.height = pixels_of(root.child("size"), "height");
  int64_t count = 0;
  for (const auto& object : root.children("object")) {
    const std::string class_name = legible_name(trimmed(object.child("name").text().get()));
    std::string place = fmt::format("{}: object {}", name, ++count);
    if (class_name.empty()) throw Error("{}: has no name", place);
    place += fmt::format(" ({})", class_name);
    annotation.objects.push_back(
        {class_name, box_of(object, place), flag_of(object, "difficult", place)});
  }
  return annotation;
}

}  // namespace mobileone
