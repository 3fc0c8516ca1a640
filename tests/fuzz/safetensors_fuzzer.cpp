#include "fuzz.h"
#include "mobileone/checkpoint/safetensors.h"

namespace mobileone::fuzz {

void safetensors(std::string_view input) {
  const MemoryFile file(input);
  const auto path = file.path();
  expect_clean(path.string() + ": ", [&] {
    Metadata metadata;
    for (const auto& tensor : read_safetensors(path, &metadata)) touch(tensor.value());
  });
}

}  // namespace mobileone::fuzz
