#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace mobileone {

/// Sets a header's check sum.
inline void seal_tar_header(std::string& header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char byte : header) sum += static_cast<unsigned char>(byte);
  header.replace(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
}

/// A member as ustar has it; `size` is what the header says.
inline std::string tar_member(const std::string& name, std::string_view contents, char type = '0',
                              const std::string& size = "") {
  std::string header(512, '\0');
  header.replace(0, name.size(), name);
  header.replace(100, 7, "0000644");
  const std::string digits = size.empty() ? fmt::format("{:011o}", contents.size()) : size;
  header.replace(124, digits.size(), digits);
  header[156] = type;
  header.replace(257, 8, std::string("ustar\00000", 8));
  seal_tar_header(header);
  header += contents;
  return header.append((512 - contents.size() % 512) % 512, '\0');
}

inline std::string tar_end() { return std::string(1024, '\0'); }

/// An image with its label.
inline std::string tar_sample(const std::string& key, std::string_view image, int label) {
  return tar_member(key + ".cls", fmt::format("{}\n", label)) + tar_member(key + ".jpg", image);
}

}  // namespace mobileone
