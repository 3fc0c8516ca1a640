#include "fuzz.h"
#include "mobileone/checkpoint/torch_file.h"

namespace mobileone::fuzz {

/// Both containers of torch.save, and TorchScript's.
void torch_file(std::string_view input) {
  const MemoryFile file(input);
  const auto path = file.path();
  expect_clean(path.string() + ": ", [&] { touch(read_torch_file(path)); });
  expect_clean(path.string() + ": ", [&] {
    if (is_torchscript_file(path)) touch(read_torchscript_weights(path));
  });
}

}  // namespace mobileone::fuzz
