#include "mobileone/util/signals.h"

#include <array>

namespace mobileone {
namespace {

volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t save_requested = 0;

constexpr std::array kWatched = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};

void note(int signal) {
  if (signal == SIGUSR1) {
    save_requested = 1;
    return;
  }
  stop_signal = signal;
  // From here on either ends the process. A terminal that closes may send SIGHUP twice, and systemd
  // sends it after SIGTERM.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

SignalWatch::SignalWatch() {
  stop_signal = 0;
  save_requested = 0;
  for (size_t i = 0; i < kWatched.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = note;
    action.sa_flags = SA_RESTART;
    sigaction(kWatched[i], &action, &previous_[i]);
    // A shell script's background process is not to hear of Ctrl-C, nor one of nohup of SIGHUP.
    const bool deaf = kWatched[i] != SIGUSR1 && previous_[i].sa_handler == SIG_IGN;
    if (deaf) sigaction(kWatched[i], &previous_[i], nullptr);
  }
}

SignalWatch::~SignalWatch() {
  for (size_t i = 0; i < kWatched.size(); ++i) sigaction(kWatched[i], &previous_[i], nullptr);
}

int SignalWatch::stop() const { return stop_signal; }

bool SignalWatch::take_save_request() {
  if (save_requested == 0) return false;
  save_requested = 0;
  return true;
}

}  // namespace mobileone
