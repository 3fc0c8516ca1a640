#include "mobileone/util/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "mobileone/util/one_line.h"
#include "mobileone/util/progress.h"

namespace mobileone::log {
namespace {

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("mobileone",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    return made;
  }();
  return *instance;
}

}  // namespace

void write_info(const std::string& line) {
  clear_progress_line();
  logger().info(one_line(line));
}

void write_warning(const std::string& line) {
  clear_progress_line();
  logger().warn("warning: " + one_line(line));
}

void only_warnings() { logger().set_level(spdlog::level::warn); }

}  // namespace mobileone::log
