#include "mobileone/cli/endings.h"

#include "cli/program.h"
#include "support/error_of.h"

namespace mobileone {
namespace {

std::string objection(const std::string& path, const std::vector<std::string_view>& endings) {
  return error_of([&] { cli::require_ending("--output", path, endings); });
}

TEST(Endings, AreThoseOfWhatIsWrittenOrNone) {
  for (const char* path : {"a.html", "A.HTML", "x.png/a.html", "page", "run.1/page", "page_0.5",
                           ".hidden", "", "a.b.html"}) {
    EXPECT_EQ(objection(path, {".html"}), "") << path;
  }
  EXPECT_EQ(objection("a.png", {".html"}),
            "--output a.png: expected a name that ends in .html, as what is written");
  EXPECT_EQ(objection("a.pth.tar", cli::kTorchEndings), "");
  EXPECT_EQ(objection("a.onnx", {".pt", ".bin"}),
            "--output a.onnx: expected a name that ends in .pt or .bin, as what is written");
}

TEST(Endings, OfEveryOutputAreChecked) {
  const std::string best = shop().path("run/best.pth"), run = shop().path("run"),
                    train = shop().shapes("train"), config = shop().path("tiny.yaml");
  const auto out = [](const std::string& name) { return shop().path(name); };
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"export", best, "-o", out("x.tflite")},
           {"export", best, "-o", out("x.mlmodel")},
           {"export", best, "-o", out("x.pth")},
           {"export", best, "-o", out("x.bin"), "--format", "onnx"},
           {"reparam", best, "-o", out("x.onnx")},
           {"convert", best, out("x.onnx")},
           {"plot", run, "-o", out("x.png")},
           {"compare", run, run, "-o", out("x.pdf")},
           {"find-lr", config, "-o", out("x.csv")},
           {"data", "show", config, "-o", out("x.jpg")},
           {"data", "inspect", train, "--sheet", out("x.pdf")},
           {"data", "pack", train, out("x.tar")},
           {"eval", best, "--data", train, "--report", out("x.html")}}) {
    const auto outcome = run_program(arguments);
    EXPECT_EQ(outcome.status, 2) << arguments[0];
    EXPECT_NE(outcome.errors.find("/x."), std::string::npos) << outcome.errors;
    EXPECT_NE(outcome.errors.find(" end"), std::string::npos) << outcome.errors;
    EXPECT_FALSE(std::filesystem::exists(arguments.back())) << arguments.back();
  }
}

}  // namespace
}  // namespace mobileone
