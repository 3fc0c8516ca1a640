#include "mobileone/dist/launch.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

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
constexpr int kUserStatus = 2;
constexpr std::string_view kErrorMark = "mobileone: ";  // how the program begins its error line

/// A process of the run, while it runs and after.
struct Process {
  pid_t pid = -1;
  int errors = -1;                 ///< a pipe of its standard error; -1: closed
  std::string text;                ///< of an unfinished line
  std::string last_error;          ///< its own error line, held back
  std::optional<int> status = {};  ///< as of waitpid
};

int exit_status(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Whether it saved and ended since a signal asked it to.
bool stopped_orderly(int status) {
  return WIFEXITED(status) &&
         (WEXITSTATUS(status) == 128 + SIGINT || WEXITSTATUS(status) == 128 + SIGTERM ||
          WEXITSTATUS(status) == 128 + SIGHUP);
}

std::string how_it_ended(const Process& process) {
  const int status = *process.status;
  if (WIFSIGNALED(status)) {
    return fmt::format("was killed by signal {} ({})", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
  }
  if (!process.last_error.empty()) return process.last_error;
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

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

/// What stands on a line of output when it is complete.
std::string without_progress(const std::string& line) {
  const size_t wipe = line.rfind(kWipeLine);
  return wipe == std::string::npos ? line : line.substr(wipe + kWipeLine.size());
}

/// In a forked process: becomes the program, or ends.
[[noreturn]] void become(const std::vector<std::string>& command, int errors,
                         const sigset_t& signals) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setpgid(0, 0);  // Ctrl-C reaches it once, by way of us
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  ::dup2(errors, STDERR_FILENO);
  std::vector<char*> arguments;
  for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments[0], arguments.data());
  const std::string why = std::strerror(errno);
  std::fputs(fmt::format("{}{}: cannot be started: {}\n", kErrorMark, command[0], why).c_str(),
             stderr);
  ::_exit(kUserStatus);
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
  ~Attempt() {
    signal_all(SIGKILL);
    for (auto& process : processes_) {
      if (!process.status) ::waitpid(process.pid, nullptr, 0);
      if (process.errors >= 0) ::close(process.errors);
    }
  }
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;

  void run(const std::vector<std::string>& command, int64_t size) {
    const int64_t port = free_port();
    for (int64_t rank = 0; rank < size; ++rank) start(command, variables(rank, size, port));
    while (running() > 0) {
      wait_a_little();
      for (size_t rank = 0; rank < processes_.size(); ++rank) reap(rank);
      if (!failed_ || Clock::now() < end_) continue;
      ending_ = true;
      signal_all(SIGKILL);
    }
    for (size_t rank = 0; rank < processes_.size(); ++rank) forward(rank);
  }

  /// The rank that failed first, if any did. Those that ended because of another come last.
  std::optional<size_t> failed() const { return failed_; }
  const Process& process(size_t rank) const { return processes_[rank]; }
  /// Whether we, or one of them, were asked to end.
  bool stopped() const { return stopped_; }
  /// Processes that died by themselves.
  int64_t died() const { return died_; }

 private:
  void start(const std::vector<std::string>& command,
             const std::map<std::string, std::string>& variables) {
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) {
      throw Error("a pipe cannot be made: {}; lower -n, or raise `ulimit -n`",
                  std::strerror(errno));
    }
    const pid_t pid = ::fork();
    if (pid < 0) {
      const std::string why = std::strerror(errno);
      ::close(pipe[0]);
      ::close(pipe[1]);
      throw Error("a process cannot be started: {}; lower -n, or raise `ulimit -u`", why);
    }
    if (pid == 0) {
      for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
      become(command, pipe[1], signals_.before());
    }
    ::close(pipe[1]);
    ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
    processes_.push_back({.pid = pid, .errors = pipe[0], .text = {}, .last_error = {}});
  }

  int64_t running() const {
    return std::count_if(processes_.begin(), processes_.end(),
                         [](const Process& process) { return !process.status; });
  }

  /// For output, signals to pass on, or a while.
  void wait_a_little() {
    std::vector<pollfd> watched{{.fd = signals_.descriptor(), .events = POLLIN, .revents = 0}};
    for (const auto& process : processes_) {
      if (process.errors >= 0) watched.push_back({process.errors, POLLIN, 0});
    }
    ::poll(watched.data(), watched.size(), 100);
    for (signalfd_siginfo info; ::read(signals_.descriptor(), &info, sizeof info) == sizeof info;) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) continue;
      stopped_ = stopped_ || signal != SIGUSR1;
      signal_all(signal);
    }
    for (size_t rank = 0; rank < processes_.size(); ++rank) forward(rank);
  }

  /// Shows what a process wrote, a line at a time; its error is held back.
  void forward(size_t rank) {
    Process& process = processes_[rank];
    char buffer[4096];
    while (process.errors >= 0) {
      const ssize_t size = ::read(process.errors, buffer, sizeof buffer);
      if (size < 0) return;
      if (size == 0) {
        ::close(std::exchange(process.errors, -1));
        if (!process.text.empty()) process.text += '\n';
      }
      process.text.append(buffer, static_cast<size_t>(size));
      for (size_t end; (end = process.text.find('\n')) != std::string::npos;) {
        const std::string line = without_progress(process.text.substr(0, end));
        process.text.erase(0, end + 1);
        if (line.starts_with(kErrorMark)) {
          process.last_error = line.substr(kErrorMark.size());
        } else {
          log::write_info(rank == 0 ? line : fmt::format("[rank {}] {}", rank, line));
        }
      }
      // What is left may be rank 0's progress line.
      if (process.text.find(kWipeLine) != std::string::npos) {
        draw_progress_line(without_progress(process.text));
        process.text.clear();
      }
    }
  }

  void reap(size_t rank) {
    Process& process = processes_[rank];
    int status = 0;
    if (process.status || ::waitpid(process.pid, &status, WNOHANG) != process.pid) return;
    process.status = status;
    forward(rank);
    const int code = exit_status(status);
    if (code == 0) return;
    stopped_ = stopped_ || stopped_orderly(status);
    const bool by_itself = code != kPeerStatus && !ending_;
    died_ += by_itself ? 1 : 0;
    // One that ended because of another may have been faster than that one.
    if (!failed_ || (by_itself && exit_status(*processes_[*failed_].status) == kPeerStatus)) {
      failed_ = rank;
    }
    if (by_itself && !stopped_) {
      ending_ = true;
      signal_all(SIGTERM);
    }
    end_ = std::min(end_, Clock::now() + (code == kPeerStatus ? kCulpritsEnd : kOrderlyEnd));
  }

  void signal_all(int signal) const {
    for (const auto& process : processes_) {
      if (!process.status) ::kill(process.pid, signal);
      // A stopped process hears of nothing else.
      if (!process.status && signal == SIGTERM) ::kill(process.pid, SIGCONT);
    }
  }

  const Signals& signals_;
  std::vector<Process> processes_;
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
    const Process& process = run.process(*run.failed());
    const int status = exit_status(*process.status);
    if (run.stopped()) return status;
    log::write_info(
        fmt::format("{}rank {} of {}: {}", kErrorMark, *run.failed(), size, how_it_ended(process)));
    if (status == kUserStatus || attempt == options.restarts) return status;
    if (options.fewest > 0)
      size = std::max(options.fewest, size - std::max<int64_t>(1, run.died()));
    log::info("starting again with {} process(es), {} of {}", size, attempt + 1, options.restarts);
  }
}

}  // namespace mobileone
