#pragma once

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "mobileone/optim/flat_state.h"

namespace mobileone {

/// Sums a FlatState's gradients over the processes of a run while the backward pass goes on: as
/// soon as all gradients of a bucket, a piece of the flat tensor, are there, its sum begins
/// (Li et al. 2020, PyTorch Distributed, section 3.2). Sums are begun in one order everywhere, from
/// the network's end to its beginning.
class GradientSum {
 public:
  /// Begins to replace a tensor by its sum over the processes; it is once what this returns was
  /// called (Processes::start_sum).
  using StartSum = std::function<std::function<void()>(const torch::Tensor&)>;

  /// Small enough that a small network's backward hides most of their sums, and large enough that
  /// what each costs by itself does not show (docs/results.md).
  static constexpr int64_t kBucketBytes = 2 << 20;

  /// `state`, of `module`, must outlive it. Buckets hold at least `bucket_bytes`, but for the last
  /// ones of weights and of norms.
  GradientSum(torch::nn::Module& module, const FlatState& state, StartSum start_sum,
              int64_t bucket_bytes = kBucketBytes);
  ~GradientSum();
  GradientSum(const GradientSum&) = delete;
  GradientSum& operator=(const GradientSum&) = delete;

  /// Before the backward pass that completes the gradients.
  void begin();
  /// After it: begins what has not been, and waits for all. The gradients are the sums then.
  void finish();

  /// Elements of each bucket, in the order of their sums.
  std::vector<int64_t> bucket_sizes() const;

 private:
  struct Bucket {
    int64_t begin, end;      ///< in the flat gradients
    int64_t parameters = 0;  ///< whose gradients lie in it
    int64_t missing = 0;     ///< of them, in this pass
  };
  struct Hook;

  void note_gradient(size_t bucket);
  void start_next();

  const FlatState& state_;
  const StartSum start_sum_;
  std::vector<Bucket> buckets_;
  std::vector<Hook> hooks_;
  bool active_ = false;
  std::vector<std::function<void()>> pending_;  // of the buckets begun so far
};

}  // namespace mobileone
