#include "mobileone/data/webp.h"

#include <ATen/ATen.h>
#include <webp/decode.h>
#include <webp/demux.h>

#include <algorithm>
#include <memory>

#include "mobileone/data/image.h"
#include "mobileone/util/endian.h"
#include "mobileone/util/error.h"

namespace mobileone {
namespace {

constexpr size_t kRiffHeader = 12;  // "RIFF", the length of what follows, "WEBP"

Error truncated_webp(const std::string& name) { return Error("{}: is a truncated WebP", name); }
Error damaged_webp(const std::string& name) { return Error("{}: is a damaged WebP", name); }

}  // namespace

bool is_webp(std::string_view bytes) {
  return bytes.starts_with("RIFF") && bytes.substr(std::min<size_t>(8, bytes.size()), 4) == "WEBP";
}

at::Tensor decode_webp(std::string_view bytes, const std::string& name) {
  const WebPData data{reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
  WebPDemuxState state = WEBP_DEMUX_PARSE_ERROR;
  // Pictures behind the first are not looked at, so they may be missing.
  const std::unique_ptr<WebPDemuxer, decltype(&WebPDemuxDelete)> file(
      WebPDemuxPartial(&data, &state), &WebPDemuxDelete);
  if (state == WEBP_DEMUX_PARSE_ERROR) throw damaged_webp(name);
  if (state == WEBP_DEMUX_PARSING_HEADER) throw truncated_webp(name);
  const int64_t width = WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_WIDTH);
  const int64_t height = WebPDemuxGetI(file.get(), WEBP_FF_CANVAS_HEIGHT);
  require_image_size(width, height, name);
  WebPIterator picture{};
  const bool whole = WebPDemuxGetFrame(file.get(), 1, &picture) != 0 && picture.complete != 0;
  WebPDemuxReleaseIterator(&picture);  // it holds no memory
  if (!whole) throw truncated_webp(name);
  if (picture.x_offset < 0 || picture.y_offset < 0 || picture.x_offset + picture.width > width ||
      picture.y_offset + picture.height > height) {
    throw damaged_webp(name);
  }

  const bool covers = picture.width == width && picture.height == height;
  at::Tensor canvas =
      covers ? at::empty({height, width, 3}, at::kByte) : at::zeros({height, width, 3}, at::kByte);
  const at::Tensor part =
      canvas.narrow(0, picture.y_offset, picture.height).narrow(1, picture.x_offset, picture.width);
  WebPDecoderConfig config;
  TORCH_CHECK(WebPInitDecoderConfig(&config), "libwebp is of another version than its headers");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = part.mutable_data_ptr<uint8_t>();
  config.output.u.RGBA.stride = static_cast<int>(3 * width);
  config.output.u.RGBA.size = 3 * ((picture.height - 1) * width + picture.width);
  const auto status = WebPDecode(picture.fragment.bytes, picture.fragment.size, &config);
  if (status == VP8_STATUS_SUSPENDED || status == VP8_STATUS_NOT_ENOUGH_DATA) {
    throw truncated_webp(name);
  }
  if (status != VP8_STATUS_OK) throw damaged_webp(name);
  return canvas;
}

std::string_view find_webp_chunk(std::string_view webp, std::string_view type) {
  constexpr size_t kHeader = 8;  // type and length
  std::string_view rest = webp.substr(std::min(webp.size(), kRiffHeader));
  while (rest.size() >= kHeader && rest.size() - kHeader >= little_endian(rest, 4, 4)) {
    const size_t length = little_endian(rest, 4, 4);
    if (rest.starts_with(type)) return rest.substr(kHeader, length);
    rest.remove_prefix(std::min(kHeader + length + length % 2, rest.size()));
  }
  return {};
}

}  // namespace mobileone
