#pragma once

#include "pickle_object.h"

namespace mobileone {

/// What Python's function or class would return for these arguments; nothing where it is the first
/// of them. Only data are put together, nothing is run; what is made of unknown objects is unknown,
/// too. Throws Error for arguments that do not fit and for tensors that lie outside their storage.
std::optional<Object::Content> call(Callable callable, const Objects& arguments);

}  // namespace mobileone
