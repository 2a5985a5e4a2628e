// Remember, recall and forget: a thin translation to engine/plain_memory.h.
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/records.h"
#include "quipu/api/problem.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"

namespace quipu::api::rest {
namespace {

constexpr const char* kCollectionDoc = "The memory collection of the configuration unless given.";
struct ForgetBody {
  std::vector<PointId> ids;
  std::string collection;
};

struct RecallBody {
  std::string query;
  std::size_t k = 10;
  std::string collection;
  std::optional<float> score_threshold;
  bool explain = false;
};

const SchemaPtr<RecordInput>& record_schema() {
  static const SchemaPtr<RecordInput> schema =
      Object<RecordInput>("RecordWrite", "Something to remember.")
          .required("text", &RecordInput::text, text(1, limits::kTextBytesMax),
                    "Longer than the model takes: it is cut into linked parts, none is lost.")
          .optional("id", &RecordInput::id, maybe(point_id()),
                    "Given: remembering again replaces. A new UUID unless given.")
          .optional("metadata", &RecordInput::metadata, json_object(limits::kPayloadBytesMax),
                    "Any JSON object; {} unless given.")
          .optional("collection", &RecordInput::collection, text(1, 255), kCollectionDoc)
          .done();
  return schema;
}

const SchemaPtr<OneOrMany<RecordInput>>& remember_schema() {
  static const auto schema = one_or_many("records", record_schema(), kRecordsMax);
  return schema;
}

const SchemaPtr<ForgetBody>& forget_schema() {
  static const SchemaPtr<ForgetBody> schema =
      Object<ForgetBody>("Forget", "Records to forget.")
          .required("ids", &ForgetBody::ids, array(point_id(), 1, kRecordsMax), "Distinct.")
          .optional("collection", &ForgetBody::collection, text(1, 255), kCollectionDoc)
          .done();
  return schema;
}

const SchemaPtr<RecallBody>& recall_schema() {
  static const SchemaPtr<RecallBody> schema =
      Object<RecallBody>("Recall", "A question in plain words.")
          .required("query", &RecallBody::query, text(1, kRecallQueryBytesMax), "What to recall.")
          .optional("k", &RecallBody::k, integer<std::size_t>(1, kRecallRecordsMax),
                    "How many records at most; 10 unless given.")
          .optional("collection", &RecallBody::collection, text(1, 255), kCollectionDoc)
          .optional("score_threshold", &RecallBody::score_threshold, maybe(real()),
                    "Leave out what is less similar (cosine, -1 to 1).")
          .optional("explain", &RecallBody::explain, boolean(),
                    "Say how the answer was found and how long each stage took.")
          .done();
  return schema;
}

void write_remembered(JsonWriter& out, const engine::Remembered& record) {
  out.begin_object().key("id");
  write_id(out, record.id);
  out.key("created").value(record.created).key("version").value(record.version);
  out.key("chunks").begin_array();
  for (const PointId& id : record.chunks) write_id(out, id);
  out.end_array();
  out.key("token_count").value(record.token_count);
  out.key("seq").value(std::string_view(record.seq));
  out.key("durable").value(record.durable).end_object();
}

void reply_batch(const CallPtr& call, const RememberedRecords& done) {
  Response response;
  JsonWriter out(response.body);
  out.begin_object().key("items").begin_array();
  for (const auto& record : done.records) {
    out.begin_object();
    if (record.ok()) {
      out.key("record");
      write_remembered(out, record.value());
    } else {
      out.key("error");
      write_item_error(out, record.error());
    }
    out.end_object();
  }
  out.end_array();
  out.key("remembered").value(std::uint64_t{done.records.size()} - done.failed);
  out.key("failed").value(done.failed).end_object();
  if (!done.seq.empty()) response.headers.emplace_back("Quipu-Seq", done.seq);
  call->reply(std::move(response));
}

std::string query_collection(const Call& call) {
  return std::string(call.query("collection").value_or(""));
}

}  // namespace

void remember(const CallPtr& call) {
  OneOrMany<RecordInput> body;
  if (call->is_ndjson()) {
    auto lines = call->lines(record_schema(), kRecordsMax);
    if (!lines) return;
    body.items = std::move(*lines);
  } else {
    auto read = call->body(remember_schema());
    if (!read) return;
    body = std::move(*read);
  }
  call->drop_body();
  const RememberedRecords done = remember_records(*call, std::move(body.items), body.one);
  if (!body.one) return reply_batch(call, done);
  const Result<engine::Remembered>& record = done.records.front();
  if (!record.ok()) return call->fail(record.error());
  Response response;
  JsonWriter out(response.body);
  write_remembered(out, record.value());
  response.headers.emplace_back("Quipu-Seq", done.seq);
  call->reply(std::move(response));
}

void get_record(const CallPtr& call) {
  const auto id = path_id(call, 0);
  if (!id) return;
  const auto record = read_record(*call, *id, query_collection(*call), call->read_params());
  if (!record.ok()) return call->fail(record.error());
  const Point& point = record.value().point;
  Response response;
  JsonWriter out(response.body);
  out.begin_object().key("id");
  write_id(out, point.id);
  out.key("version").value(point.version);
  out.key("text").value(std::string_view(point.text ? *point.text : std::string()));
  out.key("metadata").raw(record.value().metadata);
  if (!record.value().chunk.empty()) out.key("chunk").raw(record.value().chunk);
  write_time(out, "created_at", point.created_us);
  write_time(out, "updated_at", point.updated_us);
  out.end_object();
  response.headers.emplace_back("ETag", "\"" + std::to_string(point.version) + "\"");
  call->reply(std::move(response));
}

void forget_record(const CallPtr& call) {
  const auto id = path_id(call, 0);
  if (!id) return;
  const auto forgotten = call->core().memory.forget(*id, query_collection(*call));
  if (!forgotten.ok()) return call->fail(forgotten.error());
  if (!forgotten.value()) return call->fail(record_not_found(*id));
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("items").begin_array().begin_object().key("id");
  write_id(out, *id);
  out.key("outcome").value("deleted").end_object().end_array().end_object();
  call->reply_json(200, std::move(json));
}

void forget_records(const CallPtr& call) {
  const auto body = call->body(forget_schema());
  if (!body) return;
  const auto items = forget_all(*call, body->ids, body->collection);
  if (!items.ok()) return call->fail(items.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("items").begin_array();
  for (const ForgottenRecord& item : items.value()) {
    out.begin_object().key("id");
    write_id(out, item.id);
    if (item.error) {
      out.key("outcome").value("refused").key("error");
      write_item_error(out, *item.error);
    } else {
      out.key("outcome").value(item.deleted ? "deleted" : "not_found");
    }
    out.end_object();
  }
  out.end_array().end_object();
  call->reply_json(200, std::move(json));
}

void recall(const CallPtr& call) {
  auto body = call->body(recall_schema());
  if (!body) return;
  engine::RecallRequest request;
  request.query = std::move(body->query);
  request.k = body->k;
  request.collection = std::move(body->collection);
  request.score_threshold = body->score_threshold;
  request.explain = body->explain;
  request.params = call->read_params();
  const auto result = call->core().memory.recall(request);
  if (!result.ok()) return call->fail(result.error());
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("records").begin_array();
  for (const engine::Recalled& record : result.value().records) {
    out.begin_object().key("id");
    write_id(out, record.id);
    out.key("point");
    write_id(out, record.point);
    out.key("score").value(record.score).key("text").value(std::string_view(record.text));
    out.key("metadata").raw(record.metadata.empty() ? "{}" : record.metadata);
    write_time(out, "created_at", record.created_us);
    write_time(out, "updated_at", record.updated_us);
    out.end_object();
  }
  out.end_array().key("query_truncated").value(result.value().query_truncated);
  if (result.value().explain) {
    out.key("explain");
    write_explain(out, *result.value().explain);
  }
  out.key("took_ms").value(milliseconds_since_start(*call)).end_object();
  call->reply_json(200, std::move(json));
}

void describe_remember(JsonWriter& out, Components& components) {
  remember_schema()->describe(out, components, "");
}
void describe_remember_line(JsonWriter& out, Components& components) {
  record_schema()->describe(out, components, "One record on each line.");
}
void describe_forget(JsonWriter& out, Components& components) {
  forget_schema()->describe(out, components, "");
}
void describe_recall(JsonWriter& out, Components& components) {
  recall_schema()->describe(out, components, "");
}

}  // namespace quipu::api::rest
