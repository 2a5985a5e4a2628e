// Embedding and the models that are there.
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/problem.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/embed/embedder.h"

namespace quipu::api::rest {
namespace {

constexpr std::size_t kTextsMax = 32;

struct EmbedBody {
  std::vector<std::string> texts;
  std::string model;
  embed::TextKind kind = embed::TextKind::kPassage;
};

const SchemaPtr<EmbedBody>& embed_schema() {
  static const SchemaPtr<EmbedBody> schema =
      Object<EmbedBody>("Embed", "Texts to turn into vectors.")
          .required("texts", &EmbedBody::texts, array(text(1, limits::kTextBytesMax), 1, kTextsMax),
                    "1 to 32 texts.")
          .optional("model", &EmbedBody::model, text(1, 255),
                    "The default model of the configuration unless given.")
          .optional("kind", &EmbedBody::kind,
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
  Core& core = call->core();
  embed::Embedder& embedder = core.engine.embedder();
  if (body->model.empty()) body->model = core.options.default_model;
  const auto model = embedder.model(body->model);
  if (!model.ok()) return call->fail(model.error());
  const std::vector<std::string_view> texts(body->texts.begin(), body->texts.end());
  embed::EmbedParams params;
  params.model = body->model;
  params.kind = body->kind;
  params.deadline = core.clock.steady_now() + call->time_left();
  const auto begun = core.clock.steady_now();
  const auto embeddings = embedder.embed(texts, params);
  const std::chrono::duration<double, std::milli> took = core.clock.steady_now() - begun;
  // A text that fails fails alone; when none could be embedded, the request did.
  std::uint64_t tokens = 0;
  bool any = false;
  for (const auto& embedding : embeddings) {
    any = any || embedding.ok();
    if (embedding.ok()) tokens += embedding.value().token_count;
  }
  if (!any) return call->fail(embeddings.front().error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("embeddings").begin_array();
  for (const auto& embedding : embeddings) write_embedding(out, embedding);
  out.end_array();
  out.key("model").value(std::string_view(body->model));
  out.key("dimension").value(model.value().dim);
  out.key("usage").begin_object().key("total_tokens").value(tokens);
  out.key("duration_ms").value(took.count()).end_object().end_object();
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
