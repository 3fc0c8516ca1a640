// Everything a user can do wrong: one readable line on standard error and exit status 2.
#include <fmt/format.h>

#include <cstdlib>

#include "cli/program.h"
#include "mobileone/kernels/instruction_set.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

struct Mistake {
  std::vector<std::string> arguments;
  std::string message;  ///< a part of the one line
};

void expect_refused(const Mistake& mistake) {
  const auto outcome = run_program(mistake.arguments);
  EXPECT_EQ(outcome.status, 2) << outcome.errors;
  EXPECT_NE(outcome.errors.find(mistake.message), std::string::npos)
      << "got:      " << outcome.errors << "expected: " << mistake.message;
  EXPECT_EQ(count_errors(outcome.errors), 1) << outcome.errors;
  EXPECT_EQ(outcome.output, "");
}

TEST(Mistakes, InTheCommandLine) {
  expect_refused({{"trian"}, "did you mean 'train'"});
  expect_refused({{"train", "--resume"}, "config is required"});
  expect_refused({{"eval", "x.pth"}, "--data is required"});
  expect_refused({{"eval", "x.pth", "--data", "x", "--crop", "huge"}, "--crop"});
  expect_refused({{"summary", "s9"}, "s9: is no variant (s0, s1, s2, s3, s4) and no such file"});
}

TEST(Mistakes, NothingAskedShowsTheHelp) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> commands = {
      {{}, "Usage: mobileone [OPTIONS] SUBCOMMAND"},
      {{"train"}, "Usage: mobileone train [OPTIONS] config"},
      {{"bench"}, "Usage: mobileone bench [OPTIONS] SUBCOMMAND"},
      {{"data", "show"}, "Usage: mobileone data show [OPTIONS] config"}};
  for (const auto& [words, usage] : commands) {
    const auto outcome = run_program(words);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.output, "");
    EXPECT_NE(outcome.errors.find(usage), std::string::npos) << outcome.errors;
  }
}

TEST(Mistakes, InTheInstructionSet) {
  for (const auto set : kernels::instruction_sets()) {
    expect_refused({{"bench", "kernels", "--isa", fmt::format("{},avx9", set)}, std::string(set)});
  }
  ::setenv(kernels::kInstructionSetVariable, "avx9", 1);
  for (const char* command : {"--version", "train", "summary", "bench"}) {
    expect_refused(
        {{command}, "no instruction set 'avx9' (MOBILEONE_ISA, --isa): this machine has "});
  }
  const auto least = kernels::instruction_sets().back();
  ::setenv(kernels::kInstructionSetVariable, std::string(least).c_str(), 1);
  EXPECT_EQ(run_program({"summary", "s0"}).status, 0);
  EXPECT_EQ(kernels::instruction_set(), least);
  ::unsetenv(kernels::kInstructionSetVariable);
}

TEST(Mistakes, InTheConfiguration) {
  const std::string config = shop().path("tiny.yaml");
  expect_refused({{"train", "missing.yaml"}, "missing.yaml: no such"});
  expect_refused({{"train", config, "model.variant=s7"}, "model.variant"});
  expect_refused({{"train", config, "optimiser.lr=1"}, "did you mean 'optimizer'"});
  expect_refused(
      {{"train", config, "schedule.epochs=many"}, "schedule.epochs: expected an integer"});
  expect_refused({{"train", config, "data.train="}, "data.train: "});
}

TEST(Mistakes, InTheData) {
  std::filesystem::create_directories(shop().path("empty"));
  expect_refused({shop().training("x", {"data.train=" + shop().path("nowhere")}), "nowhere: "});
  expect_refused({shop().training("x", {"data.train=" + shop().path("empty")}), "empty: "});
  expect_refused({shop().training("x", {"schedule.batch_size=400"}),
                  "batch_size 400 is larger than the 40 images of " + shop().shapes("train")});
  expect_refused({shop().training("x", {"model.num_classes=3"}), "label"});
  expect_refused({shop().training("x", {"model.in_channels=1"}),
                  "data.mean: has 3 number(s), but model.in_channels is 1; for grey images set for "
                  "instance data.mean=0.449"});
  expect_refused(
      {shop().training("x", {"model.in_channels=2"}), "model.in_channels: expected 1 or 3"});
  expect_refused({shop().training("x", {"schedule.batch_size=1"}), "one value per channel"});
  write_whole(shop().path("labels.csv"), "path,label\nshapes/val/star/0000.jpg,12\n");
  expect_refused(
      {{"eval", shop().path("run/best.pth"), "--data", shop().path("labels.csv")}, "12"});
}

