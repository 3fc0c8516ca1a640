#include "mobileone/bench/operators.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/record_function.h>
#include <torch/utils.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace mobileone {
namespace {

using Tensors = std::vector<at::Tensor>;

/// Multiply-adds of a call from its arguments and its result.
using Macs = int64_t (*)(c10::ArrayRef<c10::IValue> inputs, const at::Tensor& output);

/// Each element put out takes one product per weight of its filter, [O, I / groups, ...].
int64_t convolution(c10::ArrayRef<c10::IValue> inputs, const at::Tensor& output) {
  const at::Tensor weight = inputs[1].toTensor();
  return output.numel() * (weight.numel() / weight.size(0));
}

/// Each element taken in goes to O / groups filters, [I, O / groups, ...].
int64_t transposed_convolution(c10::ArrayRef<c10::IValue> inputs, const at::Tensor&) {
  const at::Tensor weight = inputs[1].toTensor();
  return inputs[0].toTensor().numel() * (weight.numel() / weight.size(0));
}

/// aten::convolution and aten::_convolution say themselves which of the two they are.
int64_t either_convolution(c10::ArrayRef<c10::IValue> inputs, const at::Tensor& output) {
  constexpr size_t kTransposed = 6;
  return (inputs[kTransposed].toBool() ? transposed_convolution : convolution)(inputs, output);
}

template <size_t kLeft>
int64_t product(c10::ArrayRef<c10::IValue> inputs, const at::Tensor& output) {
  return output.numel() * inputs[kLeft].toTensor().size(-1);
}

/// softmax(Q K^T) V.
int64_t attention(c10::ArrayRef<c10::IValue> inputs, const at::Tensor& output) {
  const at::Tensor query = inputs[0].toTensor(), key = inputs[1].toTensor();
  return (query.numel() + output.numel()) * key.size(-2);
}

const std::unordered_map<std::string_view, Macs> kProducts{
    {"aten::conv1d", convolution},
    {"aten::conv2d", convolution},
    {"aten::conv3d", convolution},
    {"aten::mkldnn_convolution", convolution},
    {"mkldnn::_convolution_pointwise", convolution},
    {"aten::conv_transpose1d", transposed_convolution},
    {"aten::conv_transpose2d", transposed_convolution},
    {"aten::conv_transpose3d", transposed_convolution},
    {"aten::convolution", either_convolution},
    {"aten::_convolution", either_convolution},
    {"aten::linear", product<0>},
    {"aten::mm", product<0>},
    {"aten::mv", product<0>},
    {"aten::dot", product<0>},
    {"aten::bmm", product<0>},
    {"aten::matmul", product<0>},
    {"aten::addmm", product<1>},
    {"aten::addmv", product<1>},
    {"aten::baddbmm", product<1>},
    {"aten::scaled_dot_product_attention", attention},
};

/// Operators that neither convolve nor multiply matrices, by convention without multiply-adds: each
/// also stands for its form in place, "aten::relu_".
const std::unordered_set<std::string_view> kOthers{"aten::abs",
                                                   "aten::adaptive_avg_pool2d",
                                                   "aten::adaptive_max_pool2d",
                                                   "aten::add",
                                                   "aten::amax",
                                                   "aten::arange",
                                                   "aten::argmax",
                                                   "aten::avg_pool2d",
                                                   "aten::batch_norm",
                                                   "aten::cat",
                                                   "aten::clamp",
                                                   "aten::clamp_max",
                                                   "aten::clamp_min",
                                                   "aten::clone",
                                                   "aten::copy",
                                                   "aten::cumsum",
                                                   "aten::div",
                                                   "aten::elu",
                                                   "aten::embedding",
                                                   "aten::eq",
                                                   "aten::exp",
                                                   "aten::fill",
                                                   "aten::floor",
                                                   "aten::full",
                                                   "aten::gather",
                                                   "aten::ge",
                                                   "aten::gelu",
                                                   "aten::group_norm",
                                                   "aten::gt",
                                                   "aten::hardsigmoid",
                                                   "aten::hardswish",
                                                   "aten::hardtanh",
                                                   "aten::index",
                                                   "aten::index_select",
                                                   "aten::instance_norm",
                                                   "aten::layer_norm",
                                                   "aten::le",
                                                   "aten::leaky_relu",
                                                   "aten::log",
                                                   "aten::lt",
                                                   "aten::masked_fill",
                                                   "aten::max",
                                                   "aten::max_pool2d",
                                                   "aten::maximum",
                                                   "aten::mean",
                                                   "aten::min",
                                                   "aten::minimum",
                                                   "aten::mish",
                                                   "aten::mul",
                                                   "aten::native_batch_norm",
                                                   "aten::neg",
                                                   "aten::ones",
                                                   "aten::ones_like",
                                                   "aten::pad",
                                                   "aten::pow",
                                                   "aten::prelu",
                                                   "aten::reciprocal",
                                                   "aten::relu",
                                                   "aten::relu6",
                                                   "aten::remainder",
                                                   "aten::roll",
                                                   "aten::rsqrt",
                                                   "aten::rsub",
                                                   "aten::scalar_tensor",
                                                   "aten::sigmoid",
                                                   "aten::silu",
                                                   "aten::softmax",
                                                   "aten::softplus",
                                                   "aten::sqrt",
                                                   "aten::stack",
                                                   "aten::std",
                                                   "aten::sub",
                                                   "aten::sum",
                                                   "aten::tanh",
                                                   "aten::topk",
                                                   "aten::upsample_bicubic2d",
                                                   "aten::upsample_bilinear2d",
                                                   "aten::upsample_nearest2d",
                                                   "aten::var",
                                                   "aten::where",
                                                   "aten::zeros",
                                                   "aten::zeros_like",
                                                   "aten::_to_copy"};

const std::unordered_set<std::string_view> kAllocations{"aten::empty", "aten::empty_like",
                                                        "aten::empty_strided", "aten::new_empty"};

bool is_known(std::string_view name) {
  if (kOthers.contains(name)) return true;
  return name.ends_with('_') && kOthers.contains(name.substr(0, name.size() - 1));
}

void append_tensors(const c10::IValue& value, Tensors& tensors) {
  if (value.isTensor() && value.toTensor().defined()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTensorList()) {
    for (const at::Tensor& tensor : value.toTensorList()) tensors.push_back(tensor);
  } else if (value.isOptionalTensorList()) {
    for (const std::optional<at::Tensor> tensor : value.toOptionalTensorList()) {
      if (tensor && tensor->defined()) tensors.push_back(*tensor);
    }
  }
}

Tensors tensors_of(c10::ArrayRef<c10::IValue> values) {
  Tensors tensors;
  for (const auto& value : values) append_tensors(value, tensors);
  return tensors;
}

int64_t bytes_of(const Tensors& tensors) {
  int64_t bytes = 0;
  for (const auto& tensor : tensors) bytes += static_cast<int64_t>(tensor.nbytes());
  return bytes;
}

/// Views share it. Tensors without memory of the usual kind, as oneDNN's, stand for themselves.
const void* memory_of(const at::Tensor& tensor) {
  if (tensor.has_storage()) return tensor.storage().unsafeGetStorageImpl();
  return tensor.unsafeGetTensorImpl();
}

/// The last of them: TorchScript's interpreter shows its whole stack.
c10::ArrayRef<c10::IValue> last(c10::ArrayRef<c10::IValue> values, size_t count) {
  return values.slice(values.size() - std::min(count, values.size()));
}

/// A call that has not ended.
struct Call : at::ObserverContext {
  std::optional<c10::FunctionSchema> schema;  ///< none of what is no operator
  std::vector<c10::IValue> inputs;
  Call* caller = nullptr;
  bool known = false;
  bool composed = false;  ///< of operators that count instead of it
};

/// Listens to the operators of its thread while it lives.
class Counter {
 public:
  Counter(const at::Tensor& input, const Tensors& buffers) {
    made_.insert(memory_of(input));
    for (const auto& buffer : buffers) made_.insert(memory_of(buffer));
    listening_ = this;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(begin, end)
                                             .needsInputs(true)
                                             .needsOutputs(true)
                                             .scopes({at::RecordScope::FUNCTION}));
  }
  ~Counter() {
    at::removeCallback(handle_);
    listening_ = nullptr;
  }
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  std::vector<OperatorCounts> take() {
    if (error_) std::rethrow_exception(error_);
    return std::move(operators_);
  }

