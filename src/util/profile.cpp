#include "mobileone/util/profile.h"

#include <algorithm>

namespace mobileone {
namespace {

thread_local Profile* current = nullptr;

}  // namespace

Profile::Profile() { current = this; }
Profile::~Profile() { current = nullptr; }

void Profile::add(const char* kind, double seconds, double flops, double bytes) {
  auto entry = std::find_if(entries_.begin(), entries_.end(),
                            [&](const Entry& e) { return e.kind == kind; });
  if (entry == entries_.end()) entry = entries_.insert(entry, Entry{kind});
  ++entry->calls;
  entry->seconds += seconds;
  entry->flops += flops;
  entry->bytes += bytes;
}

Span::Span(const char* kind, double flops, double bytes)
    : kind_(kind), flops_(flops), bytes_(bytes) {
  if (current != nullptr) start_ = std::chrono::steady_clock::now();
}

Span::~Span() {
  if (current == nullptr) return;
  const auto passed = std::chrono::steady_clock::now() - start_;
  current->add(kind_, std::chrono::duration<double>(passed).count(), flops_, bytes_);
}

}  // namespace mobileone
