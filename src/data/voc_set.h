#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "mobileone/data/image_list.h"

namespace mobileone {

/// The classes of a set of Pascal VOC's in which these names occur: the lines of classes.txt beside
/// the list or the folder, else Pascal VOC's where these have all, else those that occur.
std::vector<std::string> voc_classes(const std::set<std::string>& seen,
                                     const std::filesystem::path& list,
                                     const std::filesystem::path& folder);

/// The images of a list as ImageSets/Main has them: a name a line, with 1 or -1 behind in those of
/// a class. `annotations` is the folder of the XML files; empty: Annotations beside JPEGImages.
/// Throws Error.
ImageList read_voc_names(const std::filesystem::path& file, const std::string& annotations,
                         int64_t threads);

/// The images of a folder, whose XML files lie likewise in `annotations`. Throws Error.
ImageList read_voc_folder(const std::filesystem::path& folder,
                          const std::filesystem::path& annotations, int64_t threads);

}  // namespace mobileone
