#include "mobileone/kernels/matrix.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <bit>
#include <cmath>
#include <random>
#include <type_traits>
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

float to_float(bfloat16 value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value.bits) << 16);
}
double value_of(double value) { return value; }
double value_of(bfloat16 value) { return to_float(value); }

/// As the kernels store it: bfloat16 is cut off, which these tests' inputs may be.
template <typename S>
std::vector<S> stored(const std::vector<double>& values) {
  std::vector<S> result;
  for (const double value : values) {
    if constexpr (std::is_same_v<S, bfloat16>) {
      const auto bits = std::bit_cast<uint32_t>(static_cast<float>(value));
      result.push_back({static_cast<uint16_t>(bits >> 16)});
    } else {
      result.push_back(static_cast<S>(value));
    }
  }
  return result;
}

/// relu(y + a · b + c · d + bias) of random matrices; `tolerance` is relative to a sum's size.
template <typename S>
void check_multiply(int64_t rows, int64_t k, int64_t n, double tolerance) {
  using T = Compute<S>;
  const int64_t more = k / 2 + 1;
  const auto a = stored<S>(random_values(rows * k, 1)),
             c = stored<S>(random_values(rows * more, 7)),
             before = stored<S>(random_values(rows * n, 4));
  const auto b = stored<T>(random_values(k * n, 2)), d = stored<T>(random_values(more * n, 8)),
             bias = stored<T>(random_values(n, 3));
  std::vector<T> b_packed(static_cast<size_t>(packed_size<T>(k, n))),
      d_packed(static_cast<size_t>(packed_size<T>(more, n)));
  pack<T>(k, n, b.data(), n, 1, b_packed.data());
  pack<T>(more, n, d.data(), n, 1, d_packed.data());
  const Factors<S> products[] = {{a.data(), k, k, b_packed.data()},
                                 {c.data(), more, more, d_packed.data()}};
  auto y = before;
  multiply<S>(rows, n, products, {bias.data(), true, true}, y.data(), n);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < n; ++j) {
      double sum = bias[j] + value_of(before[r * n + j]), size = 1 + std::abs(sum);
      const auto add = [&](double product) { sum += product, size += std::abs(product); };
      for (int64_t l = 0; l < k; ++l) add(value_of(a[r * k + l]) * b[l * n + j]);
      for (int64_t l = 0; l < more; ++l) add(value_of(c[r * more + l]) * d[l * n + j]);
      ASSERT_NEAR(value_of(y[r * n + j]), std::max(0.0, sum), tolerance * size) << r << ", " << j;
    }
  }
}

TEST_P(Matrix, ProductsOfEverySizeEqualTheirDefinition) {
  for (const int64_t rows : {1, 5, 12, 13, 101}) {
    for (const int64_t n : {1, 7, 16, 33, 48, 70}) {
      check_multiply<float>(rows, 19, n, 1e-6);
      check_multiply<double>(rows, 19, n, 1e-14);
      check_multiply<bfloat16>(rows, 19, n, 4e-3);
    }
  }
}

TEST_P(Matrix, ReluKeepsNaN) {
  const std::vector<float> a(1, NAN), bias(1, 0.0f);
  std::vector<float> packed(static_cast<size_t>(packed_size<float>(1, 1))), y(1, 0.0f);
  const float one = 1;
  pack<float>(1, 1, &one, 1, 1, packed.data());
  const Factors<float> product{a.data(), 1, 1, packed.data()};
  multiply<float>(1, 1, {&product, 1}, {bias.data(), false, true}, y.data(), 1);
  EXPECT_TRUE(std::isnan(y[0]));
}

/// The shifted product of random matrices of `rows` rows, and the sums of the left one's columns.
template <typename S>
void check_outer_product(int64_t rows, int64_t columns, int64_t others, double tolerance) {
  using T = Compute<S>;
  const auto a = stored<S>(random_values(rows * columns, 5)),
             b = stored<S>(random_values(rows * others, 6));
  const std::vector<T> shift(static_cast<size_t>(columns), T(0.25));
  std::vector<double> c(static_cast<size_t>(columns * others), 1.0),
      sums(static_cast<size_t>(columns), 2.0);
  outer_product(rows, Columns<S>{a.data(), columns, columns, shift.data(), sums.data()},
                Columns<S>{b.data(), others, others}, Part::kAll, c.data(), others);
  for (int64_t i = 0; i < columns; ++i) {
    double total = 2;
    for (int64_t r = 0; r < rows; ++r) total += value_of(a[r * columns + i]) - 0.25;
    ASSERT_NEAR(sums[i], total, tolerance) << i;
    for (int64_t j = 0; j < others; ++j) {
      double sum = 1;
      for (int64_t r = 0; r < rows; ++r) {
        sum += (value_of(a[r * columns + i]) - 0.25) * value_of(b[r * others + j]);
      }
      ASSERT_NEAR(c[i * others + j], sum, tolerance) << i << ", " << j;
    }
  }
}

TEST_P(Matrix, OuterProductsAreShiftedAndSummed) {
  for (const int64_t columns : {1, 11, 17, 50}) {
    for (const int64_t rows : {1, 63, 401}) {
      check_outer_product<float>(rows, columns, 23, 1e-4);
      check_outer_product<double>(rows, columns, 33, 1e-11);
      check_outer_product<bfloat16>(rows, columns, 32, 1e-4);
    }
  }
}

TEST_P(Matrix, TheUpperHalfOfASquareIsThatOfTheWhole) {
  for (const int64_t columns : {1, 16, 27, 70}) {
    const int64_t rows = 300;
    const auto a = stored<float>(random_values(rows * columns, 9));
    const Columns<float> all{a.data(), columns, columns};
    std::vector<double> whole(static_cast<size_t>(columns * columns)), upper = whole;
    outer_product(rows, all, all, Part::kAll, whole.data(), columns);
    outer_product(rows, all, all, Part::kUpper, upper.data(), columns);
    for (int64_t i = 0; i < columns; ++i) {
      for (int64_t j = i; j < columns; ++j) {
        ASSERT_EQ(upper[i * columns + j], whole[i * columns + j]) << i << ", " << j;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Matrix,
                         testing::Values(int64_t{HWY_AVX3}, int64_t{HWY_AVX2}, int64_t{HWY_NEON},
                                         int64_t{HWY_SCALAR}));

}  // namespace
}  // namespace mobileone::kernels
