#include <filesystem>
#include <fstream>
#include <ostream>

#include "quipu/base/file_system.h"
#include "quipu/base/format.h"
#include "quipu/cli/commands.h"
#include "quipu/simd/distance_kernels.h"
#include "quipu/text/documents/child_process.h"

namespace quipu::cli {
namespace {

struct GpuDevice {
  std::string name;
  std::string memory;  // as the driver's tool writes it
  std::string driver;
  std::string source;  // what told of it
};

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

// One device for each line of "name, memory, driver".
std::vector<GpuDevice> devices_of_nvidia_smi() {
  text::ChildLimits limits;
  limits.output_bytes_max = 1U << 20;
  const Result<std::string> listed = text::run_child(
      {"nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"}, "",
      limits);
  std::vector<GpuDevice> devices;
  // Without the tool, or with a driver that it cannot reach, the kernel's own listing is asked.
  if (!listed.ok()) return devices;
  const std::string_view lines = listed.value();
  for (std::size_t at = 0; at < lines.size();) {
    const std::size_t end = std::min(lines.find('\n', at), lines.size());
    const std::string_view line = lines.substr(at, end - at);
    const std::size_t first = line.find(',');
    const std::size_t second = first == std::string_view::npos ? first : line.find(',', first + 1);
    if (second != std::string_view::npos) {
      devices.push_back({trimmed(line.substr(0, first)),
                         trimmed(line.substr(first + 1, second - first - 1)),
                         trimmed(line.substr(second + 1)), "nvidia-smi"});
    }
    at = end + 1;
  }
  return devices;
}

std::vector<GpuDevice> devices_of_kernel() {
  std::vector<GpuDevice> devices;
  std::error_code failed;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/driver/nvidia/gpus", failed)) {
    std::ifstream file(entry.path() / "information");
    GpuDevice device;
    device.source = "/proc/driver/nvidia";
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Model:")) device.name = trimmed(line.substr(6));
    }
    devices.push_back(std::move(device));
  }
  return devices;
}

void print_status(Context& context, const JsonView& status, const std::string& where) {
  std::ostream& out = context.out();
  const std::string reason = text_of(status, "state_reason");
  const std::uint64_t user_bytes = count_of(status, "user_bytes_written");
  const std::uint64_t file_bytes = count_of(status, "file_bytes_written");
  out << "at            " << printable(where) << '\n'
      << "version       " << text_of(status, "version") << '\n'
      << "state         " << text_of(status, "state") << (reason.empty() ? "" : ": ")
      << printable(reason) << '\n'
      << "up            "
      << human_duration(static_cast<double>(count_of(status, "uptime_ms")) / 1000) << '\n'
      << "collections   " << human_count(count_of(status, "collections")) << '\n'
      << "points        " << human_count(count_of(status, "points")) << '\n'
      << "not yet linked " << human_count(count_of(status, "tail_vectors")) << '\n'
      << "on disk       " << human_bytes(count_of(status, "disk_bytes")) << '\n'
      << "memory        " << human_bytes(count_of(status, "resident_bytes")) << " of "
      << human_bytes(count_of(status, "memory_bytes_max")) << " allowed\n"
      << "written       " << human_bytes(user_bytes) << " by users, " << human_bytes(file_bytes)
      << " to files\n"
      << "write queue   " << count_of(status, "write_queue_operations") << " operations\n";
}

}  // namespace

int status(Context& context) {
  const Result<Answer> answer = context.call(Context::Need::kReading, "GET", "/status");
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  const Result<Backend*> backend = context.backend(Context::Need::kReading);
  print_status(context, answer.value().json(),
               backend.ok() ? backend.value()->description() : std::string());
  return kExitOk;
}

int health(Context& context) {
  const Result<Answer> answer = context.call(Context::Need::kReading, "GET", "/health");
  if (!answer.ok()) return context.fail(answer.error());
  const JsonView report = answer.value().json();
  const bool healthy = text_of(report, "status") == "ok";
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    const std::string reason = text_of(report, "reason");
    context.out() << text_of(report, "status") << ": the engine is " << text_of(report, "state")
                  << (reason.empty() ? "" : ", ") << printable(reason) << '\n';
  }
  return healthy ? kExitOk : kExitFailure;
}

int gpu(Context& context) {
  std::vector<GpuDevice> devices = devices_of_nvidia_smi();
  if (devices.empty()) devices = devices_of_kernel();
  const std::string_view kernel = simd::kernels().name;
  if (context.json()) {
    std::string text;
    JsonWriter json(text);
    json.begin_object().key("devices").begin_array();
    for (const GpuDevice& device : devices) {
      json.begin_object().key("name").value(std::string_view(device.name));
      json.key("memory").value(std::string_view(device.memory));
      json.key("driver").value(std::string_view(device.driver));
      json.key("source").value(std::string_view(device.source)).end_object();
    }
    json.end_array().key("used").value(false);
    json.key("computes_on").value("cpu").key("distance_kernel").value(kernel).end_object();
    context.print_json(text);
    return kExitOk;
  }
  if (devices.empty()) {
    context.out() << "no NVIDIA device was found\n";
  } else {
    Table table({{"device"}, {"memory"}, {"driver"}, {"told by"}});
    for (const GpuDevice& device : devices) {
      table.add({device.name, device.memory, device.driver, device.source});
    }
    table.print(context.streams());
  }
  context.out() << "this build computes on the CPU (distance kernel " << kernel << ")\n";
  return kExitOk;
}

int version(Context& context) {
  if (context.json()) {
    context.print_json(quipu::format(R"({{"version":"{}"}})", QUIPU_VERSION));
  } else {
    context.out() << "quipu " << QUIPU_VERSION << '\n';
  }
  return kExitOk;
}

int snapshot(Context& context, const SnapshotArguments& arguments) {
  std::string body;
  JsonWriter(body).begin_object().key("name").value(std::string_view(arguments.name)).end_object();
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST", "/v1/snapshots", std::move(body));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    context.out() << "took snapshot " << text_of(answer.value().json(), "path")
                  << " in the data folder, in "
                  << fixed(real_of(answer.value().json(), "took_ms") / 1000, 2) << " s\n";
  }
  return kExitOk;
}

int restore(Context& context, const SnapshotArguments& arguments) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  const std::string& data_dir = settings.value()->engine.data_dir;
  const Status restored = Engine::restore(arguments.directory, data_dir, {});
  if (!restored.ok()) return context.fail(restored.error());
  if (context.json()) {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .key("restored")
        .value(true)
        .key("data_dir")
        .value(std::string_view(data_dir))
        .end_object();
    context.print_json(text);
  } else {
    context.out() << "restored " << printable(arguments.directory) << " into "
                  << printable(data_dir) << '\n';
  }
  return kExitOk;
}

}  // namespace quipu::cli
