#include "mobileone/data/magnitudes.h"

#include "data/support.h"
#include "mobileone/util/csv.h"

namespace mobileone {
namespace {

struct Magnitude {
  Operation operation;
  int bin;
  double strength;
  double expected;
};

class PolicyMagnitude : public testing::TestWithParam<Magnitude> {};

TEST_P(PolicyMagnitude, GrowsFromTheIdentity) {
  const Magnitude& m = GetParam();
  EXPECT_NEAR(magnitude_at(MagnitudeSpace::kAutoAugment, m.operation, m.bin, m.strength, 224, 331),
              m.expected, 1e-5)
      << to_string(m.operation);
}

constexpr Magnitude kMagnitudes[] = {
    {Operation::kShearX, 9, 1, 0.3},     {Operation::kShearY, 3, 0.5, 0.05},
    {Operation::kTranslateX, 9, 1, 150}, {Operation::kTranslateY, 9, 0.3, 45.0 * 224 / 331},
    {Operation::kRotate, 9, 1, 30},      {Operation::kRotate, 9, 0.3, 9},
    {Operation::kColor, 4, 1, 0.4},      {Operation::kContrast, 8, 0.5, 0.4},
    {Operation::kPosterize, 8, 1, 4},    {Operation::kPosterize, 5, 1, 6},
    {Operation::kPosterize, 6, 1, 5},    {Operation::kPosterize, 7, 1, 5},
    {Operation::kPosterize, 8, 0.5, 6},  {Operation::kPosterize, 8, 0, 8},
    {Operation::kSolarize, 3, 1, 170},   {Operation::kSolarize, 9, 0.5, 128},
    {Operation::kSolarize, 3, 0, 256},   {Operation::kEqualize, 0, 0.5, 0},
};

INSTANTIATE_TEST_SUITE_P(All, PolicyMagnitude, testing::ValuesIn(kMagnitudes));

/// What torchvision and timm make of every level, for an image of 224 x 331 pixels.
TEST(Magnitudes, AreThePublishedOnes) {
  const auto rows = parse_csv(read_file(golden("magnitudes.csv")), "magnitudes.csv");
  ASSERT_GT(rows.size(), 500u);
  for (size_t i = 1; i < rows.size(); ++i) {
    const std::vector<std::string>& fields = rows[i].fields;
    const auto space = fields[0] == "rand"      ? MagnitudeSpace::kRandAugment
                       : fields[0] == "trivial" ? MagnitudeSpace::kTrivialWide
                                                : MagnitudeSpace::kIncreasing;
    const auto names = enum_names(Operation{});
    const auto found = std::find_if(names.begin(), names.end(),
                                    [&](const auto& entry) { return entry.name == fields[1]; });
    ASSERT_NE(found, names.end()) << fields[1];
    EXPECT_NEAR(magnitude_at(space, found->value, std::stod(fields[2]), 1, 224, 331),
                std::stod(fields[3]), 1e-5)
        << rows[i].line;
  }
}

TEST(Magnitudes, AreTheIdentityAtNoStrength) {
  using enum MagnitudeSpace;
  const at::Tensor image = read_image(golden("operations.png"));
  for (const auto space : {kAutoAugment, kRandAugment, kTrivialWide, kIncreasing}) {
    for (const auto& [operation, name] : enum_names(Operation{})) {
      if (operation == Operation::kHue || !has_magnitude(operation)) continue;
      const double magnitude = magnitude_at(space, operation, last_level(space), 0, 37, 54);
      EXPECT_TRUE(apply_operation(image, operation, magnitude).equal(image)) << name;
    }
  }
}

}  // namespace
}  // namespace mobileone
