#include "mobileone/eval/onnx_model.h"

#include <gtest/gtest.h>
#include <torch/utils.h>

#include "mobileone/eval/model.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

std::string message_of(const std::string& bytes) {
  try {
    onnx_function(bytes, "file.onnx", 1);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(OnnxModel, SaysWhatIsWrongInOneLine) {
  const std::string message = message_of("no ONNX");
  EXPECT_TRUE(message.starts_with("file.onnx: ")) << message;
  EXPECT_EQ(message.find('\n'), message.npos);
  if (!has_onnx_runtime()) {
    EXPECT_NE(message.find("libonnxruntime-dev"), message.npos);
  }
}

TEST(OnnxModel, RunsWhatWeExport) {
  if (!has_onnx_runtime()) GTEST_SKIP() << "needs ONNX Runtime's C++ library (docs/deploying.md)";
  torch::NoGradGuard no_grad;
  const auto x = torch::randn({2, 3, 64, 96});
  torch::manual_seed(5);
  const auto ours = measured_model("s0").forward(x);
  torch::manual_seed(5);
  const auto theirs = measured_model("s0", InferenceRuntime::kOnnxRuntime).forward(x);
  EXPECT_TRUE(torch::allclose(ours, theirs, 1e-4, 1e-5));
}

}  // namespace
}  // namespace mobileone
