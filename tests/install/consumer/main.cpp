#include <mobileone/model/mobileone.h>
#include <torch/types.h>

#include <iostream>

int main() {
  mobileone::MobileOne network(mobileone::network_options({.num_classes = 10}));
  network->eval();
  const auto images = torch::randn({2, 3, 64, 64});
  const auto difference = network->forward(images) - fold(network)->forward(images);
  std::cout << difference.abs().max().item<float>() << std::endl;
}
