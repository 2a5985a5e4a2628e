// Embedding, and the models that are there.
#include <quipu_proto/quipu/v1/models.pb.h>

#include <utility>

#include "quipu/api/calls/embedding.h"
#include "quipu/api/calls/reranking.h"
#include "quipu/api/grpc/v1/handlers.h"
#include "quipu/api/grpc/v1/messages.h"
#include "quipu/base/format.h"
#include "quipu/base/limits.h"

namespace quipu::api::grpc::v1 {
namespace {

Result<EmbedInput> read_embed(const pb::EmbedRequest& from) {
  EmbedInput input;
  QUIPU_TRY_OK(check_items(from.texts_size(), 1, kEmbedTextsMax, "texts"));
  for (const std::string& text : from.texts()) {
    QUIPU_TRY_OK(
        check_bytes(text, 1, limits::kTextBytesMax, format("texts[{}]", input.texts.size())));
    input.texts.push_back(text);
  }
  QUIPU_TRY_OK(check_bytes(from.model(), 0, limits::kNameBytesMax, "model"));
  input.model = from.model();
  switch (from.kind()) {
    case pb::EmbedRequest::KIND_UNSPECIFIED:
    case pb::EmbedRequest::KIND_PASSAGE: return input;
    case pb::EmbedRequest::KIND_QUERY: input.kind = embed::TextKind::kQuery; return input;
    default: return bad_field("kind", format("{} is none of its values", int{from.kind()}));
  }
}

Result<pb::EmbedResponse> do_embed(const Call& call, const pb::EmbedRequest& from) {
  QUIPU_TRY(EmbedInput input, read_embed(from));
  QUIPU_TRY(const EmbeddedTexts done, embed_texts(call, std::move(input)));
  pb::EmbedResponse answer;
  for (const auto& each : done.embeddings) {
    pb::Embedding& embedding = *answer.add_embeddings();
    if (!each.ok()) {
      fill_item_error(each.error(), *embedding.mutable_error());
      continue;
    }
    const auto& values = each.value().values;
    embedding.mutable_values()->Add(values.begin(), values.end());
    embedding.set_token_count(each.value().token_count);
    embedding.set_truncated(each.value().truncated);
  }
  answer.set_model(done.model);
  answer.set_dimension(done.dim);
  answer.set_total_tokens(done.token_count);
  answer.set_duration_ms(done.took_ms);
  return answer;
}

Result<RerankInput> read_rerank(const pb::RerankRequest& from) {
  RerankInput input;
  QUIPU_TRY_OK(check_bytes(from.query(), 1, limits::kTextBytesMax, "query"));
  input.query = from.query();
  QUIPU_TRY_OK(check_items(from.documents_size(), 1, kRerankDocumentsMax, "documents"));
  for (const std::string& text : from.documents()) {
    QUIPU_TRY_OK(check_bytes(text, 0, limits::kTextBytesMax,
                             format("documents[{}]", input.documents.size())));
    input.documents.push_back(text);
  }
  QUIPU_TRY_OK(check_bytes(from.model(), 1, limits::kNameBytesMax, "model"));
  input.model = from.model();
  if (from.has_top_n()) {
    QUIPU_TRY_OK(check_within(from.top_n(), 1, kRerankDocumentsMax, "top_n"));
    input.top_n = from.top_n();
  }
  return input;
}

Result<pb::RerankResponse> do_rerank(const Call& call, const pb::RerankRequest& from) {
  QUIPU_TRY(const RerankInput input, read_rerank(from));
  QUIPU_TRY(const RerankedTexts done, rerank_texts(call, input));
  pb::RerankResponse answer;
  for (const RerankedTexts::Item& item : done.items) {
    pb::Reranked& result = *answer.add_results();
    result.set_index(static_cast<std::uint32_t>(item.index));
    result.set_relevance(item.relevance);
    result.set_truncated(item.truncated);
  }
  answer.set_model(input.model);
  answer.set_total_tokens(done.token_count);
  answer.set_duration_ms(done.took_ms);
  return answer;
}

}  // namespace

void rerank_texts_call(const CallPtr& call) {
  pb::RerankRequest message;
  if (parse_message(call, message)) reply_or_fail(call, do_rerank(*call, message));
}

void embed_texts_call(const CallPtr& call) {
  pb::EmbedRequest message;
  if (parse_message(call, message)) reply_or_fail(call, do_embed(*call, message));
}

void list_models(const CallPtr& call) {
  pb::ListModelsRequest message;
  if (!parse_message(call, message)) return;
  const Core& core = call->core();
  pb::ListModelsResponse answer;
  for (const embed::ModelInfo& model : core.engine.embedder().models()) {
    pb::Model& made = *answer.add_models();
    made.set_name(model.name);
    made.set_revision(model.revision);
    made.set_architecture(model.architecture);
    made.set_format(model.format);
    made.set_dimension(model.dim);
    made.set_tokens_max(model.tokens_max);
    made.set_pooling(model.pooling);
    made.set_normalised(model.normalised);
    made.set_query_prefix(model.query_prefix);
    made.set_passage_prefix(model.passage_prefix);
    made.set_precision(model.precision);
    made.set_loaded(model.loaded);
    made.set_file_bytes(model.file_bytes);
    made.set_task(std::string(model.task));
    made.set_is_default(model.name == core.options.default_model);
  }
  reply_message(call, answer);
}

}  // namespace quipu::api::grpc::v1
