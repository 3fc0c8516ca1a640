#pragma once

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mobileone/util/file.h"
#include "support/python.h"
#include "support/test_folder.h"

namespace mobileone {

inline bool has_onnx() {
  static const bool found = python_has("onnx, onnxruntime, openvino");
  return found;
}

inline constexpr const char* kNeedsOnnx =
    "needs Python with onnx, onnxruntime and openvino in .deps/venv: scripts/setup.sh";

/// What Python's readers of ONNX make of a file (tests/python/onnx_peer.py).
class OnnxPeer {
 public:
  /// The file that they read.
  std::string model() const { return folder_.path("model.onnx"); }

  /// Leaves an input and the output expected of it for the peer; returns their name.
  std::string leave_case(const torch::Tensor& input, const torch::Tensor& expected) const {
    const auto shape = fmt::format("{}", fmt::join(input.sizes(), "x"));
    const auto write = [&](const std::string& suffix, const torch::Tensor& t) {
      const auto values = t.contiguous();
      write_whole(model() + "." + shape + suffix,
                  {static_cast<const char*>(values.data_ptr()), values.nbytes()});
    };
    write(".in", input);
    write(".out", expected.to(torch::kFloat32));
    return shape;
  }

  nlohmann::json ask_peer(const std::vector<std::string>& shapes) const {
    const std::string answer = model() + ".json";
    const std::string command =
        fmt::format("'{}' '{}/tests/python/onnx_peer.py' '{}' {} > '{}'", kPython,
                    MOBILEONE_SOURCE_DIR, model(), fmt::join(shapes, " "), answer);
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return nlohmann::json::parse(read_file(answer), nullptr, /*allow_exceptions=*/false);
  }

  /// `what` is "differences", the largest ones, or "unequal", the shares of unequal numbers.
  void expect_near(const nlohmann::json& answer, double tolerance,
                   const char* what = "differences") const {
    for (const char* runtime : {"onnxruntime", "openvino"}) {
      ASSERT_FALSE(answer[what][runtime].empty());
      for (const double difference : answer[what][runtime]) {
        EXPECT_LT(difference, tolerance) << runtime;
      }
    }
  }

 private:
  const TestFolder folder_;
};

}  // namespace mobileone
