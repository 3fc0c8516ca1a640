#include "meeting.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <utility>
#include <vector>

#include "mobileone/dist/peer_error.h"
#include "mobileone/util/machine.h"
#include "network.h"

namespace mobileone {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kJoinTime = 30s;    // between the first process and the last
constexpr milliseconds kAnswerTime = 10s;  // of whoever accepted a connection
constexpr milliseconds kFarewell = 1s;     // between rank 0's error as processes meet and its end

/// Throws Error where the system grants fewer open files than connections between the processes may
/// take, which c10d aborts at, or waits for.
void require_descriptors(int64_t processes) {
  rlimit limit{};
  const auto needed = static_cast<rlim_t>(32 + 4 * processes);  // 23 + 3 a process were counted
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return;
  throw Error(
      "{} processes may take {} open files each, and `ulimit -n` grants {}; raise it, or start "
      "fewer processes",
      processes, needed, limit.rlim_cur);
}

/// A connection to the keys, or their server. By a thread that is left alone if need be: what else
/// may answer there is waited for forever.
StorePointer connect(const Place& place, const c10d::TCPStoreOptions& options) {
  std::promise<StorePointer> promise;
  auto store = promise.get_future();
  const std::string address = options.isServer ? "localhost" : place.address;
  std::thread([address, options, promise = std::move(promise)]() mutable {
    try {
      promise.set_value(c10::make_intrusive<c10d::TCPStore>(address, options));
    } catch (const std::exception&) {
      promise.set_exception(std::current_exception());
    }
  }).detach();
  if (store.wait_for(kAnswerTime) == std::future_status::ready) return store.get();
  throw Error(
      "{}:{}: what answers there is not rank 0 of this run; check MASTER_ADDR and MASTER_PORT",
      place.address, place.port);
}

/// The keys' server, or a connection to it, and this machine's address towards it.
Meeting open_store(const Place& place) {
  c10d::TCPStoreOptions options;
  options.port = static_cast<uint16_t>(place.port);
  options.timeout = kJoinTime;
  options.waitWorkers = false;
  options.isServer = place.rank == 0 && !place.served;
  StorePointer store;
  std::string own_address;
  try {
    // The server listens before anybody waits for it, and the others wait before they connect.
    if (!options.isServer) own_address = wait_for_server(place.address, place.port, kJoinTime);
    store = connect(place, options);
    if (options.isServer) own_address = wait_for_server(place.address, place.port, kJoinTime);
  } catch (const Error&) {
    throw;
  } catch (const std::system_error&) {
    throw;  // no thread could be started
  } catch (const std::exception& error) {
    const std::string text = error.what(), why = text.substr(0, text.find('\n'));
    if (why.find("EADDRINUSE") != std::string::npos) {
      throw Error("port {} of this machine is in use; choose another by MASTER_PORT", place.port);
    }
    throw Error(
        "{}:{}: is not where the processes of this run meet: {}; check MASTER_ADDR and "
        "MASTER_PORT",
        place.address, place.port, why);
  }
  if (!place.prefix.empty()) store = c10::make_intrusive<c10d::PrefixStore>(place.prefix, store);
  return {std::move(store), std::move(own_address)};
}

/// Throws Error unless `size` processes of one run come, each a rank of its own.
void meet_at(c10d::Store& store, const Place& place) {
  if (store.add(key("claims", place.rank), 1) > 1) {
    throw Error("two processes are rank {} of {} at {}:{}; each needs a rank of its own",
                place.rank, place.size, place.address, place.port);
  }
  store.set(key("size", place.rank), std::to_string(place.size));
  store.set(key("who", place.rank), fmt::format("{}, process {}", this_machine().host, ::getpid()));
  const auto end = Clock::now() + kJoinTime;
  std::vector<int64_t> missing;
  do {
    missing.clear();
    for (int64_t rank = 0; rank < place.size; ++rank) {
      const std::string size = value_or_empty(store, key("size", rank));
      if (size.empty()) {
        missing.push_back(rank);
      } else if (size != std::to_string(place.size)) {
        throw Error(
            "rank {} was told that it is one of {} processes, rank {} one of {}; start all "
            "with the same number",
            place.rank, place.size, rank, size);
      }
    }
    if (missing.empty()) return;
    std::this_thread::sleep_for(20ms);
  } while (Clock::now() < end);
  throw Error("of {} processes rank {} did not come to {}:{} within {} s", place.size,
              fmt::join(missing, ", "), place.address, place.port,
              std::chrono::duration_cast<std::chrono::seconds>(kJoinTime).count());
}

}  // namespace

Meeting meet_others(const Place& place) {
  require_descriptors(place.size);
  Meeting meeting = open_store(place);
  try {
    meet_at(*meeting.store, place);
  } catch (const Error&) {
    if (place.rank == 0) std::this_thread::sleep_for(kFarewell);  // others see what it saw
    throw;
  } catch (const std::exception&) {
    throw PeerError("rank 0, at {}:{}, ended while processes met", place.address, place.port);
  }
  return meeting;
}

}  // namespace mobileone
