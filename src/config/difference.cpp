#include "mobileone/config/difference.h"

#include "mobileone/config/writer.h"

namespace mobileone {

std::vector<ConfigDifference> differences(const Config& first, const Config& second) {
  const auto values = config_values(first), others = config_values(second);
  std::vector<ConfigDifference> found;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto& [section, name, value, scope] = values[i];
    if (value != others[i].value) {
      found.push_back({section + "." + name, value, others[i].value, scope});
    }
  }
  return found;
}

}  // namespace mobileone
