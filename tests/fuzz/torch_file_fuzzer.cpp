#include "fuzz.h"
#include "mobileone/checkpoint/torch_file.h"

/// Both containers of torch.save, and TorchScript's.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mobileone;
  const fuzz::MemoryFile file(fuzz::text(data, size));
  const auto path = file.path();
  fuzz::expect_clean(path.string() + ": ", [&] { fuzz::touch(read_torch_file(path)); });
  fuzz::expect_clean(path.string() + ": ", [&] {
    if (is_torchscript_file(path)) fuzz::touch(read_torchscript_weights(path));
  });
  return 0;
}
