#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace mobileone {

/// Computes produce(i) for begin <= i < end in as many threads, and hands the results to
/// consume(i, result) in their order on the calling thread. A few results for each thread wait at
/// most. Rethrows the first exception in that order; the rest is then dropped.
template <typename Produce, typename Consume>
void in_order(int64_t begin, int64_t end, int64_t threads, Produce produce, Consume consume) {
  struct Slot {
    std::optional<std::invoke_result_t<Produce, int64_t>> result;
    std::exception_ptr error;
  };
  const int64_t window = 4 * threads;
  std::vector<Slot> slots(window);
  std::mutex mutex;  // guards all but what produce and consume do
  std::condition_variable room, ready;
  int64_t started = begin, consumed = begin;
  bool stopped = false;

  const auto work = [&] {
    std::unique_lock lock(mutex);
    while (true) {
      room.wait(lock, [&] { return stopped || started == end || started - consumed < window; });
      if (stopped || started == end) return;
      const int64_t i = started++;
      lock.unlock();
      Slot slot;
      try {
        slot.result = produce(i);
      } catch (...) {
        slot.error = std::current_exception();
      }
      lock.lock();
      slots[i % window] = std::move(slot);
      ready.notify_one();
    }
  };

  std::vector<std::jthread> workers;
  const struct Stop {
    std::mutex& mutex;
    bool& stopped;
    std::condition_variable& room;
    ~Stop() {
      const std::lock_guard lock(mutex);
      stopped = true;
      room.notify_all();
    }
  } stop_before_joining{mutex, stopped, room};
  for (int64_t i = 0; i < threads; ++i) workers.emplace_back(work);

  for (int64_t i = begin; i < end; ++i) {
    Slot slot;
    {
      std::unique_lock lock(mutex);
      Slot& next = slots[i % window];
      ready.wait(lock, [&] { return next.result || next.error; });
      slot = std::exchange(next, {});
      ++consumed;
      room.notify_one();
    }
    if (slot.error) std::rethrow_exception(slot.error);
    consume(i, std::move(*slot.result));
  }
}

}  // namespace mobileone
