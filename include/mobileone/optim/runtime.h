#pragma once

#include <torch/types.h>

#include "mobileone/config/config.h"
#include "mobileone/dist/place.h"

namespace mobileone {

/// The device to compute on; of a machine's several, processes at different places take different
/// ones. Throws Error if CUDA is asked for and missing.
torch::Device choose_device(DeviceChoice choice, const Place& place = {});

/// Throws Error unless so many threads can run at once: OpenMP, which starts LibTorch's, would end
/// the process.
void require_threads(int64_t count);

/// Sets the number of threads that LibTorch computes with; 0: the cores, shared evenly by so many
/// processes. Throws Error if they cannot be started.
void set_threads(int64_t threads, int64_t processes = 1);

/// From now on (with glibc) the process keeps the memory that it frees, for a next step or call
/// that allocates as much again.
void keep_freed_memory();

/// Readies the process for training: threads, seed, numbers too small to matter flushed to zero,
/// and freed memory kept.
void prepare_training(const RuntimeConfig& config, const Place& place = {});

/// While it lives, convolutions and linear layers of this thread compute in `precision`; weights,
/// batch norms' statistics and the loss stay float32.
class PrecisionGuard {
 public:
  PrecisionGuard(torch::Device device, Precision precision);
  ~PrecisionGuard();
  PrecisionGuard(const PrecisionGuard&) = delete;
  PrecisionGuard& operator=(const PrecisionGuard&) = delete;

 private:
  torch::DeviceType device_;
  bool autocast_;
};

}  // namespace mobileone
