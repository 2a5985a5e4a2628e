#include "quipu/api/calls/embedding.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace quipu::api {

Result<EmbeddedTexts> embed_texts(const Call& call, EmbedInput input) {
  Core& core = call.core();
  embed::Embedder& embedder = core.engine.embedder();
  EmbeddedTexts done;
  done.model = input.model.empty() ? core.options.default_model : std::move(input.model);
  QUIPU_TRY(const embed::ModelInfo model, embedder.model(done.model));
  done.dim = model.dim;
  const std::vector<std::string_view> texts(input.texts.begin(), input.texts.end());
  embed::EmbedParams params;
  params.model = done.model;
  params.kind = input.kind;
  params.deadline = core.clock.steady_now() + call.time_left();
  const auto begun = core.clock.steady_now();
  done.embeddings = embedder.embed(texts, params);
  done.took_ms = std::chrono::duration<double, std::milli>(core.clock.steady_now() - begun).count();
  bool any = false;
  for (const auto& embedding : done.embeddings) {
    any = any || embedding.ok();
    if (embedding.ok()) done.token_count += embedding.value().token_count;
  }
  if (!any) return done.embeddings.front().error();
  return done;
}

}  // namespace quipu::api
