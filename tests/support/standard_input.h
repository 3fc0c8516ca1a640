#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>

#include "mobileone/util/descriptor.h"

namespace mobileone {

/// While it lives, standard input is a file.
class StandardInput {
 public:
  explicit StandardInput(const std::filesystem::path& path) : before_(::dup(STDIN_FILENO)) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ::dup2(file.get(), STDIN_FILENO);
  }
  ~StandardInput() { ::dup2(before_.get(), STDIN_FILENO); }

 private:
  const Descriptor before_;
};

}  // namespace mobileone
