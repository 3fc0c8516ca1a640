// One run by several processes: launched, killed, stopped, and given what does not fit.
#include <netinet/in.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/process.h"
#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"
#include "mobileone/util/random.h"
#include "support/python.h"

namespace mobileone {
namespace {
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

/// A run that depends on nothing but its configuration: batch norms see all images of a batch.
std::vector<std::string> synced_run(const std::string& dir, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"schedule.epochs=6", "runtime.sync_bn=true",
                                        "checkpoints.every_minutes=0.0005", "runtime.timeout=20"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return shop().training(dir, arguments);
}

std::vector<std::string> launched(std::vector<std::string> options,
                                  const std::vector<std::string>& command) {
  options.insert(options.begin(), "launch");
  options.insert(options.end(), command.begin(), command.end());
  return options;
}

std::vector<pid_t> children_of(pid_t process) {
  std::ifstream file(fmt::format("/proc/{0}/task/{0}/children", process));
  return {std::istream_iterator<pid_t>(file), {}};
}

void expect_close(const StateDict& first, const StateDict& second, double tolerance) {
  ASSERT_EQ(first.size(), second.size());
  for (const auto& item : first) {
    const torch::Tensor a = item.value().to(torch::kFloat64),
                        b = second[item.key()].to(torch::kFloat64);
    EXPECT_LE((a - b).abs().max().item<double>(), tolerance * (1 + a.abs().max().item<double>()))
        << item.key();
  }
}

void expect_same_end(const std::string& first_dir, const std::string& second_dir,
                     double tolerance) {
  const Checkpoint first = load_checkpoint(shop().path(first_dir + "/last.pth")),
                   second = load_checkpoint(shop().path(second_dir + "/last.pth"));
  expect_close(first.weights, second.weights, tolerance);
  expect_close(first.ema, second.ema, tolerance);
  EXPECT_EQ(first.training->step, second.training->step);
  EXPECT_EQ(first.training->epoch, second.training->epoch);
}

TEST(Launched, TrainsAsOneProcessDoes) {
  // A rate at which rounding does not grow from step to step.
  const std::vector<std::string> calm = {"optimizer.lr=0.001", "schedule.warmup_epochs=0"};
  Process one(synced_run("one", calm));
  ASSERT_EQ(one.wait(), 0) << one.errors();
  for (const char* processes : {"2", "3"}) {
    const std::string dir = std::string("launched") + processes;
    Process several(launched({"-n", processes}, synced_run(dir, calm)));
    ASSERT_EQ(several.wait(), 0) << several.errors();
    expect_same_end("one", dir, 1e-4);
    EXPECT_NE(several.errors().find("epoch 6/6"), std::string::npos) << several.errors();
    EXPECT_EQ(several.errors().find("rank 1"), std::string::npos) << several.errors();
    EXPECT_EQ(parse_csv(read_file(shop().path(dir + "/metrics.csv")), dir).size(), 7);
  }
}

TEST(Launched, WithLocalStatisticsAveragesThem) {
  Process run(launched({"-n", "2"}, synced_run("local", {"runtime.sync_bn=false"})));
  EXPECT_EQ(run.wait(), 0) << run.errors();
  // Saves by the clock change nothing of it.
  Process seldom_saved(launched(
      {"-n", "2"},
      synced_run("local-seldom", {"runtime.sync_bn=false", "checkpoints.every_minutes=0"})));
  EXPECT_EQ(seldom_saved.wait(), 0) << seldom_saved.errors();
  expect_same_end("local", "local-seldom", 0);
  Process goes_on_alone(synced_run("local", {"runtime.sync_bn=false", "--resume"}));
  EXPECT_EQ(goes_on_alone.wait(), 0) << goes_on_alone.errors();
}

TEST(Launched, KilledProcessesAtAnyMomentChangeNothing) {
  const auto start = Clock::now();
  Process whole(launched({"-n", "2"}, synced_run("whole2")));
  ASSERT_EQ(whole.wait(), 0) << whole.errors();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  Random random(5);
  int kills = 0, finished = 0;
  while (kills < kills_wanted(6)) {
    const std::string dir = fmt::format("killed2-{}", finished++);
    Process run(launched({"-n", "2", "--restarts", "100000"}, synced_run(dir)));
    while (run.runs()) {
      const auto patience = std::chrono::duration<double>(random.uniform(0, 1.1 * seconds));
      for (const auto end = Clock::now() + patience; run.runs() && Clock::now() < end;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      const auto ranks = children_of(run.id());
      if (kills >= kills_wanted(6) || ranks.empty()) continue;
      ::kill(ranks[static_cast<size_t>(random.integer(std::ssize(ranks)))], SIGKILL);
      ++kills;
    }
    ASSERT_EQ(run.wait(), 0) << run.errors();
    expect_same_end("whole2", dir, 0);
  }
  fmt::print("{} kills of {} runs\n", kills, finished);
}

TEST(Launched, GoesOnWithTheProcessesThatAreLeft) {
  Process run(launched({"--elastic", "1:2", "--restarts", "1"},
                       synced_run("elastic", {"schedule.epochs=30"})));
  ASSERT_TRUE(wait_for(shop().path("elastic/last.pth"))) << run.errors();
  ASSERT_EQ(children_of(run.id()).size(), 2);
  ::kill(children_of(run.id())[1], SIGKILL);
  EXPECT_EQ(run.wait(), 0) << run.errors();
  EXPECT_NE(run.errors().find("mobileone: rank 1 of 2: was killed by signal 9"), std::string::npos)
      << run.errors();
  EXPECT_NE(run.errors().find("starting again with 1 process(es)"), std::string::npos);
  EXPECT_EQ(load_checkpoint(shop().path("elastic/last.pth")).training->epoch, 30);
}

TEST(Launched, AStoppedProcessEndsTheOthersAndIsNamed) {
  for (const size_t rank : {1, 0}) {
    const std::string dir = fmt::format("stopped-rank{}", rank);
    Process run(
        launched({"-n", "2"}, synced_run(dir, {"schedule.epochs=1000", "runtime.timeout=6"})));
    ASSERT_TRUE(wait_for(shop().path(dir + "/last.pth"))) << run.errors();
    const auto ranks = children_of(run.id());
    const auto start = Clock::now();
    ::kill(ranks[rank], SIGSTOP);
    EXPECT_EQ(run.wait(), 3) << run.errors();
    EXPECT_LT(std::chrono::duration<double>(Clock::now() - start).count(), 60);
    EXPECT_NE(run.errors().find(fmt::format("rank {} of 2: rank {}", 1 - rank, rank)),
              std::string::npos)
        << run.errors();
    EXPECT_NE(run.errors().find("no sign of life"), std::string::npos) << run.errors();
    load_checkpoint(shop().path(dir + "/last.pth"));  // whole
  }
}

/// What `eval` prints and reports of a set with a damaged image.
struct EvaluationOutput {
  nlohmann::json summary;
  std::string tables;
};

EvaluationOutput evaluation(int processes, int batch) {
  const fs::path set = shop().path("damaged-set");
  if (!fs::exists(set)) {
    fs::copy(shop().shapes("train"), set, fs::copy_options::recursive);
    fs::resize_file(fs::recursive_directory_iterator(set)->path() / "0003.jpg", 100);
  }
  const std::string dir = shop().path(fmt::format("evaluation-{}-{}", processes, batch));
  const std::string command = fmt::format(
      "{0} launch -n {1} eval {2} --threads 1 --data {3} --batch {4} --report {5} --json >{5}.json",
      MOBILEONE_PROGRAM, processes, shop().path("run/last.pth"), set.string(), batch, dir);
  EXPECT_EQ(std::system((command + " 2>" + dir + ".err").c_str()), 0) << read_file(dir + ".err");
  EvaluationOutput output{nlohmann::json::parse(read_file(dir + ".json")), {}};
  for (const char* file : {"per_class.csv", "confusion.csv", "calibration.csv", "mistakes.csv"}) {
    output.tables += read_file(fs::path(dir) / file);
  }
  return output;
}

TEST(Launched, EvaluatesExactlyAsOneProcessDoes) {
  for (const int batch : {9, 20}) {  // of the last, the third process has none
    const auto alone = evaluation(1, batch);
    EXPECT_EQ(alone.summary["images"], 39);
    for (const int processes : {2, 3}) {
      const auto several = evaluation(processes, batch);
      for (const char* name : {"top1", "top5", "ece", "images"}) {
        EXPECT_EQ(several.summary[name], alone.summary[name]) << name;
      }
      // A sum of numbers that are not whole, in another order.
      EXPECT_NEAR(several.summary["loss"], alone.summary["loss"], 1e-12);
      EXPECT_EQ(several.tables, alone.tables);
    }
  }
}

class LaunchedSignal : public testing::TestWithParam<int> {};

TEST_P(LaunchedSignal, SavesAndGoesOnToTheSameEnd) {
  Process whole(synced_run(fmt::format("signal-whole{}", GetParam()), {"schedule.epochs=12"}));
  ASSERT_EQ(whole.wait(), 0);
  const std::string dir = fmt::format("signal{}", GetParam());
  const auto command = synced_run(dir, {"schedule.epochs=12", "optimizer.lr=0.001"});
  Process run(launched({"-n", "2"}, command));
  ASSERT_TRUE(wait_for(shop().path(dir + "/last.pth"))) << run.errors();
  run.send(GetParam());
  EXPECT_EQ(run.wait(), 128 + GetParam()) << run.errors();
  EXPECT_NE(run.errors().find("go on with --resume"), std::string::npos) << run.errors();
  // With another number of processes, and no image twice or never.
  auto more = command;
  more.push_back("--resume");
  Process resumed(launched({"-n", "3"}, more));
  EXPECT_EQ(resumed.wait(), 0) << resumed.errors();
  const Checkpoint end = load_checkpoint(shop().path(dir + "/last.pth"));
  EXPECT_EQ(end.training->epoch, 12);
  EXPECT_EQ(end.training->step,
            load_checkpoint(shop().path(fmt::format("signal-whole{}/last.pth", GetParam())))
                .training->step);
}

INSTANTIATE_TEST_SUITE_P(Each, LaunchedSignal, testing::Values(SIGINT, SIGTERM, SIGHUP));

TEST(Launched, SaysHowManyOpenFilesItsProcessesTake) {
  const auto limit_files = [] {
    const rlimit few{40, 40};
    ::setrlimit(RLIMIT_NOFILE, &few);
  };
  Process run(launched({"-n", "8"}, synced_run("few-files")), limit_files);
  EXPECT_EQ(run.wait(), 2) << run.errors();
  EXPECT_NE(run.errors().find("8 processes may take 64 open files each, and `ulimit -n` grants 40"),
            std::string::npos)
      << run.errors();
}

TEST(Launched, RefusesWhatItCannotDo) {
  const auto message = [](const std::vector<std::string>& arguments) {
    const auto outcome = run_program(launched({}, arguments));
    EXPECT_EQ(outcome.status, 2) << outcome.errors;
    return outcome.errors;
  };
  EXPECT_NE(message({"-n", "2"}).find("expected `train`"), std::string::npos);
  EXPECT_NE(message({"-n", "2", "bench", "latency"}).find("expected `train`"), std::string::npos);
  EXPECT_NE(message({"train", "x.yaml"}).find("-n or --elastic"), std::string::npos);
  EXPECT_NE(message({"--elastic", "2", "train", "x.yaml"}).find("FEWEST:MOST"), std::string::npos);
  EXPECT_NE(message({"--elastic", "2:1", "train", "x.yaml"}).find("FEWEST:MOST"),
            std::string::npos);
  EXPECT_NE(message({"-n", "3", "--elastic", "1:2", "train", "x.yaml"}).find("1 to 2"),
            std::string::npos);
  EXPECT_NE(message({"-n", "2", "train", "no-such.yaml"}).find("no-such.yaml"), std::string::npos);
}

/// The program and its arguments, for a shell.
std::string in_shell(const std::vector<std::string>& arguments) {
  std::string command = MOBILEONE_PROGRAM;
  for (const auto& argument : arguments) command += " '" + argument + "'";
  return command;
}

/// Has the program run by another.
Outcome started_by(const std::string& starter, const std::vector<std::string>& arguments) {
  const std::string file = shop().path("started.err");
  const int status = std::system((starter + " " + in_shell(arguments) + " 2>" + file).c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, "", read_file(file)};
}

/// What a terminal is sent when the program runs on it.
std::string shown_on_terminal(const std::vector<std::string>& arguments) {
  const std::string file = shop().path("terminal");
  const std::string command =
      fmt::format("script -qec \"{}\" {} </dev/null >/dev/null", in_shell(arguments), file);
  (void)std::system(command.c_str());
  return read_file(file);
}

TEST(Launched, OnATerminalShowsOneProgressLineAndOneError) {
  if (std::system("command -v script >/dev/null") != 0) GTEST_SKIP() << "needs script";
  const std::string run = shown_on_terminal(launched({"-n", "2"}, synced_run("terminal-run")));
  EXPECT_NE(run.find("\r\x1b[Kepoch 1/6 [##"), std::string::npos) << run;
  EXPECT_EQ(run.find("rank 1"), std::string::npos) << run;
  const std::string failed =
      shown_on_terminal(launched({"-n", "2"}, synced_run("no-run", {"data.train=no-such"})));
  EXPECT_NE(failed.find("of 2: no-such"), std::string::npos) << failed;
  EXPECT_EQ(failed.find("mobileone: "), failed.rfind("mobileone: ")) << failed;
}

/// Whose fault it is, with its status; a restart would not mend it, and is not another run.
TEST(Launched, AFolderThatHoldsARunIsRankZerosErrorAndNotGoneOnWith) {
  const auto bytes = read_file(shop().path("run/last.pth"));
  Process run(launched({"-n", "2", "--restarts", "2"}, synced_run("run", {"schedule.epochs=3"})));
  EXPECT_EQ(run.wait(), 2) << run.errors();
  EXPECT_TRUE(run.errors().starts_with("mobileone: rank 0 of 2: ")) << run.errors();
  EXPECT_NE(run.errors().find("already holds a run"), std::string::npos) << run.errors();
  EXPECT_EQ(read_file(shop().path("run/last.pth")), bytes);
}

TEST(Launched, ASignalToOneProcessStopsAllInOrder) {
  Process run(
      launched({"-n", "2", "--restarts", "2"}, synced_run("one-signal", {"schedule.epochs=1000"})));
  ASSERT_TRUE(wait_for(shop().path("one-signal/last.pth"))) << run.errors();
  ::kill(children_of(run.id())[1], SIGTERM);
  EXPECT_EQ(run.wait(), 128 + SIGTERM) << run.errors();
  EXPECT_NE(run.errors().find("go on with --resume"), std::string::npos) << run.errors();
  EXPECT_EQ(run.errors().find("mobileone: "), std::string::npos) << run.errors();
}

TEST(Launched, ImagesThatCannotBeReadAreCountedOverAllProcesses) {
  const fs::path set = shop().path("unreadable-set");
  fs::copy(shop().shapes("val"), set, fs::copy_options::recursive);
  for (const char* image : {"circle/0000.jpg", "star/0001.jpg"}) fs::resize_file(set / image, 50);
  Process run(launched({"-n", "2"}, synced_run("unreadable", {"data.val=" + set.string()})));
  EXPECT_EQ(run.wait(), 2) << run.errors();
  EXPECT_NE(run.errors().find("2 of 20 images cannot be read, more than 1 %"), std::string::npos)
      << run.errors();
}

TEST(Launched, ABatchTooSmallForItsProcessesIsAnError) {
  Process run(launched({"-n", "6"}, synced_run("small")));
  EXPECT_EQ(run.wait(), 2) << run.errors();
  EXPECT_NE(run.errors().find("need at least 12, got 10"), std::string::npos) << run.errors();
}

/// A process of a run that nobody launched: its place is given by variables, as torchrun would.
std::unique_ptr<Process> placed(int rank, int size, int port,
                                const std::vector<std::string>& command,
                                const char* address = "127.0.0.1") {
  return std::make_unique<Process>(command, [=] {
    ::setenv("RANK", std::to_string(rank).c_str(), 1);
    ::setenv("WORLD_SIZE", std::to_string(size).c_str(), 1);
    ::setenv("MASTER_ADDR", address, 1);
    ::setenv("MASTER_PORT", std::to_string(port).c_str(), 1);
  });
}

/// A listening socket on a port of its own.
class Listener {
 public:
  Listener() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_ANY);
    socklen_t size = sizeof any;
    ::bind(socket_, reinterpret_cast<sockaddr*>(&any), size);
    ::listen(socket_, 1);
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&any), &size);
    port = ntohs(any.sin_port);
  }
  ~Listener() { ::close(socket_); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int port;

 private:
  int socket_;
};

