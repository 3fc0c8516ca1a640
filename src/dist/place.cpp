#include "mobileone/dist/place.h"

#include <fmt/format.h>

#include <cstdlib>

#include "mobileone/util/crc32.h"
#include "mobileone/util/error.h"
#include "mobileone/util/number.h"

namespace mobileone {
namespace {

/// What a launcher calls its variables; null: it has none of the kind.
struct Names {
  const char* launcher;
  const char *rank, *size, *local_rank, *local_size, *job;
};

constexpr Names kLaunchers[] = {
    {"torchrun or mobileone launch", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE",
     nullptr},
    {"mpirun", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK",
     "OMPI_COMM_WORLD_LOCAL_SIZE", "PMIX_NAMESPACE"},
    {"mpirun", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", nullptr},
    // Not SLURM_NTASKS, which a batch script sees, too, that runs no tasks yet.
    {"srun", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", "SLURM_STEP_TASKS_PER_NODE",
     "SLURM_JOB_ID"},
};

int64_t number(const char* name, const std::string& text, int64_t lowest, int64_t highest) {
  const auto value = parse_number<int64_t>(text);
  if (!value || *value < lowest || *value > highest) {
    throw Error("{}: expected a whole number from {} to {}, got '{}'", name, lowest, highest, text);
  }
  return *value;
}

/// "node01" of "node[01-04,07],other3".
std::string first_host(const std::string& list) {
  const size_t end = list.find_first_of("[,");
  if (end == std::string::npos || list[end] == ',') return list.substr(0, end);
  return list.substr(0, end) + list.substr(end + 1, list.find_first_of("-,]", end) - end - 1);
}

std::string address_of(const Names& names, const Place& place, const Environment& environment) {
  if (const auto given = environment("MASTER_ADDR")) return *given;
  if (const auto hosts = environment("SLURM_STEP_NODELIST")) return first_host(*hosts);
  if (place.local_size == place.size) return "127.0.0.1";
  throw Error(
      "MASTER_ADDR: is not set, and {} does not tell where rank 0 runs; set it to the name or "
      "address of that machine",
      names.launcher);
}

int64_t port_of(const Names& names, const Environment& environment) {
  if (const auto given = environment("MASTER_PORT")) return number("MASTER_PORT", *given, 1, 65535);
  const auto job = names.job == nullptr ? std::nullopt : environment(names.job);
  if (!job) {
    throw Error(
        "MASTER_PORT: is not set; set it to a free port of the machine that rank 0 runs on");
  }
  constexpr int64_t kFirst = 20000, kPorts = 10000;  // below those that systems give by themselves
  return kFirst + crc32(*job) % kPorts;
}

}  // namespace

Place place_in(const Environment& environment) {
  for (const Names& names : kLaunchers) {
    const auto rank = environment(names.rank), size = environment(names.size);
    if (!rank && !size) continue;
    if (!rank || !size) {
      // srun's SLURM_PROCID stands alone in a batch script.
      if (names.launcher == std::string_view("srun")) continue;
      throw Error("{}: is not set, but {} is; both tell of the processes of a run",
                  rank ? names.size : names.rank, rank ? names.rank : names.size);
    }
    Place place;
    constexpr int64_t kMost = 65536;
    place.size = number(names.size, *size, 1, kMost);
    place.rank = number(names.rank, *rank, 0, place.size - 1);
    place.local_size = place.size;
    if (const auto local = environment(names.local_size)) {
      // "2(x3),1": two tasks on each of three machines, then one.
      place.local_size =
          number(names.local_size, local->substr(0, local->find_first_of("(,")), 1, place.size);
    }
    if (const auto local = environment(names.local_rank)) {
      place.local_rank = number(names.local_rank, *local, 0, place.size - 1);
    }
    if (place.size == 1) return place;
    place.address = address_of(names, place, environment);
    place.port = port_of(names, environment);
    if (environment("TORCHELASTIC_USE_AGENT_STORE") == "True") {
      place.served = true;
      place.prefix = "/worker/attempt_" + environment("TORCHELASTIC_RESTART_COUNT").value_or("0");
    }
    return place;
  }
  return {};
}

Place place_in_environment() {
  return place_in([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  });
}

}  // namespace mobileone
