#include "mobileone/data/file_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "mobileone/util/lower_case.h"
#include "mobileone/util/one_line.h"

namespace mobileone {
namespace {

using namespace std::string_view_literals;

struct FileMark {
  size_t offset;
  std::string_view bytes;
  const char* kind;
};

constexpr FileMark kFileMarks[] = {
    {0, "\xff\xd8\xff"sv, "a JPEG image"},
    {0, "\x89PNG"sv, "a PNG image"},
    {8, "WEBP"sv, "a WebP image"},
    {0, "II*\0"sv, "a TIFF image"},
    {0, "MM\0*"sv, "a TIFF image"},
    {0, "GIF8"sv, "a GIF image"},
    {0, "\xff\x0a"sv, "a JPEG XL image"},
    {0, "\0\0\0\x0cJXL "sv, "a JPEG XL image"},
    {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000 image"},
    {0, "\xff\x4f\xff\x51"sv, "a JPEG 2000 image"},
    {4, "ftypavif"sv, "an AVIF image"},
    {4, "ftypavis"sv, "an AVIF image"},
    {4, "ftyphei"sv, "an HEIC image"},
    {4, "ftyphev"sv, "an HEIC image"},
    {4, "ftypmif1"sv, "an HEIF or AVIF image"},
    {4, "ftypmsf1"sv, "an HEIF or AVIF image"},
    {4, "ftypcrx"sv, "a camera's raw image"},
    {4, "ftyp"sv, "a video (MP4 or QuickTime)"},
    {0, "FUJIFILMCCD-RAW"sv, "a camera's raw image"},
    {0, "\0\0\1\0"sv, "a Windows icon"},
    {0, "8BPS"sv, "a Photoshop document"},
    {0, "gimp xcf"sv, "a GIMP image"},
    {0, "DDS "sv, "a DirectDraw surface"},
    {0, "v/1\1"sv, "an OpenEXR image"},
    {0, "#?RADIANCE"sv, "a Radiance HDR image"},
    {0, "qoif"sv, "a QOI image"},
    {0, "P7\n"sv, "a PAM image"},
    {0, "PF\n"sv, "a PFM image of floating-point levels"},
    {0, "Pf\n"sv, "a PFM image of floating-point levels"},
    {0, "%PDF"sv, "a PDF document"},
    {0, "%!PS"sv, "a PostScript document"},
    {0, "PK\3\4"sv, "a zip archive (or a file of PyTorch or Office)"},
    {0, "\x1f\x8b"sv, "a gzip archive"},
    {0, "\x28\xb5\x2f\xfd"sv, "a zstd archive"},
    {0,
     "\xfd"
     "7zXZ"sv,
     "an xz archive"},
    {0, "BZh"sv, "a bzip2 archive"},
    {0, "Rar!"sv, "a RAR archive"},
    {0, "7z\xbc\xaf"sv, "a 7-Zip archive"},
    {257, "ustar"sv, "a tar archive"},
    {0, "\x93NUMPY"sv, "a NumPy array"},
    {0, "\x89HDF"sv, "an HDF5 file, as Keras writes it"},
    {0, "GGUF"sv, "a GGUF network"},
    {0, "\x80\2}"sv, "a Python pickle"},
    {0, "\x80\3}"sv, "a Python pickle"},
    {0, "\x80\4\x95"sv, "a Python pickle"},
    {0, "\x80\5\x95"sv, "a Python pickle"},
    {4, "TFL3"sv, "a TensorFlow Lite network"},
    {0, "\x1a\x45\xdf\xa3"sv, "a video (Matroska or WebM)"},
    {0, "\0\0\1\xba"sv, "a video (MPEG)"},
    {8, "AVI "sv, "a video (AVI)"},
    {8, "WAVE"sv, "a sound file"},
    {0, "ID3"sv, "a sound file (MP3)"},
    {0, "OggS"sv, "a sound or video file (Ogg)"},
    {0,
     "\x7f"
     "ELF"sv,
     "a program"},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS, whose file was not fetched"},
    {0, "\x89MPACK\r\n"sv, "a pack of mobileone"},
};

/// Whether the beginning is text: no control characters but white space.
bool is_text(std::string_view bytes) {
  return std::none_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x7f || (byte < 0x20 && std::isspace(byte) == 0);
  });
}

/// Protobuf of ONNX: the first field is the version of its format, the second the producer's name.
/// TensorFlow's and Core ML's begin alike, but their second field is a message.
bool is_onnx(std::string_view bytes) {
  return bytes.size() > 4 && bytes[0] == 8 && bytes[1] < 32 && bytes[2] == 0x12 && bytes[4] > ' ';
}

/// A length of eight bytes, then a header of JSON.
bool is_safetensors(std::string_view bytes) {
  return bytes.size() > 10 && bytes.substr(4, 4) == "\0\0\0\0"sv && bytes.substr(8, 2) == "{\"";
}

}  // namespace

std::string file_kind(std::string_view bytes) {
  if (bytes.empty()) return "empty";
  for (const FileMark& mark : kFileMarks) {
    if (bytes.size() > mark.offset && bytes.substr(mark.offset).starts_with(mark.bytes)) {
      return mark.kind;
    }
  }
  if (is_safetensors(bytes)) return "a safetensors file";
  if (is_onnx(bytes)) return "an ONNX network";
  const std::string_view start = bytes.substr(0, 512);
  if (bytes.find_first_not_of('\0') == std::string_view::npos) {
    return "nothing but zero bytes (its contents were lost)";
  }
  if (is_text(start)) {
    const std::string lower = lower_case(start);
    const auto has = [&](const char* tag) { return lower.find(tag) != std::string::npos; };
    if (has("<html") || has("<!doctype html")) return "an HTML page";
    if (has("<svg")) return "an SVG drawing";
    if (has("<?xml")) return "an XML document";
    size_t shown = std::min<size_t>(30, start.find_first_of("\r\n"));
    while (shown < start.size() && (start[shown] & 0xc0) == 0x80) --shown;  // whole characters
    return fmt::format("text that begins with `{}`", one_line(start.substr(0, shown)));
  }
  return "a file of no known kind";
}

}  // namespace mobileone
