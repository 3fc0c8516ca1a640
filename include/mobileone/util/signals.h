#pragma once

#include <csignal>

namespace mobileone {

/// While it lives, SIGINT, SIGTERM and SIGHUP ask for an orderly end and SIGUSR1 asks to save, all
/// of which a long computation answers when it next looks; a second SIGINT or SIGTERM ends the
/// process at once. One at a time in a process.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// SIGINT, SIGTERM or SIGHUP once one has come; 0 before.
  int stop() const;
  /// Whether SIGUSR1 has come since the last call.
  bool take_save_request();

 private:
  struct sigaction previous_[4];
};

}  // namespace mobileone
