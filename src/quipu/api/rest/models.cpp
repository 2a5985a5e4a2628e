// Embedding and the models that are there.
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/embedding.h"
#include "quipu/api/problem.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/embed/embedder.h"

namespace quipu::api::rest {
namespace {

const SchemaPtr<EmbedInput>& embed_schema() {
  static const SchemaPtr<EmbedInput> schema =
      Object<EmbedInput>("Embed", "Texts to turn into vectors.")
          .required("texts", &EmbedInput::texts,
                    array(text(1, limits::kTextBytesMax), 1, kEmbedTextsMax), "1 to 32 texts.")
          .optional("model", &EmbedInput::model, text(1, 255),
                    "The default model of the configuration unless given.")
          .optional("kind", &EmbedInput::kind,
                    names<embed::TextKind>({{"passage", embed::TextKind::kPassage},
                                            {"query", embed::TextKind::kQuery}}),
                    "Some models treat the two differently; passage unless given.")
          .done();
  return schema;
}

void write_embedding(JsonWriter& out, const Result<embed::Embedding>& embedding) {
  out.begin_object();
  if (embedding.ok()) {
    out.key("values").floats(embedding.value().values);
    out.key("token_count").value(embedding.value().token_count);
    out.key("truncated").value(embedding.value().truncated);
  } else {
    out.key("error");
    write_item_error(out, embedding.error());
  }
  out.end_object();
}

}  // namespace

void embed(const CallPtr& call) {
  auto body = call->body(embed_schema());
  if (!body) return;
  const auto done = embed_texts(*call, std::move(*body));
  if (!done.ok()) return call->fail(done.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("embeddings").begin_array();
  for (const auto& embedding : done.value().embeddings) write_embedding(out, embedding);
  out.end_array();
  out.key("model").value(std::string_view(done.value().model));
  out.key("dimension").value(done.value().dim);
  out.key("usage").begin_object().key("total_tokens").value(done.value().token_count);
  out.key("duration_ms").value(done.value().took_ms).end_object().end_object();
  call->reply_json(200, std::move(json));
}

void models(const CallPtr& call) {
  const Core& core = call->core();
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("object").value("list").key("data").begin_array();
  for (const embed::ModelInfo& model : core.engine.embedder().models()) {
    out.begin_object().key("id").value(std::string_view(model.name));
    out.key("object").value("model").key("owned_by").value("quipu");
    out.key("revision").value(std::string_view(model.revision));
    out.key("architecture").value(std::string_view(model.architecture));
    out.key("format").value(std::string_view(model.format));
    out.key("task").value(std::string_view(model.task));
    out.key("dimension").value(model.dim).key("tokens_max").value(model.tokens_max);
    out.key("pooling").value(std::string_view(model.pooling));
    out.key("normalised").value(model.normalised);
    out.key("query_prefix").value(std::string_view(model.query_prefix));
    out.key("passage_prefix").value(std::string_view(model.passage_prefix));
    out.key("precision").value(std::string_view(model.precision));
    out.key("loaded").value(model.loaded).key("file_bytes").value(model.file_bytes);
    out.key("default").value(model.name == core.options.default_model).end_object();
  }
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

void describe_embed(JsonWriter& out, Components& components) {
  embed_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
