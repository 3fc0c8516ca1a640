#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace mobileone {

/// Counts what a data set holds and is not read as an image of it, by kind.
class LeftOut {
 public:
  /// `kind` is a plural, "broken links", or ".heic"; `example` is one of them.
  void add(const std::string& kind, const std::string& example);
  void add(const LeftOut& others);

  bool empty() const { return count_ == 0; }
  /// ".heic (3), broken links (1)", the most frequent first.
  std::string kinds() const;
  /// Says in one line of `origin` how many, of which kinds, with an example; nothing if there are
  /// none.
  void warn(const std::string& origin) const;

 private:
  std::map<std::string, int64_t> counts_;
  int64_t count_ = 0;
  std::string example_;
};

/// The kind of a file that is left out for what its name ends in: ".heic", or "files without an
/// ending".
std::string kind_of_ending(const std::string& extension);

}  // namespace mobileone
