#include "mobileone/optim/runtime.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/cuda.h>
#include <torch/utils.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "mobileone/util/error.h"

namespace mobileone {

torch::Device choose_device(DeviceChoice choice, const Place& place) {
  const bool cuda = torch::cuda::is_available();
  if (choice == DeviceChoice::kCuda && !cuda) {
    throw Error(
        "runtime.device: cuda was asked for, but no CUDA device is available to this "
        "LibTorch; use cpu or auto");
  }
  if (!cuda || choice == DeviceChoice::kCpu) return torch::kCPU;
  if (place.size == 1) return torch::kCUDA;
  const auto devices = static_cast<int64_t>(torch::cuda::device_count());
  return {torch::kCUDA, static_cast<torch::DeviceIndex>(place.local_rank % devices)};
}

void require_threads(int64_t count) {
  std::mutex gate;
  std::vector<std::jthread> threads;
  const std::lock_guard all_wait(gate);  // let go of before they are joined
  try {
    for (int64_t i = 1; i < count; ++i) {
      threads.emplace_back([&gate] { const std::lock_guard wait(gate); });
    }
  } catch (const std::system_error& error) {
    throw Error(
        "{} threads of computation cannot be started: {}; lower runtime.threads (--threads), or "
        "raise `ulimit -u`",
        count, error.code().message());
  }
}

void set_threads(int64_t threads, int64_t processes) {
  const auto cores = static_cast<int64_t>(std::thread::hardware_concurrency());
  const int64_t share = std::max<int64_t>(1, cores / processes);
  const int64_t count = threads > 0 ? threads : share;
  require_threads(count);
  at::set_num_threads(static_cast<int>(count));
}

void keep_freed_memory() {
#ifdef __GLIBC__
  // Given back to the system in between, as large blocks are, each page would cost a fault and be
  // cleared each time.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
#endif
}

void prepare_training(const RuntimeConfig& config, const Place& place) {
  keep_freed_memory();
  set_threads(config.threads, place.local_size);
  at::globalContext().setFlushDenormal(true);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
}

PrecisionGuard::PrecisionGuard(torch::Device device, Precision precision)
    : device_(device.type()), autocast_(precision == Precision::kBfloat16) {
  if (!autocast_) return;
  at::autocast::set_autocast_dtype(device_, torch::kBFloat16);
  at::autocast::set_autocast_enabled(device_, true);
}

PrecisionGuard::~PrecisionGuard() {
  if (!autocast_) return;
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, false);
}

}  // namespace mobileone
