#pragma once

#include <thread>
#include <vector>

#include "mobileone/dist/workers.h"

namespace mobileone {

/// Runs a function as each of `size` processes, which are threads of this one.
template <typename Action>
void as_workers(int64_t size, const Action& action) {
  const auto workers = Workers::in_threads(size, {.timeout = std::chrono::seconds(60)});
  std::vector<std::jthread> threads;
  for (const auto& worker : workers) {
    threads.emplace_back([&action, &own = *worker] { action(own); });
  }
}

}  // namespace mobileone
