#include "mobileone/cli/output_files.h"

#include <filesystem>
#include <set>

#include "mobileone/cli/endings.h"
#include "mobileone/util/error.h"

namespace mobileone::cli {
namespace fs = std::filesystem;

std::vector<std::string> output_stems(const std::string& folder, const ImageList& images) {
  require_folder_name("--output", folder);
  std::vector<std::string> stems(static_cast<size_t>(images.size()));
  if (folder.empty()) return stems;
  std::set<fs::path> taken;
  for (int64_t i = 0; i < images.size(); ++i) {
    const fs::path stem = fs::path(folder) / fs::path(images.name(i)).filename().stem();
    if (!taken.insert(stem).second) {
      throw Error(
          "{}: another image has files called {} already; give images of one name one by one",
          images.name(i), stem.string());
    }
    stems[static_cast<size_t>(i)] = stem.string();
  }
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw Error("--output {}: the folder cannot be made: {}", folder, error.message());
  return stems;
}

}  // namespace mobileone::cli
