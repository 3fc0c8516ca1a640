// examples/deploy: programs that know nothing of mobileone say what `predict` says.
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/data/image.h"
#include "mobileone/util/file.h"
#include "support/python.h"

namespace mobileone {
namespace {

/// The first line that a program is expected to print for `image`: what `predict` says of it.
std::string predicted_line(const std::string& model, const std::string& image) {
  const auto predicted = run_program({"predict", model, image, "--json"});
  const auto best = nlohmann::json::parse(predicted.output)[0]["predictions"][0];
  return fmt::format("{:6.2f} %  {}\n", 100 * best["probability"].get<double>(),
                     best["class"].get<std::string>());
}

/// What a command prints.
std::string answer_of(const std::string& command) {
  const std::string answer = shop().path("answer.txt");
  EXPECT_EQ(std::system((command + " > " + answer).c_str()), 0) << command;
  return read_file(answer);
}

TEST(Deploy, ClassifiesWithLibTorchAlone) {
  const std::string model = shop().path("deploy.pt"),
                    image = shop().shapes("val") + "/star/0001.jpg";
  ASSERT_EQ(run_program({"export", shop().path("run/best.pth"), "-o", model}).status, 0);
  const auto pixels = read_image(image);
  const std::string ppm = shop().path("image.ppm");
  std::string bytes = fmt::format("P6\n{} {}\n255\n", pixels.size(1), pixels.size(0));
  bytes.append(static_cast<const char*>(pixels.data_ptr()), pixels.numel());
  write_whole(ppm, bytes);
  const std::string answer = answer_of(fmt::format("{} {} {}", MOBILEONE_CLASSIFY, model, ppm));
  EXPECT_TRUE(answer.starts_with(predicted_line(model, image))) << answer;
}

TEST(Deploy, ClassifiesWithPyTorchAlone) {
  if (!python_has("torch, PIL")) {
    GTEST_SKIP() << "needs Python with torch and Pillow in .deps/venv: scripts/setup.sh";
  }
  const std::string model = shop().path("deploy.pt"),
                    image = shop().shapes("val") + "/star/0001.jpg";
  ASSERT_EQ(run_program({"export", shop().path("run/best.pth"), "-o", model}).status, 0);
  const std::string answer = answer_of(fmt::format("{} {}/examples/deploy/classify.py {} {}",
                                                   kPython, MOBILEONE_SOURCE_DIR, model, image));
  EXPECT_TRUE(answer.starts_with(predicted_line(model, image))) << answer;
}

}  // namespace
}  // namespace mobileone
