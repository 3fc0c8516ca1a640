#include "mobileone/eval/calibration.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "report/xml.h"

namespace mobileone {
namespace {

ImageResult result(double probability, bool correct) {
  return {0, 0, correct ? 0 : 1, probability};
}

TEST(Calibration, ByHand) {
  // Bin (60, 80]: confidence 70, accuracy 50; bin (80, 100]: confidence 95, accuracy 100.
  const auto calibration =
      calibrate({result(0.65, true), result(0.75, false), result(0.9, true), result(1.0, true)}, 5);
  ASSERT_EQ(calibration.bins.size(), 5u);
  EXPECT_EQ(calibration.bins[3].images, 2);
  EXPECT_NEAR(calibration.bins[3].confidence, 70, 1e-12);
  EXPECT_NEAR(calibration.bins[3].accuracy, 50, 1e-12);
  EXPECT_NEAR(calibration.bins[4].confidence, 95, 1e-12);
  EXPECT_NEAR(calibration.ece, 0.5 * 20 + 0.5 * 5, 1e-12);
  EXPECT_EQ(calibration_csv(calibration),
            "from,to,images,confidence,accuracy\n"
            "0.00,20.00,0,,\n"
            "20.00,40.00,0,,\n"
            "40.00,60.00,0,,\n"
            "60.00,80.00,2,70.00,50.00\n"
            "80.00,100.00,2,95.00,100.00\n");
}

TEST(Calibration, BinsAreOpenBelowAndClosedAbove) {
  const auto calibration = calibrate({result(0, true), result(0.5, true), result(1, true)}, 2);
  EXPECT_EQ(calibration.bins[0].images, 2);
  EXPECT_EQ(calibration.bins[1].images, 1);
}

TEST(Calibration, EqualsNumpys) {
  // i = np.arange(200); p = (i * 37 % 199 + 1) / 200; hit = i * 53 % 100 < 80 * p;
  // edges = np.linspace(0, 1, 16); the sum over in_bin = (lo < p) & (p <= hi) of
  // in_bin.mean() * abs(hit[in_bin].mean() - p[in_bin].mean()), in percent.
  std::vector<ImageResult> images;
  for (int i = 0; i < 200; ++i) {
    const double p = (i * 37 % 199 + 1) / 200.0;
    images.push_back(result(p, i * 53 % 100 < 80 * p));
  }
  EXPECT_NEAR(calibrate(images).ece, 9.4925, 1e-9);
}

TEST(Calibration, LeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto some = calibrate({result(nan, true), result(0.9, true)});
  EXPECT_EQ(some.images, 1);
  EXPECT_NEAR(some.ece, 10, 1e-9);
  const auto none = calibrate({result(nan, true)});
  EXPECT_TRUE(std::isnan(none.ece));
  for (const auto& calibration : {some, none, calibrate({})}) {
    EXPECT_EQ(xml_fault(reliability_svg(calibration)), "");
    EXPECT_EQ(xml_fault(confidence_svg(calibration)), "");
  }
}

}  // namespace
}  // namespace mobileone
