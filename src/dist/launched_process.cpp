#include "launched_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "mobileone/dist/launch.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"
#include "mobileone/util/progress.h"

namespace mobileone {
namespace {

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

}  // namespace

LaunchedProcess::LaunchedProcess(int64_t rank, const std::vector<std::string>& command,
                                 const std::map<std::string, std::string>& variables,
                                 const sigset_t& signals)
    : rank_(rank) {
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0) {
    throw Error("a pipe cannot be made: {}; lower -n, or raise `ulimit -n`", std::strerror(errno));
  }
  pid_ = ::fork();
  if (pid_ < 0) {
    const std::string why = std::strerror(errno);
    ::close(pipe[0]);
    ::close(pipe[1]);
    throw Error("a process cannot be started: {}; lower -n, or raise `ulimit -u`", why);
  }
  if (pid_ == 0) {
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    become(command, pipe[1], signals);
  }
  ::close(pipe[1]);
  ::fcntl(pipe[0], F_SETFL, O_NONBLOCK);
  output_ = pipe[0];
}

LaunchedProcess::~LaunchedProcess() {
  signal(SIGKILL);
  if (running()) ::waitpid(pid_, nullptr, 0);
  if (output_ >= 0) ::close(output_);
}

void LaunchedProcess::signal(int signal) const {
  if (!running()) return;
  ::kill(pid_, signal);
  if (signal == SIGTERM) ::kill(pid_, SIGCONT);  // a stopped process hears of nothing else
}

void LaunchedProcess::forward_output() {
  char buffer[4096];
  while (output_ >= 0) {
    const ssize_t size = ::read(output_, buffer, sizeof buffer);
    if (size < 0) return;
    if (size == 0) {
      ::close(std::exchange(output_, -1));
      if (!text_.empty()) text_ += '\n';
    }
    text_.append(buffer, static_cast<size_t>(size));
    for (size_t end; (end = text_.find('\n')) != std::string::npos;) {
      const std::string line = without_progress(text_.substr(0, end));
      text_.erase(0, end + 1);
      if (line.starts_with(kErrorMark)) {
        last_error_ = line.substr(kErrorMark.size());
      } else {
        log::write_info(rank_ == 0 ? line : fmt::format("[rank {}] {}", rank_, line));
      }
    }
    // What is left may be rank 0's progress line.
    if (text_.find(kWipeLine) != std::string::npos) {
      draw_progress_line(without_progress(text_));
      text_.clear();
    }
  }
}

bool LaunchedProcess::reap() {
  int status = 0;
  if (!running() || ::waitpid(pid_, &status, WNOHANG) != pid_) return false;
  status_ = status;
  forward_output();
  return true;
}

int LaunchedProcess::exit_status() const {
  return WIFSIGNALED(*status_) ? 128 + WTERMSIG(*status_) : WEXITSTATUS(*status_);
}

bool LaunchedProcess::stopped_orderly() const {
  if (!WIFEXITED(*status_)) return false;
  const int status = WEXITSTATUS(*status_);
  return status == 128 + SIGINT || status == 128 + SIGTERM || status == 128 + SIGHUP;
}

std::string LaunchedProcess::how_it_ended() const {
  if (WIFSIGNALED(*status_)) {
    const int signal = WTERMSIG(*status_);
    return fmt::format("was killed by signal {} ({})", signal, strsignal(signal));
  }
  if (!last_error_.empty()) return last_error_;
  return fmt::format("ended with status {}", WEXITSTATUS(*status_));
}

}  // namespace mobileone
