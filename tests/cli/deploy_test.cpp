// examples/deploy: a program that knows nothing of mobileone says what `predict` says.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/program.h"
#include "mobileone/data/image.h"
#include "mobileone/util/file.h"

namespace mobileone {
namespace {

TEST(Deploy, ClassifiesWithLibTorchAlone) {
  const Workshop& shop = Workshop::get();
  const std::string model = shop.path("deploy.pt"), image = shop.shapes("val") + "/star/0001.jpg";
  ASSERT_EQ(run_program({"export", shop.path("run/best.pth"), "-o", model}).status, 0);
  const auto pixels = read_image(image);
  const std::string ppm = shop.path("image.ppm"), answer = shop.path("answer.txt");
  std::string bytes = fmt::format("P6\n{} {}\n255\n", pixels.size(1), pixels.size(0));
  bytes.append(static_cast<const char*>(pixels.data_ptr()), pixels.numel());
  write_whole(ppm, bytes);

  ASSERT_EQ(
      std::system(fmt::format("{} {} {} > {}", MOBILEONE_CLASSIFY, model, ppm, answer).c_str()), 0);
  const auto predicted = run_program({"predict", model, image, "--json"});
  const auto best = nlohmann::json::parse(predicted.output)[0]["predictions"][0];
  const std::string expected = fmt::format(
      "{:6.2f} %  {}\n", 100 * best["probability"].get<double>(), best["class"].get<std::string>());
  EXPECT_TRUE(read_file(answer).starts_with(expected)) << read_file(answer) << expected;
}

}  // namespace
}  // namespace mobileone
