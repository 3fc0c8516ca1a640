#include "mobileone/eval/onnx_model.h"

#include <memory>
#include <utility>

#include "mobileone/util/error.h"

#ifdef MOBILEONE_ONNXRUNTIME
#include <onnxruntime_cxx_api.h>
#endif

namespace mobileone {

#ifdef MOBILEONE_ONNXRUNTIME
namespace {

/// A network ready to run.
class OnnxSession {
 public:
  OnnxSession(const std::string& bytes, std::string origin, int64_t threads)
      : origin_(std::move(origin)), session_(nullptr) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(static_cast<int>(threads));
    options.SetInterOpNumThreads(1);
    options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
    try {
      session_ = Ort::Session(environment(), bytes.data(), bytes.size(), options);
    } catch (const Ort::Exception& error) {
      throw Error("{}: cannot be read as ONNX: {}", origin_, first_line(error));
    }
    require_one_image_input();
    const Ort::AllocatorWithDefaultOptions allocator;
    input_ = session_.GetInputNameAllocated(0, allocator).get();
    output_ = session_.GetOutputNameAllocated(0, allocator).get();
  }

  torch::Tensor run(const torch::Tensor& images) const {
    const auto x = images.contiguous();
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto value = Ort::Value::CreateTensor<float>(memory, x.mutable_data_ptr<float>(),
                                                       static_cast<size_t>(x.numel()),
                                                       x.sizes().data(), x.sizes().size());
    const char *input = input_.c_str(), *output = output_.c_str();
    try {
      auto results = const_cast<Ort::Session&>(session_).Run(Ort::RunOptions{nullptr}, &input,
                                                             &value, 1, &output, 1);
      return torch::from_blob(results[0].GetTensorMutableData<float>(),
                              results[0].GetTensorTypeAndShapeInfo().GetShape())
          .clone();
    } catch (const Ort::Exception& error) {
      throw Error("{}: cannot compute images of {}x{}x{}: {}", origin_, x.size(1), x.size(2),
                  x.size(3), first_line(error));
    }
  }

 private:
  static Ort::Env& environment() {
    static Ort::Env environment(ORT_LOGGING_LEVEL_FATAL, "mobileone");
    return environment;
  }

  static std::string first_line(const Ort::Exception& error) {
    const std::string message = error.what();
    return message.substr(0, message.find('\n'));
  }

  void require_one_image_input() const {
    if (session_.GetInputCount() == 1 && session_.GetOutputCount() > 0) {
      const auto type = session_.GetInputTypeInfo(0);
      const auto info = type.GetTensorTypeAndShapeInfo();
      if (info.GetElementType() == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT &&
          info.GetShape().size() == 4)
        return;
    }
    throw Error(
        "{}: expected a network of one input, float32 [N,3,H,W]; export it without "
        "--with-preprocessing and in float32",
        origin_);
  }

  std::string origin_;
  Ort::Session session_;
  std::string input_, output_;
};

}  // namespace

bool has_onnx_runtime() { return true; }

std::function<torch::Tensor(const torch::Tensor&)> onnx_function(const std::string& bytes,
                                                                 const std::string& origin,
                                                                 int64_t threads) {
  const auto session = std::make_shared<const OnnxSession>(bytes, origin, threads);
  return [session](const torch::Tensor& images) { return session->run(images); };
}

#else

bool has_onnx_runtime() { return false; }

std::function<torch::Tensor(const torch::Tensor&)> onnx_function(const std::string&,
                                                                 const std::string& origin,
                                                                 int64_t) {
  throw Error(
      "{}: this program was built without ONNX Runtime; install libonnxruntime-dev (Debian 13) or "
      "name its folder by -DOnnxRuntime_ROOT and build again, or use `python "
      "scripts/evaluate_onnx.py` or `python benchmarks/onnx_latency.py`",
      origin);
}

#endif

}  // namespace mobileone
