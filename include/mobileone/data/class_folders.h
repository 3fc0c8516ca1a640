#pragma once

#include <string>
#include <vector>

#include "mobileone/data/image_list.h"

namespace mobileone {

/// A folder of class folders, as torchvision's ImageFolder: the sorted names of the class folders
/// are the labels 0, 1, ...; every image below a class folder belongs to it, by what its name ends
/// in; what begins with a dot is passed over. Links are followed, each folder of a class is read
/// once. Other files and links that lead nowhere are counted in a warning. Throws Error for a class
/// folder that holds no images, leads nowhere or cannot be read.
ImageList read_class_folders(const std::string& folder);

/// Every image below a folder, as those of a class folder are found. Throws Error if there is none.
std::vector<std::string> image_files_below(const std::string& folder);

}  // namespace mobileone
