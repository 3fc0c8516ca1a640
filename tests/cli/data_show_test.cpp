#include "cli/program.h"
#include "mobileone/data/image.h"
#include "mobileone/util/file.h"
#include "report/xml.h"

namespace mobileone {
namespace {

Outcome show(const std::string& png, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"data", "show", shop().path("tiny.yaml"), "-o", png};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(arguments);
}

std::string sheet(std::vector<std::string> more) {
  const std::string png = shop().path("sheet.png");
  const auto outcome = show(png, more);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return read_file(png);
}

TEST(DataShow, DrawsWhatTrainingSees) {
  const std::string png = shop().path("sheet.png");
  const auto outcome = show(png, {"--images", "17", "--epoch", "3"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(outcome.output, png + ": 17 images of epoch 3\n");
  const auto drawn = read_image(png);
  EXPECT_GT(drawn.size(0), 2 * 96);  // 32 px are enlarged; two rows
  EXPECT_LE(drawn.size(1), 1500);
}

TEST(DataShow, ShowsEveryAugmentation) {
  const std::string plain = sheet({});
  EXPECT_EQ(plain, sheet({"data.workers=3"}));
  EXPECT_NE(plain, sheet({"--epoch", "1"}));
  for (const char* option :
       {"augment.policy=autoaugment", "augment.policy=randaugment", "augment.policy=trivialaugment",
        "augment.color_jitter=[0.4,0.4,0.4,0.1]", "augment.erase.probability=1",
        "augment.mix.mixup=1", "augment.mix.cutmix=1"}) {
    EXPECT_NE(plain, sheet({option})) << option;
  }
}

TEST(DataShow, MistakesAreOneLine) {
  const auto outcome = show("sheet.gif");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.errors,
            "mobileone: --output sheet.gif: expected a name that ends in .png or .html, as what is "
            "written\n");
}

TEST(DataShow, PagesHaveNamesOfAnyScript) {
  const std::string data = shop().path("scripts"), html = shop().path("sheet.html");
  std::filesystem::create_directories(data);
  std::filesystem::copy(shop().shapes("train") + "/star", data + "/猫",
                        std::filesystem::copy_options::recursive);
  std::filesystem::copy(shop().shapes("train") + "/ring", data + "/<قطة>",
                        std::filesystem::copy_options::recursive);
  const auto outcome = run_program({"data", "inspect", data, "--sheet", html});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const std::string page = read_file(html);
  EXPECT_EQ(xml_fault(page), "");
  EXPECT_EQ(count(page, "<div>猫</div>"), 4);
  EXPECT_EQ(count(page, "<div>&lt;قطة&gt;</div>"), 4);
  EXPECT_EQ(count(page, "data:image/jpeg"), 8);
}

TEST(Train, TakesEveryAugmentation) {
  const auto outcome = run_program(
      shop().training("augmented", {"augment.policy=randaugment", "augment.erase.probability=0.5",
                                    "augment.mix={mixup: 0.2, cutmix: 1}"}));
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
}

}  // namespace
}  // namespace mobileone
