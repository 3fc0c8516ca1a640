#pragma once

#include <cstdint>
#include <string>
#include <torch/csrc/distributed/c10d/Store.hpp>

namespace mobileone {

using StorePointer = c10::intrusive_ptr<c10d::Store>;

/// The key by which process `rank` tells of something to the others: "size", "who", "beat", ….
std::string key(const char* kind, int64_t rank);

/// Empty where nobody has set it yet.
std::string value_or_empty(c10d::Store& store, const std::string& name);

}  // namespace mobileone