int free_port() { return Listener().port; }

/// What two processes say that do not fit; each must end by itself, with an error.
std::string complaints(const std::vector<std::string>& first,
                       const std::vector<std::string>& second) {
  const int port = free_port();
  const auto a = placed(0, 2, port, first), b = placed(1, 2, port, second);
  EXPECT_NE(a->wait(), 0);
  EXPECT_NE(b->wait(), 0);
  EXPECT_NE(a->errors(), "");
  EXPECT_NE(b->errors(), "");
  return a->errors() + b->errors();
}

TEST(Places, ProcessesThatDoNotFitSayInWhat) {
  const auto right = synced_run("unfit");
  const auto other_lr = synced_run("unfit", {"optimizer.lr=0.05"});
  EXPECT_NE(complaints(right, other_lr).find("optimizer.lr: 0.05, rank 0 has 0.1"),
            std::string::npos);
  const auto other_data = synced_run("unfit", {"data.train=" + shop().shapes("val")});
  EXPECT_NE(complaints(right, other_data).find("rank 1 has another set of training images"),
            std::string::npos);
  const std::string lacking = complaints(right, synced_run("unfit", {"data.train=no-such"}));
  EXPECT_NE(lacking.find("mobileone: rank 1: no-such"), std::string::npos) << lacking;
  EXPECT_FALSE(fs::exists(shop().path("unfit/last.pth")));
}

