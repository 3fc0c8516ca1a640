#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

/// What labels are said to be.
enum class LabelKind {
  kEither,   ///< integers are indices of classes, other texts are names
  kIndices,  ///< all are indices
  kNames,    ///< all are names, integers too
};

/// The labels of a data set as it is read, each distinct one once. When all are known they are
/// either indices, or names, whose sorted order gives the indices.
class LabelTable {
 public:
  explicit LabelTable(LabelKind kind = LabelKind::kEither) : kind_(kind) {}

  /// The number of a label among the distinct ones. `place()` says where it stands, for messages.
  /// Throws Error if the label is no index below kMostClasses nor a name, or is of another kind
  /// than those before: one typing error among integers would otherwise turn all of them into
  /// names.
  template <typename Place>
  int32_t add(std::string_view label, const Place& place) {
    const auto found = numbers_.find(label);
    return found != numbers_.end() ? found->second : insert(label, place());
  }

  /// By number: the text, and where it stood first.
  struct Label {
    std::string text, place;
  };
  const std::vector<Label>& labels() const { return labels_; }

  /// The classes' names in their order; none where the labels are indices.
  std::vector<std::string> names() const;

  /// The class of each label, by its number, among `names`: those above, or others that a data set
  /// has. Throws Error where a name is not among them.
  std::vector<int32_t> classes(const std::vector<std::string>& names) const;

 private:
  int32_t insert(std::string_view label, const std::string& place);
  bool are_indices() const;

  LabelKind kind_;
  std::map<std::string, int32_t, std::less<>> numbers_;
  std::vector<Label> labels_;
};

/// The name of a class as it is kept, printed and written, whatever bytes a folder is named by:
/// where those are not one line of valid UTF-8, all but printable ASCII become "\\x1b", as Python's
/// ascii() has it.
std::string legible_name(std::string_view bytes);

/// The lines of classes.txt beside a file or folder, by class; none if it is not there. Throws
/// Error naming file and line where one is empty, or there are more than kMostClasses.
std::vector<std::string> class_names_beside(const std::filesystem::path& path);

/// A text without the blanks around it.
std::string_view trimmed(std::string_view text);

/// The integer that a label is: "7", "-1" and, as tables of floats have it, "7.0".
std::optional<int64_t> label_integer(std::string_view text);

}  // namespace mobileone