TEST(Mistakes, ALossThatIsNotFiniteStops) {
  const auto outcome =
      run_program(shop().training("diverged", {"optimizer.lr=1000", "schedule.epochs=50"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.errors.find("lower optimizer.lr"), std::string::npos) << outcome.errors;
}

TEST(Mistakes, ARunIsNotResumedOnOtherBatches) {
  const auto outcome = run_program(shop().training("run", {"--resume", "schedule.batch_size=7"}));
  EXPECT_EQ(outcome.status, 2);
  EXPECT_NE(outcome.errors.find("resume with the same"), std::string::npos) << outcome.errors;
}

TEST(Mistakes, ClassesOfAnotherDataSet) {
  for (const char* name : {"cat", "dog"}) {
    const std::string dir = shop().path("pets/") + name;
    std::filesystem::create_directories(dir);
    std::filesystem::copy_file(shop().shapes("val") + "/star/0000.jpg", dir + "/a.jpg",
                               std::filesystem::copy_options::skip_existing);
  }
  expect_refused({{"eval", shop().path("run/best.pth"), "--data", shop().path("pets")}, "'cat'"});
}

TEST(Mistakes, FilesThatAreNoCheckpoints) {
  const std::string best = shop().path("run/best.pth");
  write_whole(shop().path("text.pth"), "hello");
  write_whole(shop().path("empty.pth"), "");
  const std::string bytes = read_file(best);
  write_whole(shop().path("half.pth"), bytes.substr(0, bytes.size() / 2));
  for (const char* file : {"text.pth", "empty.pth", "half.pth", "missing.pth", "shapes"}) {
    for (const char* command : {"eval", "reparam", "export", "predict", "summary", "convert"}) {
      std::vector<std::string> arguments = {command, shop().path(file)};
      if (*command == 'e' && command[1] == 'v')
        arguments.insert(arguments.end(), {"--data", shop().shapes("val")});
      if (command == std::string("reparam") || command == std::string("export")) {
        const bool exports = *command == 'e';
        arguments.insert(arguments.end(), {"-o", shop().path(exports ? "never.pt" : "never.pth")});
      }
      if (command == std::string("convert")) arguments.push_back(shop().path("never.pth"));
      if (command == std::string("predict"))
        arguments.push_back(shop().shapes("val") + "/star/0000.jpg");
      expect_refused({arguments, file});
      EXPECT_FALSE(std::filesystem::exists(shop().path("never.pth")));
      EXPECT_FALSE(std::filesystem::exists(shop().path("never.pt")));
    }
  }
}

TEST(Mistakes, ARunIsNotOverwritten) {
  expect_refused({shop().training("run"), "already holds a run"});
  expect_refused({shop().training("elsewhere", {"--resume"}), "holds no run to resume"});
  EXPECT_FALSE(std::filesystem::exists(shop().path("elsewhere")));
}

TEST(Mistakes, TheOutputCannotBeWritten) {
  const auto outcome =
      run_program({"export", shop().path("run/best.pth"), "-o", shop().path("shapes")});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.errors,
            "mobileone: " + shop().path("shapes") + ": is a folder, expected a file\n");
}

TEST(Mistakes, DamagedImagesAreSkippedOrStop) {
  const std::string dir = shop().path("damaged");
  std::filesystem::copy(shop().shapes("val"), dir, std::filesystem::copy_options::recursive);
  const std::string bytes = read_file(dir + "/star/0000.jpg");
  write_whole(dir + "/star/0000.jpg", bytes.substr(0, bytes.size() / 2));
  const auto outcome = run_program({"eval", shop().path("run/best.pth"), "--data", dir, "--json"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.output.find("\"images\":19"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.errors.find("star/0000.jpg"), std::string::npos) << outcome.errors;
  write_whole(dir + "/ring/0000.jpg", "no picture");
  write_whole(dir + "/ring/0001.jpg", "no picture");
  const auto stopped = run_program({"eval", shop().path("run/best.pth"), "--data", dir, "--json"});
  EXPECT_EQ(stopped.status, 2);
  EXPECT_EQ(stopped.output, "");
}

}  // namespace
}  // namespace mobileone
