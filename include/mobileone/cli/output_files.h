#pragma once

#include <string>
#include <vector>

#include "mobileone/data/image_list.h"

namespace mobileone::cli {

/// Makes the folder of `predict --output` and returns for each image what the names of its files
/// begin with, by the image's own name: "FOLDER/cat"; nothing where no folder is asked for. Throws
/// Error where two images would have one name, or the folder cannot be made.
std::vector<std::string> output_stems(const std::string& folder, const ImageList& images);

}  // namespace mobileone::cli
