#pragma once

#include <c10/core/ScalarType.h>

#include <string>
#include <string_view>

namespace mobileone {

/// The opcodes of Python's pickle (Lib/pickletools.py), protocols 2 to 5, without those that refer
/// to what is not in the pickle (EXT1, NEXT_BUFFER).
enum class Op : unsigned char {
  kMark = '(',
  kStop = '.',
  kPop = '0',
  kPopMark = '1',
  kBinBytes = 'B',
  kShortBinBytes = 'C',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyTuple = ')',
  kEmptyDict = '}',
  kProto = 0x80,
  kNewObj = 0x81,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kBinBytes8 = 0x8e,
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kNewObjEx = 0x92,
  kStackGlobal = 0x93,
  kMemoize = 0x94,
  kFrame = 0x95,
  kByteArray8 = 0x96,
};

/// Python's names of the storages in module `torch`.
struct StorageName {
  std::string_view name;
  at::ScalarType dtype;
};
inline constexpr StorageName kStorageNames[] = {
    {"FloatStorage", at::kFloat},       {"DoubleStorage", at::kDouble}, {"HalfStorage", at::kHalf},
    {"BFloat16Storage", at::kBFloat16}, {"LongStorage", at::kLong},     {"IntStorage", at::kInt},
    {"ShortStorage", at::kShort},       {"CharStorage", at::kChar},     {"ByteStorage", at::kByte},
    {"BoolStorage", at::kBool},
};

/// Those that are read and not written. There are no tensors of the quantized ones here.
inline constexpr StorageName kOtherStorageNames[] = {
    {"ComplexFloatStorage", at::kComplexFloat},
    {"ComplexDoubleStorage", at::kComplexDouble},
    {"QInt8Storage", at::kQInt8},
    {"QUInt8Storage", at::kQUInt8},
    {"QInt32Storage", at::kQInt32},
    {"QUInt4x2Storage", at::kQUInt4x2},
    {"QUInt2x4Storage", at::kQUInt2x4},
};

/// Python's names of the dtypes that a tensor of weights may have.
struct DtypeName {
  std::string_view name;
  at::ScalarType dtype;
};
inline constexpr DtypeName kDtypeNames[] = {
    {"float64", at::kDouble},
    {"float32", at::kFloat},
    {"float16", at::kHalf},
    {"bfloat16", at::kBFloat16},
    {"float8_e4m3fn", at::kFloat8_e4m3fn},
    {"float8_e4m3fnuz", at::kFloat8_e4m3fnuz},
    {"float8_e5m2", at::kFloat8_e5m2},
    {"float8_e5m2fnuz", at::kFloat8_e5m2fnuz},
    {"int64", at::kLong},
    {"int32", at::kInt},
    {"int16", at::kShort},
    {"int8", at::kChar},
    {"uint64", at::kUInt64},
    {"uint32", at::kUInt32},
    {"uint16", at::kUInt16},
    {"uint8", at::kByte},
    {"bool", at::kBool},
};

/// What Python prints of a dtype of this table: "torch.float16".
inline std::string python_name(at::ScalarType dtype) {
  for (const auto& [name, known] : kDtypeNames) {
    if (known == dtype) return "torch." + std::string(name);
  }
  return c10::toString(dtype);
}

}  // namespace mobileone
