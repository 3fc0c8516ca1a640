#include <fcntl.h>
#include <unistd.h>

#include <string_view>

#include "mobileone/cli/commands.h"

namespace {

/// MKL, which LibTorch is built with, ends the process with a riddle where the working directory
/// has been removed, when it is loaded: before `main`, but after this.
void require_working_directory() {
  char path[4096];
  if (::getcwd(path, sizeof path) != nullptr) return;
  constexpr std::string_view kMessage =
      "mobileone: the working directory has been removed; change to one that is there\n";
  (void)!::write(STDERR_FILENO, kMessage.data(), kMessage.size());
  ::_exit(2);
}

/// Opens 0, 1 and 2 where they are closed, lest a file that is opened later be taken for one of
/// them. Nothing can be written to such a standard output, so that results which nobody gets are an
/// error; log lines go nowhere.
void open_standard_descriptors() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    ::open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);  // is the lowest free
  }
}

void before_all(int, char**, char**) {
  open_standard_descriptors();
  require_working_directory();
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const before_all_pointer)(int, char**,
                                                                               char**) = before_all;

}  // namespace

int main(int argc, char** argv) { return mobileone::cli::run(argc, argv); }
