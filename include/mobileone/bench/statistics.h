#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace mobileone {

/// The value below which a share `q` of `values` lies, between neighbours linearly. `values` is not
/// empty.
double quantile(std::vector<double> values, double q);

struct Interval {
  double low = 0;
  double high = 0;
};

/// 95 % percentile interval of a statistic of `count` observations, by bootstrap: of the values of
/// `statistic` for 2000 draws of as many indices with replacement, the same draws in every call
/// (Efron, 1979). Values that are not finite are left out.
Interval bootstrap(int64_t count,
                   const std::function<double(const std::vector<int64_t>& indices)>& statistic);

/// Spearman's rank correlation, ties sharing their ranks' mean; NaN where all values of one are
/// equal. x and y have one length.
double spearman(const std::vector<double>& x, const std::vector<double>& y);

/// Kendall's tau-b, which allows for ties; NaN where all values of one are equal.
double kendall(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace mobileone
