#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mobileone {

/// Rows of as many fields as `header`. A column whose fields are all numbers (or "–", for none) is
/// set flush right.
struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

/// An image with a few lines under it.
struct Card {
  std::string jpeg;  ///< bytes of a JPEG file; empty if there is no image
  std::vector<std::string> lines;
};

/// A colour, "#800000", and what it stands for.
struct Key {
  std::string color, text;
};

/// Parts of an HTML page, which are also well-formed XML. A `body` is such parts, one after the
/// other; every other argument is plain text, escaped here.
namespace html {

std::string heading(std::string_view text);
std::string paragraph(std::string_view text);
std::string table(const Table& table);
/// What makes the page's figures doubtful, under a heading of its own; nothing where there is none.
std::string doubts(const std::vector<std::string>& texts);
/// What `to_svg` made, side by side where there is room.
std::string figures(const std::vector<std::string>& svgs);
std::string contact_sheet(const std::vector<Card>& cards);
/// The same of wide images, two in a row at most.
std::string wide_contact_sheet(const std::vector<Card>& cards);
/// What colours stand for.
std::string legend(const std::vector<Key>& keys);
/// A link to a file beside the page.
std::string link(std::string_view file, std::string_view text);
/// Lines as they are, in a fixed-width font.
std::string preformatted(std::string_view text);
/// Shown when `summary` is clicked on.
std::string details(std::string_view summary, const std::string& body);

/// The whole page: needs no script, no other file and no network, prints well, and is dark where
/// the reader's system is. Its last line says by which program, when and by what command it was
/// made.
std::string page(std::string_view title, const std::string& body);

}  // namespace html
}  // namespace mobileone
