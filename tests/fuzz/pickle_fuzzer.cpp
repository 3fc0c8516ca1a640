#include <ATen/ops/zeros.h>

#include "fuzz.h"
#include "mobileone/checkpoint/pickle.h"

namespace mobileone::fuzz {

/// A pickle whose storages are all there, as long as they are small.
void pickle(std::string_view input) {
  const LoadStorage load = [](const std::string&, int64_t count, int64_t element) {
    if (count * element > 1 << 16) throw Error("a storage that is not there");
    return at::zeros({count * element}, at::kByte).storage();
  };
  expect_clean("refused at byte ", [&] { touch(unpickle(input, load)); });
}

}  // namespace mobileone::fuzz
