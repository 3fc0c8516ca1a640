#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace mobileone {

/// A progress line on standard error. On a terminal it redraws one line (bar, share done, rate,
/// time left, a note); elsewhere it writes a plain line at most every `plain_interval`.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  /// `label` stands first on the line; `total` > 0 in `unit`s ("img"), of which `update` counts and
  /// `done` were done before.
  Progress(std::string label, int64_t total, std::string unit, int64_t done = 0,
           std::chrono::seconds plain_interval = std::chrono::seconds(30));
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` of `total` are done; `note` ends the line ("loss 2.31, lr 0.05").
  void update(int64_t done, const std::string& note);

  /// Units per second since construction, of those that were not done before.
  double rate() const;

 private:
  void draw(const std::string& note) const;

  std::string label_;
  int64_t total_;
  std::string unit_;
  std::chrono::seconds plain_interval_;
  bool terminal_;
  int64_t before_, done_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point drawn_;
};

/// "3 d 4 h", "2 h 05 min", "4 min 09 s", "12 s".
std::string format_duration(double seconds);

/// `columns` of a bar that is `share` (0 to 1) full.
std::string format_bar(double share, int columns);

/// Draws a progress line on the terminal, in place of the one before.
void draw_progress_line(const std::string& line);
/// Wipes the progress line, if one is on the terminal, so that a log line can take its place.
void clear_progress_line();

/// What wipes a line of a terminal; progress lines begin with it.
inline constexpr std::string_view kWipeLine = "\r\x1b[K";

/// The columns of the terminal that shows what this process writes to standard error: its own, or
/// that of a process that passes it on and says so by this variable. 0 where there is none.
int terminal_columns();
inline constexpr const char* kColumnsVariable = "MOBILEONE_COLUMNS";

}  // namespace mobileone
