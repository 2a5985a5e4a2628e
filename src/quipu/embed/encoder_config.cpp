#include "quipu/embed/encoder_config.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::embed {
namespace {

constexpr std::uint64_t kVocabularyMax = 1U << 24;
constexpr std::uint64_t kWidthMax = 1U << 20;

constexpr std::pair<std::string_view, Architecture> kArchitectures[] = {
    {"bert", Architecture::kBert},
    {"distilbert", Architecture::kDistilBert},
    {"roberta", Architecture::kRoberta},
    {"xlm-roberta", Architecture::kRoberta},
    {"camembert", Architecture::kRoberta},
    {"mpnet", Architecture::kMpnet},
    {"nomic_bert", Architecture::kNomicBert},
    {"modernbert", Architecture::kModernBert},
    {"qwen3", Architecture::kQwen3}};

// Where the families' configurations call the same thing by other names.
struct FieldNames {
  std::string_view layers = "num_hidden_layers";
  std::string_view hidden = "hidden_size";
  std::string_view heads = "num_attention_heads";
  std::string_view intermediate = "intermediate_size";
  std::string_view positions = "max_position_embeddings";
  std::string_view activation = "hidden_act";
  std::string_view norm_eps = "layer_norm_eps";
};

constexpr FieldNames kDistilFields = {.layers = "n_layers",
                                      .hidden = "dim",
                                      .heads = "n_heads",
                                      .intermediate = "hidden_dim",
                                      .activation = "activation"};
// As it was published; transformers has the usual names since its version 5.
constexpr FieldNames kNomicFields = {.layers = "n_layer",
                                     .hidden = "n_embd",
                                     .heads = "n_head",
                                     .intermediate = "n_inner",
                                     .positions = "n_positions",
                                     .activation = "activation_function",
                                     .norm_eps = "layer_norm_epsilon"};
constexpr FieldNames kModernFields = {.activation = "hidden_activation", .norm_eps = "norm_eps"};
constexpr FieldNames kQwenFields = {.norm_eps = "rms_norm_eps"};

class ShapeReader {
 public:
  ShapeReader(const ConfigFile& config, Architecture architecture) : config_(config) {
    shape_.architecture = architecture;
  }

  Result<EncoderShape> read() {
    QUIPU_TRY_OK(read_sizes());
    switch (shape_.architecture) {
      case Architecture::kBert: QUIPU_TRY_OK(read_types(2)); break;
      case Architecture::kDistilBert: break;
      case Architecture::kRoberta: QUIPU_TRY_OK(read_roberta()); break;
      case Architecture::kMpnet: QUIPU_TRY_OK(read_mpnet()); break;
      case Architecture::kNomicBert: QUIPU_TRY_OK(read_nomic()); break;
      case Architecture::kModernBert: QUIPU_TRY_OK(read_modern()); break;
      case Architecture::kQwen3: QUIPU_TRY_OK(read_qwen()); break;
    }
    QUIPU_TRY(const std::string kind, config_.text("position_embedding_type", "absolute"));
    if (kind != "absolute") return unsupported("position_embedding_type", kind);
    const bool rotary = shape_.rope_base > 0;
    if (rotary && shape_.head_size % 2 != 0) {
      return model_damaged(config_.name, "a head of " + std::to_string(shape_.head_size) +
                                             " numbers cannot turn by pairs");
    }
    return std::move(shape_);
  }

 private:
  [[nodiscard]] Error unsupported(std::string_view field, std::string_view value) const {
    return model_unsupported(config_.name, format("{} '{}'", field, value));
  }

  [[nodiscard]] FieldNames fields() const {
    switch (shape_.architecture) {
      case Architecture::kDistilBert: return kDistilFields;
      case Architecture::kNomicBert:
        return config_.find("n_embd").has_value() ? kNomicFields : FieldNames{};
      case Architecture::kModernBert: return kModernFields;
      case Architecture::kQwen3: return kQwenFields;
      default: return {};
    }
  }

  Status read_number(std::string_view field, std::uint64_t max, std::uint32_t& into) const {
    QUIPU_TRY(const std::uint64_t value, config_.number(field, max));
    into = static_cast<std::uint32_t>(value);
    return ok_status();
  }

