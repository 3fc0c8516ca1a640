#include "mobileone/dist/launch.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <optional>

#include "launched_process.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/progress.h"
#include "network.h"

namespace mobileone {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kOrderlyEnd = 1s;   // once a process failed: nothing that is whole is lost after it
constexpr auto kCulpritsEnd = 5s;  // once one ended because of another, which tells all why it ends

/// The environment of a process, beside ours. Rank 0 draws its progress on our terminal.
std::map<std::string, std::string> variables(int64_t rank, int64_t size, int64_t port) {
  return {{"RANK", std::to_string(rank)},
          {"WORLD_SIZE", std::to_string(size)},
          {"LOCAL_RANK", std::to_string(rank)},
          {"LOCAL_WORLD_SIZE", std::to_string(size)},
          {"MASTER_ADDR", "127.0.0.1"},
          {"MASTER_PORT", std::to_string(port)},
          {kColumnsVariable, std::to_string(rank == 0 ? terminal_columns() : 0)}};
}

/// The signals that concern us, blocked and readable from a descriptor while this lives.
class Signals {
 public:
  Signals() {
    sigset_t watched;
    ::sigemptyset(&watched);
    std::signal(SIGCHLD, SIG_DFL);  // were it ignored, nobody could wait for a process
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGCHLD}) {
      // One that is ignored, as SIGHUP below nohup, stays so; a signalfd would tell of it.
      struct sigaction action {};
      ::sigaction(signal, nullptr, &action);
      if (action.sa_handler != SIG_IGN) ::sigaddset(&watched, signal);
    }
    descriptor_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0) {
      throw Error("signals cannot be watched: {}; raise `ulimit -n`", std::strerror(errno));
    }
    ::sigprocmask(SIG_BLOCK, &watched, &before_);
  }
  ~Signals() {
    ::close(descriptor_);
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  int descriptor() const { return descriptor_; }
  const sigset_t& before() const { return before_; }

 private:
  sigset_t before_;
  int descriptor_;
};

/// One attempt: from starting the processes to the end of the last.
class Attempt {
 public:
  explicit Attempt(const Signals& signals) : signals_(signals) {}
  ~Attempt() { signal_all(SIGKILL); }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void run(const std::vector<std::string>& command, int64_t size) {
    const int64_t port = free_port();
    for (int64_t rank = 0; rank < size; ++rank) {
      processes_.emplace_back(rank, command, variables(rank, size, port), signals_.before());
    }
    while (any_running()) {
      wait_a_little();
      for (size_t rank = 0; rank < processes_.size(); ++rank) {
        if (processes_[rank].reap()) note_end(rank);
      }
      if (!failed_ || Clock::now() < end_) continue;
      ending_ = true;
      signal_all(SIGKILL);
    }
    forward_all();
  }

  /// The rank that failed first, if any did. Those that ended because of another come last.
  std::optional<size_t> failed() const { return failed_; }
  const LaunchedProcess& process(size_t rank) const { return processes_[rank]; }
  /// Whether we, or one of them, were asked to end.
  bool stopped() const { return stopped_; }
  /// Processes that died by themselves.
  int64_t died() const { return died_; }

 private:
  bool any_running() const {
    return std::any_of(processes_.begin(), processes_.end(),
                       [](const LaunchedProcess& process) { return process.running(); });
  }

  /// For output, signals to pass on, or a while.
  void wait_a_little() {
    std::vector<pollfd> watched{{.fd = signals_.descriptor(), .events = POLLIN, .revents = 0}};
    for (const auto& process : processes_) {
      if (process.output() >= 0) watched.push_back({process.output(), POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), 100);
    for (signalfd_siginfo info; ::read(signals_.descriptor(), &info, sizeof info) == sizeof info;) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) continue;
      stopped_ = stopped_ || signal != SIGUSR1;
      signal_all(signal);
    }
    forward_all();
  }

  void note_end(size_t rank) {
    const LaunchedProcess& process = processes_[rank];
    const int status = process.exit_status();
    if (status == 0) return;
    stopped_ = stopped_ || process.stopped_orderly();
    const bool by_itself = status != kPeerStatus && !ending_;
    died_ += by_itself ? 1 : 0;
    // One that ended because of another may have been faster than that one.
    if (!failed_ || (by_itself && processes_[*failed_].exit_status() == kPeerStatus)) {
      failed_ = rank;
    }
    if (by_itself && !stopped_) {
      ending_ = true;
      signal_all(SIGTERM);
    }
    end_ = std::min(end_, Clock::now() + (status == kPeerStatus ? kCulpritsEnd : kOrderlyEnd));
  }

  void forward_all() {
    for (auto& process : processes_) process.forward_output();
  }
  void signal_all(int signal) const {
    for (const auto& process : processes_) process.signal(signal);
  }

  const Signals& signals_;
  std::deque<LaunchedProcess> processes_;
  std::optional<size_t> failed_;
  int64_t died_ = 0;
  bool stopped_ = false, ending_ = false;
  Clock::time_point end_ = Clock::time_point::max();
};

}  // namespace

int launch(const LaunchOptions& options) {
  const Signals signals;
  int64_t size = options.processes;
  for (int64_t attempt = 0;; ++attempt) {
    Attempt run(signals);
    run.run(options.command(attempt), size);
    if (!run.failed()) return 0;
    const LaunchedProcess& process = run.process(*run.failed());
    const int status = process.exit_status();
    if (run.stopped()) return status;
    log::write_info(fmt::format("{}rank {} of {}: {}", kErrorMark, *run.failed(), size,
                                process.how_it_ended()));
    if (status == kUserStatus || attempt == options.restarts) return status;
    if (options.fewest > 0)
      size = std::max(options.fewest, size - std::max<int64_t>(1, run.died()));
    log::info("starting again with {} process(es), {} of {}", size, attempt + 1, options.restarts);
  }
}

}  // namespace mobileone
