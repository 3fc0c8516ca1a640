#include "mobileone/util/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace mobileone {
namespace {

std::atomic<bool> line_is_drawn = false;

/// In place of the progress line; that it cannot be written stops nothing.
void write_to_terminal(const std::string& line) {
  std::fputs((std::string(kWipeLine) + line).c_str(), stderr);
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(std::max(0.0, seconds)));
  const int64_t days = whole / 86400, hours = whole / 3600 % 24, minutes = whole / 60 % 60;
  if (days > 0) return fmt::format("{} d {} h", days, hours);
  if (hours > 0) return fmt::format("{} h {:02} min", hours, minutes);
  if (minutes > 0) return fmt::format("{} min {:02} s", minutes, whole % 60);
  return fmt::format("{} s", whole);
}

std::string format_bar(double share, int columns) {
  const int full = static_cast<int>(std::clamp(share, 0.0, 1.0) * columns);
  return "[" + std::string(full, '#') + std::string(columns - full, '.') + "]";
}

void draw_progress_line(const std::string& line) {
  write_to_terminal(line);
  std::fflush(stderr);
  line_is_drawn = true;
}

void clear_progress_line() {
  if (line_is_drawn.exchange(false)) write_to_terminal("");
}

int terminal_columns() {
  if (const char* columns = std::getenv(kColumnsVariable)) return std::atoi(columns);
  constexpr int kUsual = 80;
  winsize size{};
  if (::isatty(STDERR_FILENO) == 0) return 0;
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

Progress::Progress(std::string label, int64_t total, std::string unit, int64_t done,
                   std::chrono::seconds plain_interval)
    : label_(std::move(label)),
      total_(std::max<int64_t>(1, total)),
      unit_(std::move(unit)),
      plain_interval_(plain_interval),
      terminal_(terminal_columns() > 0),
      before_(done),
      done_(done),
      drawn_(terminal_ ? Clock::time_point{} : start_) {}

Progress::~Progress() { clear_progress_line(); }

double Progress::rate() const {
  const std::chrono::duration<double> elapsed = Clock::now() - start_;
  return static_cast<double>(done_ - before_) / std::max(1e-9, elapsed.count());
}

void Progress::update(int64_t done, const std::string& note) {
  done_ = done;
  const auto now = Clock::now();
  const auto interval =
      terminal_ ? std::chrono::milliseconds(100)
                : std::chrono::duration_cast<std::chrono::milliseconds>(plain_interval_);
  if (now - drawn_ < interval) return;
  drawn_ = now;
  draw(note);
}

void Progress::draw(const std::string& note) const {
  const double share = static_cast<double>(done_) / total_;
  const double left = rate() > 0 ? (total_ - done_) / rate() : 0;
  const std::string numbers = fmt::format("{:3.0f} %  {:.0f} {}/s  {} left  {}", 100 * share,
                                          rate(), unit_, format_duration(left), note);
  if (!terminal_) {
    std::fputs(fmt::format("{}  {}\n", label_, numbers).c_str(), stderr);
    return;
  }
  const int columns = terminal_columns() - 1;
  constexpr int kWidest = 20, kNarrowest = 4;
  const int left_for_bar = columns - static_cast<int>(label_.size() + numbers.size() + 4);
  const int width = std::min(kWidest, left_for_bar);
  std::string line = width >= kNarrowest
                         ? fmt::format("{} {} {}", label_, format_bar(share, width), numbers)
                         : fmt::format("{} {}", label_, numbers);
  line.resize(std::min<size_t>(line.size(), columns));
  draw_progress_line(line);
}

}  // namespace mobileone
