#include "mobileone/report/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>

#include "mobileone/report/text.h"
#include "mobileone/util/output.h"
#include "mobileone/util/process.h"
#include "mobileone/util/version.h"
#include "svg.h"

namespace mobileone::html {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --page: white; --ink: #222; --faint: #666; --band: #f5f5f5;
  --empty: #eee; --link: #0645ad; }
@media screen and (prefers-color-scheme: dark) {
  :root { --page: #17191d; --ink: #ddd; --faint: #9aa0a8; --band: #22252b; --empty: #2a2e35;
    --link: #8ebcf7; }
  DARK
}
body { max-width: 1100px; margin: 2em auto; padding: 0 1.5em; background: var(--page);
  color: var(--ink);
  font: 15px/1.45 Helvetica, Arial, sans-serif; }
h1 { font-size: 1.5em; margin-bottom: 0.6em; overflow-wrap: anywhere; }
h2 { font-size: 1.15em; margin: 1.6em 0 0.5em; }
a { color: var(--link); }
table { border-collapse: collapse; border-top: 2px solid; border-bottom: 2px solid;
  font-size: 0.93em; font-variant-numeric: tabular-nums; }
th { border-bottom: 1px solid; font-weight: bold; text-align: left; vertical-align: bottom; }
th, td { padding: 0.25em 1.1em 0.25em 0; overflow-wrap: break-word; }
th:last-child, td:last-child { padding-right: 0.3em; }
tr:nth-child(even) td { background: var(--band); }
.number { text-align: right; }
td.number { white-space: nowrap; }
td:first-child { min-width: 6em; }
.table { overflow-x: auto; }
.figures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1.4em 1.6em;
  margin: 1.4em 0; }
.figures svg { width: 100%; height: auto; }
.figures > :only-child { grid-column: span 2; width: auto; max-width: 100%; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: 1em; }
.cards figure { margin: 0; break-inside: avoid; font-size: 0.85em; }
.cards img, .cards .missing { display: block; width: 100%; height: 160px; object-fit: contain;
  background: var(--empty); margin-bottom: 0.3em; }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(480px, 100%), 1fr)); }
.wide img, .wide .missing { height: auto; }
.legend { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 0.3em 1.2em; }
.legend span { display: inline-block; width: 1em; height: 1em; margin-right: 0.4em;
  border: 1px solid var(--faint); vertical-align: -0.15em; print-color-adjust: exact; }
.cards figcaption div { overflow-wrap: anywhere; }
.cards figcaption div:first-child { font-weight: bold; }
pre { font-size: 0.85em; background: var(--band); padding: 0.8em; white-space: pre-wrap;
  overflow-wrap: anywhere; }
summary { cursor: pointer; margin: 1em 0 0.5em; }
footer { margin-top: 3em; color: var(--faint); font-size: 0.85em; overflow-wrap: anywhere; }
@media screen and (max-width: 760px) {
  .figures { grid-template-columns: minmax(0, 1fr); }
  .figures > :only-child { grid-column: auto; }
}
@media print {
  @page { size: A4; margin: 14mm; }
  body { max-width: none; margin: 0; padding: 0; font-size: 9pt; }
  table { font-size: 8pt; }
  th, td { padding-right: 0.8em; }
  .table { overflow: visible; }
  .figures svg, tr { break-inside: avoid; }
  h2, summary { break-after: avoid; }
}
)";

/// Drawings say their colours themselves, so that they can stand alone; on a dark page rules of
/// the style sheet, which go before attributes, replace them one by one.
std::string dark_rules() {
  std::string rules;
  const auto add = [&](const char* color, const char* on_dark) {
    rules += fmt::format("[fill=\"{0}\"] {{ fill: {1}; }} [stroke=\"{0}\"] {{ stroke: {1}; }}\n  ",
                         color, on_dark);
  };
  for (const auto& [color, on_dark, marker] : svg::kLooks) add(color, on_dark);
  for (const auto& [color, on_dark] : svg::kPaints) add(color, on_dark);
  return rules;
}

std::string style() {
  constexpr std::string_view kPlace = "DARK";
  std::string text = kStyle;
  return text.replace(text.find(kPlace), kPlace.size(), dark_rules());
}