TEST(Places, SizesThatDiffer) {
  const int port = free_port();
  const auto a = placed(0, 2, port, synced_run("sizes")),
             b = placed(1, 3, port, synced_run("sizes"));
  EXPECT_EQ(b->wait(), 2);
  EXPECT_NE(b->errors().find("one of 3 processes, rank 0 one of 2"), std::string::npos)
      << b->errors();
  EXPECT_NE(a->wait(), 0);
  EXPECT_NE(a->errors().find("one of 2 processes, rank 1 one of 3"), std::string::npos)
      << a->errors();
}

TEST(Places, APortInUseAndAnAddressThatCannotBeReached) {
  const Listener taken;
  const auto a = placed(0, 2, taken.port, synced_run("port"));
  EXPECT_EQ(a->wait(), 2);
  EXPECT_NE(a->errors().find("is in use; choose another by MASTER_PORT"), std::string::npos)
      << a->errors();
  const auto answered = placed(1, 2, taken.port, synced_run("port"));  // by nobody who says a word
  EXPECT_EQ(answered->wait(), 2);
  EXPECT_NE(answered->errors().find("what answers there is not rank 0"), std::string::npos)
      << answered->errors();
  const auto b = placed(1, 2, 29500, synced_run("port"), "no-such-host.invalid");
  EXPECT_EQ(b->wait(), 2);
  EXPECT_TRUE(b->errors().starts_with("mobileone: MASTER_ADDR: no-such-host.invalid: "))
      << b->errors();
}

