#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cpu_backend.h"
#include "mobileone/kernels/matrix.h"
#include "product.h"
#include "storage.h"

namespace mobileone {
namespace {

using at::Tensor;

constexpr int64_t kGrain = 16;  // outputs

/// Calls f(o) for every output, outputs in parallel.
template <typename F>
void for_outputs(int64_t outputs, const F& f) {
  at::parallel_for(0, outputs, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o) f(o);
  });
}

template <typename T>
T dot(const T* a, const T* b, int64_t size) {
  T sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

/// out += a · w.
template <typename T, typename Sum>
void add_scaled(T a, const T* w, int64_t size, Sum* out) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) out[i] += a * w[i];
}

/// out = a · w.
template <typename T>
void set_scaled(T a, const T* w, int64_t size, T* out) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) out[i] = a * w[i];
}

/// out = a · dw + dm · m + dv2 · wc.
template <typename T>
void combine(T a, const T* dw, T dm, const T* m, T dv2, const T* wc, int64_t size, T* out) {
#pragma omp simd
  for (int64_t i = 0; i < size; ++i) out[i] = a * dw[i] + dm * m[i] + dv2 * wc[i];
}

template <typename T>
std::vector<T*> rows_of(const std::vector<Tensor>& tensors) {
  std::vector<T*> rows;
  for (const auto& tensor : tensors) rows.push_back(data_of<T>(tensor));
  return rows;
}

/// A unit's branches and its patches' moments, as loops over outputs read them.
template <typename T>
struct Branches {
  Branches(const BranchStack& stack, const PatchMoments& moments)
      : count(static_cast<int64_t>(stack.weights.size())),
        outputs(stack.weights.front().size(0)),
        patch(stack.weights.front().size(1)),
        eps(static_cast<T>(stack.eps)),
        shared(moments.mean.size(0) == 1),
        weights(rows_of<const T>(stack.weights)),
        gamma(data_of<const T>(stack.gamma)),
        beta(data_of<const T>(stack.beta)),
        skip(stack.skip.defined() ? stack.skip.const_data_ptr<int64_t>() : nullptr),
        means(data_of<const T>(moments.mean)),
        covariances(data_of<const T>(moments.covariance)) {}

  const T* weight(int64_t branch, int64_t output) const {
    return weights[static_cast<size_t>(branch)] + output * patch;
  }
  const T* mean(int64_t output) const { return means + (shared ? 0 : output * patch); }
  const T* covariance(int64_t output) const {
    return covariances + (shared ? 0 : output * patch * patch);
  }

  int64_t count, outputs, patch;
  T eps;
  bool shared;  ///< all outputs see the same patch
  std::vector<const T*> weights;
  const T *gamma, *beta;
  const int64_t* skip;
  const T *means, *covariances;
};

template <typename T>
void fold_outputs(const Branches<T>& unit, const TrainingFold& fold) {
  auto* products = data_of<T>(fold.weight_covariance);
  auto* means = data_of<T>(fold.statistics.mean);
  auto* vars = data_of<T>(fold.statistics.var);
  const int64_t patch = unit.patch;
  for_outputs(unit.outputs, [&](int64_t o) {
    const T *m = unit.mean(o), *c = unit.covariance(o);
    T* folded = data_of<T>(fold.conv.weight) + o * patch;
    std::fill_n(folded, patch, T{0});
    T bias = 0;
    // Adds to the bias; returns the factor of the branch's weight.
    const auto add_norm = [&](int64_t branch, T mean, T var) {
      const int64_t i = branch * unit.outputs + o;
      means[i] = mean;
      // A covariance that rounding left slightly indefinite gives no negative variance.
      vars[i] = std::max(var, T{0});
      const T scale = unit.gamma[i] / std::sqrt(vars[i] + unit.eps);
      bias += unit.beta[i] - scale * mean;
      return scale;
    };
    for (int64_t branch = 0; branch < unit.count; ++branch) {
      const T* w = unit.weight(branch, o);
      T* wc = products + (branch * unit.outputs + o) * patch;
      if (!unit.shared) {
        std::fill_n(wc, patch, T{0});
        for (int64_t i = 0; i < patch; ++i) add_scaled(w[i], c + i * patch, patch, wc);
      }
      add_scaled(add_norm(branch, dot(w, m, patch), dot<T>(w, wc, patch)), w, patch, folded);
    }
    if (unit.skip != nullptr) {
      const int64_t own = unit.skip[o];
      folded[own] += add_norm(unit.count, m[own], c[own * patch + own]);
    }
    data_of<T>(fold.conv.bias)[o] = bias;
  });
}

