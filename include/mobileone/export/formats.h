#pragma once

#include <filesystem>
#include <optional>
#include <string_view>
#include <vector>

#include "mobileone/export/package.h"

namespace mobileone {

/// A format of files that networks are exported to.
struct Format {
  std::string_view name;                  ///< "onnx"
  std::string_view title;                 ///< "ONNX"
  std::string_view ending;                ///< of its files' names: ".onnx"
  std::vector<std::string_view> options;  ///< what it knows of FormatOptions, by option of `export`
  /// Writes a file, whole or not at all. Returns how far what was read back is from the network,
  /// nothing where this program cannot run the format. Throws Error naming the path.
  std::optional<Difference> (*write)(const Package& package, const std::filesystem::path& path,
                                     const FormatOptions& options);
};

/// All of them; the first is written where nothing says which.
const std::vector<Format>& formats();

}  // namespace mobileone
