#include "mobileone/config/yaml_names.h"

#include <fmt/format.h>

#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/number.h"
#include "mobileone/util/one_line.h"
#include "yaml_text.h"

namespace mobileone {
namespace {

YAML::Node parsed(const std::filesystem::path& file) {
  constexpr uintmax_t kLargest = 1 << 20;  // bytes
  if (std::filesystem::file_size(file) > kLargest) {
    throw Error("{}: is larger than any list of classes, expected at most {} bytes", file.string(),
                kLargest);
  }
  try {
    return load_document(read_file(file));
  } catch (const YAML::Exception& error) {
    throw Error("{}:{}: not valid YAML: {}", file.string(), error.mark.line + 1,
                one_line(error.msg));
  }
}

}  // namespace

std::vector<std::string> read_yaml_names(const std::filesystem::path& file) {
  const YAML::Node root = parsed(file);
  const YAML::Node names = root.IsMap() ? root["names"] : YAML::Node();
  const auto fail = [&](const std::string& what) {
    return Error("{}: {}; expected `names: [cat, dog]` or `names: {{0: cat, 1: dog}}`",
                 file.string(), what);
  };
  if (!names || !(names.IsSequence() || names.IsMap())) throw fail("has no list of names");
  const YAML::Node count = root["nc"];
  if (count && count.IsScalar() && count.Scalar() != std::to_string(names.size())) {
    throw fail(
        fmt::format("says nc: {}, but has {} names", one_line(count.Scalar()), names.size()));
  }
  std::vector<std::string> listed(names.size());
  int64_t place = 0;
  for (const auto& entry : names) {
    const auto number = names.IsMap() ? parse_number<int64_t>(entry.first.Scalar()) : place++;
    if (!number || *number < 0 || *number >= std::ssize(listed) || !listed[*number].empty()) {
      throw fail(fmt::format("does not number its {} classes from 0 to {}", listed.size(),
                             std::ssize(listed) - 1));
    }
    const YAML::Node name = names.IsMap() ? entry.second : entry;
    if (!name.IsScalar() || name.Scalar().empty()) {
      throw fail(fmt::format("class {} has no name", *number));
    }
    listed[*number] = name.Scalar();
  }
  return listed;
}

}  // namespace mobileone
