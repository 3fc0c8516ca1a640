#include "mobileone/data/yolo_names.h"

#include <array>
#include <set>

#include "mobileone/config/yaml_names.h"
#include "mobileone/data/labels.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace fs = std::filesystem;
namespace {

void require_different(const std::vector<std::string>& names, const fs::path& file) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (seen.insert(name).second) continue;
    throw Error("{}: has two classes called '{}', expected different names", file.string(), name);
  }
}

}  // namespace

std::vector<std::string> yolo_class_names(const fs::path& images, const fs::path& labels) {
  const std::array places = {labels.parent_path(), images.parent_path(),
                             labels.parent_path().parent_path(), labels};
  for (const fs::path& folder : places) {
    auto names = class_names_beside(folder / "x");
    if (names.empty()) continue;
    require_different(names, folder / "classes.txt");
    return names;
  }
  for (const fs::path& folder : places) {
    if (!fs::exists(folder / "data.yaml")) continue;
    auto names = read_yaml_names(folder / "data.yaml");
    for (std::string& name : names) name = legible_name(name);
    require_different(names, folder / "data.yaml");
    return names;
  }
  return {};
}

}  // namespace mobileone