TEST(Places, EvaluateOneModelOnOneSet) {
  const std::vector<std::string> right = {"eval", shop().path("run/last.pth"), "--data",
                                          shop().shapes("val")};
  auto other_batch = right, other_set = right;
  other_batch.insert(other_batch.end(), {"--batch", "7"});
  other_set[3] = shop().shapes("train");
  EXPECT_NE(complaints(right, other_batch).find("rank 1 has another set of options than rank 0"),
            std::string::npos);
  EXPECT_NE(complaints(right, other_set).find("rank 1 has another set of images"),
            std::string::npos);
}

TEST(Places, AMachineThatCannotBeReachedEndsTheOthersAndIsNamed) {
  const Outcome cut =
      started_by(MOBILEONE_SOURCE_DIR "/tools/two_machines.sh --cut 6",
                 synced_run("cut", {"schedule.epochs=100000", "runtime.timeout=4"}));
  if (cut.status == 77) GTEST_SKIP() << cut.errors;
  EXPECT_EQ(cut.status, 3) << cut.errors;
  EXPECT_NE(cut.errors.find("mobileone: rank 1 ("), std::string::npos) << cut.errors;
  EXPECT_NE(cut.errors.find("mobileone: rank 0, at 10.9.0.1:29500, gives no sign of life"),
            std::string::npos)
      << cut.errors;
  load_checkpoint(shop().path("cut/last.pth"));  // whole
}

TEST(Places, AreTorchruns) {
  if (!python_has("torch")) GTEST_SKIP() << "needs Python with torch: scripts/setup.sh";
  const Outcome run = started_by(
      fmt::format("{} -m torch.distributed.run --no-python --nproc-per-node 2 --rdzv-backend c10d "
                  "--rdzv-endpoint localhost:0",
                  kPython),
      synced_run("torchrun"));
  EXPECT_EQ(run.status, 0) << run.errors;
  EXPECT_EQ(load_checkpoint(shop().path("torchrun/last.pth")).training->epoch, 6);
}

TEST(Places, AreMpiruns) {
  if (std::system("command -v mpirun >/dev/null") != 0) GTEST_SKIP() << "needs mpirun";
  const Outcome run =
      started_by("mpirun --allow-run-as-root --oversubscribe -n 2", synced_run("mpirun"));
  EXPECT_EQ(run.status, 0) << run.errors;
  EXPECT_EQ(load_checkpoint(shop().path("mpirun/last.pth")).training->epoch, 6);
}

}  // namespace
}  // namespace mobileone
