// Disks that are full, folders that are read-only or vanish, files that cannot grow: a run ends
// with one line, and what it had saved is whole.
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/data/image_list.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

void expect_one_line(const std::string& errors, const std::string& part) {
  const size_t begin = errors.find("mobileone: ");
  ASSERT_NE(begin, std::string::npos) << errors;
  EXPECT_NE(errors.find(part, begin), std::string::npos) << errors;
  EXPECT_EQ(std::count(errors.begin() + begin, errors.end(), '\n'), 1) << errors;
}

/// A small file system of its own for a run, where the tests may mount one.
class SmallDisk : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(root);
    if (::mount("tmpfs", root.c_str(), "tmpfs", 0, "size=2m") != 0) {
      GTEST_SKIP() << "needs the right to mount a file system";
    }
    mounted = true;
  }
  ~SmallDisk() override {
    if (mounted) ::umount2(root.c_str(), MNT_DETACH);
  }

  std::vector<std::string> run(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"output.dir=" + dir, "schedule.epochs=3"});
    return shop().training("unused", more);
  }

  const std::string root = shop().path("disk"), dir = root + "/run";
  bool mounted = false;
};

TEST_F(SmallDisk, FullLosesNothingAndGoesOnOnceThereIsRoom) {
  // As much as leaves no room for a second checkpoint.
  const auto checkpoint_size = fs::file_size(shop().path("run/last.pth"));
  const auto room = fs::space(root).available;
  ASSERT_GT(room, 3 * checkpoint_size);
  write_whole(root + "/filler", std::string(room - checkpoint_size * 3 / 2 - 65536, 'x'));
  const auto full = run_program(run());
  EXPECT_EQ(full.status, 2) << full.errors;
  expect_one_line(full.errors, "cannot be written: No space left on device");
  EXPECT_EQ(load_checkpoint(dir + "/last.pth").training->epoch, 1);
  fs::remove(root + "/filler");
  const auto resumed = run_program(run({"--resume"}));
  EXPECT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_EQ(load_checkpoint(dir + "/last.pth").training->epoch, 3);
}

TEST_F(SmallDisk, FullLosesNothingOfAPack) {
  const std::vector<std::string> pack = {"data", "pack", shop().shapes("train"), root + "/x.pack",
                                         "--decoded"};
  write_whole(root + "/filler", std::string(fs::space(root).available - 65536, 'x'));
  const auto full = run_program(pack);
  EXPECT_EQ(full.status, 2) << full.errors;
  expect_one_line(full.errors, "x.pack.partial/records: cannot be written: No space left");
  EXPECT_FALSE(fs::exists(root + "/x.pack"));
  fs::remove(root + "/filler");
  EXPECT_EQ(run_program(pack).status, 0);
  EXPECT_EQ(read_image_list(root + "/x.pack").size(), 40);
  EXPECT_FALSE(fs::exists(root + "/x.pack.partial"));
}

TEST_F(SmallDisk, ReadOnlyIsNamed) {
  ASSERT_EQ(::mount("tmpfs", root.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=2m"), 0);
  const auto refused = run_program(run());
  EXPECT_EQ(refused.status, 2);
  expect_one_line(refused.errors, dir + ": the run's folder cannot be made: Read-only file system");
}

TEST(Faults, AFileThatCannotGrowIsNamed) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "the limit holds for the sanitizer's own memory, too";
#endif
  const auto limit_files = [] {
    const rlimit small{65536, 65536};
    ::setrlimit(RLIMIT_FSIZE, &small);
    ::signal(SIGXFSZ, SIG_IGN);
  };
  Process run(shop().training("limited"), limit_files);
  EXPECT_EQ(run.wait(), 2) << run.errors();
  expect_one_line(run.errors(), "next.pth: cannot be written: File too large");
  EXPECT_FALSE(fs::exists(shop().path("limited/last.pth")));
  const auto resumed = run_program(shop().training("limited", {"--resume"}));
  EXPECT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_NE(resumed.errors.find("was stopped before its first checkpoint"), std::string::npos);
}

TEST(Faults, AFolderThatIsRemovedEndsTheRun) {
  const std::string dir = shop().path("removed");
  Process run(shop().training("removed", {"schedule.epochs=1000"}));
  ASSERT_TRUE(wait_for(dir + "/last.pth")) << run.errors();
  for (int tries = 0; tries < 100 && fs::exists(dir); ++tries) {
    std::error_code being_written;
    fs::remove_all(dir, being_written);
  }
  EXPECT_EQ(run.wait(), 2) << run.errors();
  expect_one_line(run.errors(), dir);
  EXPECT_FALSE(fs::exists(dir));
}

int64_t resident_bytes(pid_t process) {
  std::ifstream stream(fmt::format("/proc/{}/statm", process));
  int64_t size = 0, resident = 0;
  stream >> size >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

int64_t descriptors(pid_t process) {
  std::error_code ended;
  int64_t count = 0;
  for (fs::directory_iterator it(fmt::format("/proc/{}/fd", process), ended), end; it != end;
       it.increment(ended)) {
    ++count;
  }
  return count;
}

TEST(Soak, ThousandsOfStepsTakeNoMoreMemoryNorDescriptors) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep freed memory";
#endif
  Process run(shop().training(
      "soak", {"schedule.epochs=150", "schedule.batch_size=2", "data.size=16", "data.eval_crop=16",
               "data.eval_resize=16", "checkpoints.every_minutes=0.001", "output.log_every=1"}));
  const std::string metrics = shop().path("soak/metrics.csv");
  ASSERT_TRUE(wait_for(metrics)) << run.errors();
  int64_t early_memory = 0, early_descriptors = 0, late_memory = 0, late_descriptors = 0;
  while (run.runs()) {
    const std::string rows = read_file(metrics);
    const auto epochs = std::count(rows.begin(), rows.end(), '\n') - 1;
    const int64_t memory = resident_bytes(run.id()), open = descriptors(run.id());
    if (memory == 0 || !run.runs()) break;
    if (epochs < 50) {
      early_memory = std::max(early_memory, memory);
      early_descriptors = std::max(early_descriptors, open);
    } else {
      late_memory = memory;
      late_descriptors = std::max(late_descriptors, open);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_EQ(run.wait(), 0) << run.errors();
  EXPECT_EQ(load_checkpoint(shop().path("soak/last.pth")).training->step, 3000);
  EXPECT_LE(late_descriptors, early_descriptors + 1);
  EXPECT_LT(late_memory - early_memory, 16 << 20) << early_memory;
}

}  // namespace
}  // namespace mobileone
