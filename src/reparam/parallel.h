#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace mobileone {

/// Runs f(begin, end, sums) over parts of [0, tasks) of at least `grain`, where `sums` are `size`
/// doubles of the thread's own, zero at first; returns their total [size] in float64, added in the
/// order of the threads: the same bits for the same number of threads.
template <typename F>
at::Tensor parallel_sums(int64_t grain, int64_t tasks, int64_t size, const F& f) {
  const int64_t workers = std::min<int64_t>((tasks + grain - 1) / grain, at::get_num_threads());
  const auto all = at::empty({workers, size}, at::kDouble);
  auto* sums = all.data_ptr<double>();
  std::vector<char> has_part(static_cast<size_t>(workers));
  at::parallel_for(0, tasks, grain, [&](int64_t begin, int64_t end) {
    const int64_t t = at::get_thread_num();
    has_part[static_cast<size_t>(t)] = true;
    std::fill_n(sums + t * size, size, 0.0);
    f(begin, end, sums + t * size);
  });
  at::parallel_for(0, size, 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t t = 1; t < workers; ++t) {
      if (!has_part[static_cast<size_t>(t)]) continue;
      for (int64_t i = begin; i < end; ++i) sums[i] += sums[t * size + i];
    }
  });
  return all[0];
}

}  // namespace mobileone
