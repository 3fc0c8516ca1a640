// Trains a small MobileOne by a loop of its own, folds it, and writes it as TorchScript:
//     train_by_library DIR model.pt      with images of class c in DIR/c
#include <mobileone/data/loader.h>
#include <mobileone/export/torchscript.h>
#include <mobileone/model/lower.h>
#include <mobileone/optim/schedule.h>
#include <mobileone/train/learner.h>
#include <mobileone/train/training_data.h>

#include <exception>
#include <iostream>

namespace {

mobileone::Config small_network(const char* images) {
  mobileone::Config config;
  config.model.width_multipliers = {0.25, 0.25, 0.25, 0.25};
  config.model.depths = {1, 2, 2, 1};
  config.model.stem_stride = 1;
  config.data.train = images;
  config.data.size = 64;
  config.optimizer.lr = 0.1;
  config.schedule.epochs = 2;
  config.schedule.batch_size = 32;
  return config;
}

void train(const char* images, const char* output) {
  mobileone::Config config = small_network(images);
  const auto data = mobileone::read_training_data(config);  // says how many classes there are
  mobileone::Loader loader(data.train, mobileone::training_loader_options(config));
  mobileone::Learner learner(config);
  const int64_t steps = config.schedule.epochs * loader.batches_per_epoch();
  int64_t step = 0;
  for (int64_t epoch = 0; epoch < config.schedule.epochs; ++epoch) {
    loader.start_epoch(epoch, learner.task().train_transform(config, epoch));
    while (const auto batch = loader.next()) {
      const auto result = learner.step(*batch, mobileone::step_rates(config, step, steps));
      std::cout << "step " << ++step << ": loss " << result.loss << '\n';
    }
  }
  learner.network()->eval();
  const mobileone::MobileOne folded = mobileone::fold(learner.network());
  mobileone::to_torchscript(mobileone::lower(folded), mobileone::TorchScriptForm::kPortable)
      .save(output);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: train_by_library DIR model.pt\n";
    return 2;
  }
  try {
    train(argv[1], argv[2]);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 2;
  }
}
