#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace mobileone {

/// The program in a process of its own; what it writes to standard error goes to a file.
class Process {
 public:
  /// `before_start` is called in the new process.
  explicit Process(std::vector<std::string> arguments,
                   const std::function<void()>& before_start = {});
  /// Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  bool runs();
  void send(int signal) const;
  /// Waits for its end: the exit status, or minus the signal that ended it.
  int wait();
  std::string errors() const;

 private:
  std::string errors_path_;
  pid_t id_;
  bool ended_ = false;
  int status_ = 0;
};

/// Waits, at most a minute, until `path` exists; whether it does.
bool wait_for(const std::string& path);

/// How many kills a campaign is to make: MOBILEONE_KILLS, which tools/kill_campaign.sh sets, or
/// `usually`.
int kills_wanted(int usually);

}  // namespace mobileone
