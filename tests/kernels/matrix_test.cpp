#include "mobileone/kernels/matrix.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <random>
#include <vector>

namespace mobileone::kernels {
namespace {

std::vector<double> random_values(int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values(static_cast<size_t>(count));
  for (auto& value : values) value = normal(generator);
  return values;
}

/// Every instruction set of this machine in turn.
class Matrix : public testing::TestWithParam<int64_t> {
 protected:
  void SetUp() override {
    if ((hwy::SupportedTargets() & GetParam()) == 0) GTEST_SKIP() << "not on this machine";
    hwy::SetSupportedTargetsForTest(GetParam());
  }
  void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

template <typename T>
void check_multiply(int64_t rows, int64_t k, int64_t n, double tolerance) {
  const auto a = random_values(rows * k, 1), b = random_values(k * n, 2),
             bias = random_values(n, 3), before = random_values(rows * n, 4);
  const std::vector<T> at(a.begin(), a.end()), bt(b.begin(), b.end()),
      bias_t(bias.begin(), bias.end());
  std::vector<T> packed(static_cast<size_t>(packed_size<T>(k, n))), y(before.begin(), before.end());
  pack<T>(k, n, bt.data(), n, 1, packed.data());
  multiply(rows, k, n, at.data(), k, packed.data(), Epilogue<T>{bias_t.data(), true, true},
           y.data(), n);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = bias[j] + before[r * n + j];
      for (int64_t l = 0; l < k; ++l) sum += a[r * k + l] * b[l * n + j];
      ASSERT_NEAR(y[r * n + j], std::max(0.0, sum), tolerance) << r << ", " << j;
    }
  }
}

TEST_P(Matrix, ProductsOfEverySizeEqualTheirDefinition) {
  for (const int64_t rows : {1, 5, 12, 13, 101}) {
    for (const int64_t n : {1, 7, 16, 33, 48, 70}) {
      check_multiply<float>(rows, 19, n, 1e-4);
      check_multiply<double>(rows, 19, n, 1e-12);
    }
  }
}

TEST_P(Matrix, OuterProductsAreShiftedAndSummedInDouble) {
  for (const int64_t columns : {1, 11, 17, 50}) {
    const int64_t rows = 401, others = 23;
    auto a = random_values(rows * columns, 5), b = random_values(rows * others, 6);
    const std::vector<float> af(a.begin(), a.end()), bf(b.begin(), b.end()),
        shift(static_cast<size_t>(columns), 0.25f);
    std::vector<double> c(static_cast<size_t>(columns * others), 1.0);
    outer_product(rows, Columns<float>{af.data(), columns, columns, shift.data()},
                  Columns<float>{bf.data(), others, others}, columns, c.data(), others);
    for (int64_t i = 0; i < columns; ++i) {
      for (int64_t j = 0; j < others; ++j) {
        double sum = 1;
        for (int64_t r = 0; r < rows; ++r) {
          sum += (static_cast<double>(af[r * columns + i]) - 0.25) * bf[r * others + j];
        }
        ASSERT_NEAR(c[i * others + j], sum, 1e-4);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Matrix,
                         testing::Values(int64_t{HWY_AVX3}, int64_t{HWY_AVX2}, int64_t{HWY_NEON},
                                         int64_t{HWY_SCALAR}));

}  // namespace
}  // namespace mobileone::kernels
