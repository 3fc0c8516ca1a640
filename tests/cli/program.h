#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "mobileone/cli/commands.h"

namespace mobileone {

/// What the program printed and returned.
struct Outcome {
  int status;
  std::string output;
  std::string errors;
};

/// Runs the program in this process.
inline Outcome run_program(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "mobileone");
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = cli::run(static_cast<int>(argv.size()), argv.data());
  std::fflush(stdout);
  return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

/// How many errors there are among lines that tell what is done.
inline int64_t count_errors(const std::string& lines) {
  std::istringstream stream(lines);
  int64_t count = 0;
  for (std::string line; std::getline(stream, line);) count += line.starts_with("mobileone: ");
  return count;
}

/// A folder with a small data set and a run of one epoch on it.
class Workshop {
 public:
  Workshop();

  std::string path(const std::string& name) const { return (root_ / name).string(); }
  std::string shapes(const std::string& split) const { return path("shapes/" + split); }

  /// The configuration of the run, plus `more`.
  std::vector<std::string> training(const std::string& dir,
                                    std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"train", path("tiny.yaml"), "output.dir=" + path(dir)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

 private:
  std::filesystem::path root_;
};

/// The one workshop of this process.
inline const Workshop& shop() {
  static const Workshop workshop;
  return workshop;
}

}  // namespace mobileone
