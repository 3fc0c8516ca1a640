#include <fcntl.h>

#include "fuzz.h"
#include "mobileone/data/frames.h"
#include "mobileone/util/descriptor.h"

namespace mobileone::fuzz {

/// No byte is handed out twice, and none is empty.
void frames(std::string_view input) {
  const MemoryFile file(input);
  const Descriptor stream(::open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
  FrameReader reader(stream.get(), "stream");
  expect_clean("stream: ", [&] {
    size_t place = 0;
    while (const auto image = reader.next()) {
      if (image->empty()) std::abort();
      place = input.find(*image, place);
      if (place == input.npos) std::abort();
      place += image->size();
    }
  });
}

}  // namespace mobileone::fuzz
