#pragma once

#include <string>
#include <vector>

#include "mobileone/config/config.h"

/// How long a training step takes on many processes: a model, from what one process and one link
/// take.
namespace mobileone {

/// When things happen in a step of one process, seconds from its start.
struct StepTimeline {
  std::vector<double> bucket_bytes;  ///< of the gradients' sums, in their order
  std::vector<double> bucket_ready;  ///< when each bucket's gradients are there
  double backward_end = 0;
  double step_end = 0;

  /// Between, or beyond, two timelines of a network at batches of other sizes: all times are
  /// linear in the batch.
  static StepTimeline at_batch(double batch, const StepTimeline& first, double first_batch,
                               const StepTimeline& second, double second_batch);
};

/// The median timeline of `steps` steps on `images` images, after one to warm up.
StepTimeline measure_timeline(const Config& config, int64_t images, int64_t size, int64_t steps);

/// What a message between two processes takes: latency + bytes / bandwidth.
struct Link {
  double latency = 50e-6;  ///< seconds
  double bandwidth = 1e9;  ///< bytes per second
};

/// Of Gloo between two threads of this process over the loopback interface.
Link measure_link();

/// A ring's sum of so many bytes over the processes: 2 (W - 1) messages of a W-th each (Patarasu
/// and Yuan 2009).
double sum_seconds(double bytes, int64_t processes, const Link& link);

struct ScaledStep {
  int64_t processes = 1;
  double seconds = 0;        ///< of a step
  double communication = 0;  ///< of its sums, hidden or not
  double exposed = 0;        ///< what of that the backward pass does not hide
  /// "compute"; where more than a tenth of the step waits for sums, "bandwidth" or "latency",
  /// whichever makes them longer.
  std::string bound;
};

/// Buckets are summed one after the other, each once it is ready and the one before is done, while
/// the backward pass goes on; then the optimizer follows. `exchanges` are small sums a step that
/// nothing hides, such as the trainer's own.
ScaledStep scale_step(const StepTimeline& timeline, int64_t processes, const Link& link,
                      int64_t exchanges);

}  // namespace mobileone
