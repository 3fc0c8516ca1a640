// What most sources use of LibTorch and others: the narrow headers. torch/torch.h as a whole would
// make the precompiled header, which every source loads, a fifth larger. What a header defines as
// objects (CLI11 does) would be compiled anew in every source.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/nn/functional/loss.h>
#include <torch/nn/init.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <filesystem>
#include <functional>
