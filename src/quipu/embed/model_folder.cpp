#include "quipu/embed/model_folder.h"

#include <algorithm>
#include <functional>
#include <string_view>
#include <utility>

#include "quipu/base/bytes.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/embed/encoder_config.h"

namespace quipu::embed {
namespace {

constexpr std::uint64_t kConfigBytesMax = 1U << 20;
constexpr std::uint64_t kTokensMax = 32'768;
constexpr char kDigestFile[] = ".quipu-digest";

// Reads one folder into a ModelFolder.
class FolderReader {
 public:
  FolderReader(FileSystem& fs, ModelFolder& out) : fs_(fs), out_(out) {}

  Status read() {
    QUIPU_TRY(const std::optional<ConfigFile> config, open("config.json"));
    QUIPU_TRY_OK(require("tokenizer.json"));
    QUIPU_TRY_OK(find_weights(config));
    if (config.has_value()) QUIPU_TRY_OK(read_config(*config));
    QUIPU_TRY_OK(read_modules());
    QUIPU_TRY_OK(read_sentence_bert());
    QUIPU_TRY_OK(read_prompts());
    QUIPU_TRY_OK(read_overrides());
    if (out_.tokens_max == 0) {
      return model_damaged(file("config.json"),
                           "without it quipu.json must give 'tokens_max', and it does not");
    }
    if (positions_ != 0 && out_.tokens_max > positions_) {
      return model_damaged(file("sentence_bert_config.json"), "'max_seq_length' is over the " +
                                                                  std::to_string(positions_) +
                                                                  " positions of config.json");
    }
    return ok_status();
  }

 private:
  [[nodiscard]] std::string file(const std::string& name) const { return out_.path + "/" + name; }

  Status require(const std::string& name) {
    if (!fs_.exists(file(name))) return model_damaged(file(name), "there is no such file");
    out_.described_by.push_back(name);
    return ok_status();
  }

  // Nothing when there is no such file.
  Result<std::optional<ConfigFile>> open(const std::string& name) {
    if (!fs_.exists(file(name))) return std::optional<ConfigFile>();
    const Result<std::string> text = read_file(fs_, file(name), kConfigBytesMax);
    if (!text.ok()) return model_damaged(file(name), text.error().message);
    Result<JsonDocument> document = JsonDocument::parse(text.value());
    if (!document.ok()) return model_damaged(file(name), document.error().message);
    out_.described_by.push_back(name);
    return std::optional<ConfigFile>(ConfigFile{file(name), std::move(document).value()});
  }

  // The first that is there; safetensors only of a kind that we build the graph of.
  Status find_weights(const std::optional<ConfigFile>& config) {
    if (config.has_value()) {
      QUIPU_TRY(out_.architecture, config->text("model_type", ""));
    }
    struct Candidate {
      const char* name;
      ModelFormat format;
    };
    constexpr Candidate kCandidates[] = {
        {"model.safetensors", ModelFormat::kSafetensors},
        {"openvino/openvino_model.xml", ModelFormat::kOpenVino},
        {"openvino_model.xml", ModelFormat::kOpenVino},
        {"model.onnx", ModelFormat::kOnnx},
        {"onnx/model.onnx", ModelFormat::kOnnx},
    };
    bool other_kind = false;
    for (const Candidate& candidate : kCandidates) {
      if (!fs_.exists(file(candidate.name))) continue;
      if (candidate.format == ModelFormat::kSafetensors && !has_encoder(out_.architecture)) {
        other_kind = true;
        continue;
      }
      out_.format = candidate.format;
      out_.weights_file = candidate.name;
      return measure_weights();
    }
    if (other_kind) {
      return model_unsupported(file("config.json"), "model_type '" + out_.architecture +
                                                        "' without an ONNX or OpenVINO file");
    }
    return model_damaged(file("model.safetensors"),
                         "there is no such file, nor model.onnx, onnx/model.onnx or "
                         "openvino/openvino_model.xml");
  }

