// Texts to vectors, by the models that are there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "quipu/api/call.h"
#include "quipu/embed/embedder.h"
#include "quipu/result.h"

namespace quipu::api {

inline constexpr std::size_t kEmbedTextsMax = 32;

struct EmbedInput {
  std::vector<std::string> texts;  // 1..kEmbedTextsMax
  std::string model;               // "": the configuration's
  embed::TextKind kind = embed::TextKind::kPassage;
};
struct EmbeddedTexts {
  std::vector<Result<embed::Embedding>> embeddings;  // in the request's order
  std::string model;
  std::uint32_t dim = 0;
  std::uint64_t token_count = 0;
  double took_ms = 0;
};

// Waits for the model. A text that fails fails alone; when none could be embedded, all of it does.
// Errors: kNotFound ("model_not_found"), those of the embedder.
[[nodiscard]] Result<EmbeddedTexts> embed_texts(const Call& call, EmbedInput input);

}  // namespace quipu::api
