#include "mobileone/checkpoint/weights_file.h"

#include <fstream>
#include <string>

#include "mobileone/checkpoint/safetensors.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

/// Its header, a JSON object, follows eight bytes that give the header's length.
bool is_safetensors(const std::filesystem::path& path) {
  char start[9] = "";
  std::ifstream(path, std::ios::binary).read(start, sizeof start);
  return start[8] == '{';
}

Value read_safetensors_file(const std::filesystem::path& path) {
  Metadata metadata;
  Value::Dict file;
  for (const auto& tensor : read_safetensors(path, &metadata)) {
    file.insert(tensor.key(), tensor.value());
  }
  if (!metadata.empty()) {
    Value::Dict texts;
    for (const auto& [key, text] : metadata) texts.insert(key, text);
    file.insert("__metadata__", texts);
  }
  return Value(file).named(path.string());
}

}  // namespace

Value read_weights_file(const std::filesystem::path& path) {
  require_file(path, "file");
  if (is_safetensors(path)) return read_safetensors_file(path);
  return is_torchscript_file(path) ? read_torchscript_weights(path) : read_torch_file(path);
}

}  // namespace mobileone
