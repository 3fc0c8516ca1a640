// The program as its users call it, from training to prediction.
#include "mobileone/cli/commands.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/program.h"
#include "mobileone/checkpoint/checkpoint.h"
#include "mobileone/data/image_list.h"
#include "mobileone/export/torchscript.h"
#include "mobileone/kernels/instruction_set.h"
#include "mobileone/model/counts.h"
#include "mobileone/util/csv.h"
#include "mobileone/util/file.h"
#include "report/xml.h"
#include "support/python.h"

namespace mobileone {
namespace {

nlohmann::json evaluate_json(const std::string& model, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"eval", model, "--data", shop().shapes("val"), "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const auto outcome = run_program(arguments);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return nlohmann::json::parse(outcome.output);
}

TEST(Train, LeavesARunBehind) {
  for (const char* file :
       {"config.yaml", "classes.txt", "environment.json", "metrics.csv", "last.pth", "best.pth"}) {
    EXPECT_TRUE(std::filesystem::exists(shop().path("run/") + file)) << file;
  }
  const std::string metrics = read_file(shop().path("run/metrics.csv"));
  EXPECT_TRUE(metrics.starts_with(
      "epoch,step,size,lr,weight_decay,train_loss,val_loss,val_top1,"
      "val_top5,ema_loss,ema_top1,ema_top5,ema_better,images_per_second,seconds\n"
      "1,4,"))
      << metrics;
}

TEST(Train, AccumulatedPartsTakeAllImages) {
  const auto outcome = run_program(shop().training("parts", {"schedule.accumulate=5"}));
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
}

TEST(Train, InBfloat16) {
  const auto outcome = run_program(shop().training("bf16", {"runtime.precision=bf16"}));
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
}

TEST(Train, PythonReadsTheCheckpoint) {
  if (!python_has("torch")) GTEST_SKIP() << "needs Python with torch in .deps/venv";
  const std::string script = fmt::format(
      "import torch; c = torch.load('{}', weights_only=True); "
      "assert 'stage0.rbr_conv.0.conv.weight' in c['state_dict']; "
      "assert list(c[c['better']]) == list(c['state_dict']); t = c['training']; assert t['step'] "
      "== 4 "
      "and t['epoch'] == 1; "
      "assert len(c['class_names']) == 10 and 'schedule:' in c['config']; "
      "assert c['metrics']['val_top5'] >= c['metrics']['val_top1']; "
      "assert 'linear.weight' in c['optimizer']['momentum']",
      shop().path("run/last.pth"));
  EXPECT_EQ(std::system((kPython + " -c \"" + script + "\"").c_str()), 0);
}

TEST(Reparam, FoldsExportsAndKeepsTheAccuracy) {
  const std::string best = shop().path("run/best.pth"), folded = shop().path("folded.pth"),
                    exported = shop().path("model.pt");
  const auto fold = run_program({"reparam", best, "-o", folded, "--data", shop().shapes("val")});
  ASSERT_EQ(fold.status, 0) << fold.errors;
  EXPECT_NE(fold.output.find("real images"), std::string::npos) << fold.output;
  const Weights better = load_checkpoint(best).better.value();
  EXPECT_NE(fold.output.find(fmt::format("{} weights of ", to_string(better))), std::string::npos)
      << fold.output;
  const auto write = run_program({"export", folded, "-o", exported});
  ASSERT_EQ(write.status, 0) << write.errors;

  const auto before = evaluate_json(best), after = evaluate_json(folded),
             shipped = evaluate_json(exported);
  EXPECT_EQ(before["images"], 20);
  for (const char* key : {"top1", "top5"}) {
    EXPECT_EQ(before[key], after[key]);
    EXPECT_EQ(before[key], shipped[key]);
  }
  EXPECT_NEAR(before["loss"].get<double>(), shipped["loss"].get<double>(), 1e-5);
}

TEST(Reparam, InFloat64) {
  const auto fold =
      run_program({"reparam", shop().path("run/best.pth"), "-o", shop().path("folded64.pth"),
                   "--float64", "--data", shop().shapes("val")});
  EXPECT_EQ(fold.status, 0) << fold.errors;
}

TEST(Export, FoldsAnUnfoldedCheckpointAndSaysSo) {
  const std::string best = shop().path("run/best.pth");
  const auto write = run_program({"export", best, "-o", shop().path("direct.pt"), "--freeze"});
  ASSERT_EQ(write.status, 0) << write.errors;
  EXPECT_TRUE(write.output.starts_with(best + ": is not folded; folding it first\n"))
      << write.output;
  EXPECT_EQ(evaluate_json(best)["top1"],
            evaluate_json(shop().path("direct.pt"), {"--run-code"})["top1"]);
}

TEST(Eval, WritesItsReport) {
  const auto outcome = run_program({"eval", shop().path("run/best.pth"), "--data",
                                    shop().shapes("val"), "--report", shop().path("report")});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("top-1"), std::string::npos);
  EXPECT_TRUE(read_file(shop().path("report/per_class.csv"))
                  .starts_with("class,images,correct,precision,"));
  EXPECT_TRUE(read_file(shop().path("report/confusion.svg")).starts_with("<svg"));
  EXPECT_TRUE(read_file(shop().path("report/confusion.csv")).starts_with("label,"));
  EXPECT_TRUE(read_file(shop().path("report/mistakes.csv")).starts_with("path,label,"));
  EXPECT_NE(outcome.output.find("ECE "), std::string::npos);
  for (const char* page : {"report/report.html", "report/mistakes.html", "report/confusion.svg"}) {
    EXPECT_EQ(xml_fault(read_file(shop().path(page))), "") << page;
  }
  EXPECT_NE(outcome.output.find("\nbalanced accuracy "), std::string::npos) << outcome.output;
  const auto json = evaluate_json(shop().path("run/best.pth"));
  for (const char* key :
       {"ece", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1"}) {
    EXPECT_GE(json.at(key), 0) << key;
    EXPECT_LE(json.at(key), 100) << key;
  }
  EXPECT_EQ(json["balanced_accuracy"], json["top1"]) << "each class has as many images";
  EXPECT_EQ(json["classes"].size(), 10u);
  EXPECT_EQ(json["classes"][0]["class"], "checkerboard");
}

TEST(Eval, ClassNamesMayBeAnyBytes) {
  const std::string data = shop().path("bytes"), run = shop().path("bytes_run");
  std::filesystem::copy(shop().shapes("train"), data, std::filesystem::copy_options::recursive);
  std::filesystem::rename(data + "/star", data + "/st\xe4r <&>");
  std::filesystem::rename(data + "/ring", data + "/\x1b[31mr\ning");
  const auto trained =
      run_program(shop().training("bytes_run", {"data.train=" + data, "data.val=" + data}));
  ASSERT_EQ(trained.status, 0) << trained.errors;
  const std::string best = run + "/best.pth", report = shop().path("bytes_report");
  const auto outcome = run_program({"eval", best, "--data", data, "--report", report});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(valid_utf8(outcome.output), outcome.output);
  EXPECT_EQ(xml_fault(read_file(report + "/report.html")), "");
  EXPECT_EQ(xml_fault(read_file(report + "/mistakes.html")), "");
  const auto predicted =
      run_program({"predict", best, data + "/st\xe4r <&>/0000.jpg", "--top", "10", "--json"});
  ASSERT_EQ(predicted.status, 0) << predicted.errors;
  EXPECT_TRUE(nlohmann::json::accept(predicted.output));
  EXPECT_NE(predicted.output.find(R"("st\\xe4r <&>")"), std::string::npos) << predicted.output;
  const std::string classes = read_file(run + "/classes.txt");
  EXPECT_EQ(std::count(classes.begin(), classes.end(), '\n'), 10) << classes;
  EXPECT_TRUE(classes.starts_with("\\x1b[31mr\\x0aing\n")) << classes;
  // What is made of them is of the same classes.
  const std::vector<std::string> names = load_checkpoint(best).class_names;
  EXPECT_EQ(names, read_image_list(data).class_names);
  for (const char* file : {"bytes.pt", "bytes.safetensors"}) {
    const std::string made = shop().path(file);
    const auto done = made.ends_with(".pt") ? run_program({"export", best, "-o", made})
                                            : run_program({"convert", best, made});
    ASSERT_EQ(done.status, 0) << done.errors;
    const auto evaluated = run_program({"eval", made, "--data", data});
    EXPECT_EQ(evaluated.status, 0) << evaluated.errors;
    EXPECT_NE(evaluated.output.find("st\\xe4r <&>"), std::string::npos) << evaluated.output;
  }
}

TEST(Eval, OfAPartOfTheClasses) {
  const std::string data = shop().path("part");
  for (const char* name : {"ring", "star"}) {
    std::filesystem::create_directories(data + "/" + name);
    std::filesystem::copy(shop().shapes("val") + "/" + name, data + "/" + name);
  }
  const auto evaluate = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"eval", shop().path("run/best.pth"), "--data", data, "--json"});
    const auto outcome = run_program(more);
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    return nlohmann::json::parse(outcome.output);
  };
  const auto all = evaluate({}), part = evaluate({"--restrict"});
  EXPECT_EQ(all["classes_of_network"], 10);
  EXPECT_EQ(all["classes_of_data"], 2);
  EXPECT_GE(part["top1"], all["top1"]);
  EXPECT_LT(part["loss"], all["loss"]);
}

