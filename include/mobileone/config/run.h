#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "mobileone/config/field.h"

namespace mobileone {

enum class OnNonfinite { kStop, kSkip };
inline constexpr auto enum_names(OnNonfinite) {
  return std::array<EnumName<OnNonfinite>, 2>{
      {{OnNonfinite::kStop, "stop"}, {OnNonfinite::kSkip, "skip"}}};
}

enum class DeviceChoice { kAuto, kCpu, kCuda };
inline constexpr auto enum_names(DeviceChoice) {
  return std::array<EnumName<DeviceChoice>, 3>{
      {{DeviceChoice::kAuto, "auto"}, {DeviceChoice::kCpu, "cpu"}, {DeviceChoice::kCuda, "cuda"}}};
}

enum class Precision { kFloat32, kBfloat16 };
inline constexpr auto enum_names(Precision) {
  return std::array<EnumName<Precision>, 2>{
      {{Precision::kFloat32, "fp32"}, {Precision::kBfloat16, "bf16"}}};
}

enum class Engine { kFolded, kBranches };
inline constexpr auto enum_names(Engine) {
  return std::array<EnumName<Engine>, 2>{
      {{Engine::kFolded, "folded"}, {Engine::kBranches, "branches"}}};
}

struct RuntimeConfig {
  DeviceChoice device = DeviceChoice::kAuto;
  Engine engine = Engine::kFolded;
  Precision precision = Precision::kFloat32;
  bool channels_last = true;
  int64_t threads = 0;
  int64_t seed = 0;
  OnNonfinite on_nonfinite = OnNonfinite::kStop;
  bool sync_bn = false;
  double timeout = 300;
  double memory_limit = 0;

  bool operator==(const RuntimeConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("device", device,
      FieldInfo{"Where to compute; auto: a CUDA device if there is one."}.with(Scope::kRun));
    v("engine", engine,
      FieldInfo{
          "How a train-time network computes its branches; folded: all in one convolution per "
          "unit, with the same results; branches: each by itself, several times slower."}
          .with(Scope::kRun));
    v("precision", precision, {"Arithmetic of convolutions; weights and statistics stay float32."});
    v("channels_last", channels_last,
      FieldInfo{"Memory layout of images and activations."}.with(Scope::kRun));
    v("threads", threads,
      FieldInfo{
          "Threads of computation of a process; 0: as many as its share of the machine's cores.",
          "threads", 0, 1024}
          .with(Scope::kMachine));
    v("seed", seed, {"Seed of initialisation, order and augmentation.", "", 0, 9007199254740992.0});
    v("on_nonfinite", on_nonfinite,
      FieldInfo{
          "A batch whose loss or gradient is not finite ends the run, or is left out; more than 20 "
          "in a row, and an epoch without any other, always end it."}
          .with(Scope::kRun));
    v("sync_bn", sync_bn,
      {"Whether batch norms see the batches of all processes of a run together, as if one process "
       "had them; otherwise each sees its own, and running statistics are averaged."});
    v("timeout", timeout,
      FieldInfo{"After so long without an answer from another process of the run all others end.",
                "seconds", 1, 86400}
          .with(Scope::kRun));
    v("memory_limit", memory_limit,
      FieldInfo{
          "A run that is estimated to need more memory is refused before it takes it; 0: what this "
          "machine, or its container, has.",
          "GiB", 0, 1e6}
          .with(Scope::kRun));
  }
};

struct CheckpointsConfig {
  int64_t keep = 2;
  double every_minutes = 10;

  bool operator==(const CheckpointsConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("keep", keep,
      FieldInfo{"Newest checkpoints to keep: last.pth and, before it, last-1.pth, last-2.pth, ... "
                "(best.pth is kept beside them).",
                "files", 1, 1000}
          .with(Scope::kOutput));
    v("every_minutes", every_minutes,
      FieldInfo{
          "A checkpoint is written so often in mid-epoch, besides the one at each epoch's end; 0: "
          "only that one.",
          "minutes", 0, 1e6}
          .with(Scope::kOutput));
  }
};

struct OutputConfig {
  std::string dir = "runs/default";
  int64_t log_every = 50;
  bool json_log = false;

  bool operator==(const OutputConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("dir", dir, FieldInfo{"Folder of checkpoints, metrics and logs."}.with(Scope::kOutput));
    v("log_every", log_every,
      FieldInfo{
          "Loss, learning rate and speed go to the TensorBoard events (and log.jsonl) so often.",
          "steps", 1, 1e9}
          .with(Scope::kOutput));
    v("json_log", json_log,
      FieldInfo{"Whether log.jsonl is written: one JSON object a line."}.with(Scope::kOutput));
  }
};

}  // namespace mobileone
