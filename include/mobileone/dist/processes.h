#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mobileone/dist/peer_error.h"  // IWYU pragma: export
#include "mobileone/dist/place.h"

namespace mobileone {

/// The processes of a run, of which this is one: what they compute together. Every process calls
/// the same members in the same order. A process alone may call them all, too: they do nothing.
///
/// c10d does the work: its TCPStore for keys, its Gloo or NCCL for tensors. Where another process
/// has ended, was stopped or cannot be reached, members throw PeerError that names it, at the
/// latest after the time-out. Used by one thread at a time.
class Processes {
 public:
  struct Options {
    std::chrono::milliseconds timeout = std::chrono::seconds(300);
    at::Device device = at::kCPU;  ///< of tensors: Gloo on CPUs, NCCL on CUDA devices
  };

  /// One process alone.
  Processes();
  /// Meets the others; at most 30 seconds may lie between the first and the last to come. Throws
  /// Error where the address cannot be reached, the port is in use, processes are missing, or
  /// differ in what they know of the run's size.
  Processes(const Place& place, const Options& options);
  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  /// A process alone, for as long as the program runs.
  static const Processes& none();

  /// As many as threads of one process shall be, each of which takes one; for tests and
  /// measurements.
  static std::vector<std::unique_ptr<Processes>> in_threads(int64_t size, const Options& options);

  int64_t rank() const { return place_.rank; }
  int64_t size() const { return place_.size; }
  const Place& place() const { return place_; }
  bool alone() const { return place_.size == 1; }
  /// Whether this is the process that writes files and reports.
  bool first() const { return place_.rank == 0; }

  /// Replaces a tensor, of one shape everywhere, by its sum over all processes.
  void sum(const at::Tensor& tensor) const;
  /// Begins to; the tensor is the sum once what this returns was called. Sums may be begun while
  /// others go on.
  [[nodiscard]] std::function<void()> start_sum(const at::Tensor& tensor) const;
  /// Replaces a tensor, of one shape everywhere, by rank 0's.
  void broadcast(const at::Tensor& tensor) const;
  /// Each number's sum over all processes.
  std::vector<double> sums(std::vector<double> values) const;
  /// The texts of all processes, by rank.
  std::vector<std::string> gather(const std::string& text) const;
  /// Waits for all.
  void meet() const;

  /// Runs `action` in every process. Where it throws Error in any, it throws in all.
  void together(const std::function<void()>& action) const;

  /// Runs all that this process does as one of them. Where it throws, the others' errors say why;
  /// rank 0, which may hold the keys, stays until they have come to their ends, too.
  void run(const std::function<void()>& part) const;

 private:
  struct Group;

  Processes(const Place& place, std::unique_ptr<Group> group);
  void sum_on_host(const at::Tensor& tensor) const;
  void call(const std::function<void()>& collective) const;

  Place place_;
  std::unique_ptr<Group> group_;  // null where alone
};

/// Keeps LibTorch's log from telling of what Error or our own log says in a line: names that c10d
/// cannot look up, tries that fail before one succeeds, stacks. TORCH_CPP_LOG_LEVEL wins; returns
/// whether the log is silent.
bool silence_torch_log();

}  // namespace mobileone
