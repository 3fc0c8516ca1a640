#include "mobileone/config/difference.h"

#include <sstream>

#include "mobileone/config/writer.h"

namespace mobileone {

/// Complete configurations have the same keys, each on a line of its own, in the same order.
std::vector<ConfigDifference> differences(const Config& first, const Config& second) {
  std::istringstream first_yaml(to_yaml(first)), second_yaml(to_yaml(second));
  std::vector<ConfigDifference> found;
  std::string section, line, other;
  while (std::getline(first_yaml, line) && std::getline(second_yaml, other)) {
    if (line.front() != ' ') section = line.substr(0, line.size() - 1);
    if (line == other) continue;
    const size_t begin = line.find_first_not_of(' '), colon = line.find(": ");
    found.push_back({section + "." + line.substr(begin, colon - begin), line.substr(colon + 2),
                     other.substr(colon + 2)});
  }
  return found;
}

}  // namespace mobileone
