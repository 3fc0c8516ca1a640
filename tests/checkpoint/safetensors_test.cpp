#include "mobileone/checkpoint/safetensors.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <ctime>
#include <vector>

#include "checkpoint/files.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"

namespace mobileone {
namespace {

using testing::golden;

class SafetensorsTest : public testing::FilesTest {
 protected:
  std::string error(const std::string& bytes) const {
    const auto path = write("x.safetensors", bytes);
    Metadata metadata;
    const std::string message = error_of([&] { read_safetensors(path, &metadata); });
    EXPECT_TRUE(message.empty() || message.starts_with(path.string() + ": ")) << message;
    return message.empty() ? message : message.substr(path.string().size() + 2);
  }
  /// The error of a file with this header and so many bytes of data.
  std::string error(const std::string& header, size_t data_size) const {
    const uint64_t size = header.size();
    return error(std::string(reinterpret_cast<const char*>(&size), sizeof size) + header +
                 std::string(data_size, '\0'));
  }
};

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

TEST_F(SafetensorsTest, ReadsTheGoldenFiles) {
  EXPECT_EQ(read_safetensors(golden("tiny_k1_se.safetensors"))["linear.weight"].dim(), 2);
  EXPECT_GT(read_safetensors(golden("tiny_k4_expected.safetensors")).size(), 100u);
}

TEST_F(SafetensorsTest, RoundTripsEveryDtypeAndOrder) {
  torch::OrderedDict<std::string, at::Tensor> tensors;
  for (const auto dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                           at::kShort, at::kChar, at::kByte, at::kBool}) {
    tensors.insert(c10::toString(dtype), at::arange(6).to(dtype).reshape({2, 3}));
  }
  tensors.insert("a transposed one", at::arange(6).reshape({2, 3}).t());
  tensors.insert("a scalar", at::arange(1).reshape({}));
  tensors.insert("an empty one", at::zeros({3, 0}));
  write_safetensors(folder_ / "x", tensors, {{"format", "pt"}});
  Metadata metadata;
  const auto read = read_safetensors(folder_ / "x", &metadata);
  EXPECT_EQ(metadata, (Metadata{{"format", "pt"}}));
  ASSERT_EQ(read.size(), tensors.size());
  for (size_t i = 0; i < read.size(); ++i) {
    EXPECT_EQ(read[i].key(), tensors[i].key());
    EXPECT_EQ(read[i].value().scalar_type(), tensors[i].value().scalar_type());
    EXPECT_TRUE(read[i].value().equal(tensors[i].value())) << read[i].key();
  }
}

TEST_F(SafetensorsTest, WritesNoDtypeThatTheFormatLacks) {
  EXPECT_EQ(error_of([&] {
              write_safetensors(folder_ / "x", {{"z", at::zeros(1, at::kComplexFloat)}});
            }),
            "tensor 'z': safetensors have no dtype ComplexFloat");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x"));
}

TEST_F(SafetensorsTest, RefusesWhatIsNone) {
  EXPECT_EQ(error_of([&] { read_safetensors(folder_ / "none"); }),
            (folder_ / "none").string() + ": no such safetensors file");
  EXPECT_EQ(error_of([&] { read_safetensors(folder_); }),
            folder_.string() + ": is a folder, expected a safetensors file");
  for (const std::string& bytes : {std::string(), std::string("short"), std::string(100, '\xff'),
                                   std::string("PK\x03\x04 and so on")}) {
    EXPECT_EQ(error(bytes), "is not a safetensors file, or is cut off in its header");
  }
  EXPECT_EQ(error("[1]", 0), "is not a safetensors file: its header is no JSON object");
  EXPECT_EQ(error("{", 0), "is not a safetensors file: its header is no JSON at byte 2");
  EXPECT_NE(error(R"({"a":1})", 0).find("header is not as in"), std::string::npos);
  EXPECT_NE(error(R"({"__metadata__":{"a":1}})", 0).find("header is not as in"), std::string::npos);
  EXPECT_EQ(error(std::string(1'000'000, '['), 0), "its header is nested more than 3 levels deep");
}

TEST_F(SafetensorsTest, RefusesLies) {
  const auto entry = [](const std::string& name, const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}";
  };
  const std::string first = entry("a", "F32", "[2]", "[0,8]");
  EXPECT_EQ(error("{" + first + "}", 8), "");
  EXPECT_EQ(error("{" + first + "}", 7),
            "is cut off or damaged: 8 bytes of tensors expected, 7 there");
  EXPECT_EQ(error("{" + first + "}", 9),
            "is cut off or damaged: 8 bytes of tensors expected, 9 there");
  EXPECT_EQ(error("{" + first + "," + entry("b", "U8", "[4]", "[4,8]") + "}", 8),
            "tensor 'b': a gap or overlap before its data");
  EXPECT_EQ(error("{" + first + "," + entry("b", "U8", "[1]", "[9,10]") + "}", 10),
            "tensor 'b': a gap or overlap before its data");
  EXPECT_EQ(error("{" + entry("a", "F8_E4M3", "[8]", "[0,8]") + "}", 8),
            "tensor 'a': dtype F8_E4M3 is not supported");
  const std::string unfit = "tensor 'a': its data, bytes 0 to 8, do not fit its dtype and shape";
  EXPECT_EQ(error("{" + entry("a", "F32", "[3]", "[0,8]") + "}", 8), unfit);
  EXPECT_EQ(error("{" + entry("a", "F32", "[4611686018427387904,4]", "[0,8]") + "}", 8), unfit);
  EXPECT_EQ(error("{" + entry("a", "F32", "[4611686018427387904,4,0]", "[0,8]") + "}", 8), unfit);
  EXPECT_EQ(error("{" + entry("a", "F32", "[-2]", "[0,8]") + "}", 8),
            "tensor 'a': a size was expected, not this number");
  EXPECT_EQ(error("{" + entry("a", "F32", "[1e300]", "[0,8]") + "}", 8),
            "tensor 'a': a size was expected, not this number");
  EXPECT_EQ(error("{" + entry("a", "F32", "[[1]]", "[0,8]") + "}", 8),
            "its header is nested more than 3 levels deep");
  EXPECT_EQ(error("{" + entry("a", "F32", "[" + repeated("0,", 1 << 20) + "0]", "[0,0]") + "}", 0),
            "its header has too many values");
  EXPECT_EQ(error("{" + entry("a", "F32", "[2]", "[8,0]") + "}", 8),
            "tensor 'a': its data, bytes 8 to 0, do not fit its dtype and shape");
  EXPECT_EQ(error("{" + entry("a", "F32", "[2]", "[8]") + "}", 8),
            "tensor 'a': data_offsets were expected to be two");
}

TEST_F(SafetensorsTest, TakesTimeInProportionToTheTensors) {
  torch::OrderedDict<std::string, at::Tensor> tensors;
  for (int i = 0; i < 50'000; ++i) tensors.insert("t" + std::to_string(i), at::zeros({}));
  write_safetensors(folder_ / "many", tensors);
  const auto begin = std::clock();
  EXPECT_EQ(read_safetensors(folder_ / "many").size(), 50'000u);
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 20);  // its square: minutes
}

TEST_F(SafetensorsTest, SurvivesDamage) {
  const std::string good = read_file(golden("tiny_k1_se.safetensors"));
  for (size_t percent = 0; percent < 100; ++percent) {
    EXPECT_NE(error(good.substr(0, good.size() * percent / 100)), "") << percent;
  }
  const size_t header_size = good.find("}}") + 2;
  Random random(1);
  for (int i = 0; i < 1000; ++i) {
    std::string bad = good.substr(0, header_size + 64);
    bad[random.integer(bad.size())] = static_cast<char>(random.bits());
    EXPECT_NE(error(bad), "");
  }
}

}  // namespace
}  // namespace mobileone
