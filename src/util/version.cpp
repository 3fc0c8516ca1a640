#include "mobileone/util/version.h"

#include "mobileone_revision.h"

namespace mobileone {

std::string_view version() { return MOBILEONE_VERSION; }

std::string_view revision() { return MOBILEONE_REVISION; }

}  // namespace mobileone