 private:
  static std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
    return listening_->begin_call(function);
  }
  static void end(const at::RecordFunction& function, at::ObserverContext* call) {
    if (call == nullptr) return;
    try {
      listening_->end_call(function, static_cast<Call&>(*call));
    } catch (...) {  // LibTorch would only log it
      listening_->error_ = std::current_exception();
    }
  }

  std::unique_ptr<at::ObserverContext> begin_call(const at::RecordFunction& function) {
    if (call_ != nullptr && !call_->composed) return nullptr;
    auto call = std::make_unique<Call>();
    call->schema = function.operator_schema();
    if (call->schema) {
      const auto inputs = last(function.inputs(), call->schema->arguments().size());
      call->inputs.assign(inputs.begin(), inputs.end());
    }
    call->caller = std::exchange(call_, call.get());
    const std::string_view name = function.name();
    call->known = kProducts.contains(name) || is_known(name);
    call->composed = !call->known && is_composed(*call);
    return call;
  }

  void end_call(const at::RecordFunction& function, Call& call) {
    call_ = call.caller;
    if (call.composed) return;
    const Tensors inputs = tensors_of(call.inputs);
    const Tensors outputs = tensors_of(last(function.outputs(), call.schema->returns().size()));
    if (outputs.empty() || is_view(call, inputs, outputs)) return;
    for (const auto& output : outputs) made_.insert(memory_of(output));
    if (!kAllocations.contains(function.name())) count(function.name(), call, inputs, outputs);
  }

  /// Without a kernel of its own; also what is no operator.
  static bool is_composed(const Call& call) {
    if (!call.schema) return true;
    const auto op = c10::Dispatcher::singleton().findSchema(call.schema->operator_name());
    return op && op->hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd);
  }

  static bool is_view(const Call& call, const Tensors& inputs, const Tensors& outputs) {
    if (call.schema->is_mutable()) return false;
    return std::all_of(outputs.begin(), outputs.end(), [&](const at::Tensor& output) {
      return std::any_of(inputs.begin(), inputs.end(), [&](const at::Tensor& input) {
        return memory_of(output) == memory_of(input);
      });
    });
  }

  void count(const std::string& name, const Call& call, const Tensors& inputs,
             const Tensors& outputs) {
    auto found = std::find_if(operators_.begin(), operators_.end(),
                              [&](const OperatorCounts& counts) { return counts.name == name; });
    if (found == operators_.end()) {
      found = operators_.insert(found, {.name = name, .known = call.known});
    }
    ++found->calls;
    found->bytes += bytes_of(inputs) + bytes_of(outputs);
    for (const auto& input : inputs) found->parameters += new_weights(input);
    if (const auto macs = kProducts.find(name); macs != kProducts.end()) {
      found->macs += macs->second(call.inputs, outputs.front());
      found->activations += outputs.front().numel();
    }
  }

  int64_t new_weights(const at::Tensor& tensor) {
    if (!tensor.is_floating_point() || made_.contains(memory_of(tensor))) return 0;
    const int64_t offset = tensor.has_storage() ? tensor.storage_offset() : 0;
    return weights_.insert({memory_of(tensor), offset}).second ? tensor.numel() : 0;
  }

  static thread_local Counter* listening_;
  at::CallbackHandle handle_ = 0;
  Call* call_ = nullptr;
  std::set<const void*> made_;
  std::set<std::pair<const void*, int64_t>> weights_;
  std::vector<OperatorCounts> operators_;
  std::exception_ptr error_;
};

thread_local Counter* Counter::listening_ = nullptr;

}  // namespace

std::vector<OperatorCounts> count_operators(
    const std::function<torch::Tensor(const torch::Tensor&)>& forward, const torch::Tensor& input,
    const std::vector<torch::Tensor>& buffers) {
  torch::NoGradGuard no_grad;
  // TorchScript rewrites its code in its first runs.
  for (int run = 0; run < 2; ++run) forward(input);
  Counter counter(input, buffers);
  forward(input);
  return counter.take();
}

OperatorCounts total_counts(const std::vector<OperatorCounts>& operators) {
  OperatorCounts total{.name = "total"};
  for (const auto& counts : operators) {
    total.calls += counts.calls;
    total.macs += counts.macs;
    total.parameters += counts.parameters;
    total.activations += counts.activations;
    total.bytes += counts.bytes;
    total.known = total.known && counts.known;
  }
  return total;
}

}  // namespace mobileone
