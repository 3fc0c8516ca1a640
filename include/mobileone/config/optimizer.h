#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "mobileone/config/field.h"

namespace mobileone {

enum class OptimizerKind { kSgd, kAdamW };
inline constexpr auto enum_names(OptimizerKind) {
  return std::array<EnumName<OptimizerKind>, 2>{
      {{OptimizerKind::kSgd, "sgd"}, {OptimizerKind::kAdamW, "adamw"}}};
}

enum class LrCurve { kCosine, kPolynomial };
inline constexpr auto enum_names(LrCurve) {
  return std::array<EnumName<LrCurve>, 2>{
      {{LrCurve::kCosine, "cosine"}, {LrCurve::kPolynomial, "polynomial"}}};
}

struct LrFactors {
  double stem = 1;
  double stage1 = 1;
  double stage2 = 1;
  double stage3 = 1;
  double stage4 = 1;
  double classifier = 1;
  double head = 1;

  bool operator==(const LrFactors&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("stem", stem, {"Of the stem.", "", 0, 1e3});
    v("stage1", stage1, {"Of stage 1.", "", 0, 1e3});
    v("stage2", stage2, {"Of stage 2.", "", 0, 1e3});
    v("stage3", stage3, {"Of stage 3.", "", 0, 1e3});
    v("stage4", stage4, {"Of stage 4.", "", 0, 1e3});
    v("classifier", classifier, {"Of the classifier.", "", 0, 1e3});
    v("head", head, {"Of another head.", "", 0, 1e3});
  }
};

struct OptimizerConfig {
  OptimizerKind name = OptimizerKind::kSgd;
  double lr = 0.1;
  double momentum = 0.9;
  bool nesterov = false;
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-4;
  double weight_decay_end = 1e-5;
  bool decay_norm_and_bias = true;
  double clip_norm = 0;
  LrFactors lr_factors;

  bool operator==(const OptimizerConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("name", name,
      {"Stochastic gradient descent, or Adam with decoupled weight decay (Loshchilov & Hutter "
       "2019); both as PyTorch defines them."});
    v("lr", lr, {"Peak learning rate.", "", 0, 1e3});
    v("momentum", momentum, {"SGD momentum.", "", 0, kBelowOne});
    v("nesterov", nesterov, {"Nesterov's momentum of SGD."});
    v("betas", betas,
      {"AdamW: decay of the averages of the gradient and of its square.", "", 0, kBelowOne});
    v("eps", eps, {"AdamW: added to the root of the latter.", "", 0, 1});
    v("weight_decay", weight_decay, {"Weight decay at the first step.", "", 0, 1});
    v("weight_decay_end", weight_decay_end,
      {"Weight decay at the last step, reached along a cosine.", "", 0, 1});
    v("decay_norm_and_bias", decay_norm_and_bias,
      {"Whether norms' scales and all biases decay too (the paper: yes)."});
    v("clip_norm", clip_norm,
      {"Largest L2 norm of the whole gradient; 0: no clipping.", "", 0, 1e9});
    v("lr_factors", lr_factors, {"Each part's learning rate is `lr` times its factor."});
  }
};

struct ScheduleConfig {
  int64_t epochs = 300;
  int64_t batch_size = 256;
  int64_t accumulate = 1;
  double warmup_epochs = 0;
  double warmup_lr = 0;
  LrCurve curve = LrCurve::kCosine;
  double power = 0.9;
  bool per_epoch = false;
  double lr_end = 0;

  bool operator==(const ScheduleConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("epochs", epochs, {"Passes over the training data.", "epochs", 1, 1e6});
    v("batch_size", batch_size, {"Images per optimizer step.", "images", 1, 1e6});
    v("accumulate", accumulate,
      {"Parts that each batch is split into, their gradients added up (saves memory).", "parts", 1,
       1e4});
    v("warmup_epochs", warmup_epochs, {"Linear warm-up of the learning rate.", "epochs", 0, 1e6});
    v("warmup_lr", warmup_lr, {"Learning rate that the warm-up starts from.", "", 0, 1e3});
    v("curve", curve,
      {"How the learning rate falls: along half a cosine, or as (1 - t)^power with t from 0 "
       "to 1."});
    v("power", power, {"Of the polynomial curve.", "", 0.01, 10});
    v("per_epoch", per_epoch,
      {"Whether the curve is followed from epoch to epoch, the learning rate staying the same "
       "within one, instead of from step to step. The warm-up goes by steps."});
    v("lr_end", lr_end, {"Learning rate at the end of the curve.", "", 0, 1e3});
  }
};

struct LossConfig {
  double label_smoothing = 0.1;
  std::vector<double> class_weights;
  bool balanced = false;

  bool operator==(const LossConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("label_smoothing", label_smoothing,
      {"Share of the target that is spread over all classes.", "", 0, 1});
    v("class_weights", class_weights,
      {"One weight for each class, in the order of classes.txt: the loss is the mean weighted by "
       "them, as the `weight` of PyTorch's CrossEntropyLoss; empty: all 1.",
       "", 1e-6, 1e6});
    v("balanced", balanced,
      {"Whether classes weigh inversely to their number of training images: n / (classes × images "
       "of the class), as scikit-learn's `class_weight=\"balanced\"`."});
  }
};

struct EmaConfig {
  double decay = 0.9995;
  bool warmup = true;

  bool operator==(const EmaConfig&) const = default;

  template <typename Visitor>
  void visit(Visitor&& v) {
    v("decay", decay,
      {"Per-step decay of the moving average of parameters and buffers; 0: no average.", "", 0,
       kBelowOne});
    v("warmup", warmup,
      {"Whether the decay grows to `decay`: at step t, from 0, it is at most 1 - (1 + t)^(-2/3), "
       "as in timm's ModelEmaV3, so that the average forgets the first weights however short a run "
       "is; false: `decay` from the start, as in the paper."});
  }
};

}  // namespace mobileone