  Status read_sizes() {
    const FieldNames names = fields();
    QUIPU_TRY_OK(read_number(names.layers, 1000, shape_.layers));
    QUIPU_TRY_OK(read_number(names.hidden, limits::kDimMax, shape_.hidden));
    QUIPU_TRY_OK(read_number(names.heads, 1024, shape_.heads));
    QUIPU_TRY_OK(read_number(names.positions, kVocabularyMax, shape_.positions));
    QUIPU_TRY_OK(read_number("vocab_size", kVocabularyMax, shape_.vocabulary));
    if (shape_.architecture == Architecture::kNomicBert &&
        !config_.find(names.intermediate).has_value()) {
      shape_.intermediate = 4 * shape_.hidden;
    } else {
      QUIPU_TRY_OK(read_number(names.intermediate, kWidthMax, shape_.intermediate));
    }
    QUIPU_TRY(shape_.norm_eps, config_.real_or(names.norm_eps, 1, default_eps()));
    QUIPU_TRY_OK(read_activation(names.activation));
    if (shape_.architecture == Architecture::kQwen3) return ok_status();
    if (shape_.hidden % shape_.heads != 0) {
      return model_damaged(config_.name,
                           format("'{}' is no multiple of '{}'", names.hidden, names.heads));
    }
    shape_.key_value_heads = shape_.heads;
    shape_.head_size = shape_.hidden / shape_.heads;
    return ok_status();
  }

  [[nodiscard]] double default_eps() const {
    switch (shape_.architecture) {
      case Architecture::kModernBert: return 1e-5;
      case Architecture::kQwen3: return 1e-6;
      default: return 1e-12;
    }
  }

  Status read_activation(std::string_view field) {
    const bool gated = shape_.architecture == Architecture::kNomicBert ||
                       shape_.architecture == Architecture::kQwen3;
    QUIPU_TRY(const std::string name, config_.text(field, gated ? "silu" : "gelu"));
    constexpr std::pair<std::string_view, Activation> kActivations[] = {
        {"gelu", Activation::kGelu},
        {"gelu_new", Activation::kGeluTanh},
        {"gelu_pytorch_tanh", Activation::kGeluTanh},
        {"relu", Activation::kRelu},
        {"silu", Activation::kSilu},
        {"swish", Activation::kSilu},
        {"swiglu", Activation::kSilu}};
    const auto* known = std::find_if(std::begin(kActivations), std::end(kActivations),
                                     [&](const auto& entry) { return entry.first == name; });
    if (known == std::end(kActivations) ||
        (name == "swiglu" && shape_.architecture != Architecture::kNomicBert)) {
      return unsupported(field, name);
    }
    shape_.activation = known->second;
    return ok_status();
  }

  Status read_types(std::uint64_t otherwise) {
    QUIPU_TRY(const std::uint64_t types, config_.number_or("type_vocab_size", 1000, otherwise));
    shape_.token_types = static_cast<std::uint32_t>(types);
    return ok_status();
  }

  // The positions begin behind that of padding.
  Status skip_padding(std::uint64_t padding) {
    shape_.first_position = static_cast<std::uint32_t>(padding) + 1;
    if (shape_.first_position < shape_.positions) return ok_status();
    return model_damaged(
        config_.name, format("'max_position_embeddings' must be over {}, the number of positions "
                             "that no text has",
                             shape_.first_position));
  }

  Status read_roberta() {
    QUIPU_TRY_OK(read_types(1));
    QUIPU_TRY(const std::uint64_t padding, config_.number_or("pad_token_id", kVocabularyMax, 1));
    return skip_padding(padding);
  }

  Status read_mpnet() {
    QUIPU_TRY(const std::uint64_t buckets,
              config_.number_or("relative_attention_num_buckets", 1024, 32));
    if (buckets < 4 || buckets % 4 != 0) {
      return unsupported("relative_attention_num_buckets", std::to_string(buckets));
    }
    shape_.relative_buckets = static_cast<std::uint32_t>(buckets);
    return skip_padding(1);
  }

  // What must have this value, whatever it says by default.
  Status require_flag(std::string_view field, bool value) const {
    QUIPU_TRY(const bool found, config_.flag(field, value));
    return found == value ? ok_status() : Status(unsupported(field, found ? "true" : "false"));
  }

  // The base of the rotation: `field`, or rope_parameters[.`kind`].rope_theta.
  Result<double> rope_base(std::string_view field, std::string_view kind, double otherwise) const {
    constexpr double kBaseMax = 1e9;
    const std::optional<JsonView> scaling = config_.find("rope_scaling");
    if (scaling.has_value()) return unsupported("rope_scaling", "");
    std::optional<JsonView> parameters = config_.find("rope_parameters");
    if (parameters.has_value() && !kind.empty()) parameters = parameters->find(kind);
    if (!parameters.has_value() || parameters->is_null()) {
      return config_.real_or(field, kBaseMax, otherwise);
    }
    if (const std::optional<JsonView> type = parameters->find("rope_type")) {
      const std::string_view name = type->as_string().value_or("");
      if (name != "default") return unsupported("rope_type", name);
    }
    const std::optional<JsonView> theta = parameters->find("rope_theta");
    if (!theta.has_value()) return config_.real_or(field, kBaseMax, otherwise);
    const double base = theta->as_double().value_or(0);
    if (!(base > 0 && base <= kBaseMax)) {
      return model_damaged(config_.name, "'rope_theta' must be above 0 and at most 1e9");
    }
    return base;
  }