  Status measure_weights() {
    std::string weights = file(out_.weights_file);
    if (out_.format == ModelFormat::kOpenVino) {
      weights = weights.substr(0, weights.size() - 3) + "bin";
      if (!fs_.exists(weights)) return model_damaged(weights, "there is no such file");
    }
    QUIPU_TRY(out_.weights_bytes, fs_.file_size(weights));
    if (out_.format != ModelFormat::kOnnx) return ok_status();
    QUIPU_TRY(const std::unique_ptr<MappedFile> mapped, fs_.map(weights));
    const std::span<std::byte> bytes = mapped->bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    // The first field of an ONNX file is its version. OpenVINO would try every format it knows.
    if (text.empty() || text[0] != '\x08') return model_damaged(weights, "this is no ONNX file");
    constexpr std::string_view kOperator = "DynamicQuantizeLinear";
    out_.one_by_one = std::search(text.begin(), text.end(),
                                  std::boyer_moore_horspool_searcher(
                                      kOperator.begin(), kOperator.end())) != text.end();
    return ok_status();
  }

  Status read_config(const ConfigFile& config) {
    constexpr std::uint64_t kMany = 1U << 24;
    if (config.find("hidden_size").has_value()) {
      QUIPU_TRY(const std::uint64_t hidden, config.number("hidden_size", limits::kDimMax));
      out_.dim = static_cast<std::uint32_t>(hidden);
    }
    if (config.find("vocab_size").has_value()) {
      QUIPU_TRY(const std::uint64_t vocabulary, config.number("vocab_size", kMany));
      out_.vocabulary = static_cast<std::uint32_t>(vocabulary);
    }
    if (config.find("max_position_embeddings").has_value()) {
      QUIPU_TRY(positions_, config.number("max_position_embeddings", kMany));
      out_.tokens_max = static_cast<std::uint32_t>(std::min(positions_, kTokensMax));
    }
    if (out_.format == ModelFormat::kSafetensors) QUIPU_TRY_OK(read_encoder(config));
    return read_task(config);
  }

  Status read_encoder(const ConfigFile& config) {
    QUIPU_TRY(out_.encoder, read_encoder_shape(config, out_.architecture));
    const EncoderShape& shape = *out_.encoder;
    out_.dim = shape.hidden;
    out_.vocabulary = shape.vocabulary;
    positions_ = shape.positions - shape.first_position;
    out_.tokens_max = static_cast<std::uint32_t>(std::min(positions_, kTokensMax));
    return ok_status();
  }

  // Whether it scores pairs, and from which state of theirs.
  Status read_task(const ConfigFile& config) {
    std::string_view kind;
    if (const std::optional<JsonView> kinds = config.find("architectures")) {
      kinds->for_each_element([&](JsonView each) {
        kind = each.as_string().value_or("");
        return false;
      });
    }
    if (!kind.ends_with("ForSequenceClassification")) return ok_status();
    out_.task = ModelTask::kScore;
    out_.dim = 1;
    const std::optional<JsonView> labels = config.find("id2label");
    QUIPU_TRY(const std::uint64_t count,
              config.number_or("num_labels", 1000, labels.has_value() ? labels->size() : 2));
    if (count != 1) {
      return model_unsupported(config.name,
                               "a model of " + std::to_string(count) + " labels (one is a score)");
    }
    QUIPU_TRY(const std::string pooling, config.text("classifier_pooling", "cls"));
    if (pooling != "cls" && pooling != "mean") {
      return model_unsupported(config.name, "classifier_pooling '" + pooling + "'");
    }
    out_.pooling = pooling == "cls" ? Pooling::kCls : Pooling::kMean;
    return ok_status();
  }

  // The list of what a text goes through: Transformer, Pooling, Normalize.
  Status read_modules() {
    QUIPU_TRY(const std::optional<ConfigFile> modules, open("modules.json"));
    if (!modules.has_value()) return ok_status();
    if (!modules->document.root().is_array()) {
      return model_damaged(modules->name, "must be a list of modules");
    }
    Status status = ok_status();
    modules->document.root().for_each_element([&](JsonView module) {
      const std::optional<JsonView> type = module.find("type");
      const std::optional<JsonView> path = module.find("path");
      const std::string_view full = type.has_value() ? type->as_string().value_or("") : "";
      const std::string folder(path.has_value() ? path->as_string().value_or("") : "");
      const std::string_view name = full.substr(full.rfind('.') + 1);
      if (name == "Normalize") {
        out_.normalise = true;
      } else if (name == "Pooling") {
        status = read_pooling(folder);
      } else if (name != "Transformer" || !folder.empty()) {
        status = model_unsupported(modules->name,
                                   "the module '" + std::string(full) + "' in '" + folder + "'");
      }
      return status.ok();
    });
    return status;
  }

