// Documents by how well they answer a query, in the shape that Cohere's and Jina's clients know.
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/reranking.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

// A text, or an object with one.
class DocumentSchema final : public Schema<std::string> {
 public:
  void read(JsonView json, std::string& into, const Path& at, FieldErrors& errors) const override {
    if (!json.is_object()) return text_->read(json, into, at, errors);
    bool found = false;
    json.for_each_member([&](std::string_view name, JsonView value) {
      const Path here(at, name);
      if (name == "text") {
        found = true;
        text_->read(value, into, here, errors);
      } else {
        errors.add(here, "unknown_field", "is not a field of a document");
      }
      return !errors.full();
    });
    if (!found) errors.add(Path(at, "text"), "missing_field", "is required");
  }
  void describe(JsonWriter& out, Components& components, std::string_view doc) const override {
    out.begin_object();
    write_doc(out, doc);
    out.key("oneOf").begin_array();
    text_->describe(out, components, "");
    out.begin_object().key("type").value("object").key("properties").begin_object().key("text");
    text_->describe(out, components, "");
    out.end_object().key("required").begin_array().value("text").end_array();
    out.key("additionalProperties").value(false).end_object().end_array().end_object();
  }

 private:
  SchemaPtr<std::string> text_ = text(0, limits::kTextBytesMax);
};

const SchemaPtr<RerankInput>& rerank_schema() {
  static const SchemaPtr<RerankInput> schema =
      Object<RerankInput>("Rerank", "Texts to rank by how well they answer a query.")
          .required("query", &RerankInput::query, text(1, limits::kTextBytesMax), "")
          .required("documents", &RerankInput::documents,
                    array<std::string>(std::make_shared<DocumentSchema>(), 1, kRerankDocumentsMax),
                    "1 to 1,000 texts, or objects with a text. What does not fit the model is left "
                    "out at "
                    "the end of the longer of query and text.")
          .required("model", &RerankInput::model, text(1, 255),
                    "One that scores pairs of texts: `task` is score in /v1/models.")
          .optional("top_n", &RerankInput::top_n, integer<std::size_t>(1, kRerankDocumentsMax),
                    "How many to answer; all unless given.")
          .optional("return_documents", &RerankInput::return_documents, boolean(),
                    "Whether the answer has the texts; false unless given.")
          .done();
  return schema;
}

}  // namespace

void rerank(const CallPtr& call) {
  const auto body = call->body(rerank_schema());
  if (!body) return;
  const auto done = rerank_texts(*call, *body);
  if (!done.ok()) return call->fail(done.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("model").value(std::string_view(body->model));
  out.key("results").begin_array();
  for (const RerankedTexts::Item& item : done.value().items) {
    out.begin_object().key("index").value(std::uint64_t{item.index});
    out.key("relevance_score").value(item.relevance).key("truncated").value(item.truncated);
    if (body->return_documents) {
      out.key("document").begin_object().key("text");
      out.value(std::string_view(body->documents[item.index])).end_object();
    }
    out.end_object();
  }
  out.end_array().key("usage").begin_object();
  out.key("total_tokens").value(done.value().token_count);
  out.key("duration_ms").value(done.value().took_ms).end_object().end_object();
  call->reply_json(200, std::move(json));
}

void describe_rerank(JsonWriter& out, Components& components) {
  rerank_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
