#include "mobileone/cli/endings.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "mobileone/util/error.h"
#include "mobileone/util/lower_case.h"

namespace mobileone::cli {
namespace {

bool has_any(std::string_view path, const std::vector<std::string_view>& endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](std::string_view ending) { return has_ending(path, ending); });
}

bool has_no_ending(const std::string& path) {
  const std::string ending = std::filesystem::path(path).extension();
  return std::none_of(ending.begin(), ending.end(),
                      [](unsigned char c) { return std::isalpha(c); });
}

}  // namespace

bool has_ending(std::string_view path, std::string_view ending) {
  return lower_case(path).ends_with(ending);
}

void require_ending(std::string_view option, const std::string& path,
                    const std::vector<std::string_view>& endings) {
  if (!has_no_ending(path)) require_format_ending(option, path, endings);
}

void require_format_ending(std::string_view option, const std::string& path,
                           const std::vector<std::string_view>& endings) {
  if (has_any(path, endings)) return;
  throw Error("{} {}: expected a name that ends in {}, as what is written", option, path,
              fmt::join(endings, " or "));
}

void require_folder_name(std::string_view option, const std::string& path) {
  if (!has_any(path, {".html", ".htm", ".csv", ".json", ".svg", ".png", ".pdf", ".md", ".txt"})) {
    return;
  }
  throw Error("{} {}: names a folder, in which files are made; leave out the ending", option, path);
}

}  // namespace mobileone::cli