  Status read_pooling(const std::string& folder) {
    if (folder.empty() || folder.find("..") != std::string::npos || folder[0] == '/') {
      return model_damaged(file("modules.json"), "the pooling module's path is not usable");
    }
    QUIPU_TRY(const std::optional<ConfigFile> config, open(folder + "/config.json"));
    if (!config.has_value()) {
      return model_damaged(file(folder + "/config.json"), "there is no such file");
    }
    constexpr std::pair<std::string_view, Pooling> kModes[] = {
        {"pooling_mode_mean_tokens", Pooling::kMean},
        {"pooling_mode_cls_token", Pooling::kCls},
        {"pooling_mode_max_tokens", Pooling::kMax},
        {"pooling_mode_lasttoken", Pooling::kLast}};
    std::vector<std::string> others;
    std::size_t count = 0;
    config->document.root().for_each_member([&](std::string_view field, JsonView value) {
      if (field.substr(0, 13) != "pooling_mode_" || !value.as_bool().value_or(false)) return true;
      ++count;
      const auto* known = std::find_if(std::begin(kModes), std::end(kModes),
                                       [&](const auto& mode) { return mode.first == field; });
      if (known == std::end(kModes)) {
        others.emplace_back(field);
      } else {
        out_.pooling = known->second;
      }
      return true;
    });
    if (!others.empty()) return model_unsupported(config->name, others.front());
    if (count != 1) {
      return model_unsupported(config->name, std::to_string(count) + " pooling modes at once");
    }
    return ok_status();
  }

  Status read_sentence_bert() {
    QUIPU_TRY(const std::optional<ConfigFile> config, open("sentence_bert_config.json"));
    if (!config.has_value()) return ok_status();
    QUIPU_TRY(const bool lower, config->flag("do_lower_case", false));
    if (lower) return model_unsupported(config->name, "do_lower_case");
    if (!config->find("max_seq_length").has_value()) return ok_status();
    QUIPU_TRY(const std::uint64_t tokens, config->number("max_seq_length", kTokensMax));
    out_.tokens_max = static_cast<std::uint32_t>(tokens);
    return ok_status();
  }

  Status read_prompts() {
    QUIPU_TRY(const std::optional<ConfigFile> config, open("config_sentence_transformers.json"));
    if (!config.has_value()) return ok_status();
    const std::optional<JsonView> prompts = config->find("prompts");
    if (!prompts.has_value()) return ok_status();
    const auto prompt = [&](std::string_view name) {
      const std::optional<JsonView> found = prompts->find(name);
      return std::string(found.has_value() ? found->as_string().value_or("") : "");
    };
    out_.query_prefix = prompt("query");
    out_.passage_prefix = prompt("document");
    if (out_.passage_prefix.empty()) out_.passage_prefix = prompt("passage");
    return ok_status();
  }

  Status read_overrides() {
    QUIPU_TRY(const std::optional<ConfigFile> config, open("quipu.json"));
    if (!config.has_value()) return ok_status();
    QUIPU_TRY(out_.normalise, config->flag("normalise", out_.normalise));
    QUIPU_TRY(out_.query_prefix, config->text("query_prefix", out_.query_prefix));
    QUIPU_TRY(out_.passage_prefix, config->text("passage_prefix", out_.passage_prefix));
    QUIPU_TRY(const std::string pooling,
              config->text("pooling", std::string(pooling_name(out_.pooling))));
    constexpr Pooling kAll[] = {Pooling::kMean, Pooling::kCls, Pooling::kMax, Pooling::kLast};
    const auto* known = std::find_if(std::begin(kAll), std::end(kAll),
                                     [&](Pooling p) { return pooling_name(p) == pooling; });
    if (known == std::end(kAll)) {
      return model_damaged(config->name, "'pooling' must be mean, cls, max or last");
    }
    out_.pooling = *known;
    if (config->find("tokens_max").has_value()) {
      QUIPU_TRY(const std::uint64_t tokens, config->number("tokens_max", kTokensMax));
      out_.tokens_max = static_cast<std::uint32_t>(tokens);
    }
    return ok_status();
  }

