#pragma once

#include "mobileone/config/augment.h"    // IWYU pragma: export
#include "mobileone/config/data.h"       // IWYU pragma: export
#include "mobileone/config/detect.h"     // IWYU pragma: export
#include "mobileone/config/model.h"      // IWYU pragma: export
#include "mobileone/config/optimizer.h"  // IWYU pragma: export
#include "mobileone/config/run.h"        // IWYU pragma: export
#include "mobileone/config/segment.h"    // IWYU pragma: export

/// Every option of a run, once: its default is the member's initialiser; its range, unit, scope and
/// meaning stand in the `visit` beside it, which hands each field to a visitor as
/// (name, field, FieldInfo). The YAML reader, the printed configuration and docs/config.md are made
/// from these.
namespace mobileone {

struct Config {
  ModelConfig model;
  SegmentConfig segment;
  DetectConfig detect;
  DataConfig data;
  AugmentConfig augment;
  OptimizerConfig optimizer;
  ScheduleConfig schedule;
  LossConfig loss;
  EmaConfig ema;
  CurriculumConfig curriculum;
  RuntimeConfig runtime;
  CheckpointsConfig checkpoints;
  OutputConfig output;

  bool operator==(const Config&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("model", model, {"The network."});
    v("segment", segment, {"The head of `model.head: deeplabv3`."});
    v("detect", detect, {"The head of `model.head: ssdlite`."});
    v("data", data, {"Images in, and how evaluation sees them."});
    v("augment", augment, {"What training does to images."});
    v("optimizer", optimizer, {"How weights follow gradients."});
    v("schedule", schedule, {"How long, how much at a time."});
    v("loss", loss, {"Cross entropy."});
    v("ema", ema, {"Exponential moving average of the weights."});
    v("curriculum", curriculum, {"Progressive sizes and augmentation."});
    v("runtime", runtime, {"Machine and arithmetic."});
    v("checkpoints", checkpoints, {"What a run can be resumed from."});
    v("output", output, {"What a run leaves behind."});
  }
};

}  // namespace mobileone
