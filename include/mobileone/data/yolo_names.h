#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace mobileone {

/// The classes of a set of YOLO's by their numbers: the lines of a classes.txt or, where there is
/// none, the `names` of a data.yaml (a list, or a map from number to name), beside the labels, the
/// images or the folder of either, or among the labels; empty where there is neither. Throws Error.
std::vector<std::string> yolo_class_names(const std::filesystem::path& images,
                                          const std::filesystem::path& labels);

}  // namespace mobileone
