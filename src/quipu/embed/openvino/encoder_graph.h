// Builds the OpenVINO graph of an encoder from its weights, for packed texts.
//
// Packed means: the tokens of several texts lie one after the other in one row, without padding
// between them, and attention is masked to a token's own text. The matrix products, nearly all of
// the work, then run over all tokens at once whatever the texts' lengths are; the price, attention
// over the whole pack, stays below a tenth of the work up to about 256 tokens.
#pragma once

#include <memory>
#include <openvino/core/model.hpp>

#include "quipu/embed/runtime.h"

namespace quipu::embed {

// The inputs, by position. T tokens in a pack, N texts.
enum PackedInput : std::size_t {
  kPackedIds,        // i32 [T]
  kPackedPositions,  // i32 [T]: a token's place in its own text
  kPackedTexts,      // i32 [T]: the number of its text; equal numbers attend to one another
  kPackedTypes,      // i32 [T]: 1 for tokens of a pair's second part, else 0
  kPackedPool,       // f32 [N, T]: 1 where the token goes into the text's vector, else 0
  kPackedScale,      // f32 [N, 1]: what the sum over the chosen tokens is multiplied with
};

// The output is f32 [N, hidden], pooled and, if asked for, of unit length; of a model that scores
// f32 [N, 1].
// The weights' bytes are not copied where they can be used in place: they outlive the model.
// Errors: kCorruption ("model_damaged") naming the tensor that is missing or of another shape;
// kUnimplemented ("model_unsupported") for a scoring head that is not known.
[[nodiscard]] Result<std::shared_ptr<ov::Model>> build_encoder_graph(const RuntimeModelSpec& spec);

}  // namespace quipu::embed
