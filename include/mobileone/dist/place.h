#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace mobileone {

/// Which of how many processes of a run this one is, and where they meet.
struct Place {
  int64_t rank = 0, size = 1;
  int64_t local_rank = 0, local_size = 1;  ///< among the processes on this machine
  std::string address;                     ///< of the machine where rank 0 runs
  int64_t port = 0;
  /// torchrun serves the keys by which processes meet; otherwise rank 0 does.
  bool served = false;
  std::string prefix;  ///< of keys, where a restarted run may not see those of the one before
};

/// The value of an environment variable; nothing where it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;

/// A place as torchrun, `mobileone launch`, mpirun (Open MPI, MPICH, Intel MPI) or srun tell it by
/// environment variables; rank 0 of 1 where none does. mpirun and srun say nothing of a port, which
/// follows from the job's number, and mpirun nothing of an address, which is this machine's where
/// all processes run on it; MASTER_ADDR and MASTER_PORT win. Throws Error naming the variable that
/// is missing or wrong.
Place place_in(const Environment& environment);

/// `place_in` the process's own environment.
Place place_in_environment();

}  // namespace mobileone