  Status read_nomic() {
    QUIPU_TRY_OK(read_types(2));
    QUIPU_TRY(shape_.rope_base, rope_base("rotary_emb_base", "", 1000));
    QUIPU_TRY(const double fraction, config_.real_or("rotary_emb_fraction", 1, 1));
    if (fraction != 1) return unsupported("rotary_emb_fraction", format("{}", fraction));
    if (config_.find("rotary_scaling_factor").has_value()) {
      return unsupported("rotary_scaling_factor", "");
    }
    for (const std::string_view field :
         {"prenorm", "qkv_proj_bias", "mlp_fc1_bias", "mlp_fc2_bias", "rotary_emb_interleaved",
          "use_rms_norm", "causal", "moe"}) {
      QUIPU_TRY_OK(require_flag(field, false));
    }
    QUIPU_TRY(const std::uint64_t experts, config_.number_or("moe_every_n_layers", 1000, 0));
    if (experts > 0) return unsupported("moe_every_n_layers", std::to_string(experts));
    return ok_status();
  }

  Status read_modern() {
    for (const std::string_view field : {"norm_bias", "attention_bias", "mlp_bias"}) {
      QUIPU_TRY_OK(require_flag(field, false));
    }
    QUIPU_TRY(shape_.rope_base, rope_base("global_rope_theta", "full_attention", 160'000));
    QUIPU_TRY(shape_.local_rope_base, rope_base("local_rope_theta", "sliding_attention", 10'000));
    QUIPU_TRY(const std::uint64_t window,
              config_.number_or("local_attention", kVocabularyMax, 128));
    shape_.local_reach = static_cast<std::uint32_t>(window / 2);
    QUIPU_TRY(const std::uint64_t every, config_.number_or("global_attn_every_n_layers", 1000, 3));
    for (std::uint32_t layer = 0; layer < shape_.layers; ++layer) {
      shape_.local_layers.push_back(every > 0 && layer % every == 0 ? 0 : 1);
    }
    const std::optional<JsonView> types = config_.find("layer_types");
    if (!types.has_value()) return ok_status();
    std::uint32_t layer = 0;
    bool known = true;
    types->for_each_element([&](JsonView type) {
      const std::string_view name = type.as_string().value_or("");
      known = layer < shape_.layers && (name == "full_attention" || name == "sliding_attention");
      if (known) shape_.local_layers[layer++] = name == "sliding_attention" ? 1 : 0;
      return known;
    });
    if (known && layer == shape_.layers) return ok_status();
    return model_damaged(config_.name,
                         "'layer_types' must give full_attention or sliding_attention for each of "
                         "the layers");
  }

  Status read_qwen() {
    QUIPU_TRY_OK(require_flag("attention_bias", false));
    QUIPU_TRY_OK(require_flag("use_sliding_window", false));
    QUIPU_TRY(shape_.rope_base, rope_base("rope_theta", "", 10'000));
    QUIPU_TRY_OK(read_number("num_key_value_heads", shape_.heads, shape_.key_value_heads));
    if (shape_.heads % shape_.key_value_heads != 0) {
      return model_damaged(config_.name,
                           "'num_attention_heads' is no multiple of 'num_key_value_heads'");
    }
    QUIPU_TRY(const std::uint64_t size,
              config_.number_or("head_dim", limits::kDimMax, shape_.hidden / shape_.heads));
    if (size == 0) return model_damaged(config_.name, "'head_dim' must be at least 1");
    shape_.head_size = static_cast<std::uint32_t>(size);
    return ok_status();
  }

  const ConfigFile& config_;
  EncoderShape shape_;
};

const std::pair<std::string_view, Architecture>* find_architecture(
    std::string_view model_type) noexcept {
  const auto* found = std::find_if(std::begin(kArchitectures), std::end(kArchitectures),
                                   [&](const auto& entry) { return entry.first == model_type; });
  return found == std::end(kArchitectures) ? nullptr : found;
}

}  // namespace

bool has_encoder(std::string_view model_type) noexcept {
  return find_architecture(model_type) != nullptr;
}

Result<EncoderShape> read_encoder_shape(const ConfigFile& config, std::string_view model_type) {
  const auto* const known = find_architecture(model_type);
  if (known == nullptr) {
    return model_unsupported(config.name, format("model_type '{}'", model_type));
  }
  return ShapeReader(config, known->second).read();
}

}  // namespace quipu::embed
