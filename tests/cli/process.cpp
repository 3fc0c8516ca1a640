#include "cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "cli/program.h"
#include "mobileone/util/file.h"

namespace mobileone {

Process::Process(std::vector<std::string> arguments, const std::function<void()>& before_start) {
  static std::atomic<int> count = 0;
  errors_path_ = shop().path(fmt::format("process{}.err", count++));
  arguments.insert(arguments.begin(), MOBILEONE_PROGRAM);
  std::vector<char*> argv;
  for (auto& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  id_ = ::fork();
  if (id_ != 0) return;
  const int errors = ::open(errors_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0666);
  ::dup2(errors, STDERR_FILENO);
  ::dup2(errors, STDOUT_FILENO);
  for (const int signal : {SIGINT, SIGHUP}) ::signal(signal, SIG_DFL);  // as of a terminal
  if (before_start) before_start();
  ::execv(argv[0], argv.data());
  ::_exit(127);
}

Process::~Process() {
  if (!runs()) return;
  send(SIGKILL);
  wait();
}

bool Process::runs() {
  if (!ended_) ended_ = ::waitpid(id_, &status_, WNOHANG) == id_;
  return !ended_;
}

void Process::send(int signal) const {
  if (!ended_) ::kill(id_, signal);
}

int Process::wait() {
  if (!ended_) ::waitpid(id_, &status_, 0);
  ended_ = true;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : -WTERMSIG(status_);
}

std::string Process::errors() const { return read_file(errors_path_); }

bool wait_for(const std::string& path) {
  for (int tries = 0; tries < 6000; ++tries) {
    if (std::filesystem::exists(path)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

int kills_wanted(int usually) {
  const char* wanted = std::getenv("MOBILEONE_KILLS");
  return wanted != nullptr ? std::atoi(wanted) : usually;
}

}  // namespace mobileone
