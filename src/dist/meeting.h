#pragma once

#include <string>

#include "keys.h"
#include "mobileone/dist/place.h"

namespace mobileone {

/// What processes have once they met: the keys, and this machine's address towards the others.
struct Meeting {
  StorePointer store;
  std::string own_address;
};

/// Meets the other processes of a run at the place's address, at most 30 seconds apart. Throws
/// Error where the address cannot be reached, the port is in use, processes are missing, or differ
/// in what they know of the run's size, and PeerError where rank 0 ends meanwhile.
Meeting meet_others(const Place& place);

}  // namespace mobileone
