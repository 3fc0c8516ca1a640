#pragma once

#include <string_view>

#include "pickle_object.h"

namespace mobileone {

/// Whose pickle it is: TorchScript's has globals of its own.
enum class PickleOrigin { kPython, kTorchScript };

/// What a pickle means by a global: an UnknownGlobal where that is nothing. Throws Error, naming
/// it, for what can be there only to make Python act on the machine that reads the file.
Object::Content find_global(std::string_view module, std::string_view name, PickleOrigin origin);

}  // namespace mobileone
