#include "quipu/embed/model_registry.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "quipu/base/limits.h"
#include "quipu/base/log.h"
#include "quipu/embed/runtime_loader.h"
#include "quipu/embed/safetensors.h"

namespace quipu::embed {
namespace {

// A name is one folder's: nothing that could lead elsewhere.
bool is_model_name(std::string_view name) {
  if (name.empty() || name.size() > limits::kNameBytesMax || name[0] == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

}  // namespace

ModelRegistry::ModelRegistry(RegistryOptions options, FileSystem& fs, Clock& clock)
    : options_(std::move(options)), fs_(fs), clock_(clock) {}
ModelRegistry::~ModelRegistry() = default;

std::vector<std::string> ModelRegistry::names() {
  std::set<std::string> found;
  for (const std::string& directory : options_.model_dirs) {
    const Result<std::vector<std::string>> listed = fs_.list(directory);
    if (!listed.ok()) continue;  // A folder of models that is not there holds none.
    for (const std::string& name : listed.value()) {
      const std::string path = directory + "/" + name;
      if (is_model_name(name) && fs_.is_directory(path) && fs_.exists(path + "/tokenizer.json")) {
        found.insert(name);
      }
    }
  }
  return {found.begin(), found.end()};
}

Result<std::string> ModelRegistry::find_folder(std::string_view name) {
  if (is_model_name(name)) {
    for (const std::string& directory : options_.model_dirs) {
      std::string path = directory + "/" + std::string(name);
      if (fs_.is_directory(path)) return path;
    }
  }
  std::string there;
  for (const std::string& known : names()) there += (there.empty() ? "" : ", ") + known;
  std::string searched;
  for (const std::string& directory : options_.model_dirs) {
    searched += (searched.empty() ? "" : ", ") + directory;
  }
  return Error{ErrorCode::kNotFound,
               "there is no model '" + std::string(name) +
                   "'; there are: " + (there.empty() ? "none" : there) + " (looked in: " +
                   (searched.empty() ? "no folder is configured" : searched) + ")",
               "model_not_found"};
}

ModelRegistry::Entry& ModelRegistry::entry(std::string_view name) {
  const MutexLock lock(mutex_);
  auto found = entries_.find(name);
  if (found == entries_.end()) {
    found = entries_.emplace(std::string(name), std::make_unique<Entry>()).first;
  }
  return *found->second;
}

ModelRegistry::Entry* ModelRegistry::find_entry(std::string_view name) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(name);
  return found == entries_.end() ? nullptr : found->second.get();
}

Result<std::unique_ptr<DescribedModel>> describe_model(FileSystem& fs, const std::string& name,
                                                       const std::string& path) {
  auto model = std::make_unique<DescribedModel>();
  model->name = name;
  QUIPU_TRY(model->folder, read_model_folder(fs, path));
  const std::string file = path + "/tokenizer.json";
  const Result<std::string> json = read_file(fs, file, kTokenizerBytesMax);
  if (!json.ok()) return model_damaged(file, json.error().message);
  Result<std::unique_ptr<text::Tokenizer>> tokenizer = text::Tokenizer::from_json(json.value());
  if (!tokenizer.ok()) {
    Error error = std::move(tokenizer).error();
    if (error.code != ErrorCode::kUnimplemented) return model_damaged(file, error.message);
    error.message = file + ": " + error.message;
    return error;
  }
  model->tokenizer = std::move(tokenizer).value();
  const ModelFolder& folder = model->folder;
  if (folder.vocabulary != 0 && model->tokenizer->ids_end() > folder.vocabulary) {
    return model_damaged(file, "its ids go to " + std::to_string(model->tokenizer->ids_end() - 1) +
                                   ", the model's vocabulary to " +
                                   std::to_string(folder.vocabulary - 1));
  }
  if (model->tokenizer->template_token_count() >= folder.tokens_max) {
    return model_damaged(file, "its template leaves no room for text in " +
                                   std::to_string(folder.tokens_max) + " tokens");
  }
  if (folder.task == ModelTask::kScore) {
    // Now, and not with the first pair, it is known whether the file has a template for pairs.
    text::Encoding pair;
    if (Status tried = model->tokenizer->encode_pair("", "", {}, pair); !tried.ok()) {
      Error error = std::move(tried).error();
      error.message = file + ": " + error.message;
      return error;
    }
    if (model->tokenizer->pair_template_token_count() >= folder.tokens_max) {
      return model_damaged(file, "its template leaves no room for two texts in " +
                                     std::to_string(folder.tokens_max) + " tokens");
    }
  }
  return model;
}

Result<std::unique_ptr<LoadedModel>> load_model(const DescribedModel& described,
                                                const RegistryOptions& options, FileSystem& fs,
                                                Clock& clock) {
  const auto start = clock.steady_now();
  const ModelFolder& folder = described.folder;
  auto model = std::make_unique<LoadedModel>();
  model->described = &described;
  RuntimeModelSpec spec{.name = described.name,
                        .model_file = "",
                        .encoder = folder.encoder,
                        .weights = {},
                        .task = folder.task,
                        .pooling = folder.pooling,
                        .normalise = folder.normalise,
                        .tokens_max = folder.tokens_max,
                        .one_by_one = folder.one_by_one,
                        .precision = options.precision,
                        .threads = options.threads,
                        .compile_cache_dir = options.compile_cache_dir};
  const std::string weights = folder.path + "/" + folder.weights_file;
  if (folder.format == ModelFormat::kSafetensors) {
    Result<std::unique_ptr<MappedFile>> file = fs.map(weights);
    if (!file.ok()) return model_damaged(weights, file.error().message);
    model->file = std::move(file).value();
    Result<std::vector<WeightView>> views = parse_safetensors(model->file->bytes());
    if (!views.ok()) return model_damaged(weights, views.error().message);
    model->weights = std::move(views).value();
    spec.weights = model->weights;
  } else {
    spec.model_file = weights;
  }
  Runtime* runtime = options.runtime;
  if (runtime == nullptr) {
    QUIPU_TRY(runtime, open_runtime(options.runtime_dir));
  }
  QUIPU_TRY(model->runtime, runtime->load(spec));
  const std::uint32_t dim = model->runtime->info().dim;
  if (folder.dim != 0 && dim != folder.dim) {
    return model_damaged(weights, "its vectors have " + std::to_string(dim) +
                                      " dimensions where config.json gives " +
                                      std::to_string(folder.dim));
  }
  model->load_ms = to_ms(clock.steady_now() - start);
  return model;
}

Status ModelRegistry::describe_locked(Entry& entry, std::string_view name) {
  if (entry.described != nullptr) return ok_status();
  QUIPU_TRY(const std::string path, find_folder(name));
  QUIPU_TRY(entry.described, describe_model(fs_, std::string(name), path));
  return ok_status();
}

Status ModelRegistry::load_locked(Entry& entry, std::string_view name) {
  if (entry.loaded != nullptr) return ok_status();
  QUIPU_TRY_OK(describe_locked(entry, name));
  if (entry.revision.empty()) {
    QUIPU_TRY(entry.revision, model_revision(fs_, entry.described->folder, false));
  }
  QUIPU_TRY(std::unique_ptr<LoadedModel> loaded,
            load_model(*entry.described, options_, fs_, clock_));
  loaded->revision = entry.revision;
  entry.loaded = std::move(loaded);
  log_info("model loaded",
           {{"model", std::string(name)},
            {"precision", entry.loaded->runtime->info().precision},
            {"load_ms", std::to_string(static_cast<std::int64_t>(entry.loaded->load_ms))}});
  return ok_status();
}

Result<const DescribedModel*> ModelRegistry::describe(std::string_view name) {
  QUIPU_TRY(const std::string path, find_folder(name));
  Entry& found = entry(name);
  const MutexLock lock(found.mutex);
  QUIPU_TRY_OK(describe_locked(found, name));
  return static_cast<const DescribedModel*>(found.described.get());
}

Result<LoadedModel*> ModelRegistry::load(std::string_view name) {
  // The usual case needs no look at the disk: what is loaded stays.
  if (Entry* const known = find_entry(name); known != nullptr) {
    const MutexLock lock(known->mutex);
    if (known->loaded != nullptr) return known->loaded.get();
  }
  QUIPU_TRY(const std::string path, find_folder(name));
  Entry& found = entry(name);
  const MutexLock lock(found.mutex);
  QUIPU_TRY_OK(load_locked(found, name));
  return found.loaded.get();
}

ModelInfo ModelRegistry::info_of(const DescribedModel& model, const LoadedModel* loaded) const {
  const ModelFolder& folder = model.folder;
  ModelInfo info;
  info.name = model.name;
  info.path = folder.path;
  info.architecture = folder.architecture;
  info.format = std::string(model_format_name(folder.format));
  info.dim = loaded != nullptr ? loaded->runtime->info().dim : folder.dim;
  info.tokens_max = folder.tokens_max;
  info.task = std::string(model_task_name(folder.task));
  info.pooling = std::string(pooling_name(folder.pooling));
  info.normalised = folder.normalise;
  info.query_prefix = folder.query_prefix;
  info.passage_prefix = folder.passage_prefix;
  info.precision = loaded != nullptr             ? loaded->runtime->info().precision
                   : !options_.precision.empty() ? options_.precision
                   : cpu_has_bf16()              ? "bf16"
                                                 : "f32";
  info.loaded = loaded != nullptr;
  info.file_bytes = folder.weights_bytes;
  return info;
}

Result<ModelInfo> ModelRegistry::info(std::string_view name) {
  QUIPU_TRY(const std::string path, find_folder(name));
  Entry& found = entry(name);
  const MutexLock lock(found.mutex);
  QUIPU_TRY_OK(describe_locked(found, name));
  // Only a loaded file without a config.json tells its dimension.
  if (found.described->folder.dim == 0) QUIPU_TRY_OK(load_locked(found, name));
  if (found.revision.empty()) {
    QUIPU_TRY(found.revision, model_revision(fs_, found.described->folder, false));
  }
  ModelInfo info = info_of(*found.described, found.loaded.get());
  info.revision = found.revision;
  return info;
}

std::vector<ModelInfo> ModelRegistry::list() {
  std::vector<ModelInfo> out;
  for (const std::string& name : names()) {
    Entry& found = entry(name);
    const MutexLock lock(found.mutex);
    if (const Status status = describe_locked(found, name); !status.ok()) {
      log_warning("a model cannot be used", {{"model", name}, {"error", status.error().message}});
      continue;
    }
    ModelInfo info = info_of(*found.described, found.loaded.get());
    info.revision =
        found.revision.empty() ? kept_model_revision(fs_, found.described->folder) : found.revision;
    out.push_back(std::move(info));
  }
  return out;
}

}  // namespace quipu::embed
