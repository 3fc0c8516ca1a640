#pragma once

#include <filesystem>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/util/append_file.h"

namespace mobileone {

/// A TensorBoard event file: TFRecords (length, CRC-32C, data, CRC-32C) of Event messages
/// (tensorflow/core/util/event.proto), as TensorBoard's own SummaryWriter makes them.
class EventFile {
 public:
  /// Makes a file in `dir` whose name no other has. What earlier files say of steps after `step` is
  /// declared void: a run that goes on does them again.
  EventFile(const std::filesystem::path& dir, int64_t step);

  /// One event with a scalar for each metric; its name is the tag.
  void add_scalars(int64_t step, const Metrics& metrics);

  AppendFile& file() { return file_; }

 private:
  AppendFile file_;
};

/// Whether a file's name is that of an event file.
bool is_event_file(const std::filesystem::path& path);
/// Whether it is one that this program wrote, as its first event says.
bool is_own_event_file(const std::filesystem::path& path);

}  // namespace mobileone
