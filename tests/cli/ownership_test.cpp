// Nothing of the user's is removed or overwritten, and an error is one whatever can be written.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <map>
#include <thread>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

std::map<std::string, std::string> contents_of(const fs::path& folder) {
  std::map<std::string, std::string> contents;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().filename() == ".lock") continue;
    if (entry.is_regular_file()) contents[entry.path()] = read_file(entry.path());
  }
  return contents;
}

void expect_refused_naming(const std::vector<std::string>& arguments, const std::string& part) {
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 2) << outcome.errors;
  EXPECT_NE(outcome.errors.find(part), std::string::npos) << outcome.errors;
}

TEST(Ownership, ARunOverwritesNothingThatNoRunWrote) {
  for (const char* name : {"config.yaml", "classes.txt", "environment.json", "metrics.csv",
                           "log.jsonl", "next.pth", "last-3.pth", "best.pth", "nonfinite-7.txt"}) {
    const fs::path dir = shop().path("mine");
    fs::remove_all(dir);
    write_whole(dir / name, "[1]");
    write_whole(dir / "metrics.csv.17.tmp", "mine");
    const auto before = contents_of(dir);
    const auto outcome = run_program(shop().training("mine", {"output.json_log=true"}));
    EXPECT_EQ(outcome.status, 2);
    EXPECT_NE(outcome.errors.find(name), std::string::npos) << outcome.errors;
    EXPECT_EQ(contents_of(dir), before) << name;
  }
}

TEST(Ownership, ARunIsStartedByNoConfigurationInItsOwnFolder) {
  const std::string dir = shop().path("beside");
  const std::string text = "# mine\n" + read_file(shop().path("tiny.yaml"));
  write_whole(dir + "/config.yaml", text);
  expect_refused_naming({"train", dir + "/config.yaml", "output.dir=" + dir},
                        dir + "/config.yaml: is there already");
  EXPECT_EQ(read_file(dir + "/config.yaml"), text);
}

TEST(Ownership, ARunLeavesOtherFilesInItsFolderAlone) {
  const fs::path dir = shop().path("shared-folder");
  write_whole(dir / "events.out.tfevents.1.host.2", "of another program");
  write_whole(dir / "notes.17.tmp", "mine");
  write_whole(dir / "last.pth.bak", "mine");
  const auto before = contents_of(dir);
  EXPECT_EQ(run_program(shop().training("shared-folder")).status, 0);
  EXPECT_EQ(run_program(shop().training("shared-folder", {"--resume", "schedule.epochs=2"})).status,
            0);
  for (const auto& [path, text] : before) EXPECT_EQ(read_file(path), text);
}

TEST(Ownership, LogsWhoseCheckpointsAreGoneAreKept) {
  const fs::path dir = shop().path("cleared");
  EXPECT_EQ(run_program(shop().training("cleared", {"schedule.epochs=2"})).status, 0);
  fs::remove(dir / "last.pth");
  fs::remove(dir / "last-1.pth");
  fs::remove(dir / "best.pth");
  const auto before = contents_of(dir);
  expect_refused_naming(shop().training("cleared"),
                        "holds 2 epochs of a run whose checkpoints are gone");
  EXPECT_EQ(contents_of(dir), before);
}

TEST(Ownership, UnfinishedFoldersAreRemovedOnlyIfTheyAreOurs) {
  const fs::path shapes = shop().path("drawn.partial"), pack = shop().path("x.pack.partial");
  const std::vector<std::string> draw = {
      "data", "shapes", shop().path("drawn"), "--train", "1", "--val", "1", "--size", "16"};
  const std::vector<std::string> make = {"data", "pack", shop().shapes("val"),
                                         shop().path("x.pack")};
  for (const auto& [folder, command] : {std::pair(shapes, draw), {pack, make}}) {
    for (const char* name : {"thesis.tex", "records", "index", ".lock"}) {
      write_whole(folder / name, "mine");
      const auto before = contents_of(folder);
      expect_refused_naming(command, folder.string());
      EXPECT_EQ(contents_of(folder), before);
      EXPECT_EQ(read_file(folder / name), "mine");
      fs::remove_all(folder);
    }
    write_whole(folder, "a file");
    expect_refused_naming(command, folder.string());
    fs::remove(folder);
  }
  // What a killed process leaves.
  write_whole(shapes / "shapes.json", "{\"train_per_class\": 7}");
  write_whole(shapes / "train/star/0000.jpg", "");
  EXPECT_EQ(run_program(draw).status, 0);
  EXPECT_FALSE(fs::exists(shapes));
  EXPECT_EQ(run_program(make).status, 0);
  write_whole(pack / "index", "");
  write_whole(pack / ".lock", "process 1 on a machine");
  const auto again = run_program(make);
  EXPECT_EQ(again.status, 0) << again.errors;
  EXPECT_NE(again.output.find("is there already"), std::string::npos);
  EXPECT_FALSE(fs::exists(pack));
}

