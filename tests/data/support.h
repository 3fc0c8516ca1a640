#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <string>

#include "mobileone/data/image.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {

/// A file that scripts/golden_data.py made.
inline std::string golden(const std::string& name) {
  return std::string(MOBILEONE_SOURCE_DIR) + "/tests/golden/data/" + name;
}

inline at::Tensor golden_result(const std::string& name) {
  return read_image(golden(name + ".expected.png"));
}

/// The largest difference of two images of the same size, in levels.
inline int largest_difference(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  if (a.sizes() != b.sizes()) return 256;
  return (a.to(at::kInt) - b.to(at::kInt)).abs().max().item<int>();
}

inline std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// An empty folder of the running test's own, removed at the end.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    std::string name = std::string(test->test_suite_name()) + "." + test->name();
    std::replace(name.begin(), name.end(), '/', '_');
    path_ = std::filesystem::path(testing::TempDir()) / ("mobileone." + name);
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }
  std::string write(const std::string& name, std::string_view contents) const {
    write_whole(path_ / name, contents);
    return path(name);
  }

 private:
  std::filesystem::path path_;
};

}  // namespace mobileone
