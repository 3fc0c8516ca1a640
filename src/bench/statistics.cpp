#include "mobileone/bench/statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "mobileone/util/random.h"

namespace mobileone {
namespace {

/// 1 for the smallest; equal values have the mean of their ranks.
std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = static_cast<double>(begin + 1 + end) / 2;
    for (size_t i = begin; i < end; ++i) result[order[i]] = rank;
  }
  return result;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

int sign(double value) { return (value > 0) - (value < 0); }

}  // namespace

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], position - static_cast<double>(below));
}

Interval bootstrap(int64_t count,
                   const std::function<double(const std::vector<int64_t>& indices)>& statistic) {
  constexpr int kDraws = 2000;
  Random random(0);
  std::vector<double> values;
  std::vector<int64_t> indices(count);
  for (int draw = 0; draw < kDraws; ++draw) {
    for (auto& index : indices) index = static_cast<int64_t>(random.integer(count));
    const double value = statistic(indices);
    if (std::isfinite(value)) values.push_back(value);
  }
  if (values.empty()) return {std::nan(""), std::nan("")};
  return {quantile(values, 0.025), quantile(values, 0.975)};
}

double spearman(const std::vector<double>& x, const std::vector<double>& y) {
  const std::vector<double> a = ranks(x), b = ranks(y);
  const double mean_a = mean(a), mean_b = mean(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

double kendall(const std::vector<double>& x, const std::vector<double>& y) {
  double agreement = 0, pairs_x = 0, pairs_y = 0;  // pairs that are no ties
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      const int sign_x = sign(x[i] - x[j]), sign_y = sign(y[i] - y[j]);
      agreement += sign_x * sign_y;
      pairs_x += std::abs(sign_x);
      pairs_y += std::abs(sign_y);
    }
  }
  return agreement / std::sqrt(pairs_x * pairs_y);
}

}  // namespace mobileone
