// The fuzzers of all readers in one program: `readers_fuzzer --reader=tar CORPUS...` runs that of
// tar files. libFuzzer, which has the main function, leaves options with two dashes alone.

#include <map>

#include "fuzz.h"
#include "mobileone/util/log.h"

namespace {

using namespace mobileone;
void (*reader)(std::string_view) = nullptr;

}  // namespace

// What readers tell of is not printed: it would take most of the time.
void mobileone::log::write_info(const std::string&) {}
void mobileone::log::write_warning(const std::string&) {}

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  // The kinds of images have one reader, which tells them by their first bytes, and a corpus each.
  const std::map<std::string_view, void (*)(std::string_view)> readers = {
      {"--reader=torch_file", fuzz::torch_file},
      {"--reader=safetensors", fuzz::safetensors},
      {"--reader=pickle", fuzz::pickle},
      {"--reader=jpeg", fuzz::jpeg},
      {"--reader=png", fuzz::image},
      {"--reader=webp", fuzz::image},
      {"--reader=tiff", fuzz::image},
      {"--reader=gif", fuzz::image},
      {"--reader=bmp", fuzz::image},
      {"--reader=pnm", fuzz::image},
      {"--reader=frames", fuzz::frames},
      {"--reader=mask", fuzz::mask},
      {"--reader=coco", fuzz::coco},
      {"--reader=coco_results", fuzz::coco_results},
      {"--reader=voc_xml", fuzz::voc_xml},
      {"--reader=yolo_text", fuzz::yolo_text},
      {"--reader=tar", fuzz::tar},
      {"--reader=pack", fuzz::pack}};
  const auto chosen = *argc > 1 ? readers.find((*argv)[1]) : readers.end();
  if (chosen == readers.end()) {
    std::fputs("expected one of these as the first argument:", stderr);
    for (const auto& [option, function] : readers) std::fprintf(stderr, " %s", option.data());
    std::fputs("\n", stderr);
    std::exit(2);
  }
  reader = chosen->second;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  reader({reinterpret_cast<const char*>(data), size});
  return 0;
}
