// Runs that are killed, stopped and fall on full disks lose nothing and repeat nothing.
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/torch_file.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"
#include "support/python.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;

/// A run of a few seconds that saves and logs as often as it can.
std::vector<std::string> busy_run(const std::string& dir, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {
      "schedule.epochs=4",
      "schedule.batch_size=4",
      "checkpoints.every_minutes=0.0005",
      "checkpoints.keep=3",
      "output.log_every=1",
      "output.json_log=true",
      "augment.policy=autoaugment",
      "optimizer.nesterov=true",
      "curriculum.stages=[{epoch: 0, size: 24, strength: 0.5}, {epoch: 2, size: 32, strength: 1}]"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return shop().training(dir, arguments);
}

std::string without_times(const std::string& metrics_csv) {
  std::istringstream lines(metrics_csv);
  std::string line, kept;
  while (std::getline(lines, line)) {
    line = line.substr(0, line.rfind(','));
    kept += line.substr(0, line.rfind(',')) + "\n";
  }
  return kept;
}

std::vector<nlohmann::json> log_without_times(const std::string& path) {
  std::istringstream lines(read_file(path));
  std::vector<nlohmann::json> kept;
  for (std::string line; std::getline(lines, line);) {
    kept.push_back(nlohmann::json::parse(line));
    kept.back().erase("images_per_second");
    kept.back().erase("seconds");
  }
  return kept;
}

void expect_equal_tensors(const StateDict& first, const StateDict& second) {
  ASSERT_EQ(first.size(), second.size());
  for (const auto& item : first) {
    EXPECT_TRUE(torch::equal(item.value(), second[item.key()])) << item.key();
  }
}

void expect_equal_checkpoints(const std::string& first_path, const std::string& second_path) {
  const Checkpoint first = load_checkpoint(first_path), second = load_checkpoint(second_path);
  expect_equal_tensors(first.weights, second.weights);
  expect_equal_tensors(first.ema, second.ema);
  expect_equal_tensors(first.training->optimizer.at("momentum"),
                       second.training->optimizer.at("momentum"));
  EXPECT_EQ(first.metrics, second.metrics);
  EXPECT_EQ(first.training->step, second.training->step);
  EXPECT_EQ(first.training->epoch, second.training->epoch);
  EXPECT_EQ(first.training->best, second.training->best);
  EXPECT_EQ(first.training->batches, second.training->batches);
  EXPECT_EQ(first.training->images, second.training->images);
  EXPECT_EQ(first.training->loss_sum, second.training->loss_sum);
}

/// Two folders of the same run, the first never stopped.
void expect_equal_runs(const std::string& whole, const std::string& killed) {
  for (const char* file : {"/last.pth", "/best.pth"}) {
    expect_equal_checkpoints(shop().path(whole + file), shop().path(killed + file));
  }
  EXPECT_EQ(without_times(read_file(shop().path(whole + "/metrics.csv"))),
            without_times(read_file(shop().path(killed + "/metrics.csv"))));
  EXPECT_EQ(log_without_times(shop().path(whole + "/log.jsonl")),
            log_without_times(shop().path(killed + "/log.jsonl")));
  for (const auto& entry : fs::directory_iterator(shop().path(killed))) {
    EXPECT_NE(entry.path().extension(), ".tmp") << entry.path();
  }
}

/// As TensorBoard reads them, where it is installed.
void expect_equal_events(const std::string& first, const std::string& second) {
  if (!python_has("tensorboard")) return;
  const std::string script = fmt::format(
      "from tensorboard.backend.event_processing.event_accumulator import EventAccumulator as E\n"
      "def scalars(folder):\n"
      "    events = E(folder); events.Reload()\n"
      "    return {{t: [(x.step, x.value) for x in events.Scalars(t)]\n"
      "            for t in events.Tags()['scalars'] if 'second' not in t}}\n"
      "assert len(scalars('{0}')['train/loss']) == 40\n"
      "assert scalars('{0}') == scalars('{1}')\n",
      first, second);
  const std::string path = shop().path("compare_events.py");
  write_whole(path, script);
  EXPECT_EQ(std::system((kPython + " " + path + " 2>/dev/null").c_str()), 0);
}

/// The run that all others are compared with, made once.
const std::string& whole_run() {
  static const std::string dir = [] {
    Process run(busy_run("whole"));
    EXPECT_EQ(run.wait(), 0) << run.errors();
    return "whole";
  }();
  return dir;
}

std::vector<std::string> started_or_resumed(const std::string& dir) {
  const bool begun = fs::exists(shop().path(dir + "/config.yaml"));
  return begun ? busy_run(dir, {"--resume"}) : busy_run(dir);
}

TEST(Survival, KilledAtAnyMomentEqualsNeverKilled) {
  const auto start = std::chrono::steady_clock::now();
  whole_run();
  const double whole_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Random random(20);
  int kills = 0, finished = 0;
  std::vector<int64_t> kills_of_runs;
  while (kills < kills_wanted(20)) {
    const std::string dir = fmt::format("killed{}", finished);
    Process run(started_or_resumed(dir));
    const auto patience = std::chrono::duration<double>(random.uniform(0, 1.1 * whole_seconds));
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (run.runs() && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    // Now and then more gently, which may also come before anything listens.
    const int signal = random.chance(0.25) ? SIGTERM : SIGKILL;
    run.send(signal);
    const int status = run.wait();
    if (status == -SIGKILL) {
      ++kills;
    } else if (status != -SIGTERM && status != 128 + SIGTERM) {
      ASSERT_EQ(status, 0) << run.errors();
      expect_equal_runs(whole_run(), dir);
      fs::remove_all(shop().path(dir));
      ++finished;
    }
  }
  const std::string dir = fmt::format("killed{}", finished);
  Process last(started_or_resumed(dir));
  ASSERT_EQ(last.wait(), 0) << last.errors();
  expect_equal_runs(whole_run(), dir);
  expect_equal_events(shop().path(whole_run()), shop().path(dir));
  fmt::print("{} kills of {} runs\n", kills, finished + 1);
}

class StopSignal : public testing::TestWithParam<int> {};

TEST_P(StopSignal, SavesAndGoesOnToTheSameEnd) {
  const std::string dir = fmt::format("stopped{}", GetParam());
  Process run(busy_run(dir, {"checkpoints.every_minutes=0"}));
  ASSERT_TRUE(wait_for(shop().path(dir + "/last.pth"))) << run.errors();
  run.send(GetParam());
  EXPECT_EQ(run.wait(), 128 + GetParam()) << run.errors();
  const std::string name = std::string("SIG") + ::sigabbrev_np(GetParam());
  EXPECT_NE(run.errors().find(name + ": stopped after step "), std::string::npos) << run.errors();
  EXPECT_NE(run.errors().find("go on with --resume"), std::string::npos);
  Process resumed(busy_run(dir, {"--resume"}));
  EXPECT_EQ(resumed.wait(), 0) << resumed.errors();
  expect_equal_runs(whole_run(), dir);
}

INSTANTIATE_TEST_SUITE_P(Each, StopSignal, testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST(Survival, SavesOnRequest) {
  Process run(busy_run("asked", {"checkpoints.every_minutes=0", "schedule.epochs=200"}));
  const std::string last = shop().path("asked/last.pth");
  ASSERT_TRUE(wait_for(last)) << run.errors();
  run.send(SIGUSR1);
  for (int tries = 0; tries < 1000 && run.errors().find("SIGUSR1: saved") == std::string::npos;
       ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_NE(run.errors().find("SIGUSR1: saved " + last + " at step"), std::string::npos)
      << run.errors();
  EXPECT_TRUE(run.runs());
}

TEST(Survival, TheSecondRunInAFolderIsRefused) {
  Process first(busy_run("shared", {"schedule.epochs=200"}));
  ASSERT_TRUE(wait_for(shop().path("shared/last.pth"))) << first.errors();
  const auto second = run_program(busy_run("shared", {"schedule.epochs=200", "--resume"}));
  EXPECT_EQ(second.status, 2);
  EXPECT_NE(second.errors.find(fmt::format("is in use by process {}", first.id())),
            std::string::npos)
      << second.errors;
  EXPECT_TRUE(first.runs());
}

/// Copies the finished run.
std::string copy_of_whole_run(const std::string& name) {
  fs::copy(shop().path(whole_run()), shop().path(name), fs::copy_options::recursive);
  return shop().path(name);
}

TEST(Checkpoints, AreKeptAsManyAsAskedFor) {
  const std::string dir = shop().path(whole_run());
  EXPECT_TRUE(fs::exists(dir + "/last-2.pth"));
  EXPECT_FALSE(fs::exists(dir + "/last-3.pth"));
  const auto step = [&](const std::string& name) {
    return load_checkpoint(dir + name).training->step;
  };
  EXPECT_GE(step("/last.pth"), step("/last-1.pth"));
  EXPECT_GE(step("/last-1.pth"), step("/last-2.pth"));
}

TEST(Checkpoints, AFlippedBitIsNamedAndTheOneBeforeOffered) {
  const std::string dir = copy_of_whole_run("flipped");
  std::string bytes = read_file(dir + "/last.pth");
  bytes[bytes.size() / 2] ^= 4;
  fs::remove(dir + "/last.pth");  // best.pth may be the same file
  write_whole(dir + "/last.pth", bytes);
  const auto refused = run_program(busy_run("flipped", {"--resume"}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_TRUE(refused.errors.starts_with("mobileone: " + dir + "/last.pth: ")) << refused.errors;
  EXPECT_NE(refused.errors.find("go on with --resume-from " + dir + "/last-1.pth"),
            std::string::npos)
      << refused.errors;
  const auto resumed = run_program(busy_run("flipped", {"--resume-from", dir + "/last-1.pth"}));
  EXPECT_EQ(resumed.status, 0) << resumed.errors;
  expect_equal_runs(whole_run(), "flipped");
}

TEST(Checkpoints, EveryFlippedBitIsFoundOrMeansNothing) {
  const std::string path = shop().path(whole_run() + "/last.pth"),
                    flipped = shop().path("flip.pth");
  const Checkpoint good = load_checkpoint(path);
  const std::string bytes = read_file(path);
  Random random(1);
  int found = 0;
  constexpr int kFlips = 150;
  for (int i = 0; i < kFlips; ++i) {
    std::string damaged = bytes;
    damaged[random.integer(static_cast<int64_t>(bytes.size()))] ^=
        static_cast<char>(1 << random.integer(8));
    write_whole(flipped, damaged);
    try {
      const Checkpoint loaded = load_checkpoint(flipped);
      expect_equal_tensors(good.weights, loaded.weights);
      expect_equal_tensors(good.ema, loaded.ema);
      expect_equal_tensors(good.training->optimizer.at("momentum"),
                           loaded.training->optimizer.at("momentum"));
      EXPECT_EQ(good.config, loaded.config);
      EXPECT_EQ(good.metrics, loaded.metrics);
      EXPECT_EQ(good.training->step, loaded.training->step);
      EXPECT_EQ(good.training->files, loaded.training->files);
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with(flipped)) << error.what();
      ++found;
    }
  }
  EXPECT_GT(found, kFlips / 2);
}

TEST(Checkpoints, OfVersionOneAreReadButNotGoneOnFrom) {
  const std::string dir = copy_of_whole_run("older");
  const Value file = read_torch_file(dir + "/last.pth");
  Value::Dict older;
  for (const auto& item : file.as_dict()) {
    if (item.key() == "training") continue;
    older.insert(item.key(), item.key() == "version" ? Value(1) : item.value());
  }
  older.insert("step", 40);
  older.insert("epoch", 4);
  older.insert("best", 50.0);
  write_torch_file(dir + "/old.pth", older);
  EXPECT_EQ(run_program({"summary", dir + "/old.pth"}).status, 0);
  const auto refused = run_program(busy_run("older", {"--resume-from", dir + "/old.pth"}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.errors.find("holds no training state to go on from"), std::string::npos)
      << refused.errors;
}

TEST(Checkpoints, OfOtherImagesAreRefused) {
  copy_of_whole_run("other_data");
  const auto refused =
      run_program(busy_run("other_data", {"--resume", "data.train=" + shop().shapes("val")}));
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.errors.find("was trained on other images than " + shop().shapes("val")),
            std::string::npos)
      << refused.errors;
}

/// What resuming a copy of the whole run with `more` comes to.
Outcome resumed_copy(const std::string& name, std::vector<std::string> more) {
  if (!fs::exists(shop().path(name))) copy_of_whole_run(name);
  more.insert(more.begin(), "--resume");
  return run_program(busy_run(name, more));
}

TEST(Resuming, EveryKeyThatDiffersIsNamedAndAnotherExperimentRefused) {
  const std::vector<std::string> another = {"optimizer.lr=0.05", "data.mean=[0.5, 0.5, 0.5]",
                                            "augment.flip=0", "data.workers=1"};
  const auto refused = resumed_copy("changed", another);
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.errors.find("is of another experiment: data.mean [0.5, 0.5, 0.5] (was "
                                "[0.485, 0.456, 0.406]), augment.flip 0 (was 0.5), optimizer.lr "
                                "0.05 (was 0.1); resume with what it had, or go on all the same "
                                "with --accept-changes\n"),
            std::string::npos)
      << refused.errors;
  auto accepting = another;
  accepting.push_back("--accept-changes");
  const auto accepted = resumed_copy("changed", accepting);
  EXPECT_EQ(accepted.status, 0) << accepted.errors;
  EXPECT_NE(accepted.errors.find("warning: going on with data.mean [0.5, 0.5, 0.5] (was [0.485, "
                                 "0.456, 0.406]), augment.flip 0 (was 0.5), optimizer.lr 0.05 (was "
                                 "0.1), data.workers 1 (was 2), output.dir"),
            std::string::npos)
      << accepted.errors;
}

TEST(Resuming, MoreEpochsAreTrainedAndSaidSo) {
  const auto more = resumed_copy("longer", {"schedule.epochs=5"});
  EXPECT_EQ(more.status, 0) << more.errors;
  EXPECT_NE(more.errors.find("schedule.epochs 5 (was 4; the schedule is recomputed)"),
            std::string::npos)
      << more.errors;
  EXPECT_EQ(load_checkpoint(shop().path("longer/last.pth")).training->epoch, 5);
  const auto fewer = resumed_copy("longer", {"schedule.epochs=3"});
  EXPECT_EQ(fewer.status, 2);
  EXPECT_NE(fewer.errors.find("has done 5 epochs, more than schedule.epochs says: 3"),
            std::string::npos)
      << fewer.errors;
}

TEST(Resuming, AnotherValidationSetAndReplacedImagesAreRefused) {
  const std::string set = shop().path("replaced");
  for (const char* split : {"train", "val"}) {
    fs::create_directories(set);
    fs::copy(shop().shapes(split), set + "/" + split, fs::copy_options::recursive);
  }
  const std::vector<std::string> data = {"data.train=" + set + "/train",
                                         "data.val=" + set + "/val"};
  EXPECT_EQ(resumed_copy("moved-set", data).status, 0);
  fs::copy_file(set + "/val/ring/0000.jpg", set + "/train/star/0001.jpg",
                fs::copy_options::overwrite_existing);
  const auto replaced = resumed_copy("moved-set", data);
  EXPECT_EQ(replaced.status, 2);
  EXPECT_NE(replaced.errors.find("training images of other sizes under the same names"),
            std::string::npos)
      << replaced.errors;
  fs::remove(set + "/val/star/0001.jpg");
  const auto other = resumed_copy("moved-set", {data[1]});
  EXPECT_EQ(other.status, 2);
  EXPECT_NE(other.errors.find("another validation set"), std::string::npos) << other.errors;
}

TEST(Resuming, ByTheRunsFolderAlone) {
  const std::string dir = copy_of_whole_run("by-folder");
  fs::remove(dir + "/last.pth");
  fs::rename(dir + "/last-1.pth", dir + "/last.pth");
  const std::string commented = "# mine\n" + read_file(dir + "/config.yaml");
  write_whole(dir + "/config.yaml", commented);
  EXPECT_EQ(run_program({"train", dir}).status, 2);
  const auto resumed = run_program({"train", dir, "--resume"});
  EXPECT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_EQ(load_checkpoint(dir + "/last.pth").training->epoch, 4);
  const auto no_run = run_program({"train", shop().path("shapes"), "--resume"});
  EXPECT_EQ(no_run.status, 2);
  EXPECT_NE(no_run.errors.find("is a folder, and none of a run"), std::string::npos);
}

/// The checkpoints stay as they are until it is known that the run goes on.
TEST(Resuming, LogsThatAreGoneAreNamedBeforeAnythingChanges) {
  const std::string dir = copy_of_whole_run("without-logs");
  fs::remove(dir + "/metrics.csv");
  const std::string last = read_file(dir + "/last.pth");
  const std::vector<std::string> back =
      busy_run("without-logs", {"--resume-from", dir + "/last-1.pth"});
  const auto refused = run_program(back);
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.errors.find(dir + "/metrics.csv: is gone"), std::string::npos)
      << refused.errors;
  EXPECT_NE(refused.errors.find("--accept-changes"), std::string::npos) << refused.errors;
  EXPECT_EQ(read_file(dir + "/last.pth"), last);
  EXPECT_FALSE(fs::exists(dir + "/metrics.csv"));
  auto accepting = back;
  accepting.push_back("--accept-changes");
  EXPECT_EQ(run_program(accepting).status, 0);
}

/// Killed between best.pth and last.pth.
TEST(Resuming, AfterAKillInTheFirstSave) {
  Process whole(busy_run("first-save", {"schedule.epochs=1", "checkpoints.every_minutes=0"}));
  ASSERT_EQ(whole.wait(), 0) << whole.errors();
  const std::string dir = shop().path("first-save");
  fs::rename(dir + "/last.pth", dir + "/next.pth");
  const auto resumed = run_program(
      busy_run("first-save", {"schedule.epochs=2", "checkpoints.every_minutes=0", "--resume"}));
  EXPECT_EQ(resumed.status, 0) << resumed.errors;
  EXPECT_EQ(load_checkpoint(dir + "/last.pth").training->epoch, 2);
}

}  // namespace
}  // namespace mobileone
