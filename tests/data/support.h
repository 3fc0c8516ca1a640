#pragma once

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "mobileone/data/image.h"
#include "mobileone/data/image_files.h"
#include "mobileone/data/image_list.h"
#include "mobileone/util/error.h"
#include "support/test_folder.h"  // IWYU pragma: export

namespace mobileone {

/// A file that tools/golden_data.py made.
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

/// A list of files that need not be there.
inline ImageList listed(const std::string& origin, const std::string& root,
                        const std::vector<std::pair<std::string, int32_t>>& files) {
  auto storage = std::make_shared<ImageFiles>(root);
  ImageList list{origin, {}, {}, storage};
  for (const auto& [path, label] : files) {
    storage->add(path);
    list.labels.push_back(label);
  }
  return list;
}

inline std::string error_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace mobileone
