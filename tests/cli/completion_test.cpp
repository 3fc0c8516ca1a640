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
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml optimizer.ne", 3), "optimizer.nesterov=\n");
  EXPECT_EQ(complete_in_bash("mobileone bench latency --thr", 3), "--threads\n");
  EXPECT_EQ(complete_in_bash("mobileone eval /dev/nul", 2), "/dev/null\n");
  EXPECT_EQ(complete_in_bash("mobileone launch -n 2 train --resume-f", 5), "--resume-from\n");
}

TEST(Completion, OffersWhatIsAccepted) {
  EXPECT_EQ(complete_in_bash("mobileone predict x.pth --format \"\"", 4),
            "csv\njson\njsonl\ntext\n");
  EXPECT_EQ(complete_in_bash("mobileone predict --precision b", 3), "bf16\n");
  EXPECT_EQ(complete_in_bash("mobileone predict --top \"\"", 3), "\n") << "a number";
  // As bash splits a word, and as zsh leaves it whole.
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml augment.policy = r", 5), "randaugment\n");
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml optimizer.nesterov =", 4), "true\nfalse\n");
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml model.variant=s4", 3), "model.variant=s4\n");
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml augment.erase.m", 3), "augment.erase.mode=\n");
  EXPECT_EQ(complete_in_bash("mobileone train x.yaml data.train = /dev/nul", 5), "/dev/null\n");
  const std::string dir = shop().path("completion/");
  for (const char* file : {"a.yaml", "a.yml", "a.txt", "run/x"}) write_whole(dir + file, "");
  EXPECT_EQ(complete_in_bash("mobileone config check " + dir, 3),
            dir + "a.yaml\n" + dir + "a.yml\n" + dir + "run\n");
  EXPECT_EQ(complete_in_bash("mobileone plot " + dir, 2), dir + "run\n");
}

TEST(Completion, IsTakenByZsh) {
  if (!succeeds("command -v zsh >/dev/null")) GTEST_SKIP() << "needs zsh";
  EXPECT_TRUE(succeeds(
      fmt::format("zsh -f -c 'source {} && (( ${{+_comps[mobileone]}} ))'", script_for("zsh"))));
}

}  // namespace
}  // namespace mobileone
