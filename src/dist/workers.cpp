#include "mobileone/dist/workers.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <future>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#ifdef MOBILEONE_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#include <utility>

#include "mobileone/util/machine.h"
#include "network.h"

namespace mobileone {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using StorePointer = c10::intrusive_ptr<c10d::Store>;

constexpr milliseconds kJoinTime = 30s;    // between the first process and the last
constexpr milliseconds kAnswerTime = 10s;  // of whoever accepted a connection
constexpr milliseconds kBeat = 500ms;      // between two signs of life
constexpr milliseconds kSilence = 3s;      // without any: that process does not live, or not run
constexpr milliseconds kFarewell = 1s;     // between rank 0's error as processes meet and its end
constexpr milliseconds kLastWords = 4s;    // for others to read why rank 0 ends

std::string key(const char* kind, int64_t rank) { return fmt::format("{}/{}", kind, rank); }

std::string value_or_empty(c10d::Store& store, const std::string& name) {
  return store.check({name}) ? store.get_to_str(name) : std::string();
}

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

std::string first_line(const char* text) {
  const std::string message = text;
  return message.substr(0, message.find('\n'));
}

c10::intrusive_ptr<c10d::Backend> make_backend(const StorePointer& store, const Place& place,
                                               const Workers::Options& options,
                                               const std::string& own_address) {
  const auto rank = static_cast<int>(place.rank), size = static_cast<int>(place.size);
  if (options.device.is_cuda()) {
#ifdef MOBILEONE_NCCL
    // Waiting throws where another process is gone, instead of ending this one without a word.
    ::setenv("TORCH_NCCL_BLOCKING_WAIT", "1", /*overwrite=*/0);
    auto nccl = c10d::ProcessGroupNCCL::Options::create();
    nccl->timeout = options.timeout;
    return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, rank, size, nccl);
#else
    throw Error(
        "runtime.device: cuda: this program was built without NCCL, by which several processes "
        "share CUDA devices; use cpu, or build it with a CUDA LibTorch and NCCL's headers");
#endif
  }
  auto gloo = c10d::ProcessGroupGloo::Options::create(options.timeout);
  gloo->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(own_address));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, gloo);
}

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
std::pair<StorePointer, std::string> open_store(const Place& place) {
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
    const std::string why = first_line(error.what());
    if (why.find("EADDRINUSE") != std::string::npos) {
      throw Error("port {} of this machine is in use; choose another by MASTER_PORT", place.port);
    }
    throw Error(
        "{}:{}: is not where the processes of this run meet: {}; check MASTER_ADDR and "
        "MASTER_PORT",
        place.address, place.port, why);
  }
  if (!place.prefix.empty()) store = c10::make_intrusive<c10d::PrefixStore>(place.prefix, store);
  return {store, own_address};
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
        "rank {} ({}) gives no sign of life: it was killed or stopped, or its "
        "machine cannot be reached",
        rank, value_or_empty(store, fmt::format("who/{}", rank)));
  }
  store.set(key("left", place.rank), "yes");
  return blamed;
}

}  // namespace

bool silence_torch_log() {
  constexpr int kFatal = 3;
  if (std::getenv("TORCH_CPP_LOG_LEVEL") != nullptr) return false;
  FLAGS_caffe2_log_level = kFatal;
  return true;
}

struct Workers::Group {
  StorePointer store;
  at::Device device;
  c10::intrusive_ptr<c10d::Backend> backend = {};
  std::jthread heart = {};
};

const Workers& Workers::none() {
  static const Workers alone;
  return alone;
}

Workers::Workers() = default;
Workers::~Workers() = default;

Workers::Workers(const Place& place, const Options& options) : place_(place) {
  if (place.size == 1) return;
  require_descriptors(place.size);
  silence_torch_log();
  const auto [store, own_address] = open_store(place);
  try {
    meet_at(*store, place);
  } catch (const Error&) {
    if (place.rank == 0) std::this_thread::sleep_for(kFarewell);  // others see what it saw
    throw;
  } catch (const std::exception&) {
    throw PeerError("rank 0, at {}:{}, ended while processes met", place.address, place.port);
  }
  store->setTimeout(options.timeout);
  group_ = std::make_unique<Group>(Group{store, options.device});
  group_->heart = start_heart(store->clone(), place.rank);
  call([&, own = own_address] { group_->backend = make_backend(store, place, options, own); });
  meet();
}

Workers::Workers(const Place& place, const Options& options, std::unique_ptr<Group> group)
    : place_(place), group_(std::move(group)) {
  group_->heart = start_heart(group_->store, place.rank);
  group_->backend = make_backend(group_->store, place, options, "127.0.0.1");
}

std::vector<std::unique_ptr<Workers>> Workers::in_threads(int64_t size, const Options& options) {
  const StorePointer store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::unique_ptr<Workers>> workers(static_cast<size_t>(size));
  std::vector<std::jthread> threads;  // each waits for the others to connect
  for (int64_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      Place place;
      place.rank = rank, place.size = size;
      store->set(key("who", rank), "a thread");
      workers[static_cast<size_t>(rank)] =
          size == 1 ? std::make_unique<Workers>()
                    : std::unique_ptr<Workers>(new Workers(
                          place, options, std::make_unique<Group>(Group{store, options.device})));
    });
  }
  threads.clear();
  return workers;
}