/// "2026-11-28 09:30 UTC"
std::string this_minute() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &utc);
  return text;
}

bool is_number(const std::string& field) {
  const size_t sign = field.starts_with("−")   ? std::string_view("−").size()
                      : field.starts_with("+") ? 1
                                               : 0;
  return field == "–" || (sign < field.size() && field[sign] >= '0' && field[sign] <= '9');
}

}  // namespace

std::string heading(std::string_view text) {
  return fmt::format("<h2>{}</h2>\n", xml_escaped(text));
}

std::string paragraph(std::string_view text) {
  return fmt::format("<p>{}</p>\n", xml_escaped(text));
}

std::string table(const Table& table) {
  std::string body = "<div class=\"table\"><table>\n<thead><tr>";
  std::vector<const char*> classes;
  for (size_t column = 0; column < table.header.size(); ++column) {
    const bool numbers = std::all_of(table.rows.begin(), table.rows.end(),
                                     [&](const auto& row) { return is_number(row[column]); });
    classes.push_back(numbers ? " class=\"number\"" : "");
    body += fmt::format("<th{}>{}</th>", classes[column], xml_escaped(table.header[column]));
  }
  body += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    body += "<tr>";
    for (size_t column = 0; column < row.size(); ++column) {
      body += fmt::format("<td{}>{}</td>", classes[column], xml_escaped(row[column]));
    }
    body += "</tr>\n";
  }
  return body + "</tbody>\n</table></div>\n";
}

std::string doubts(const std::vector<std::string>& texts) {
  if (texts.empty()) return "";
  std::string body = heading("Doubts") + "<ul>\n";
  for (const auto& text : texts) body += fmt::format("<li>{}</li>\n", xml_escaped(text));
  return body + "</ul>\n";
}

std::string figures(const std::vector<std::string>& svgs) {
  std::string body = "<div class=\"figures\">\n";
  for (const auto& svg : svgs) body += svg;
  return body + "</div>\n";
}

namespace {

std::string sheet_of(std::string_view style_class, const std::vector<Card>& cards) {
  std::string body = fmt::format("<div class=\"{}\">\n", style_class);
  for (const auto& card : cards) {
    body += card.jpeg.empty() ? "<figure><div class=\"missing\"></div>"
                              : fmt::format(
                                    "<figure><img alt=\"\" src=\"data:image/jpeg;base64,"
                                    "{}\"/>",
                                    base64(card.jpeg));
    body += "<figcaption>";
    for (const auto& line : card.lines) body += fmt::format("<div>{}</div>", xml_escaped(line));
    body += "</figcaption></figure>\n";
  }
  return body + "</div>\n";
}

}  // namespace

std::string contact_sheet(const std::vector<Card>& cards) { return sheet_of("cards", cards); }

std::string wide_contact_sheet(const std::vector<Card>& cards) {
  return sheet_of("cards wide", cards);
}

std::string legend(const std::vector<Key>& keys) {
  std::string body = "<ul class=\"legend\">\n";
  for (const auto& [color, text] : keys) {
    body += fmt::format("<li><span style=\"background: {}\"></span>{}</li>\n", xml_escaped(color),
                        xml_escaped(text));
  }
  return body + "</ul>\n";
}

std::string link(std::string_view file, std::string_view text) {
  return fmt::format("<p><a href=\"{}\">{}</a></p>\n", xml_escaped(file), xml_escaped(text));
}

std::string preformatted(std::string_view text) {
  return fmt::format("<pre>{}</pre>\n", xml_escaped(text));
}

std::string details(std::string_view summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>\n{}</details>\n", xml_escaped(summary), body);
}

std::string page(std::string_view title, const std::string& body) {
  const std::string escaped = xml_escaped(title);
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width\"/>\n{4}\n<title>{0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}"
      "<footer>mobileone {3} ({5}), {6}. Command: <code>{7}</code></footer>\n</body>\n</html>\n",
      escaped, style(), body, version(), kPageMark, revision(), this_minute(),
      xml_escaped(command_line()));
}

}  // namespace mobileone::html
