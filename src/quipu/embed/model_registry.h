// The models that there are: described when asked about, loaded when first needed, kept until the
// process ends.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/clock.h"
#include "quipu/base/file_system.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/embed/embedder.h"
#include "quipu/embed/model_folder.h"
#include "quipu/embed/runtime.h"
#include "quipu/text/tokenizer/tokenizer.h"

namespace quipu::embed {

// A model's folder and tokenizer: what counting tokens needs.
struct DescribedModel {
  std::string name;
  ModelFolder folder;
  std::unique_ptr<const text::Tokenizer> tokenizer;
};

// A model ready to run. Threads: RuntimeModel's rule; the rest is immutable.
struct LoadedModel {
  const DescribedModel* described = nullptr;
  std::string revision;
  std::unique_ptr<MappedFile> file;  // what `weights` and `runtime` refer to
  std::vector<WeightView> weights;
  std::unique_ptr<RuntimeModel> runtime;
  double load_ms = 0;
};

struct RegistryOptions {
  std::vector<std::string> model_dirs;  // searched in order; a model is a folder in one of them
  std::size_t threads = 1;
  std::string precision;  // "", "f32", "bf16"
  std::string runtime_dir;
  std::string compile_cache_dir;
  Runtime* runtime = nullptr;  // instead of the module's, for tests; outlives the registry
};

// Threads: any. Loading one model does not hold up the others. What it hands out lives as long as
// it.
class ModelRegistry {
 public:
  // Both outlive the registry.
  ModelRegistry(RegistryOptions options, FileSystem& fs, Clock& clock);
  ~ModelRegistry();

  // Errors: kNotFound ("model_not_found") listing those that are there; kCorruption
  // ("model_damaged") naming the file; kUnimplemented.
  [[nodiscard]] Result<const DescribedModel*> describe(std::string_view name);
  // Errors: as describe(); kUnavailable ("embedding_runtime_missing").
  [[nodiscard]] Result<LoadedModel*> load(std::string_view name);
  // The model, with its revision.
  [[nodiscard]] Result<ModelInfo> info(std::string_view name);
  // Those that can be described, by name; their revisions only where they are known already.
  [[nodiscard]] std::vector<ModelInfo> list();

 private:
  struct Entry {
    Mutex mutex;  // held while describing and loading
    std::unique_ptr<DescribedModel> described GUARDED_BY(mutex);
    std::unique_ptr<LoadedModel> loaded GUARDED_BY(mutex);
    std::string revision GUARDED_BY(mutex);
  };
  [[nodiscard]] Entry& entry(std::string_view name);
  [[nodiscard]] Entry* find_entry(std::string_view name);  // null if nobody asked yet
  Status describe_locked(Entry& entry, std::string_view name) REQUIRES(entry.mutex);
  Status load_locked(Entry& entry, std::string_view name) REQUIRES(entry.mutex);
  [[nodiscard]] Result<std::string> find_folder(std::string_view name);
  [[nodiscard]] std::vector<std::string> names();
  [[nodiscard]] ModelInfo info_of(const DescribedModel& model, const LoadedModel* loaded) const;

  const RegistryOptions options_;
  FileSystem& fs_;
  Clock& clock_;
  Mutex mutex_;
  // An entry is made for any name that is asked for and found, and never removed.
  std::map<std::string, std::unique_ptr<Entry>, std::less<>> entries_ GUARDED_BY(mutex_);
};

// Loads a described model with a runtime, apart from any registry.
[[nodiscard]] Result<std::unique_ptr<LoadedModel>> load_model(const DescribedModel& described,
                                                              const RegistryOptions& options,
                                                              FileSystem& fs, Clock& clock);
[[nodiscard]] Result<std::unique_ptr<DescribedModel>> describe_model(FileSystem& fs,
                                                                     const std::string& name,
                                                                     const std::string& path);

}  // namespace quipu::embed
