#include "mobileone/train/run_clock.h"

#include "mobileone/optim/schedule.h"

namespace mobileone {

RunClock::RunClock(const Config& config, int64_t batches_per_epoch)
    : batches_per_epoch_(batches_per_epoch), pixels_from_(config.schedule.epochs + 1) {
  for (int64_t epoch = config.schedule.epochs; epoch-- > 0;) {
    const auto size = static_cast<double>(curriculum_stage(config, epoch).size);
    pixels_from_[epoch] = pixels_from_[epoch + 1] + size * size;
  }
}

void RunClock::add_step(int64_t epoch, double seconds) {
  seconds_ += seconds;
  pixels_ += pixels_of(epoch);
}

double RunClock::left(int64_t epoch, int64_t batches) const {
  if (pixels_ == 0) return -1;
  const auto all = static_cast<double>(batches_per_epoch_);
  const double pixels = pixels_from_[epoch] * all - pixels_of(epoch) * static_cast<double>(batches);
  const auto validations = static_cast<double>(std::ssize(pixels_from_) - 1 - epoch);
  return seconds_ / pixels_ * pixels + validation_ * validations;
}

}  // namespace mobileone
