#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "mobileone/util/folder_lock.h"

namespace mobileone {

/// A folder that comes to be whole or not at all: its files are written beside it, in
/// `folder`.partial, which goes if it is not finished. The first of them is classes.txt, by which
/// what a killed process left is known, and begun anew.
class NewFolder {
 public:
  /// `command` is the one that writes it, for messages. Throws Error if either is there and holds
  /// anything else.
  NewFolder(const std::filesystem::path& folder, std::string_view command);
  ~NewFolder();
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;

  /// `name` is a path below the folder.
  void write(const std::string& name, std::string_view contents) const;

  /// Makes `name` the same file as `from`; false where the file system has no such links.
  bool link(const std::filesystem::path& from, const std::string& name) const;

  void finish();

 private:
  std::filesystem::path made(const std::string& name) const;

  std::filesystem::path folder_, partial_;  ///< where its files are; empty once it is whole
  std::optional<FolderLock> lock_;
};

}  // namespace mobileone
