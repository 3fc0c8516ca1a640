#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "mobileone/checkpoint/value.h"
#include "mobileone/util/error.h"

namespace mobileone::fuzz {

// What reads an input, and aborts where a reader did wrong: one for each kind of file.
void torch_file(std::string_view input);
void safetensors(std::string_view input);
void pickle(std::string_view input);
void jpeg(std::string_view input);
void image(std::string_view input);
void frames(std::string_view input);
void mask(std::string_view input);
void coco(std::string_view input);
void coco_results(std::string_view input);
void voc_xml(std::string_view input);
void yolo_text(std::string_view input);
void tar(std::string_view input);
void pack(std::string_view input);

/// A file that is only in memory, so that readers see what they see in use: a path.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view bytes) : descriptor_(memfd_create("fuzz", 0)) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written <= 0) std::abort();
      bytes.remove_prefix(written);
    }
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

/// Fails unless a message is one line that begins with `start`.
inline void check_message(std::string_view message, std::string_view start) {
  if (message.starts_with(start) && message.find('\n') == std::string_view::npos) return;
  std::fprintf(stderr, "not a clean error: %.*s\n", static_cast<int>(message.size()),
               message.data());
  std::abort();
}

/// Runs `body`, which may throw Error with a clean message and nothing else.
template <typename Body>
void expect_clean(std::string_view start, Body body) {
  try {
    body();
  } catch (const Error& error) {
    check_message(error.what(), start);
  }
}

/// Reads the first and the last byte of a tensor, which must be in its storage.
inline void touch(const at::Tensor& tensor) {
  if (tensor.numel() == 0) return;
  int64_t last = 0;
  for (int64_t i = 0; i < tensor.dim(); ++i) last += (tensor.size(i) - 1) * tensor.stride(i);
  const auto* bytes = static_cast<const volatile char*>(tensor.const_data_ptr());
  [[maybe_unused]] char byte = bytes[0];
  byte = bytes[(last + 1) * static_cast<int64_t>(tensor.element_size()) - 1];
}

/// Walks over all that was read, as whoever asked for it would.
inline void touch(const Value& value) {
  if (value.kind() == Value::Kind::kTensor) touch(value.as_tensor());
  if (value.kind() == Value::Kind::kList) {
    for (const Value& item : value.as_list()) touch(item);
  }
  if (value.kind() == Value::Kind::kDict) {
    for (const auto& item : value.as_dict()) touch(item.value());
  }
}

}  // namespace mobileone::fuzz
