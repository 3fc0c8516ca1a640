#pragma once

#include "mobileone/util/error.h"

namespace mobileone {

/// Thrown where a run ends because of another of its processes, whose error the text is.
class PeerError : public Error {
 public:
  using Error::Error;
};

}  // namespace mobileone
