#include "mobileone/data/gif.h"

#include <ATen/ATen.h>
#include <gif_lib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "mobileone/data/image.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

class GifFile {
 public:
  GifFile(std::string_view bytes, const std::string& name) : rest_(bytes), name_(name) {
    int error = 0;
    file_.reset(DGifOpen(this, &GifFile::read, &error));
    if (file_ == nullptr) throw failure(error);
  }

  at::Tensor decode_first_picture() {
    const int transparent = go_to_picture();
    const GifImageDesc& picture = file_->Image;
    const int64_t right = int64_t{picture.Left} + picture.Width;
    const int64_t bottom = int64_t{picture.Top} + picture.Height;
    const int64_t width = std::max<int64_t>(file_->SWidth, right);
    const int64_t height = std::max<int64_t>(file_->SHeight, bottom);
    require_image_size(width, height, name_);
    require_image_size(picture.Width, picture.Height, name_);
    const at::Tensor indices = at::full({height, width}, std::max(transparent, 0), at::kByte);
    read_lines(picture, indices);

    const auto colors = palette(picture);
    at::Tensor image = at::empty({height, width, 3}, at::kByte);
    const auto* in = indices.const_data_ptr<uint8_t>();
    auto* out = image.mutable_data_ptr<uint8_t>();
    for (int64_t i = 0; i < height * width; ++i) out = std::copy_n(colors[in[i]].data(), 3, out);
    return image;
  }

 private:
  struct Close {
    void operator()(GifFileType* file) const { DGifCloseFile(file, nullptr); }
  };

  static int read(GifFileType* file, GifByteType* out, int size) {
    auto& rest = static_cast<GifFile*>(file->UserData)->rest_;
    const size_t count = std::min<size_t>(size, rest.size());
    std::memcpy(out, rest.data(), count);
    rest.remove_prefix(count);
    return static_cast<int>(count);
  }

  Error failure(int error) const {
    const bool ended = rest_.empty() || error == D_GIF_ERR_EOF_TOO_SOON;
    if (ended) return Error("{}: is a truncated GIF", name_);
    const char* message = GifErrorString(error);
    return Error("{}: is a damaged GIF ({})", name_, message == nullptr ? "unknown" : message);
  }

  void require(int status) const {
    if (status == GIF_ERROR) throw failure(file_->Error);
  }

  /// Reads on to the first picture. Returns the index that is transparent in it; -1 if there is
  /// none.
  int go_to_picture() {
    int transparent = -1;
    while (true) {
      GifRecordType record = UNDEFINED_RECORD_TYPE;
      require(DGifGetRecordType(file_.get(), &record));
      if (record == IMAGE_DESC_RECORD_TYPE) {
        require(DGifGetImageDesc(file_.get()));
        return transparent;
      }
      if (record == TERMINATE_RECORD_TYPE) throw Error("{}: is a GIF without a picture", name_);
      int code = 0;
      GifByteType* block = nullptr;
      require(DGifGetExtension(file_.get(), &code, &block));
      if (code == GRAPHICS_EXT_FUNC_CODE && block != nullptr && block[0] >= 4) {
        transparent = (block[1] & 1) != 0 ? block[4] : -1;
      }
      while (block != nullptr) require(DGifGetExtensionNext(file_.get(), &block));
    }
  }

  void read_lines(const GifImageDesc& picture, const at::Tensor& indices) {
    struct Pass {
      int first, step;
    };
    static constexpr Pass kInterlaced[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
    static constexpr Pass kPlain[] = {{0, 1}};
    auto* canvas = indices.mutable_data_ptr<uint8_t>();
    const auto read_pass = [&](const Pass& pass) {
      for (int64_t row = pass.first; row < picture.Height; row += pass.step) {
        uint8_t* line = canvas + (picture.Top + row) * indices.size(1) + picture.Left;
        require(DGifGetLine(file_.get(), line, picture.Width));
      }
    };
    if (picture.Interlace) {
      std::for_each(std::begin(kInterlaced), std::end(kInterlaced), read_pass);
    } else {
      std::for_each(std::begin(kPlain), std::end(kPlain), read_pass);
    }
  }

  /// The picture's own or the file's; colours that it lacks are grey, as Pillow has them.
  std::array<std::array<uint8_t, 3>, 256> palette(const GifImageDesc& picture) const {
    std::array<std::array<uint8_t, 3>, 256> colors;
    for (int i = 0; i < 256; ++i) colors[i].fill(static_cast<uint8_t>(i));
    const ColorMapObject* map = picture.ColorMap != nullptr ? picture.ColorMap : file_->SColorMap;
    for (int i = 0; map != nullptr && i < map->ColorCount; ++i) {
      colors[i] = {map->Colors[i].Red, map->Colors[i].Green, map->Colors[i].Blue};
    }
    return colors;
  }

  std::string_view rest_;
  const std::string& name_;
  std::unique_ptr<GifFileType, Close> file_;
};

}  // namespace

bool is_gif(std::string_view bytes) {
  return bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a");
}

at::Tensor decode_gif(std::string_view bytes, const std::string& name) {
  return GifFile(bytes, name).decode_first_picture();
}

}  // namespace mobileone
