#include <mobileone/model/mobileone.h>
#include <torch/types.h>

#include <iostream>

int main() {
  mobileone::MobileOne network(mobileone::network_options({.num_classes = 10}));
  network->eval();
  const auto images = torch::randn({2, 3, 64, 64});
  const auto logits = network->forward(images),
             difference = fold(network)->forward(images) - logits;
  const auto relative = (difference.abs().max() / logits.abs().max()).item<float>();
  std::cout << "folded, relative difference " << relative << std::endl;
  return relative < 1e-4 ? 0 : 1;
}
