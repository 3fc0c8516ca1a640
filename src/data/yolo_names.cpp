#include "mobileone/data/yolo_names.h"

#include <array>

#include "mobileone/config/yaml_names.h"
#include "mobileone/data/labels.h"

namespace mobileone {
namespace fs = std::filesystem;

std::vector<std::string> yolo_class_names(const fs::path& images, const fs::path& labels) {
  const std::array places = {labels.parent_path(), images.parent_path(),
                             labels.parent_path().parent_path(), labels};
  for (const fs::path& folder : places) {
    auto names = class_names_beside(folder / "x");
    if (!names.empty()) return names;
  }
  for (const fs::path& folder : places) {
    if (!fs::exists(folder / "data.yaml")) continue;
    auto names = read_yaml_names(folder / "data.yaml");
    for (std::string& name : names) name = legible_name(name);
    return names;
  }
  return {};
}

}  // namespace mobileone
