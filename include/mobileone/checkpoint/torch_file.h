#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "mobileone/checkpoint/value.h"

namespace mobileone {

/// Reads what Python's `torch.save` or `write_torch_file` wrote: a zip file (torch 1.6 and later)
/// or pickles (before that) of a value and its storages. Nothing in the file is run (see pickle.h)
/// and nothing larger than the file is allocated for its tensors, which are on the CPU and share
/// storages as they did when they were saved. The value is named after the file in messages.
///
/// Throws Error in one line that names the file: missing, empty, cut off, damaged, of another
/// format (a TorchScript archive), big endian, or with a pickle that wants more than weights need.
Value read_torch_file(const std::filesystem::path& path);

/// Reads the parameters and buffers of a TorchScript archive: a dict of tensors by qualified name
/// ("stage0.0.weight"), in the order in which the modules have them. Nothing in the file is run,
/// not even compiled; what `read_torch_file` says of tensors and errors holds here too. A tensor
/// that is a plain attribute of a module looks like a buffer; a module whose class restores its own
/// state has none here. An archive that was frozen has no names left and is refused.
Value read_torchscript_weights(const std::filesystem::path& path);

/// The texts that a TorchScript archive holds beside its network, by name. Throws Error as
/// `read_torch_file` does.
std::map<std::string, std::string> read_torchscript_extra_files(const std::filesystem::path& path);

/// Throws Error, naming the file and the record, unless every record of a zip file has its check
/// sum, compressed ones, such as TorchScript's code, too.
void check_sums(const std::filesystem::path& path);

/// Writes a file that `read_torch_file` and Python's `torch.load(path, weights_only=True)` read,
/// whole or not at all (see write_whole). The same value always gives the same bytes. Tensors may
/// be on any device and of any strides; each storage is written once and in full, even if only a
/// slice of it is in `value`. Texts must be UTF-8, or Python will not read the file. Throws Error
/// naming the path.
void write_torch_file(const std::filesystem::path& path, const Value& value);

/// Whether a file is a TorchScript archive. Throws Error if it is missing or a damaged zip file.
bool is_torchscript_file(const std::filesystem::path& path);

}  // namespace mobileone