/// Gradients of the statistics, [B',Cout] each.
template <typename T>
struct StatisticsGradients {
  T *mean, *var;
};

/// The gradients of weights, gamma and beta, and of each branch's statistics.
template <typename T>
void backward_outputs(const Branches<T>& unit, const TrainingFold& fold, const T* d_weight,
                      const T* d_bias, const FoldGradients& d, const StatisticsGradients<T>& by) {
  const auto* products = data_of<const T>(fold.weight_covariance);
  const auto* means = data_of<const T>(fold.statistics.mean);
  const auto* vars = data_of<const T>(fold.statistics.var);
  const auto weights = rows_of<T>(d.weights);
  auto* gamma = data_of<T>(d.gamma);
  auto* beta = data_of<T>(d.beta);
  const int64_t patch = unit.patch;
  for_outputs(unit.outputs, [&](int64_t o) {
    const T *m = unit.mean(o), *dw = d_weight + o * patch, db = d_bias[o];
    // From the product of the branch's weight with dw; returns a_i, dμ_i and 2 dv_i.
    const auto backward_norm = [&](int64_t branch, T product) {
      const int64_t i = branch * unit.outputs + o;
      const T rstd = 1 / std::sqrt(vars[i] + unit.eps), scale = unit.gamma[i] * rstd,
              d_scale = product - means[i] * db;
      gamma[i] = d_scale * rstd;
      beta[i] = db;
      by.mean[i] = -scale * db;
      by.var[i] = T{-0.5} * d_scale * scale * rstd * rstd;
      return std::array<T, 3>{scale, by.mean[i], 2 * by.var[i]};
    };
    for (int64_t branch = 0; branch < unit.count; ++branch) {
      const auto [scale, d_mean, d_var] =
          backward_norm(branch, dot(unit.weight(branch, o), dw, patch));
      combine(scale, dw, d_mean, m, d_var, products + (branch * unit.outputs + o) * patch, patch,
              weights[static_cast<size_t>(branch)] + o * patch);
    }
    if (unit.skip != nullptr) backward_norm(unit.count, dw[unit.skip[o]]);
  });
}

/// dm = Σ dμ_i w_i and dC = Σ dv_i w_i w_iᵀ where each output has its own patch.
template <typename T>
void backward_own_moments(const Branches<T>& unit, const StatisticsGradients<T>& by,
                          const PatchMoments& d) {
  const int64_t patch = unit.patch;
  for_outputs(unit.outputs, [&](int64_t o) {
    T* d_mean = data_of<T>(d.mean) + o * patch;
    T* d_covariance = data_of<T>(d.covariance) + o * patch * patch;
    std::fill_n(d_mean, patch, T{0});
    std::fill_n(d_covariance, patch * patch, T{0});
    for (int64_t branch = 0; branch < unit.count; ++branch) {
      const T* w = unit.weight(branch, o);
      const T dv = by.var[branch * unit.outputs + o];
      add_scaled(by.mean[branch * unit.outputs + o], w, patch, d_mean);
      for (int64_t i = 0; i < patch; ++i) add_scaled(dv * w[i], w, patch, d_covariance + i * patch);
    }
  });
}

/// The same where all outputs see one patch: half the work of a product, as dC is symmetric.
template <typename T>
void backward_shared_moments(const Branches<T>& unit, const StatisticsGradients<T>& by,
                             const PatchMoments& d) {
  const int64_t patch = unit.patch;
  const auto sums = product_sums(
      unit.outputs, patch + patch * patch, [&](int64_t begin, int64_t end, double* partial) {
        std::vector<T> scaled(static_cast<size_t>((end - begin) * patch));  // dv_i w_i
        const kernels::Columns<T> left{scaled.data(), patch, patch};
        for (int64_t branch = 0; branch < unit.count; ++branch) {
          const kernels::Columns<T> right{unit.weight(branch, begin), patch, patch};
          const T* d_mean = by.mean + branch * unit.outputs;
          const T* d_var = by.var + branch * unit.outputs;
          for (int64_t o = begin; o < end; ++o) {
            const T* w = unit.weight(branch, o);
            add_scaled(d_mean[o], w, patch, partial);
            set_scaled(d_var[o], w, patch, scaled.data() + (o - begin) * patch);
          }
          kernels::outer_product(end - begin, left, right, kernels::Part::kUpper, partial + patch,
                                 patch);
        }
      });
  const auto* mean = data_of<const double>(sums);
  const auto* upper = mean + patch;
  auto* d_mean = data_of<T>(d.mean);
  auto* d_covariance = data_of<T>(d.covariance);
  for_outputs(patch, [&](int64_t i) {
    d_mean[i] = static_cast<T>(mean[i]);
    for (int64_t j = 0; j < patch; ++j) {
      d_covariance[i * patch + j] = static_cast<T>(upper[std::min(i, j) * patch + std::max(i, j)]);
    }
  });
}