void Workers::sum(const at::Tensor& tensor) const {
  if (!alone()) start_sum(tensor)();
}

std::function<void()> Workers::start_sum(const at::Tensor& tensor) const {
  if (alone()) return [] {};
  c10::intrusive_ptr<c10d::Work> work;
  call([&] {
    std::vector<at::Tensor> tensors{tensor};
    work = group_->backend->allreduce(tensors);
  });
  return [this, work] { call([&] { work->wait(); }); };
}

void Workers::broadcast(const at::Tensor& tensor) const {
  if (alone()) return;
  call([&] {
    std::vector<at::Tensor> tensors{tensor};
    group_->backend->broadcast(tensors)->wait();
  });
}

std::vector<double> Workers::sums(std::vector<double> values) const {
  if (alone()) return values;
  const auto tensor =
      at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kDouble);
  sum_on_host(tensor);
  return values;
}

std::vector<std::string> Workers::gather(const std::string& text) const {
  if (alone()) return {text};
  // Each process adds its own row to zeros.
  const auto own = static_cast<int64_t>(text.size());
  const auto lengths = at::zeros({size()}, at::kLong);
  lengths[rank()].fill_(own);
  sum_on_host(lengths);
  const auto bytes =
      at::zeros({size(), std::max<int64_t>(1, lengths.max().item<int64_t>())}, at::kByte);
  std::copy(text.begin(), text.end(), bytes[rank()].mutable_data_ptr<uint8_t>());
  sum_on_host(bytes);
  std::vector<std::string> texts;
  for (int64_t other = 0; other < size(); ++other) {
    const auto* row = reinterpret_cast<const char*>(bytes[other].const_data_ptr<uint8_t>());
    texts.emplace_back(row, static_cast<size_t>(lengths[other].item<int64_t>()));
  }
  return texts;
}

/// Of a tensor in the host's memory, whatever the device.
void Workers::sum_on_host(const at::Tensor& tensor) const {
  const auto there = tensor.to(group_->device);
  sum(there);
  tensor.copy_(there);
}

void Workers::meet() const {
  if (!alone()) sum(at::zeros({1}, group_->device));
}

void Workers::together(const std::function<void()>& action) const {
  std::string failure;
  std::exception_ptr own;
  try {
    action();
  } catch (const Error& error) {
    own = std::current_exception();
    failure = error.what();
  }
  if (alone()) {
    if (own) std::rethrow_exception(own);
    return;
  }
  const std::vector<std::string> failures = gather(failure);
  if (own) std::rethrow_exception(own);
  for (int64_t other = 0; other < size(); ++other) {
    const std::string& message = failures[static_cast<size_t>(other)];
    if (message.empty()) continue;
    note_leaving();
    throw PeerError("rank {}: {}", other, message);
  }
}

/// Rank 0, where it is the one that failed, waits for this.
void Workers::note_leaving() const noexcept {
  try {
    group_->store->set(key("left", rank()), "yes");
  } catch (const std::exception&) {
    // It does not wait any more.
  }
}

void Workers::run(const std::function<void()>& part) const {
  try {
    part();
    meet();
  } catch (const PeerError&) {
    throw;
  } catch (const std::exception& error) {
    report_failure(error.what());
    throw;
  }
}

void Workers::report_failure(const std::string& message) const noexcept {
  if (alone()) return;
  try {
    c10d::Store& store = *group_->store;
    store.set(key("failed", rank()), message);
    if (rank() != 0 || place_.served) return;
    for (const auto end = Clock::now() + kLastWords; Clock::now() < end;) {
      int64_t left = 0;
      for (int64_t other = 1; other < size(); ++other) {
        left += store.check({key("left", other)}) || store.check({key("failed", other)}) ? 1 : 0;
      }
      if (left == size() - 1) return;
      std::this_thread::sleep_for(20ms);
    }
  } catch (const std::exception&) {
    // The keys are gone, and with them whoever might have read this.
  }
}

void Workers::call(const std::function<void()>& collective) const {
  try {
    collective();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    blame(first_line(error.what()));
  }
}

/// Throws PeerError that says which process is to blame for the fault `what` of a collective.
void Workers::blame(const std::string& what) const {
  // By a thread that is left alone if need be: a stopped server's answers are waited for forever.
  std::promise<std::optional<std::string>> promise;
  auto verdict = promise.get_future();
  std::thread([store = group_->store, place = place_, promise = std::move(promise)]() mutable {
    try {
      promise.set_value(judge(*store, place));
    } catch (const std::exception&) {
      promise.set_value(std::nullopt);
    }
  }).detach();
  std::optional<std::string> blamed;  // nothing: the keys are gone
  if (verdict.wait_for(2 * kSilence) == std::future_status::ready) blamed = verdict.get();
  if (blamed) {
    throw PeerError(
        "{}", blamed->empty() ? "no other process is known to have failed: " + what : *blamed);
  }
  if (place_.served) throw PeerError("the keys that torchrun serves cannot be reached");
  throw PeerError(
      "rank 0, at {}:{}, gives no sign of life: it was killed or stopped, or its machine cannot be "
      "reached",
      place_.address, place_.port);
}

}  // namespace mobileone
