#include "quipu/embed/runtime_loader.h"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "quipu/base/thread_annotations.h"

namespace quipu::embed {
namespace {

constexpr char kModule[] = "libquipu_openvino.so";

std::vector<std::string> places(const std::string& runtime_dir) {
  if (!runtime_dir.empty()) return {runtime_dir + "/" + kModule};
  if (const char* set = std::getenv("QUIPU_RUNTIME_DIR"); set != nullptr && *set != '\0') {
    return {std::string(set) + "/" + kModule};
  }
  std::vector<std::string> out;
  std::error_code problem;  // Without /proc only the system's places are left.
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", problem);
  if (!problem) {
    const std::filesystem::path beside = self.parent_path();
    out.push_back((beside / kModule).string());
    out.push_back((beside.parent_path() / "lib" / "quipu" / kModule).string());
  }
  out.emplace_back(kModule);
  return out;
}

Result<Runtime*> open_first(const std::vector<std::string>& paths) {
  std::string tried;
  for (const std::string& path : paths) {
    // Never closed: the module's threads and static objects live as long as the process.
    void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (module == nullptr) {
      const char* const said = dlerror();
      tried += "\n  " + path + ": " + (said == nullptr ? "not found" : said);
      continue;
    }
    const auto create = reinterpret_cast<CreateRuntime>(dlsym(module, kCreateRuntimeSymbol));
    Runtime* const runtime = create == nullptr ? nullptr : create(kRuntimeInterface);
    if (runtime != nullptr) return runtime;
    tried += "\n  " + path + ": built for another version of Quipu, or would not start";
  }
  return Error{
      ErrorCode::kUnavailable,
      "the embedding runtime is missing: no usable " + std::string(kModule) +
          " (`make setup build` makes it; QUIPU_RUNTIME_DIR says where it is). Tried:" + tried,
      "embedding_runtime_missing"};
}

}  // namespace

Result<Runtime*> open_runtime(const std::string& runtime_dir) {
  static Mutex mutex;
  static std::map<std::vector<std::string>, Runtime*>& opened =
      *new std::map<std::vector<std::string>, Runtime*>();
  const MutexLock lock(mutex);
  const std::vector<std::string> paths = places(runtime_dir);
  if (const auto found = opened.find(paths); found != opened.end()) return found->second;
  QUIPU_TRY(Runtime * runtime, open_first(paths));
  opened.emplace(paths, runtime);
  return runtime;
}

bool cpu_has_bf16() noexcept {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") != 0;
#else
  return false;
#endif
}

}  // namespace quipu::embed
