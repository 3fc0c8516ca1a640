#include "mobileone/train/pretrained.h"

#include <fmt/ranges.h>

#include <string_view>

#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/checkpoint/numbers.h"
#include "mobileone/data/class_match.h"
#include "mobileone/model/options.h"
#include "mobileone/model/unfold.h"
#include "mobileone/train/training_data.h"
#include "mobileone/util/error.h"
#include "mobileone/util/log.h"

namespace mobileone {
namespace {

/// So many images, at most an epoch, tell what batch norms will see.
constexpr int64_t kMeasuredImages = 512;

/// What a key makes of the network, in words that can be compared.
struct Form {
  std::string key, value;
};

std::vector<Form> forms_of(const ModelConfig& config, bool folded) {
  const NetworkOptions network = network_options(config);
  std::vector<int64_t> channels, blocks, branches, se_blocks;
  for (const StageOptions& stage : network.stages) {
    channels.push_back(stage.channels);
    blocks.push_back(stage.blocks);
    branches.push_back(stage.branches);
    se_blocks.push_back(stage.se_blocks);
  }
  std::vector<Form> forms = {
      {"in_channels", fmt::format("{} channels", network.in_channels)},
      {"width_multipliers",
       fmt::format("{} channels in the stem, {} in the stages", network.stem_channels, channels)},
      {"depths", fmt::format("{} blocks", blocks)},
      {"se_blocks", fmt::format("{} blocks with squeeze-and-excitation", se_blocks)}};
  if (folded) return forms;
  forms.push_back({"branches", fmt::format("{} branches", branches)});
  forms.push_back({"stem_branches", fmt::format("{} branches in the stem", network.stem_branches)});
  forms.push_back({"scale_branch", network.scale_branch ? "scale branches" : "none"});
  forms.push_back({"skip_branch", network.skip_branch ? "skip branches" : "none"});
  return forms;
}

/// Makes weights that take RGB take grey: the stem's kernels are summed over the channels, which
/// gives what RGB of equal levels would give, as timm does it.
void sum_channels(Checkpoint& file) {
  const std::string stem = unit_table(network_options(file.config.model)).front().name + ".";
  for (StateDict* weights : {&file.weights, &file.ema}) {
    for (auto& item : *weights) {
      if (item.key().starts_with(stem) && item.value().dim() == 4) {
        item.value() = item.value().sum(1, /*keepdim=*/true);
      }
    }
  }
  file.config.model.in_channels = 1;
}

/// Throws Error unless the weights in `file` fit the network that `model` describes. Strides and
/// dilation have no weights and may differ.
void require_same_form(const Checkpoint& file, const ModelConfig& model) {
  const auto theirs = forms_of(file.config.model, file.folded()),
             ours = forms_of(model, file.folded());
  const std::string origin = model.pretrained;
  for (size_t i = 0; i < ours.size(); ++i) {
    if (theirs[i].value == ours[i].value) continue;
    const std::string their_name = network_options(file.config.model).variant,
                      our_name = network_options(model).variant;
    const bool published = their_name != our_name && their_name != "custom" && our_name != "custom";
    if (published) {
      throw Error("model.variant: {} holds {}, the configuration says {}; set model.variant={}",
                  origin, their_name, our_name, their_name);
    }
    throw Error("model.{}: {} has {}, the configuration {}; set it as the file has it", ours[i].key,
                origin, theirs[i].value, ours[i].value);
  }
}

bool belongs_to_head(std::string_view name) {
  const Part part = part_of(name);
  return part == Part::kClassifier || part == Part::kHead;
}

/// How a message calls a network's head.
std::string name_of_head(HeadKind head) {
  return head == HeadKind::kClassifier ? "classifier" : fmt::format("{} head", to_string(head));
}

/// Whether the file's head tells the same classes apart as the network's. Says so where not.
bool fits_head(const Checkpoint& file, const Config& config, const ImageList& images) {
  const std::string& path = config.model.pretrained;
  const HeadKind theirs = file.config.model.head, ours = config.model.head;
  const int64_t classes = file.config.model.num_classes, wanted = config.model.num_classes;
  bool has_head = false;
  for (const auto& item : file.weights) has_head |= belongs_to_head(item.key());
  if (!has_head) {
    log::info("{}: has no {}; one is made for the {} classes of {}", path, name_of_head(ours),
              wanted, images.origin);
    return false;
  }
  if (theirs != ours) {
    log::info("{}: its {} is left out; a {} is made for the {} classes of {}", path,
              name_of_head(theirs), name_of_head(ours), wanted, images.origin);
    return false;
  }
  if (classes == wanted && are_same_classes(file.class_names, images.class_names)) return true;
  log::info("{}: its {} has {} classes{}; made anew for the {} of {}", path, name_of_head(ours),
            classes, classes == wanted ? " of other names" : "", wanted, images.origin);
  return false;
}

void require_sound(const StateDict& weights, const std::string& path) {
  if (const auto flaw = unsound_numbers(weights)) {
    throw Error("model.pretrained: {}: nothing can start from its weights: {}", path, *flaw);
  }
}

/// The file's weights, of the head those that it has too, with the network's own for the rest.
StateDict completed(const StateDict& weights, bool with_head, const MobileOne& network) {
  StateDict completed;
  for (const auto& item : weights) {
    if (!belongs_to_head(item.key())) completed.insert(item.key(), item.value());
  }
  for (const auto& item : state_dict(*network)) {
    if (!belongs_to_head(item.key())) continue;
    const auto* theirs = with_head ? weights.find(item.key()) : nullptr;
    completed.insert(item.key(), theirs != nullptr ? *theirs : item.value());
  }
  return completed;
}

std::vector<torch::Tensor> images_to_measure(const Config& config, const ImageList& list,
                                             const Learner& learner) {
  Loader loader(list, training_loader_options(config));
  loader.start_epoch(0, learner.task().train_transform(config, 0));
  std::vector<torch::Tensor> batches;
  for (int64_t images = 0; images < kMeasuredImages;) {
    const auto batch = loader.next();
    if (!batch) break;
    images += batch->images.size(0);
    batches.push_back(batch->images);
  }
  if (batches.empty()) throw Error("{}: no readable image in it", list.origin);
  return batches;
}

}  // namespace

void load_pretrained(const Config& config, const ImageList& images, Learner& learner) {
  const std::string& path = config.model.pretrained;
  if (path.empty()) return;
  Checkpoint file = load_checkpoint(path);
  keep_one_set(file, path);
  if (config.model.in_channels == 1 && file.config.model.in_channels == 3) {
    sum_channels(file);
    log::info("{}: takes RGB; the stem's kernels were summed to take grey", path);
  }
  require_same_form(file, config.model);
  require_sound(file.weights, path);
  MobileOne& network = learner.network();
  const bool with_head = fits_head(file, config, images);
  if (file.folded()) {
    NetworkOptions options = network->options;
    options.folded = true;
    if (!with_head) options.num_classes = 0;
    MobileOne folded(options);
    load_state_dict(*folded, completed(file.weights, with_head, folded), path);
    folded->to(learner.device());
    folded->eval();
    unfold(folded, images_to_measure(config, images, learner), network);
  } else {
    load_state_dict(*network, completed(file.weights, with_head, network), path);
  }
  if (learner.ema() != nullptr) learner.ema()->load(state_dict(*network), path);
  log::info("starting from the weights in {}{}", path,
            file.folded() ? ", which are folded: branches were put back" : "");
}

}  // namespace mobileone
