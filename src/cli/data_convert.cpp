#include <memory>
#include <string>

#include "mobileone/cli/commands.h"
#include "mobileone/cli/endings.h"
#include "mobileone/cli/options.h"
#include "mobileone/data/object_sets.h"
#include "mobileone/data/object_writers.h"
#include "mobileone/optim/runtime.h"

namespace mobileone::cli {
namespace {

struct DataConvertOptions {
  std::string source;
  DataConfig data;
  ObjectFilesOptions files;
};

void convert_objects(const DataConvertOptions& options) {
  require_folder_name("output", options.files.output);
  set_threads(1);  // each worker reads by itself
  const ImageList list =
      read_object_list(options.source, options.data.train_annotations, options.data);
  const ObjectFilesSummary made = write_object_files(list, options.files);
  fmt::print("{}: {} images with {} boxes of {} classes\n", options.files.output, made.images,
             made.objects, list.class_names.size());
}

}  // namespace

void add_data_convert(CLI::App& data) {
  auto options = std::make_shared<DataConvertOptions>();
  auto* command = data.add_subcommand(
      "convert", "Write a set of images with boxes as COCO, Pascal VOC or YOLO have them");
  command
      ->add_option("source", options->source, "Folder of images, COCO's file, VOC's list, or pack")
      ->required();
  command->add_option("output", options->files.output, "Folder to make")->required();
  command
      ->add_option_function<std::string>(
          "--to",
          [options](const std::string& name) {
            options->files.format = name == "coco"  ? DataFormat::kCoco
                                    : name == "voc" ? DataFormat::kVoc
                                                    : DataFormat::kYolo;
          },
          "Format to write: coco, voc, yolo")
      ->required()
      ->check(CLI::IsMember({"coco", "voc", "yolo"}));
  command->add_option("--annotations", options->data.train_annotations,
                      "COCO's file, or the folder of VOC's or YOLO's [found beside the images]");
  add_enum_option(*command, "--format", options->data.format, "How images and boxes lie");
  command->add_option("--workers", options->files.threads, "Threads that read images")
      ->check(CLI::Range(1, 1024))
      ->default_val(2);
  command->callback([options] { convert_objects(*options); });
}

}  // namespace mobileone::cli