TEST(Ownership, NoCommandOverwritesWhatItReads) {
  const std::string root = shop().path("own-input");
  fs::copy(shop().path("run"), root, fs::copy_options::recursive);
  fs::create_hard_link(root + "/last.pth", root + "/hard.pt");
  fs::create_symlink("last.pth", root + "/link.pth");
  write_whole(root + "/list.csv", "path,label\n" + shop().shapes("val") + "/star/0000.jpg,0\n");
  const auto before = contents_of(root);
  for (const std::string& same : {root + "/./last.pth", root + "/hard.pt", root + "/link.pth"}) {
    for (const char* command : {"reparam", "export", "convert"}) {
      std::vector<std::string> arguments = {command, root + "/last.pth", same};
      if (command != std::string("convert")) arguments.insert(arguments.end() - 1, "-o");
      expect_refused_naming(arguments, "is the same file as");
    }
  }
  expect_refused_naming({"plot", root, "-o", root + "/metrics.csv"}, "metrics.csv");
  expect_refused_naming({"compare", root, shop().path("run"), "-o", root + "/config.yaml"},
                        "config.yaml");
  expect_refused_naming({"find-lr", shop().path("tiny.yaml"), "data.train=" + root + "/list.csv",
                         "--steps", "3", "-o", root + "/list.html"},
                        "list.csv");
  EXPECT_EQ(contents_of(root), before);
}

TEST(Ownership, AReportTakesThePlaceOfReportsOnly) {
  const fs::path dir = shop().path("reported");
  const std::vector<std::string> eval = {
      "eval", shop().path("run"), "--data", shop().shapes("val"), "--report", dir.string()};
  write_whole(dir / "confusion.csv", "mine");
  expect_refused_naming(eval, (dir / "confusion.csv").string());
  EXPECT_EQ(read_file(dir / "confusion.csv"), "mine");
  fs::remove(dir / "confusion.csv");
  EXPECT_EQ(run_program(eval).status, 0);
  EXPECT_EQ(run_program(eval).status, 0);
}

TEST(Ownership, NetworksAreNamedByTheirRunsFolder) {
  const std::string run = shop().path("run");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"eval", run, "--data", shop().shapes("val")},
           {"predict", run, shop().shapes("val") + "/star/0000.jpg"},
           {"summary", run},
           {"reparam", run, "-o", shop().path("by-folder.pth")},
           {"export", run, "-o", shop().path("by-folder.pt")},
           {"convert", run, shop().path("by-folder.safetensors")}}) {
    const auto outcome = run_program(command);
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
  }
}

TEST(StandardStreams, ClosedOnesAreNotTakenForFilesOfARun) {
  const std::string dir = shop().path("closed");
  Process run(shop().training("closed"), [] {
    for (const int descriptor : {0, 1, 2}) ::close(descriptor);
  });
  EXPECT_EQ(run.wait(), 0);
  EXPECT_TRUE(read_file(dir + "/metrics.csv").starts_with("epoch,step,"));
  const std::string lock = read_file(dir + "/.lock");
  EXPECT_TRUE(lock.starts_with("process ")) << lock;
  EXPECT_EQ(lock.find("epoch"), lock.npos) << lock;
}

void point_to(const char* file, std::initializer_list<int> descriptors) {
  const int opened = ::open(file, O_WRONLY);
  for (const int descriptor : descriptors) ::dup2(opened, descriptor);
}

/// A pipe that nobody reads.
void to_a_broken_pipe() {
  int pipe[2];
  (void)!::pipe(pipe);
  ::close(pipe[0]);
  for (const int descriptor : {1, 2}) ::dup2(pipe[1], descriptor);
}

TEST(StandardStreams, AnErrorExitsTwoWhateverCanBeWritten) {
  const std::map<std::string, std::function<void()>> streams = {{"closed",
                                                                 [] {
                                                                   for (const int d : {0, 1, 2})
                                                                     ::close(d);
                                                                 }},
                                                                {"full",
                                                                 [] {
                                                                   point_to("/dev/full", {1, 2});
                                                                 }},
                                                                {"broken pipe", to_a_broken_pipe}};
  for (const auto& [name, redirect] : streams) {
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"no-such-command"},
                                               {"eval", "no-such.pth", "--data", "x"},
                                               {"--help"},
                                               {"config", "docs"},
                                               {"launch", "-n", "2", "train", "no-such.yaml"}}) {
      Process run(command, redirect);
      EXPECT_EQ(run.wait(), 2) << name << " " << command[0];
    }
  }
}

TEST(StandardStreams, ARunOutlivesTheReaderOfItsLog) {
  Process run(shop().training("unread"), to_a_broken_pipe);
  EXPECT_EQ(run.wait(), 0);
  EXPECT_TRUE(fs::exists(shop().path("unread/last.pth")));
}

/// As a user who may start no thread; root may start as many as there is room for.
TEST(Starved, ThreadsThatCannotBeStartedAreAnError) {
  const auto forbid_threads = [] {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0) (void)!::setuid(kNobody);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_NPROC, &none);
  };
  Process run({"predict", shop().path("run"), shop().shapes("val") + "/star/0000.jpg"},
              forbid_threads);
  const int status = run.wait();
  constexpr int kNotStarted = 127;
  if (status == kNotStarted) GTEST_SKIP() << "the program is not every user's to start";
  if (std::thread::hardware_concurrency() == 1) GTEST_SKIP() << "needs two cores";
  EXPECT_EQ(status, 2) << run.errors();
  EXPECT_NE(run.errors().find("threads of computation cannot be started"), std::string::npos)
      << run.errors();
}

}  // namespace
}  // namespace mobileone
