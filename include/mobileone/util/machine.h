#pragma once

#include <string>

namespace mobileone {

/// What a machine is, where its system tells ("unknown" where not).
struct Machine {
  std::string host;
  std::string system;     ///< "Linux 6.1.0 x86_64"
  std::string processor;  ///< its model's name
  std::string memory;     ///< "24689764 kB"
  unsigned cores;         ///< that threads can run on at a time
};

Machine this_machine();

/// The bytes of memory that this machine has or, where that is less, its control group (a
/// container, a job of a batch system) may use; infinity where neither is told.
double usable_memory();

}  // namespace mobileone
