#include "fuzz.h"
#include "mobileone/checkpoint/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mobileone;
  const fuzz::MemoryFile file(fuzz::text(data, size));
  const auto path = file.path();
  fuzz::expect_clean(path.string() + ": ", [&] {
    Metadata metadata;
    for (const auto& tensor : read_safetensors(path, &metadata)) fuzz::touch(tensor.value());
  });
  return 0;
}