class CpuFoldLoops final : public FoldLoops {
 public:
  TrainingFold forward(const BranchStack& branches, const PatchMoments& moments) const override {
    const auto count = static_cast<int64_t>(branches.weights.size());
    const auto& weight = branches.weights.front();
    TrainingFold fold{{at::empty_like(weight), at::empty({weight.size(0)}, weight.options())},
                      {at::empty_like(branches.gamma), at::empty_like(branches.gamma)},
                      at::empty({count, weight.size(0), weight.size(1)}, weight.options())};
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "fold", [&] {
      const Branches<scalar_t> unit(branches, moments);
      for (int64_t i = 0; unit.shared && i < count; ++i) {
        auto products = fold.weight_covariance[i];
        at::mm_out(products, branches.weights[static_cast<size_t>(i)], moments.covariance[0]);
      }
      fold_outputs(unit, fold);
    });
    return fold;
  }

  FoldGradients backward(const BranchStack& branches, const PatchMoments& moments,
                         const TrainingFold& fold, const Tensor& weight_gradient,
                         const Tensor& bias_gradient) const override {
    const FoldGradients d{at::empty_like(fold.weight_covariance).unbind(),
                          at::empty_like(branches.gamma),
                          at::empty_like(branches.beta),
                          {at::empty_like(moments.mean), at::empty_like(moments.covariance)}};
    const auto of_mean = at::empty_like(d.gamma), of_var = at::empty_like(d.gamma);
    AT_DISPATCH_FLOATING_TYPES(branches.gamma.scalar_type(), "fold", [&] {
      using T = scalar_t;
      const Branches<T> unit(branches, moments);
      const StatisticsGradients<T> by{data_of<T>(of_mean), data_of<T>(of_var)};
      backward_outputs(unit, fold, data_of<const T>(weight_gradient),
                       data_of<const T>(bias_gradient), d, by);
      unit.shared ? backward_shared_moments(unit, by, d.moments)
                  : backward_own_moments(unit, by, d.moments);
      if (unit.skip == nullptr) return;
      T* d_mean = data_of<T>(d.moments.mean);
      T* d_covariance = data_of<T>(d.moments.covariance);
      const int64_t patch = unit.patch;
      for (int64_t o = 0, i = unit.count * unit.outputs; o < unit.outputs; ++o, ++i) {
        const int64_t row = unit.shared ? 0 : o * patch, own = unit.skip[o];
        d_mean[row + own] += by.mean[i];
        d_covariance[(row + own) * patch + own] += by.var[i];
      }
    });
    return d;
  }

  MomentFactors moment_factors(const PatchMoments& moments, const PatchMoments& gradient,
                               double count) const override {
    const int64_t patch = moments.mean.size(1);
    MomentFactors factors{at::empty_like(gradient.covariance), at::empty_like(gradient.mean)};
    AT_DISPATCH_FLOATING_TYPES(gradient.mean.scalar_type(), "fold", [&] {
      using T = scalar_t;
      for_outputs(gradient.mean.numel(), [&](int64_t row) {
        const T* m = data_of<const T>(moments.mean) + row / patch * patch;
        T* d = data_of<T>(factors.d) + row * patch;
        set_scaled(static_cast<T>(2 / count), data_of<const T>(gradient.covariance) + row * patch,
                   patch, d);
        data_of<T>(factors.e)[row] =
            data_of<const T>(gradient.mean)[row] / static_cast<T>(count) - dot<T>(d, m, patch);
      });
    });
    return factors;
  }
};

}  // namespace

const FoldLoops& cpu_fold_loops() {
  static const CpuFoldLoops instance;
  return instance;
}

}  // namespace mobileone
