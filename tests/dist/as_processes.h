#pragma once

#include <thread>
#include <vector>

#include "mobileone/dist/processes.h"

namespace mobileone {

/// Runs a function as each of `size` processes, which are threads of this one.
template <typename Action>
void as_processes(int64_t size, const Action& action) {
  const auto processes = Processes::in_threads(size, {.timeout = std::chrono::seconds(60)});
  std::vector<std::jthread> threads;
  for (const auto& process : processes) {
    threads.emplace_back([&action, &own = *process] { action(own); });
  }
}

}  // namespace mobileone
