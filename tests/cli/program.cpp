#include "cli/program.h"

#include <unistd.h>

#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {

Workshop::Workshop()
    : root_(std::filesystem::temp_directory_path() / fmt::format("mobileone_cli_{}", ::getpid())) {
  write_whole(path("tiny.yaml"), fmt::format(R"(
model: {{width_multipliers: [0.25, 0.125, 0.125, 0.125], depths: [1, 1, 1, 1], branches: [2]}}
data: {{train: {0}/shapes/train, val: {0}/shapes/val, size: 32, eval_resize: 32, eval_crop: 32}}
schedule: {{epochs: 1, batch_size: 10}}
ema: {{decay: 0.5}}
runtime: {{threads: 1}}
)",
                                             root_.string()));
  const auto drawn =
      run_program({"data", "shapes", path("shapes"), "--train", "4", "--val", "2", "--size", "32"});
  const auto trained = run_program(training("run"));
  if (drawn.status != 0 || trained.status != 0) throw Error("{}{}", drawn.errors, trained.errors);
  static const struct Cleaner {
    std::filesystem::path root;
    ~Cleaner() { std::filesystem::remove_all(root); }
  } cleaner{root_};
}

}  // namespace mobileone
