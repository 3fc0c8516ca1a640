#include "mobileone/data/voc_xml.h"

#include "data/support.h"

namespace mobileone {
namespace {

constexpr const char* kExample = R"(<?xml version="1.0"?>
<annotation>
  <folder>VOC2007</folder><filename>000005.jpg</filename>
  <size><width>500</width><height>375</height><depth>3</depth></size>
  <object>
    <name>person</name><pose>Rear</pose><truncated>0</truncated><difficult>1</difficult>
    <part><name>head</name>
      <bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox></part>
    <bndbox><xmin>263</xmin><ymin>211</ymin><xmax>324</xmax><ymax>339</ymax></bndbox>
  </object>
  <object>
    <name> potted&#32;plant
    </name>
    <bndbox><ymax>1e2</ymax><ymin>1</ymin><xmax>45.5</xmax><xmin> 2.25 </xmin></bndbox>
  </object>
</annotation>)";

std::string error_of_text(std::string_view text) {
  const std::string error = error_of([&] { parse_voc_xml(text, "x.xml"); });
  return error.starts_with("x.xml: ") ? error.substr(7) : "elsewhere: " + error;
}

/// The example with a part of it replaced.
std::string error_with(std::string_view part, std::string_view replacement) {
  std::string text = kExample;
  text.replace(text.find(part), part.size(), replacement);
  return error_of_text(text);
}

TEST(VocXml, HoldsWhatTheFileSays) {
  const VocAnnotation annotation = parse_voc_xml(kExample, "x.xml");
  EXPECT_EQ(annotation.file_name, "000005.jpg");
  EXPECT_EQ(annotation.width, 500);
  EXPECT_EQ(annotation.height, 375);
  ASSERT_EQ(annotation.objects.size(), 2u);
  EXPECT_EQ(annotation.objects[0].name, "person");
  EXPECT_EQ(annotation.objects[0].box, (Box{262, 210, 324, 339})) << "not that of its head";
  EXPECT_TRUE(annotation.objects[0].difficult);
  EXPECT_EQ(annotation.objects[1].name, "potted plant");
  EXPECT_EQ(annotation.objects[1].box, (Box{1.25, 0, 45.5, 100}));
  EXPECT_FALSE(annotation.objects[1].difficult);
}

TEST(VocXml, MayHoldNoObjects) {
  EXPECT_TRUE(parse_voc_xml("<annotation/>", "x.xml").objects.empty());
}

TEST(VocXml, ABoxOfOnePixelIsOne) {
  const auto one = parse_voc_xml(
      "<annotation><object><name>x</name><bndbox><xmin>7</xmin><ymin>1</ymin><xmax>7</xmax>"
      "<ymax>1</ymax></bndbox></object></annotation>",
      "x.xml");
  EXPECT_EQ(one.objects[0].box, (Box{6, 0, 7, 1}));
}

TEST(VocXml, IsNothingElse) {
  EXPECT_EQ(error_of_text(""), "is empty, expected an XML annotation of Pascal VOC's");
  EXPECT_EQ(error_of_text("0 0.5 0.5 1 1\n"),
            "is text that begins with `0 0.5 0.5 1 1`, expected an XML annotation of Pascal VOC's");
  EXPECT_EQ(error_of_text("<html></html>"), "its root is <html>, expected <annotation>");
  const std::string cut = std::string(kExample).substr(0, 300);
  EXPECT_TRUE(error_of_text(cut).starts_with("is no sound XML: ")) << error_of_text(cut);
  EXPECT_TRUE(error_of_text(cut).find(" at byte ") != std::string::npos) << error_of_text(cut);
  EXPECT_EQ(error_of_text("<annotation><object></annotation>"),
            "is no sound XML: Start-end tags mismatch at byte 22");
}

TEST(VocXml, IsOneDocument) {
  const std::string text = kExample, more = "has more than its <annotation>, from byte ";
  EXPECT_TRUE(error_of_text(text + text.substr(text.find("<annotation>"))).starts_with(more));
  EXPECT_TRUE(error_of_text(text + "rubbish").starts_with(more));
  EXPECT_EQ(parse_voc_xml(text + "\n<!-- a comment -->\n", "x.xml").objects.size(), 2u);
}

TEST(VocXml, EntitiesAreNotExpanded) {
  const std::string refused =
      "has a document type, whose entities are not expanded; remove <!DOCTYPE ...>";
  EXPECT_EQ(error_of_text("<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z \"&x;&x;\">]>"
                          "<annotation>&z;</annotation>"),
            refused);
  EXPECT_EQ(error_of_text("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><annotation/>"), refused);
}

TEST(VocXml, SaysWhichObjectIsWrong) {
  EXPECT_EQ(error_with("<difficult>1<", "<difficult>5<"),
            "object 1 (person): difficult is `5`, expected 0 or 1");
  EXPECT_EQ(error_with("<name>person</name>", ""), "object 1: has no name");
  EXPECT_EQ(error_with("<xmin> 2.25 </xmin>", ""),
            "object 2 (potted plant): xmin is ``, expected a number of pixels");
  EXPECT_EQ(error_with("<xmin> 2.25 </xmin>", "<xmin>nan</xmin>"),
            "object 2 (potted plant): xmin is `nan`, expected a number of pixels");
  EXPECT_EQ(error_with("<xmax>324</xmax>", "<xmax>200</xmax>"),
            "object 1 (person): its box goes from (263, 211) to (200, 339), expected the smaller "
            "numbers first");
  EXPECT_EQ(error_with("<bndbox><ymax>1e2</ymax><ymin>1</ymin><xmax>45.5</xmax><xmin> 2.25 </xmin>"
                       "</bndbox>",
                       "<polygon/>"),
            "object 2 (potted plant): has no bndbox");
}

}  // namespace
}  // namespace mobileone
