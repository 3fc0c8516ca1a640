// What `mobileone completion` prints, as bash and zsh use it.
#include <cstdlib>

#include "cli/program.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

bool succeeds(const std::string& command) { return std::system(command.c_str()) == 0; }

std::string script_for(const std::string& shell) {
  const std::string path = shop().path("complete." + shell);
  write_whole(path, run_program({"completion", shell}).output);
  return path;
}

/// The answers for a command line whose last word is being typed.
std::string complete_in_bash(const std::string& words, int position) {
  const std::string out = shop().path("answers");
  const std::string typing = fmt::format(
      "source {}; COMP_WORDS=({}); COMP_CWORD={}; _mobileone; printf \"%s\\n\" "
      "\"${{COMPREPLY[@]}}\"",
      script_for("bash"), words, position);
  EXPECT_TRUE(succeeds(fmt::format("bash --norc -c '{}' > {}", typing, out)));
  return read_file(out);
}

TEST(Completion, KnowsCommandsOptionsKeysAndFiles) {
  EXPECT_EQ(complete_in_bash("mobileone tr", 1), "train\n");
  EXPECT_EQ(complete_in_bash("mobileone bench la", 2), "latency\n");
  EXPECT_EQ(complete_in_bash("mobileone data in", 2), "inspect\n");
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml --res", 3), "--resume\n--resume-from\n");
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml optimizer.n", 3), "optimizer.nesterov=\n");
  EXPECT_EQ(complete_in_bash("mobileone bench latency --thr", 3), "--threads\n");
  EXPECT_EQ(complete_in_bash("mobileone eval /dev/nul", 2), "/dev/null\n");
}

TEST(Completion, IsTakenByZsh) {
  if (!succeeds("command -v zsh >/dev/null")) GTEST_SKIP() << "needs zsh";
  EXPECT_TRUE(succeeds(
      fmt::format("zsh -f -c 'source {} && (( ${{+_comps[mobileone]}} ))'", script_for("zsh"))));
}

}  // namespace
}  // namespace mobileone
