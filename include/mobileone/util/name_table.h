#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

/// Many short texts in little memory: eight bytes each beside their own.
class NameTable {
 public:
  void add(std::string_view name) {
    text_ += name;
    ends_.push_back(text_.size());
  }
  int64_t size() const { return std::ssize(ends_); }
  std::string_view operator[](int64_t i) const {
    const uint64_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }

 private:
  std::string text_;
  std::vector<uint64_t> ends_;
};

}  // namespace mobileone
