#pragma once

#include <string_view>

#include "pickle_object.h"

namespace mobileone {

/// Whose pickle it is: TorchScript's has globals of its own.
enum class PickleOrigin { kPython, kTorchScript };

/// What a pickle means by a global; throws Error, naming it, for one that no weights need.
Object::Content find_global(std::string_view module, std::string_view name, PickleOrigin origin);

}  // namespace mobileone
