#pragma once

#include <caffe2/serialize/inline_container.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mobileone/checkpoint/pickle.h"
#include "support/error_of.h"  // IWYU pragma: export
#include "support/test_folder.h"

namespace mobileone::testing {

inline std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(MOBILEONE_SOURCE_DIR) / "tests/golden" / name;
}

class FilesTest : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    return own_folder_.write(name, bytes);
  }

 private:
  const TestFolder own_folder_;

 protected:
  const std::filesystem::path folder_ = own_folder_.path();
};

/// A torch zip file of these records.
inline std::string archive(const std::vector<std::pair<std::string, std::string>>& records) {
  std::string file;
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, size_t size) {
    file.append(static_cast<const char*>(data), size);
    return size;
  });
  for (const auto& [name, data] : records) writer.writeRecord(name, data.data(), data.size());
  writer.writeEndOfFile();
  return file;
}

/// Everything a value holds, as bytes: two values are the same if these are.
inline std::string fingerprint(const Value& value) {
  std::string data;
  const auto store = [&](const at::Storage& storage, at::ScalarType) {
    data.append(static_cast<const char*>(storage.data()), storage.nbytes());
    return std::to_string(data.size());
  };
  const std::string pickled = pickle(value, store);
  return pickled + data;
}

}  // namespace mobileone::testing
