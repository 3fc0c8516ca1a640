#include "mobileone/cli/sheet_file.h"

#include <vector>

#include "mobileone/data/image.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/report/page.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"

namespace mobileone::cli {
namespace {

bool is_page(const std::string& path) { return path.ends_with(".html"); }

std::string sheet_page(const Sheet& sheet) {
  constexpr int kQuality = 95;
  std::vector<Card> cards;
  for (const auto& [image, lines] : sheet.tiles) {
    if (!image.defined() && lines.empty()) continue;  // fills a row of a picture
    cards.push_back({image.defined() ? encode_jpeg(image, kQuality) : "", lines});
  }
  return html::page(sheet.heading, html::contact_sheet(cards));
}

}  // namespace

void require_sheet_name(const std::string& option, const std::string& path) {
  if (path.ends_with(".png") || is_page(path)) return;
  throw Error("{} {}: expected the name of a picture (.png) or a page (.html)", option, path);
}

void write_sheet(const std::string& path, const Sheet& sheet) {
  if (is_page(path)) return write_whole(path, sheet_page(sheet));
  write_png(path, draw_sheet(sheet));
}

}  // namespace mobileone::cli
