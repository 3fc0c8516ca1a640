#include "mobileone/cli/sheet_file.h"

#include <fmt/format.h>

#include <vector>

#include "mobileone/cli/endings.h"
#include "mobileone/data/image.h"
#include "mobileone/data/jpeg.h"
#include "mobileone/report/page.h"
#include "mobileone/util/file.h"

namespace mobileone::cli {
namespace {

std::string sheet_page(const Sheet& sheet) {
  constexpr int kQuality = 95;
  std::vector<Card> cards;
  std::vector<Key> keys;
  for (const auto& [color, text] : sheet.legend) {
    keys.push_back({fmt::format("#{:02x}{:02x}{:02x}", color[0], color[1], color[2]), text});
  }
  for (const auto& [image, lines] : sheet.tiles) {
    if (!image.defined() && lines.empty()) continue;  // fills a row of a picture
    cards.push_back({image.defined() ? encode_jpeg(image, kQuality) : "", lines});
  }
  const std::string legend = keys.empty() ? "" : html::legend(keys);
  return html::page(sheet.heading, legend + html::contact_sheet(cards));
}

}  // namespace

void write_sheet(const std::string& path, const Sheet& sheet) {
  if (has_ending(path, ".html")) return write_whole(path, sheet_page(sheet));
  write_png(path, draw_sheet(sheet));
}

}  // namespace mobileone::cli
