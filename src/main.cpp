#include <unistd.h>

#include <string_view>

#include "mobileone/cli/commands.h"

namespace {

/// MKL, which LibTorch is built with, ends the process with a riddle where the working directory
/// has been removed, when it is loaded: before `main`, but after this.
void require_working_directory(int, char**, char**) {
  char path[4096];
  if (::getcwd(path, sizeof path) != nullptr) return;
  constexpr std::string_view kMessage =
      "mobileone: the working directory has been removed; change to one that is there\n";
  (void)!::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(2);
}

[[gnu::section(".preinit_array"),
  gnu::used]] void (*const before_all)(int, char**, char**) = require_working_directory;

}  // namespace

int main(int argc, char** argv) { return mobileone::cli::run(argc, argv); }
