#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace mobileone {

/// Where a thread's time went, by kind of work. While a Profile lives, the Spans of its thread
/// report to it; without one they cost a test of a pointer. Profiles do not nest.
class Profile {
 public:
  struct Entry {
    std::string kind;
    int64_t calls = 0;
    double seconds = 0;
    double flops = 0;  ///< multiplications and additions
    double bytes = 0;  ///< read and written, each once
  };

  Profile();
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  /// In order of first appearance.
  const std::vector<Entry>& entries() const { return entries_; }
  void add(const char* kind, double seconds, double flops, double bytes);

 private:
  std::vector<Entry> entries_;
};

/// Times the scope that it lives in. Spans of a kind inside spans of another count twice: do not
/// nest them.
class Span {
 public:
  /// `kind` must outlive the span.
  explicit Span(const char* kind, double flops = 0, double bytes = 0);
  ~Span();
  Span(const Span&) = delete;
  Span& operator=(const Span&) = delete;

 private:
  const char* kind_;
  double flops_, bytes_;
  std::chrono::steady_clock::time_point start_;
};

}  // namespace mobileone