TEST(Predict, NamesTheClasses) {
  const std::string image = shop().shapes("val") + "/star/0000.jpg";
  const auto outcome = run_program({"predict", shop().path("run/best.pth"), image, "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0]["image"], image);
  EXPECT_EQ(json[0]["predictions"].size(), 5u);
}

TEST(Predict, TakesFoldersAndGoesOnPastUnreadableImages) {
  const std::string dir = shop().path("photos"), best = shop().path("run/best.pth");
  std::filesystem::create_directories(dir);
  std::filesystem::copy(shop().shapes("val") + "/star", dir + "/star",
                        std::filesystem::copy_options::recursive);
  write_whole(dir + "/a, \"b\".jpg", "no picture");
  const std::vector<std::string> command = {"predict", best, dir, "--top", "2"};
  const auto as = [&](const char* format) {
    auto arguments = command;
    arguments.insert(arguments.end(), {"--format", format});
    const auto outcome = run_program(arguments);
    EXPECT_EQ(outcome.status, 2) << outcome.errors;
    EXPECT_NE(outcome.errors.find("a, \"b\".jpg: "), std::string::npos) << outcome.errors;
    EXPECT_TRUE(outcome.errors.ends_with("mobileone: 1 of 3 images could not be read\n"));
    return outcome.output;
  };
  EXPECT_EQ(count(as("text"), " %  "), 4);
  const auto rows = parse_csv(as("csv"), "csv");
  ASSERT_EQ(rows.size(), 6u);
  EXPECT_EQ(rows[0].fields,
            (std::vector<std::string>{"image", "rank", "index", "class", "probability", "error"}));
  EXPECT_EQ(rows[1].fields[0], dir + "/a, \"b\".jpg");
  EXPECT_NE(rows[1].fields[5], "");
  EXPECT_EQ(rows[3].fields[1], "2");
  auto array = nlohmann::json::parse(as("json"));
  ASSERT_EQ(array.size(), 3u);
  EXPECT_EQ(array[2]["predictions"][0]["class"], rows[4].fields[3]);
  EXPECT_TRUE(array[0].contains("error"));
  std::istringstream lines(as("jsonl"));
  for (std::string line; std::getline(lines, line);) {
    EXPECT_EQ(nlohmann::json::parse(line), array.front());
    array.erase(0);
  }
  EXPECT_TRUE(array.empty());
}

TEST(Predict, TakesWhatEvalTakes) {
  const std::string best = shop().path("run/best.pth"), list = shop().path("paths.txt");
  write_whole(list, shop().shapes("val") + "/star/0000.jpg\n" + shop().shapes("val") + "/ring\n");
  const auto outcome =
      run_program({"predict",     best,    "--list",   list,   "--resize",  "40", "--crop",    "32",
                   "--precision", "bf16",  "--batch",  "2",    "--workers", "1",  "--threads", "1",
                   "--raw",       "--cpu", "--format", "jsonl"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(count(outcome.output, "\n"), 3);
  const auto nothing = run_program({"predict", best});
  EXPECT_EQ(nothing.status, 2);
  EXPECT_NE(nothing.errors.find("expected images"), std::string::npos) << nothing.errors;
}

TEST(Summary, CountsS0) {
  const auto outcome = run_program({"summary", "s0"});
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  for (const char* number : {"5293272", "2078504", "275110400"}) {
    EXPECT_NE(outcome.output.find(number), std::string::npos) << number;
  }
}

TEST(Summary, CountsOperators) {
  const auto outcome = run_program({"summary", "s0", "--operators", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(json.at("total").at("macs"), 275110400);
  const auto table = run_program({"summary", "s0:unfolded", "--operators", "--size", "64"});
  EXPECT_NE(table.output.find("aten::batch_norm"), std::string::npos) << table.errors;
  const auto neither = run_program({"summary", "s9", "--operators"});
  EXPECT_NE(neither.status, 0);
  EXPECT_NE(neither.errors.find("s9: is no such file and no variant"), std::string::npos);
}

TEST(Summary, OfARunsFiles) {
  for (const char* file : {"tiny.yaml", "run/best.pth"}) {
    const auto outcome = run_program({"summary", shop().path(file)});
    EXPECT_EQ(outcome.status, 0) << outcome.errors;
    EXPECT_NE(outcome.output.find("custom"), std::string::npos);
  }
}

TEST(BenchLatency, TimesFilesInTurn) {
  const auto outcome =
      run_program({"bench", "latency", shop().path("run/best.pth"), "--size", "32"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("unfolded"), std::string::npos);
}

TEST(BenchKernels, CountsTheProductsOfAllUnits) {
  const auto set = kernels::instruction_sets().front();
  const auto outcome = run_program({"bench", "kernels", "--variant", "s0", "--isa",
                                    std::string(set), "--rounds", "1", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  ASSERT_EQ(json.size(), 1u);
  EXPECT_EQ(json[0].at("instruction_set"), set);
  EXPECT_GT(json[0].at("peak_gflops"), 0);
  double flops = 0;
  for (const auto& kernel : json[0].at("kernels")) {
    EXPECT_GT(kernel.at("seconds"), 0);
    EXPECT_GT(kernel.at("share_of_bound"), 0);
    if (kernel.at("kernel") == "products") {
      flops += kernel.at("units").get<double>() * kernel.at("flops").get<double>();
    }
  }
  auto options = network_options(Variant::kS0, 0);
  options.folded = true;
  int64_t macs = 0;
  for (const auto& layer : layer_counts(options, 224)) {
    if (!layer.kind.starts_with("depthwise")) macs += layer.macs;
  }
  EXPECT_EQ(flops, 2.0 * 4 * static_cast<double>(macs));  // of four images
}

TEST(BenchData, SplitsTheTimeOfAnImage) {
  const std::vector<std::string> command = {"bench",      "data",     shop().path("tiny.yaml"),
                                            "--workers",  "2",        "--images",
                                            "20",         "--rounds", "2",
                                            "--consumes", "1e9"};
  const auto table = run_program(command);
  EXPECT_EQ(table.status, 0) << table.errors;
  for (const char* part : {"img/s per core", "read", "decode", "transform", "would wait 100 %"}) {
    EXPECT_NE(table.output.find(part), std::string::npos) << part;
  }
  auto as_json = command;
  as_json.push_back("--json");
  const auto outcome = run_program(as_json);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_GT(json.at("images_per_second"), 0);
  EXPECT_GE(json.at("images"), 40);
  EXPECT_EQ(json.at("workers"), 2);
  EXPECT_EQ(json.at("trainer_waits"), true);
  EXPECT_GT(json.at("microseconds_per_image").at("decode"), 0);
}

TEST(BenchData, MeasuresTheTrainerWhereItIsNotTold) {
  const auto outcome = run_program(
      {"bench", "data", shop().path("tiny.yaml"), "--images", "20", "--rounds", "2", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output);
  EXPECT_GT(json.at("trainer_images_per_second"), 0);
  EXPECT_EQ(json.at("trainer_waits"),
            json.at("images_per_second") < json.at("trainer_images_per_second"));
}

}  // namespace
}  // namespace mobileone
