#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mobileone/data/sheet.h"

namespace mobileone::cli {

/// What the name of a sheet's file may end in.
inline const std::vector<std::string_view> kSheetEndings = {".png", ".html"};

/// Writes a picture, or where the name ends in .html a page that has the same as text and images:
/// names of any script can be read there.
void write_sheet(const std::string& path, const Sheet& sheet);

}  // namespace mobileone::cli
