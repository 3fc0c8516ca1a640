#include "vital_signs.h"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include "mobileone/dist/peer_error.h"

namespace mobileone {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kBeat = 500ms;    // between two signs of life
constexpr milliseconds kSilence = 3s;    // without any: that process does not live, or not run
constexpr milliseconds kLastWords = 4s;  // for others to read why rank 0 ends

/// Gives signs of life, as long as it lives, through a connection of its own.
std::jthread start_heart(StorePointer store, int64_t rank) {
  return std::jthread([store = std::move(store), rank](const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any never;
    std::unique_lock lock(mutex);
    try {
      for (int64_t beat = 0; !stop.stop_requested(); ++beat) {
        store->set(key("beat", rank), std::to_string(beat));
        never.wait_for(lock, stop, kBeat, [] { return false; });
      }
    } catch (const std::exception&) {
      // Whoever holds the keys is gone. The next collective says so.
    }
  });
}

/// Which process ended a run, by what the keys tell; nothing if they tell of none.
std::string judge(c10d::Store& store, const Place& place) {
  const auto values = [&](const char* kind) {
    std::vector<std::string> found;
    for (int64_t rank = 0; rank < place.size; ++rank) {
      found.push_back(value_or_empty(store, key(kind, rank)));
    }
    return found;
  };
  std::string blamed;
  const std::vector<std::string> before = values("beat");
  for (const auto end = Clock::now() + kSilence; blamed.empty() && Clock::now() < end;) {
    const std::vector<std::string> messages = values("failed");
    for (size_t rank = 0; rank < messages.size() && blamed.empty(); ++rank) {
      if (!messages[rank].empty()) blamed = fmt::format("rank {}: {}", rank, messages[rank]);
    }
    std::this_thread::sleep_for(50ms);
  }
  const std::vector<std::string> after = values("beat");
  for (size_t rank = 0; rank < after.size() && blamed.empty(); ++rank) {
    if (after[rank] != before[rank]) continue;
    blamed = fmt::format(
        "rank {} ({}) gives no sign of life: it was killed or stopped, or its machine cannot be "
        "reached",
        rank, value_or_empty(store, key("who", static_cast<int64_t>(rank))));
  }
  store.set(key("left", place.rank), "yes");
  return blamed;
}

}  // namespace

VitalSigns::VitalSigns(StorePointer store, StorePointer heart, Place place)
    : store_(std::move(store)),
      place_(std::move(place)),
      heart_(start_heart(std::move(heart), place_.rank)) {}

void VitalSigns::report_failure(const std::string& message) const noexcept {
  try {
    store_->set(key("failed", place_.rank), message);
    if (place_.rank != 0 || place_.served) return;
    for (const auto end = Clock::now() + kLastWords; Clock::now() < end;) {
      int64_t left = 0;
      for (int64_t other = 1; other < place_.size; ++other) {
        left +=
            store_->check({key("left", other)}) || store_->check({key("failed", other)}) ? 1 : 0;
      }
      if (left == place_.size - 1) return;
      std::this_thread::sleep_for(20ms);
    }
  } catch (const std::exception&) {
    // The keys are gone, and with them whoever might have read this.
  }
}

void VitalSigns::note_leaving() const noexcept {
  try {
    store_->set(key("left", place_.rank), "yes");
  } catch (const std::exception&) {
    // It does not wait any more.
  }
}

void VitalSigns::blame(const std::string& what) const {
  // By a thread that is left alone if need be: a stopped server's answers are waited for forever.
  std::promise<std::optional<std::string>> promise;
  auto verdict = promise.get_future();
  std::thread([store = store_, place = place_, promise = std::move(promise)]() mutable {
    try {
      promise.set_value(judge(*store, place));
    } catch (const std::exception&) {
      promise.set_value(std::nullopt);
    }
  }).detach();
  std::optional<std::string> blamed;  // nothing: the keys are gone
  if (verdict.wait_for(2 * kSilence) == std::future_status::ready) blamed = verdict.get();
  if (blamed) {
    const std::string why = what.substr(0, what.find('\n'));
    throw PeerError("{}",
                    blamed->empty() ? "no other process is known to have failed: " + why : *blamed);
  }
  if (place_.served) throw PeerError("the keys that torchrun serves cannot be reached");
  throw PeerError(
      "rank 0, at {}:{}, gives no sign of life: it was killed or stopped, or its machine cannot be "
      "reached",
      place_.address, place_.port);
}

}  // namespace mobileone
