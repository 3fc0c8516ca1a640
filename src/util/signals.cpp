#include "mobileone/util/signals.h"

#include <array>

namespace mobileone {
namespace {

volatile std::sig_atomic_t stop_signal = 0;
volatile std::sig_atomic_t save_requested = 0;

constexpr std::array kWatched = {SIGINT, SIGTERM, SIGUSR1};

void note(int signal) {
  if (signal == SIGUSR1) {
    save_requested = 1;
  } else {
    stop_signal = signal;
  }
}

}  // namespace

SignalWatch::SignalWatch() {
  stop_signal = 0;
  save_requested = 0;
  for (size_t i = 0; i < kWatched.size(); ++i) {
    struct sigaction action {};
    action.sa_handler = note;
    // The first SIGINT or SIGTERM puts the default back, by which the second ends the process.
    action.sa_flags = SA_RESTART | (kWatched[i] == SIGUSR1 ? 0 : SA_RESETHAND);
    sigaction(kWatched[i], &action, &previous_[i]);
  }
}

SignalWatch::~SignalWatch() {
  for (size_t i = 0; i < kWatched.size(); ++i) sigaction(kWatched[i], &previous_[i], nullptr);
}

int SignalWatch::stop() const { return stop_signal; }

bool SignalWatch::take_save_request() {
  const bool requested = save_requested != 0;
  save_requested = 0;
  return requested;
}

}  // namespace mobileone
