#include "quipu/api/calls/reranking.h"

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/embed/embedder.h"

namespace quipu::api {

Result<RerankedTexts> rerank_texts(const Call& call, const RerankInput& input) {
  Core& core = call.core();
  embed::Embedder& embedder = core.engine.embedder();
  // One error for all of them, not that of the first text.
  QUIPU_TRY(const embed::ModelInfo model, embedder.model(input.model));
  const std::vector<std::string_view> texts(input.documents.begin(), input.documents.end());
  const auto begun = core.clock.steady_now();
  const auto scores = embedder.score(input.query, texts,
                                     {.model = model.name, .deadline = begun + call.time_left()});
  RerankedTexts done;
  std::vector<float> logits;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (!scores[i].ok()) {
      Error error = scores[i].error();
      if (error.reason != "wrong_task")
        error.message = format("documents[{}]: {}", i, error.message);
      return error;
    }
    const embed::PairScore& score = scores[i].value();
    logits.push_back(score.logit);
    done.items.push_back({i, embed::relevance(score.logit), score.truncated});
    done.token_count += score.token_count;
  }
  // By the logits: relevances near 1 are equal where those are not.
  std::stable_sort(done.items.begin(), done.items.end(),
                   [&](const RerankedTexts::Item& a, const RerankedTexts::Item& b) {
                     return logits[a.index] > logits[b.index];
                   });
  if (input.top_n > 0 && done.items.size() > input.top_n) done.items.resize(input.top_n);
  done.took_ms = std::chrono::duration<double, std::milli>(core.clock.steady_now() - begun).count();
  return done;
}

}  // namespace quipu::api