  FileSystem& fs_;
  ModelFolder& out_;
  std::uint64_t positions_ = 0;
};

// "SIZE MODIFIED_US SHA256", of the weights when the digest was made.
std::string kept_digest_line(FileSystem& fs, const std::string& weights) {
  const Result<std::uint64_t> size = fs.file_size(weights);
  const Result<std::int64_t> modified = fs.modified_us(weights);
  if (!size.ok() || !modified.ok()) return "";
  return std::to_string(size.value()) + " " + std::to_string(modified.value()) + " ";
}

std::string kept_weights_digest(FileSystem& fs, const ModelFolder& folder,
                                const std::string& weights) {
  const Result<std::string> kept = read_file(fs, folder.path + "/" + kDigestFile, 4096);
  const std::string line = kept_digest_line(fs, weights);
  if (!kept.ok() || line.empty() || kept.value().size() != line.size() + 64 ||
      kept.value().substr(0, line.size()) != line) {
    return "";
  }
  return kept.value().substr(line.size());
}

std::string numbers_file(const ModelFolder& folder) {
  std::string path = folder.path + "/" + folder.weights_file;
  if (folder.format == ModelFormat::kOpenVino) path = path.substr(0, path.size() - 3) + "bin";
  return path;
}

Result<std::string> combine(FileSystem& fs, const ModelFolder& folder,
                            const std::string& weights_digest) {
  std::string all = weights_digest + "\n";
  std::vector<std::string> names = folder.described_by;
  if (folder.format == ModelFormat::kOpenVino) names.push_back(folder.weights_file);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const Result<std::string> content = read_file(fs, folder.path + "/" + name, kTokenizerBytesMax);
    if (!content.ok()) return model_damaged(folder.path + "/" + name, content.error().message);
    all += name + " " + sha256_hex(content.value()) + "\n";
  }
  return sha256_hex(all).substr(0, 16);
}

}  // namespace

std::string_view model_format_name(ModelFormat format) noexcept {
  switch (format) {
    case ModelFormat::kSafetensors: return "safetensors";
    case ModelFormat::kOnnx: return "onnx";
    case ModelFormat::kOpenVino: return "openvino";
  }
  return "safetensors";
}

Result<ModelFolder> read_model_folder(FileSystem& fs, const std::string& path) {
  if (!fs.is_directory(path)) {
    return Error{ErrorCode::kNotFound, "there is no folder " + path, "model_not_found"};
  }
  ModelFolder folder;
  folder.path = path;
  QUIPU_TRY_OK(FolderReader(fs, folder).read());
  return folder;
}

Result<std::string> model_revision(FileSystem& fs, const ModelFolder& folder, bool recompute) {
  const std::string weights = numbers_file(folder);
  std::string digest = recompute ? "" : kept_weights_digest(fs, folder, weights);
  if (digest.empty()) {
    const std::string line = kept_digest_line(fs, weights);
    const auto mapped = fs.map(weights);
    if (!mapped.ok()) return model_damaged(weights, mapped.error().message);
    const std::span<std::byte> bytes = mapped.value()->bytes();
    digest = sha256_hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    // A folder that cannot be written to only costs the next start the time again.
    const Status kept = write_file_atomically(fs, folder.path + "/" + kDigestFile, line + digest);
    static_cast<void>(kept.ok());
  }
  return combine(fs, folder, digest);
}

std::string kept_model_revision(FileSystem& fs, const ModelFolder& folder) {
  const std::string digest = kept_weights_digest(fs, folder, numbers_file(folder));
  if (digest.empty()) return "";
  const Result<std::string> revision = combine(fs, folder, digest);
  return revision.ok() ? revision.value() : "";
}

}  // namespace quipu::embed
