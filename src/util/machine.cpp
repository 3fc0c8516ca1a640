#include "mobileone/util/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <fstream>
#include <thread>

namespace mobileone {
namespace {

/// The value of the first line of a file under /proc that begins with `key`.
std::string proc_entry(const char* file, const std::string& key) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with(key) || colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "unknown";
}

}  // namespace

Machine this_machine() {
  utsname system{};
  ::uname(&system);
  return {.host = system.nodename,
          .system = fmt::format("{} {} {}", system.sysname, system.release, system.machine),
          .processor = proc_entry("/proc/cpuinfo", "model name"),
          .memory = proc_entry("/proc/meminfo", "MemTotal"),
          .cores = std::thread::hardware_concurrency()};
}

}  // namespace mobileone
