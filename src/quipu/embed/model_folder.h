// What a model's folder says about the model: Hugging Face and sentence-transformers layouts.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quipu/base/file_system.h"
#include "quipu/embed/config_file.h"
#include "quipu/embed/runtime.h"
#include "quipu/result.h"

namespace quipu::embed {

// Of a tokenizer.json.
inline constexpr std::uint64_t kTokenizerBytesMax = 128U << 20;

enum class ModelFormat : std::uint8_t { kSafetensors, kOnnx, kOpenVino };
[[nodiscard]] std::string_view model_format_name(ModelFormat format) noexcept;

struct ModelFolder {
  std::string path;
  std::string architecture;  // config.json's model_type
  ModelFormat format = ModelFormat::kSafetensors;
  std::string weights_file;               // below `path`
  std::vector<std::string> described_by;  // the small files below `path` that the rest came from
  std::uint64_t weights_bytes = 0;
  std::optional<EncoderShape> encoder;  // for kSafetensors
  ModelTask task = ModelTask::kEmbed;
  std::uint32_t dim = 0;         // 0 when only the runtime can tell
  std::uint32_t vocabulary = 0;  // 0 when unknown
  std::uint32_t tokens_max = 0;  // template tokens included
  Pooling pooling = Pooling::kMean;
  bool normalise = false;
  std::string query_prefix;
  std::string passage_prefix;
  bool one_by_one = false;  // see RuntimeModelSpec
};

// Reads config.json, modules.json, the pooling module's config.json, sentence_bert_config.json,
// config_sentence_transformers.json, and `quipu.json`, which may say what a folder without the
// sentence-transformers files does not: {"pooling": "cls", "normalise": true, "tokens_max": 512,
// "query_prefix": "", "passage_prefix": ""}.
//
// The model's own maximum is sentence_bert_config.json's max_seq_length; the truncation written
// into tokenizer.json is what somebody once used. Without sentence-transformers files it is
// config.json's max_position_embeddings, pooling is the mean and nothing is normalised, as
// sentence-transformers does with such a folder. A model whose "architectures" end with
// ForSequenceClassification scores pairs of texts; it must have one label.
//
// Errors: kNotFound when there is no such folder or none of the weights files is in it;
// kCorruption ("model_damaged") naming the file; kUnimplemented ("model_unsupported") naming what.
[[nodiscard]] Result<ModelFolder> read_model_folder(FileSystem& fs, const std::string& path);

// A digest of everything that the vectors depend on: weights, tokenizer and description; 16
// hexadecimal digits. Reading 90 MB takes about 0.1 s, so the weights' own digest is kept in the
// folder's `.quipu-digest`, and used again while size and modification time are the same: a file
// changed with both left equal is noticed only with `recompute`. A folder that cannot be written
// is no error.
[[nodiscard]] Result<std::string> model_revision(FileSystem& fs, const ModelFolder& folder,
                                                 bool recompute);
// The same from what is kept; empty when that would mean reading the weights.
[[nodiscard]] std::string kept_model_revision(FileSystem& fs, const ModelFolder& folder);
}  // namespace quipu::embed
