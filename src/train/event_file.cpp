#include "mobileone/train/event_file.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <protozero/pbf_writer.hpp>
#include <string>

#include "mobileone/util/crc32.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

constexpr std::string_view kEventPrefix = "events.out.tfevents.";

double seconds_since_1970() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

std::filesystem::path unused_name(const std::filesystem::path& dir) {
  const auto second = static_cast<int64_t>(seconds_since_1970());
  for (int64_t number = 0;; ++number) {
    auto path = dir / fmt::format("{}{}.{}.{}", kEventPrefix, second, ::getpid(), number);
    if (!std::filesystem::exists(path)) return path;
  }
}

/// TFRecord stores check sums rotated and shifted, as sums of data that hold sums are poor.
uint32_t masked_crc(std::string_view bytes) {
  const uint32_t value = crc32c(bytes);
  return ((value >> 15) | (value << 17)) + 0xa282ead8u;
}

/// Field numbers of event.proto and summary.proto.
enum : protozero::pbf_tag_type {
  kWallTime = 1,
  kStep = 2,
  kFileVersion = 3,
  kSummary = 5,
  kSessionLog = 7,
  kSourceMetadata = 10,
  kWriter = 1,
  kSummaryValue = 1,
  kValueTag = 1,
  kValueSimple = 2,
  kSessionStatus = 1
};
constexpr int32_t kSessionStart = 1;

std::string event_of(int64_t step) {
  std::string bytes;
  protozero::pbf_writer event(bytes);
  event.add_double(kWallTime, seconds_since_1970());
  event.add_int64(kStep, step);
  return bytes;
}

std::string record_of(std::string_view event) {
  std::string record;
  append_little_endian(record, event.size(), 8);
  append_little_endian(record, masked_crc(record), 4);
  record += event;
  append_little_endian(record, masked_crc(event), 4);
  return record;
}

/// Which program wrote the file, as the format provides for in its first event.
std::string source_metadata() {
  std::string bytes;
  protozero::pbf_writer event(bytes);
  protozero::pbf_writer(event, kSourceMetadata).add_string(kWriter, "mobileone");
  return bytes;
}

/// A new file with its first events: from its first moment on it tells whose it is.
AppendFile begun(const std::filesystem::path& dir, int64_t step) {
  std::string version = event_of(0), start = event_of(step + 1);
  protozero::pbf_writer(version).add_string(kFileVersion, "brain.Event:2");
  version += source_metadata();
  protozero::pbf_writer event(start);
  protozero::pbf_writer(event, kSessionLog).add_enum(kSessionStatus, kSessionStart);
  const std::string records = record_of(version) + record_of(start);
  const std::filesystem::path path = unused_name(dir);
  write_whole(path, records);
  return AppendFile(path, std::ssize(records));
}

}  // namespace

EventFile::EventFile(const std::filesystem::path& dir, int64_t step) : file_(begun(dir, step)) {}

void EventFile::add_scalars(int64_t step, const Metrics& metrics) {
  std::string bytes = event_of(step);
  {
    protozero::pbf_writer event(bytes);
    protozero::pbf_writer summary(event, kSummary);
    for (const auto& [name, number] : metrics) {
      protozero::pbf_writer value(summary, kSummaryValue);
      value.add_string(kValueTag, name);
      value.add_float(kValueSimple, static_cast<float>(number));
    }
  }
  file_.append(record_of(bytes));
}

bool is_event_file(const std::filesystem::path& path) {
  return path.filename().string().starts_with(kEventPrefix);
}

bool is_own_event_file(const std::filesystem::path& path) {
  if (!is_event_file(path)) return false;
  std::string head(128, '\0');
  std::ifstream(path, std::ios::binary).read(head.data(), std::ssize(head));
  return head.find(source_metadata()) != std::string::npos;
}

}  // namespace mobileone
