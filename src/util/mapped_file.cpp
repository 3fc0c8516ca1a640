#include "mobileone/util/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>

#include "mobileone/util/descriptor.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

/// What is mapped, for the signal's handler, which may take no lock. Files beyond these are mapped
/// all the same; cutting them short ends the process without a message.
struct Mapping {
  std::atomic<const char*> begin = nullptr;  // null: free
  std::atomic<size_t> size = 0;
  std::atomic<const std::string*> message = nullptr;
};
std::array<Mapping, 64> mappings;
std::mutex mappings_mutex;
struct sigaction previous_action;

void explain_bus_error(int, siginfo_t* info, void*) {
  const auto* address = static_cast<const char*>(info->si_addr);
  for (const Mapping& mapping : mappings) {
    const char* begin = mapping.begin;
    if (begin == nullptr || address < begin || address >= begin + mapping.size) continue;
    const std::string* message = mapping.message;
    (void)!::write(STDERR_FILENO, message->data(), message->size());
    ::_exit(2);
  }
  ::sigaction(SIGBUS, &previous_action, nullptr);  // which sees it when the access is tried again
}

void register_mapping(std::string_view bytes, const std::string& message) {
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = explain_bus_error;
    action.sa_flags = SA_SIGINFO;
    return ::sigaction(SIGBUS, &action, &previous_action) == 0;
  }();
  if (!installed) return;
  const std::lock_guard lock(mappings_mutex);
  for (Mapping& mapping : mappings) {
    if (mapping.begin != nullptr) continue;
    mapping.size = bytes.size();
    mapping.message = &message;
    mapping.begin = bytes.data();
    return;
  }
}

void forget_mapping(std::string_view bytes) {
  const std::lock_guard lock(mappings_mutex);
  for (Mapping& mapping : mappings) {
    if (mapping.begin == bytes.data()) mapping.begin = nullptr;
  }
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path)
    : message_("\nmobileone: " + path.string() +
               ": was cut short or could not be read while it was in use; restore it\n") {
  require_file(path, "file");
  const auto unreadable = [&] {
    return Error("{}: cannot be read: {}", path.string(), std::strerror(errno));
  };
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status;
  if (!file || ::fstat(file.get(), &status) != 0) throw unreadable();
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return;  // nothing can be mapped
  void* begin = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (begin == MAP_FAILED) throw unreadable();
  bytes_ = {static_cast<const char*>(begin), size};
  register_mapping(bytes_, message_);
}

MappedFile::~MappedFile() {
  if (bytes_.empty()) return;
  forget_mapping(bytes_);
  ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace mobileone
