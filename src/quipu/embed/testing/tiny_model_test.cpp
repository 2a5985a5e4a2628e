#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "quipu/assert.h"
#include "quipu/base/bytes.h"
#include "quipu/base/file_system.h"
#include "quipu/base/json.h"
#include "quipu/base/rng.h"
#include "quipu/embed/testing/tiny_model.h"

namespace quipu::embed::testing_support {
namespace {

JsonDocument expectations() {
  const Result<std::string> text = read_file(
      posix_file_system(), QUIPU_SOURCE_DIR "/tests/data/tokenizer_expectations.json", 4U << 20);
  QUIPU_ASSERT(text.ok());
  return std::move(JsonDocument::parse(text.value())).value();
}

std::string small_tokenizer() {
  const JsonDocument document = expectations();
  std::string json;
  document.root().find("variants").value().for_each_element([&](JsonView variant) {
    json = std::string(variant.find("tokenizer").value().as_string().value());
    return false;
  });
  const std::string place = "\"@VOCABULARY@\"";
  return json.replace(json.find(place), place.size(),
                      document.root().find("vocabulary").value().as_string().value());
}

std::uint32_t small_vocabulary_size() {
  static const std::uint32_t size = [] {
    const JsonDocument document = expectations();
    const JsonDocument vocabulary =
        JsonDocument::parse(document.root().find("vocabulary").value().as_string().value()).value();
    return static_cast<std::uint32_t>(vocabulary.root().size());
  }();
  return size;
}

std::uint16_t to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const int exponent = static_cast<int>((bits >> 23) & 0xFF) - 127;
  if (exponent < -14) return 0;  // Smaller numbers do not occur in the tests' weights.
  return static_cast<std::uint16_t>(((bits >> 16) & 0x8000U) |
                                    (static_cast<std::uint32_t>(exponent + 15) << 10) |
                                    ((bits >> 13) & 0x3FFU));
}

using Matrix = std::vector<std::vector<float>>;

Matrix linear(const Matrix& in, const Tensor& weight, const Tensor& bias) {
  const std::size_t to = weight.shape[0];
  const std::size_t from = weight.shape[1];
  Matrix out(in.size(), std::vector<float>(to));
  for (std::size_t row = 0; row < in.size(); ++row) {
    for (std::size_t o = 0; o < to; ++o) {
      double sum = bias.values[o];
      for (std::size_t i = 0; i < from; ++i) {
        sum += static_cast<double>(in[row][i]) * static_cast<double>(weight.values[o * from + i]);
      }
      out[row][o] = static_cast<float>(sum);
    }
  }
  return out;
}

void layer_norm(Matrix& rows, const Tensor& gain, const Tensor& bias, double eps) {
  for (std::vector<float>& row : rows) {
    double mean = 0;
    for (const float v : row) mean += static_cast<double>(v);
    mean /= static_cast<double>(row.size());
    double variance = 0;
    for (const float v : row) {
      variance += (static_cast<double>(v) - mean) * (static_cast<double>(v) - mean);
    }
    variance /= static_cast<double>(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double normal = (static_cast<double>(row[i]) - mean) / std::sqrt(variance + eps);
      row[i] = static_cast<float>(normal * static_cast<double>(gain.values[i]) +
                                  static_cast<double>(bias.values[i]));
    }
  }
}

Matrix attend(const Matrix& q, const Matrix& k, const Matrix& v, std::size_t heads) {
  const std::size_t size = q[0].size() / heads;
  Matrix out(q.size(), std::vector<float>(q[0].size()));
  for (std::size_t head = 0; head < heads; ++head) {
    for (std::size_t row = 0; row < q.size(); ++row) {
      std::vector<double> weights(k.size());
      double total = 0;
      for (std::size_t other = 0; other < k.size(); ++other) {
        double dot = 0;
        for (std::size_t i = head * size; i < (head + 1) * size; ++i) {
          dot += static_cast<double>(q[row][i]) * static_cast<double>(k[other][i]);
        }
        weights[other] = std::exp(dot / std::sqrt(static_cast<double>(size)));
        total += weights[other];
      }
      for (std::size_t i = head * size; i < (head + 1) * size; ++i) {
        double sum = 0;
        for (std::size_t other = 0; other < k.size(); ++other) {
          sum += weights[other] / total * static_cast<double>(v[other][i]);
        }
        out[row][i] = static_cast<float>(sum);
      }
    }
  }
  return out;
}

Matrix add(const Matrix& a, const Matrix& b) {
  Matrix out = a;
  for (std::size_t row = 0; row < a.size(); ++row) {
    for (std::size_t i = 0; i < a[row].size(); ++i) out[row][i] += b[row][i];
  }
  return out;
}

std::vector<float> pool(const Matrix& rows, Pooling pooling) {
  if (pooling == Pooling::kCls) return rows.front();
  if (pooling == Pooling::kLast) return rows.back();
  std::vector<float> out(rows[0].size(), pooling == Pooling::kMax ? -1e30F : 0.0F);
  for (const std::vector<float>& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out[i] = pooling == Pooling::kMax ? std::max(out[i], row[i])
                                        : out[i] + row[i] / static_cast<float>(rows.size());
    }
  }
  return out;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  const char* const set = std::getenv("TMPDIR");
  std::string pattern = std::string(set == nullptr ? "/tmp" : set) + "/quipu-embed-XXXXXX";
  QUIPU_ASSERT(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  // What is left over lies in the temporary folder of the machine.
  static_cast<void>(remove_tree(posix_file_system(), path_).ok());
}

void write_file(const std::string& path, std::string_view content) {
  const std::size_t slash = path.rfind('/');
  QUIPU_ASSERT(posix_file_system().create_directories(path.substr(0, slash)).ok());
  QUIPU_ASSERT(write_file_atomically(posix_file_system(), path, content).ok());
}

std::string make_safetensors(const Tensors& tensors, const std::string& type) {
  std::string header;
  std::string data;
  JsonWriter json(header);
  ByteWriter bytes(data);
  json.begin_object();
  json.key("__metadata__").begin_object().key("format").value("pt").end_object();
  for (const auto& [name, tensor] : tensors) {
    const std::uint64_t begin = data.size();
    for (const float value : tensor.values) {
      if (type == "F32") bytes.f32(value);
      if (type == "F16") bytes.u16(to_half(value));
      if (type == "BF16") {
        bytes.u16(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
      }
    }
    json.key(name).begin_object().key("dtype").value(type).key("shape").begin_array();
    for (const std::uint64_t size : tensor.shape) json.value(size);
    json.end_array().key("data_offsets").begin_array().value(begin);
    json.value(static_cast<std::uint64_t>(data.size())).end_array().end_object();
  }
  json.end_object();
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string out;
  ByteWriter(out).u64(header.size());
  return out + header + data;
}

EncoderShape tiny_shape(const TinyModelOptions& options) {
  return {.layers = options.layers,
          .hidden = kTinyHidden,
          .heads = kTinyHeads,
          .key_value_heads = kTinyHeads,
          .head_size = kTinyHidden / kTinyHeads,
          .intermediate = 32,
          .positions = kTinyPositions,
          .vocabulary = small_vocabulary_size(),
          .token_types = 2,
          .norm_eps = 1e-12,
          .activation = Activation::kGelu};
}

Tensors tiny_weights(const TinyModelOptions& options) {
  const EncoderShape shape = tiny_shape(options);
  Rng rng(options.seed);
  Tensors out;
  const auto put = [&](const std::string& name, std::vector<std::uint64_t> size, double around) {
    Tensor tensor{std::move(size), {}};
    std::uint64_t count = 1;
    for (const std::uint64_t n : tensor.shape) count *= n;
    for (std::uint64_t i = 0; i < count; ++i) {
      tensor.values.push_back(static_cast<float>(around + rng.normal() * 0.3));
    }
    out.emplace(name, std::move(tensor));
  };
  const auto linear_pair = [&](const std::string& name, std::uint64_t to, std::uint64_t from) {
    put(name + ".weight", {to, from}, 0);
    put(name + ".bias", {to}, 0);
  };
  const auto norm_pair = [&](const std::string& name) {
    put(name + ".weight", {shape.hidden}, 1);
    put(name + ".bias", {shape.hidden}, 0);
  };
  put("embeddings.word_embeddings.weight", {shape.vocabulary, shape.hidden}, 0);
  put("embeddings.position_embeddings.weight", {shape.positions, shape.hidden}, 0);
  put("embeddings.token_type_embeddings.weight", {shape.token_types, shape.hidden}, 0);
  norm_pair("embeddings.LayerNorm");
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = "encoder.layer." + std::to_string(layer) + ".";
    for (const char* part : {"query", "key", "value"}) {
      linear_pair(prefix + "attention.self." + part, shape.hidden, shape.hidden);
    }
    linear_pair(prefix + "attention.output.dense", shape.hidden, shape.hidden);
    norm_pair(prefix + "attention.output.LayerNorm");
    linear_pair(prefix + "intermediate.dense", shape.intermediate, shape.hidden);
    linear_pair(prefix + "output.dense", shape.hidden, shape.intermediate);
    norm_pair(prefix + "output.LayerNorm");
  }
  if (options.scores) {
    linear_pair("pooler.dense", shape.hidden, shape.hidden);
    linear_pair("classifier", 1, shape.hidden);
  }
  return out;
}

void write_tiny_model(const std::string& path, const TinyModelOptions& options) {
  const EncoderShape shape = tiny_shape(options);
  write_file(
      path + "/config.json",
      "{\"model_type\": \"bert\", " +
          std::string(options.scores ? R"("architectures": ["BertForSequenceClassification"], )"
                                       R"("id2label": {"0": "LABEL_0"}, )"
                                     : "") +
          "\"hidden_act\": \"gelu\", \"hidden_size\": " + std::to_string(shape.hidden) +
          ", \"intermediate_size\": " + std::to_string(shape.intermediate) +
          ", \"layer_norm_eps\": 1e-12, " +
          "\"max_position_embeddings\": " + std::to_string(shape.positions) +
          ", \"num_attention_heads\": " + std::to_string(shape.heads) +
          ", \"num_hidden_layers\": " + std::to_string(shape.layers) +
          ", \"type_vocab_size\": 2, \"vocab_size\": " + std::to_string(shape.vocabulary) + "}");
  if (options.scores) {
    write_file(path + "/quipu.json",
               "{\"tokens_max\": " + std::to_string(options.tokens_max) + "}");
    write_file(path + "/tokenizer.json", small_tokenizer());
    write_file(path + "/model.safetensors",
               make_safetensors(tiny_weights(options), options.weight_type));
    return;
  }
  const std::string module = "{\"path\": \"1_Pooling\", \"type\": \"x.models.Pooling\"}";
  const std::string normalise = ", {\"path\": \"2_Normalize\", \"type\": \"x.models.Normalize\"}";
  write_file(path + "/modules.json", "[{\"path\": \"\", \"type\": \"x.models.Transformer\"}, " +
                                         module + (options.normalise ? normalise : "") + "]");
  const std::string mode = options.pooling == "mean"   ? "mean_tokens"
                           : options.pooling == "max"  ? "max_tokens"
                           : options.pooling == "cls"  ? "cls_token"
                           : options.pooling == "last" ? "lasttoken"
                                                       : options.pooling;
  write_file(path + "/1_Pooling/config.json", "{\"word_embedding_dimension\": 16, \"pooling_mode_" +
                                                  mode + "\": true, \"pooling_mode_sum\": false}");
  write_file(
      path + "/sentence_bert_config.json",
      "{\"max_seq_length\": " + std::to_string(options.tokens_max) + ", \"do_lower_case\": false}");
  write_file(path + "/config_sentence_transformers.json",
             "{\"prompts\": {\"query\": \"" + options.query_prefix + "\"}}");
  write_file(path + "/tokenizer.json", small_tokenizer());
  write_file(path + "/model.safetensors",
             make_safetensors(tiny_weights(options), options.weight_type));
}

std::vector<float> naive_bert(const EncoderShape& shape, const Tensors& weights,
                              const std::vector<std::uint32_t>& ids, Pooling pooling,
                              bool normalise) {
  const std::size_t hidden = shape.hidden;
  Matrix rows(ids.size(), std::vector<float>(hidden));
  const auto row_of = [&](const std::string& name, std::size_t row, std::size_t i) {
    return weights.at("embeddings." + name + "_embeddings.weight").values[row * hidden + i];
  };
  for (std::size_t at = 0; at < ids.size(); ++at) {
    for (std::size_t i = 0; i < hidden; ++i) {
      rows[at][i] =
          row_of("word", ids[at], i) + row_of("position", at, i) + row_of("token_type", 0, i);
    }
  }
  const auto dense = [&](const Matrix& in, const std::string& name) {
    return linear(in, weights.at(name + ".weight"), weights.at(name + ".bias"));
  };
  const auto norm = [&](Matrix& in, const std::string& name) {
    layer_norm(in, weights.at(name + ".weight"), weights.at(name + ".bias"), shape.norm_eps);
  };
  norm(rows, "embeddings.LayerNorm");
  for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
    const std::string prefix = "encoder.layer." + std::to_string(layer) + ".";
    const Matrix mixed = attend(dense(rows, prefix + "attention.self.query"),
                                dense(rows, prefix + "attention.self.key"),
                                dense(rows, prefix + "attention.self.value"), shape.heads);
    rows = add(rows, dense(mixed, prefix + "attention.output.dense"));
    norm(rows, prefix + "attention.output.LayerNorm");
    Matrix wide = dense(rows, prefix + "intermediate.dense");
    for (std::vector<float>& row : wide) {
      for (float& v : row) v *= 0.5F * (1 + std::erf(v / std::numbers::sqrt2_v<float>));
    }
    rows = add(rows, dense(wide, prefix + "output.dense"));
    norm(rows, prefix + "output.LayerNorm");
  }
  std::vector<float> vector = pool(rows, pooling);
  if (!normalise) return vector;
  double length = 0;
  for (const float v : vector) length += static_cast<double>(v) * static_cast<double>(v);
  for (float& v : vector) v = static_cast<float>(static_cast<double>(v) / std::sqrt(length));
  return vector;
}

