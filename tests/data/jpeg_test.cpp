#include "mobileone/data/jpeg.h"

#include "data/support.h"

namespace mobileone {
namespace {

class JpegKind : public testing::TestWithParam<const char*> {};

TEST_P(JpegKind, TruncatedAnywhereIsAnError) {
  const std::string bytes = read_file(golden(GetParam()));
  testing::internal::CaptureStderr();
  for (size_t length = 3; length < bytes.size(); ++length) {
    ASSERT_EQ(error_of([&] { decode_jpeg(std::string_view(bytes).substr(0, length), "x.jpg"); }),
              "x.jpg: is a truncated JPEG")
        << "after " << length << " of " << bytes.size() << " bytes";
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

INSTANTIATE_TEST_SUITE_P(Jpeg, JpegKind,
                         testing::Values("420.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg"));

TEST(Jpeg, NamesWhatIsDamaged) {
  std::string bytes = read_file(golden("420.jpg"));
  const size_t quantization = bytes.find("\xff\xdb");
  bytes[quantization + 4] = '\x0f';  // there are tables 0 to 3 only
  const std::string error = error_of([&] { decode_jpeg(bytes, "x.jpg"); });
  EXPECT_EQ(error, "x.jpg: is a damaged JPEG (Bogus DQT index 15)");
}

TEST(Jpeg, RefusesAbsurdSizes) {
  std::string bytes = read_file(golden("420.jpg"));
  const size_t frame = bytes.find("\xff\xc0");
  bytes.replace(frame + 5, 4, "\xff\x00\xff\x00", 4);
  EXPECT_EQ(error_of([&] { decode_jpeg(bytes, "x.jpg"); }),
            "x.jpg: has 65280 x 65280 pixels, more than the 178 million that are read");
}

TEST(Jpeg, AcceptsDamageThatOnlySpoilsPixels) {
  std::string bytes = read_file(golden("444.jpg"));
  const size_t scan = bytes.find("\xff\xda");
  bytes.insert(scan, "stray");  // "extraneous bytes before marker"
  testing::internal::CaptureStderr();
  EXPECT_EQ(largest_difference(decode_jpeg(bytes, "x.jpg"), golden_result("444.jpg")), 0);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace mobileone
