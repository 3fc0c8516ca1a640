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
    {"collections", "defaultdict", Callable::kDefaultDict},
    {"builtins", "set", Callable::kSequence},
    {"builtins", "frozenset", Callable::kSequence},
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

/// Functions and, where no name is given, whole modules that no data are made by.
struct Harmful {
  std::string_view module, name;
};
constexpr Harmful kHarmful[] = {
    {"builtins", "eval"}, {"builtins", "exec"}, {"builtins", "compile"}, {"builtins", "__import__"},
    {"builtins", "open"}, {"os", ""},           {"posix", ""},           {"nt", ""},
    {"subprocess", ""},   {"shutil", ""},       {"socket", ""},          {"runpy", ""},
    {"pty", ""},
};

const StorageName* find_storage(std::string_view module, std::string_view name) {
  if (module != "torch" && module != "torch.cuda") return nullptr;
  for (const StorageName& known : kStorageNames) {
    if (name == known.name) return &known;
  }
  for (const StorageName& known : kOtherStorageNames) {
    if (name == known.name) return &known;
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
  for (const Harmful& harmful : kHarmful) {
    if (module == harmful.module && (harmful.name.empty() || name == harmful.name)) {
      throw Error("it wants to run {}.{}, which no weights need", module, printable(name));
    }
  }
  return UnknownGlobal{fmt::format("{}.{}", printable(module), printable(name))};
}

}  // namespace mobileone
