#include <ATen/ops/zeros.h>

#include "fuzz.h"
#include "mobileone/checkpoint/pickle.h"

/// A pickle whose storages are all there, as long as they are small.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace mobileone;
  const LoadStorage load = [](const std::string&, int64_t count, int64_t element) {
    if (count * element > 1 << 16) throw Error("a storage that is not there");
    return at::zeros({count * element}, at::kByte).storage();
  };
  fuzz::expect_clean("refused at byte ",
                     [&] { fuzz::touch(unpickle(fuzz::text(data, size), load)); });
  return 0;
}
