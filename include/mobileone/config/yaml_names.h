#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mobileone {

/// The classes that a YAML file names as Ultralytics' data.yaml does: `names: [cat, dog]`, or
/// `names: {0: cat, 1: dog}`. Throws Error where they are not so, or one has no name.
std::vector<std::string> read_yaml_names(const std::filesystem::path& file);

}  // namespace mobileone