namespace {

class FakeModel final : public RuntimeModel {
 public:
  FakeModel(FakeRuntime& runtime, std::uint32_t dim)
      : runtime_(runtime), info_{.dim = dim, .precision = "f32", .device = "fake"} {}
  [[nodiscard]] const Info& info() const noexcept override { return info_; }
  [[nodiscard]] std::size_t batch_tokens() const noexcept override { return runtime_.batch_tokens; }
  Status embed(FakeRuntime::Texts texts, std::span<float> vectors) override {
    ++runtime_.calls;
    runtime_.texts += static_cast<int>(texts.size());
    if (runtime_.before_embed) {
      if (Status status = runtime_.before_embed(texts); !status.ok()) return status;
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
      std::vector<std::uint32_t> ids(texts[i].ids.begin(), texts[i].ids.end());
      for (std::size_t at = 0; at < texts[i].types.size(); ++at) {
        ids[at] += texts[i].types[at] * 1'000'000U;
      }
      const std::vector<float> vector = FakeRuntime::vector_of(ids, info_.dim);
      std::copy(vector.begin(), vector.end(),
                vectors.begin() + static_cast<std::ptrdiff_t>(i * info_.dim));
    }
    return ok_status();
  }

 private:
  FakeRuntime& runtime_;
  Info info_;
};

}  // namespace

std::vector<float> FakeRuntime::vector_of(std::span<const std::uint32_t> ids, std::uint32_t dim) {
  std::uint64_t seed = ids.size();
  for (const std::uint32_t id : ids) seed = seed * 1'000'003 + id;
  Rng rng(seed);
  std::vector<float> out(dim);
  for (float& v : out) v = static_cast<float>(rng.normal());
  return out;
}

Result<std::unique_ptr<RuntimeModel>> FakeRuntime::load(const RuntimeModelSpec& spec) {
  ++loads;
  const std::uint32_t dim = spec.encoder.has_value() ? spec.encoder->hidden : 4;
  return make_fake_model(*this, spec.task == ModelTask::kScore ? 1 : dim);
}

std::unique_ptr<RuntimeModel> make_fake_model(FakeRuntime& runtime, std::uint32_t dim) {
  return std::make_unique<FakeModel>(runtime, dim);
}

}  // namespace quipu::embed::testing_support
