#include "pickle_globals.h"

#include "byte_cursor.h"
#include "pickle_format.h"

namespace mobileone {
namespace {

struct KnownGlobal {
  std::string_view module, name;
  Callable callable;
};

/// Those that Python's `torch.load(weights_only=True)` allows (torch/_weights_only_unpickler.py)
/// and that stand for something in a Value.
constexpr KnownGlobal kPythonGlobals[] = {
    {"collections", "OrderedDict", Callable::kDict},
    {"collections", "Counter", Callable::kDict},
    {"builtins", "set", Callable::kSequence},
    {"torch", "Size", Callable::kSequence},
    {"_codecs", "encode", Callable::kEncode},
    {"builtins", "bytearray", Callable::kByteArray},
    {"torch", "device", Callable::kDevice},
    {"torch", "Tensor", Callable::kTensor},
    {"torch.serialization", "_get_layout", Callable::kFirstArgument},
    {"torch.nn.parameter", "Parameter", Callable::kFirstArgument},
    {"torch._utils", "_rebuild_parameter", Callable::kFirstArgument},
    {"torch._utils", "_rebuild_parameter_with_state", Callable::kFirstArgument},
    {"torch._utils", "_rebuild_tensor", Callable::kRebuildTensor},
    {"torch._utils", "_rebuild_tensor_v2", Callable::kRebuildTensorV2},
    {"torch._utils", "_rebuild_tensor_v3", Callable::kRebuildTensorV3},
    {"torch._tensor", "_rebuild_from_type_v2", Callable::kRebuildFromType},
};

/// Those that LibTorch writes besides (torch/csrc/jit/serialization/pickler.cpp); they say of which
/// type a list or dict is, which comes first.
constexpr std::string_view kTorchScriptTypes[] = {
    "build_intlist", "build_doublelist", "build_boollist", "build_tensorlist", "restore_type_tag"};

/// What Python allows but a Value cannot hold.
struct Unfit {
  std::string_view module, name_part, what;
};
constexpr Unfit kUnfit[] = {
    {"torch._utils", "_rebuild_qtensor", "a quantized tensor"},
    {"torch._utils", "_rebuild_sparse_tensor", "a sparse tensor"},
    {"torch._utils", "_rebuild_nested_tensor", "a nested tensor"},
    {"torch._utils", "_rebuild_meta_tensor_no_storage", "a tensor without data"},
    {"torch._utils", "_rebuild_wrapper_subclass", "a tensor without data"},
    {"torch._utils", "_rebuild_device_tensor_from", "a tensor of a device that has no storages"},
    {"builtins", "complex", "a complex number"},
    {"torch", "Complex", "complex numbers"},
    {"torch", "complex", "a complex dtype"},
    {"torch", "QInt", "quantized numbers"},
    {"torch", "QUInt", "quantized numbers"},
    {"torch", "qint", "a quantized dtype"},
    {"torch", "quint", "a quantized dtype"},
    {"torch", "per_", "a way to quantize"},
};

const StorageName* find_storage(std::string_view module, std::string_view name) {
  for (const StorageName& known : kStorageNames) {
    if ((module == "torch" || module == "torch.cuda") && name == known.name) return &known;
  }
  return nullptr;
}

}  // namespace

Object::Content find_global(std::string_view module, std::string_view name, PickleOrigin origin) {
  if (module == "__builtin__") module = "builtins";  // in Python 2, whose names protocol 2 keeps
  for (const KnownGlobal& known : kPythonGlobals) {
    if (module == known.module && name == known.name) return known.callable;
  }
  if (const auto* storage = find_storage(module, name)) return StorageType{storage->dtype};
  if (module == "torch.storage" && name == "UntypedStorage") return StorageType{};
  for (const auto& [known, dtype] : kDtypeNames) {
    if (module == "torch" && name == known) return dtype;
  }
  if (origin == PickleOrigin::kTorchScript) {
    if (module == "__torch__" || module.starts_with("__torch__.")) return ModuleClass();
    for (const std::string_view known : kTorchScriptTypes) {
      if (module == "torch.jit._pickle" && name == known) return Callable::kFirstArgument;
    }
  }
  for (const Unfit& unfit : kUnfit) {
    if (module == unfit.module && name.starts_with(unfit.name_part)) {
      throw Error("it holds {} ({}.{}), which cannot be read", unfit.what, printable(module),
                  printable(name));
    }
  }
  throw Error("it wants to run {}.{}, which no weights need", printable(module), printable(name));
}

}  // namespace mobileone
