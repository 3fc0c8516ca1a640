#include "mobileone/train/environment.h"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <c10/util/hash.h>
#include <torch/version.h>
#include <unistd.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "mobileone/config/writer.h"
#include "mobileone/optim/runtime.h"
#include "mobileone/util/error.h"
#include "mobileone/util/file.h"
#include "mobileone/util/machine.h"
#include "mobileone/util/version.h"

namespace mobileone {
namespace {

using Json = nlohmann::ordered_json;

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

Json describe_machine() {
  const Machine machine = this_machine();
  return {{"host", machine.host},
          {"system", machine.system},
          {"processor", machine.processor},
          {"cores", machine.cores},
          {"memory", machine.memory}};
}

Json describe_data(const ImageList& list, const std::string& sha1) {
  return {{"origin", list.origin},
          {"images", list.size()},
          {"classes", list.class_names.size()},
          {"sha1", sha1}};
}

/// Nothing where the file holds none of ours.
std::optional<Json> sessions_in(const std::filesystem::path& path) {
  Json sessions = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  const bool ours = sessions.is_array() && !sessions.empty() && sessions[0].is_object() &&
                    sessions[0].contains("mobileone");
  return ours ? std::optional(std::move(sessions)) : std::nullopt;
}

Json earlier_sessions(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return Json::array();
  if (auto sessions = sessions_in(path)) return *std::move(sessions);
  throw Error("{}: is not what a run wrote, and will not be replaced; move it away", path.string());
}

}  // namespace

void record_session(const std::filesystem::path& path, const Session& session) {
  const Config& config = session.config;
  Json data = {{"train", describe_data(session.train, session.data.train)}};
  if (session.val != nullptr) data["val"] = describe_data(*session.val, session.data.val);
  Json sessions = earlier_sessions(path);
  sessions.push_back({{"started", utc_now()},
                      {"process", ::getpid()},
                      {"after_step", session.step},
                      {"mobileone", {{"version", version()}, {"revision", revision()}}},
                      {"libtorch", TORCH_VERSION},
                      {"instructions", at::get_cpu_capability()},
                      {"device", choose_device(config.runtime.device).str()},
                      {"threads", at::get_num_threads()},
                      {"machine", describe_machine()},
                      {"config_sha1", c10::sha1(to_yaml(config)).str()},
                      {"data", data}});
  const auto replace_bad_utf8 = Json::error_handler_t::replace;
  write_whole(path, sessions.dump(2, ' ', false, replace_bad_utf8) + "\n");
}

bool records_sessions(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error) && sessions_in(path).has_value();
}

}  // namespace mobileone
