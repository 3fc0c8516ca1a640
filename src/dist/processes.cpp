#include "mobileone/dist/processes.h"

#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Logging.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <thread>
#include <torch/csrc/distributed/c10d/HashStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#ifdef MOBILEONE_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#include <utility>

#include "keys.h"
#include "meeting.h"
#include "vital_signs.h"

namespace mobileone {
namespace {

c10::intrusive_ptr<c10d::Backend> make_backend(const StorePointer& store, const Place& place,
                                               const Processes::Options& options,
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

}  // namespace

bool silence_torch_log() {
  constexpr int kFatal = 3;
  if (std::getenv("TORCH_CPP_LOG_LEVEL") != nullptr) return false;
  FLAGS_caffe2_log_level = kFatal;
  return true;
}

struct Processes::Group {
  at::Device device;
  c10::intrusive_ptr<c10d::Backend> backend;
  VitalSigns vital_signs;
};

const Processes& Processes::none() {
  static const Processes alone;
  return alone;
}

Processes::Processes() = default;
Processes::~Processes() = default;

Processes::Processes(const Place& place, const Options& options) : place_(place) {
  if (place.size == 1) return;
  silence_torch_log();
  const Meeting meeting = meet_others(place);
  const StorePointer& store = meeting.store;
  store->setTimeout(options.timeout);
  group_ = std::make_unique<Group>(
      Group{options.device, nullptr, VitalSigns(store, store->clone(), place)});
  call([&] { group_->backend = make_backend(store, place, options, meeting.own_address); });
  meet();
}

Processes::Processes(const Place& place, std::unique_ptr<Group> group)
    : place_(place), group_(std::move(group)) {}

std::vector<std::unique_ptr<Processes>> Processes::in_threads(int64_t size,
                                                              const Options& options) {
  const StorePointer store = c10::make_intrusive<c10d::HashStore>();
  std::vector<std::unique_ptr<Processes>> processes(static_cast<size_t>(size));
  std::vector<std::jthread> threads;  // each waits for the others to connect
  for (int64_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      auto& own = processes[static_cast<size_t>(rank)];
      if (size == 1) {
        own = std::make_unique<Processes>();
        return;
      }
      Place place;
      place.rank = rank, place.size = size;
      store->set(key("who", rank), "a thread");
      auto group =
          std::make_unique<Group>(Group{options.device, nullptr, VitalSigns(store, store, place)});
      group->backend = make_backend(store, place, options, "127.0.0.1");
      own.reset(new Processes(place, std::move(group)));
    });
  }
  threads.clear();
  return processes;
}

void Processes::sum(const at::Tensor& tensor) const {
  if (!alone()) start_sum(tensor)();
}

std::function<void()> Processes::start_sum(const at::Tensor& tensor) const {
  if (alone()) return [] {};
  c10::intrusive_ptr<c10d::Work> work;
  call([&] {
    std::vector<at::Tensor> tensors{tensor};
    work = group_->backend->allreduce(tensors);
  });
  return [this, work] { call([&] { work->wait(); }); };
}

void Processes::broadcast(const at::Tensor& tensor) const {
  if (alone()) return;
  call([&] {
    std::vector<at::Tensor> tensors{tensor};
    group_->backend->broadcast(tensors)->wait();
  });
}

std::vector<double> Processes::sums(std::vector<double> values) const {
  if (alone()) return values;
  const auto tensor =
      at::from_blob(values.data(), {static_cast<int64_t>(values.size())}, at::kDouble);
  sum_on_host(tensor);
  return values;
}

std::vector<std::string> Processes::gather(const std::string& text) const {
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
void Processes::sum_on_host(const at::Tensor& tensor) const {
  const auto there = tensor.to(group_->device);
  sum(there);
  tensor.copy_(there);
}

void Processes::meet() const {
  if (!alone()) sum(at::zeros({1}, group_->device));
}

void Processes::together(const std::function<void()>& action) const {
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
    group_->vital_signs.note_leaving();
    throw PeerError("rank {}: {}", other, message);
  }
}

void Processes::run(const std::function<void()>& part) const {
  try {
    part();
    meet();
  } catch (const PeerError&) {
    throw;
  } catch (const std::exception& error) {
    if (group_) group_->vital_signs.report_failure(error.what());
    throw;
  }
}

void Processes::call(const std::function<void()>& collective) const {
  try {
    collective();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    group_->vital_signs.blame(error.what());
  }
}

}  // namespace mobileone
