#pragma once

#include <string>

#include "mobileone/data/sheet.h"

namespace mobileone::cli {

/// Throws Error, naming the option, unless a sheet can be written to a file of this name.
void require_sheet_name(const std::string& option, const std::string& path);

/// Writes a picture (.png), or a page that has the same as text and images (.html): names of any
/// script can be read there.
void write_sheet(const std::string& path, const Sheet& sheet);

}  // namespace mobileone::cli
