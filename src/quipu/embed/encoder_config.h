// What config.json says of an encoder that we build the graph of.
#pragma once

#include <string_view>

#include "quipu/embed/config_file.h"
#include "quipu/embed/runtime.h"
#include "quipu/result.h"

namespace quipu::embed {

// Whether a model of this `model_type` can be read from safetensors: bert, distilbert, roberta,
// xlm-roberta, camembert, mpnet, nomic_bert, modernbert, qwen3.
[[nodiscard]] bool has_encoder(std::string_view model_type) noexcept;

// Everything of the shape, checked as far as config.json alone allows.
// Errors: kCorruption ("model_damaged") naming the field and its limit; kUnimplemented
// ("model_unsupported") naming the option.
[[nodiscard]] Result<EncoderShape> read_encoder_shape(const ConfigFile& config,
                                                      std::string_view model_type);

}  // namespace quipu::embed
