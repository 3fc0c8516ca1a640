#include "keys.h"

#include <fmt/format.h>

namespace mobileone {

std::string key(const char* kind, int64_t rank) { return fmt::format("{}/{}", kind, rank); }

std::string value_or_empty(c10d::Store& store, const std::string& name) {
  return store.check({name}) ? store.get_to_str(name) : std::string();
}

}  // namespace mobileone
