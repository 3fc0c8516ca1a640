#include "mobileone/util/machine.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

namespace mobileone {
namespace {

constexpr double kUnlimited = std::numeric_limits<double>::infinity();

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

/// The least limit of the group that a line of /proc/self/cgroup names ("0::/a/b", "4:memory:/a")
/// and of those above it.
double group_limit(const std::string& line) {
  const size_t first = line.find(':'), second = line.find(':', first + 1);
  if (second == std::string::npos) return kUnlimited;
  const std::string controllers = line.substr(first + 1, second - first - 1);
  const bool unified = controllers.empty();
  if (!unified && controllers != "memory") return kUnlimited;
  const std::filesystem::path root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
  const char* file = unified ? "memory.max" : "memory.limit_in_bytes";
  double limit = kUnlimited;
  std::filesystem::path group = line.substr(second + 1);
  while (true) {
    std::ifstream stream(root / group.relative_path() / file);
    double bytes = 0;
    if (stream >> bytes) limit = std::min(limit, bytes);
    if (!group.has_relative_path()) return limit;
    group = group.parent_path();
  }
}

}  // namespace

double usable_memory() {
  double bytes = kUnlimited;
  if (double kilobytes = 0;
      std::istringstream(proc_entry("/proc/meminfo", "MemTotal")) >> kilobytes) {
    bytes = 1024 * kilobytes;
  }
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) bytes = std::min(bytes, group_limit(line));
  return bytes;
}

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
