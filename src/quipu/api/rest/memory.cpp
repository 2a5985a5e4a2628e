// Remember, recall and forget: a thin translation to engine/plain_memory.h.
#include <algorithm>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/problem.h"
#include "quipu/api/rest/answers.h"
#include "quipu/api/rest/handlers.h"
#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::api::rest {
namespace {

constexpr std::size_t kRecordsMax = 1000;
constexpr const char* kCollectionDoc = "The memory collection of the configuration unless given.";
// The member of a payload that Quipu keeps for itself (engine/plain_memory.h).
constexpr std::string_view kChunkMember = "quipu_chunk";

struct RecordBody {
  std::string text;
  std::optional<PointId> id;
  std::string metadata = "{}";
  std::string collection;
};

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

const SchemaPtr<RecordBody>& record_schema() {
  static const SchemaPtr<RecordBody> schema =
      Object<RecordBody>("RecordWrite", "Something to remember.")
          .required("text", &RecordBody::text, text(1, limits::kTextBytesMax),
                    "Longer than the model takes: it is cut into linked parts, none is lost.")
          .optional("id", &RecordBody::id, maybe(point_id()),
                    "Given: remembering again replaces. A new UUID unless given.")
          .optional("metadata", &RecordBody::metadata, json_object(limits::kPayloadBytesMax),
                    "Any JSON object; {} unless given.")
          .optional("collection", &RecordBody::collection, text(1, 255), kCollectionDoc)
          .done();
  return schema;
}

const SchemaPtr<OneOrMany<RecordBody>>& remember_schema() {
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
          .required("query", &RecallBody::query, text(1, std::size_t{64} << 10), "What to recall.")
          .optional("k", &RecallBody::k, integer<std::size_t>(1, 1000),
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

// A seq that covers all of them, when one does: memory collections have one shard, so of several
// writes to one collection the last version's token is the latest moment.
std::string latest_seq(const std::vector<Result<engine::Remembered>>& records,
                       bool same_collection) {
  const engine::Remembered* latest = nullptr;
  for (const auto& record : records) {
    if (!record.ok()) continue;
    if (latest == nullptr || record.value().version > latest->version) latest = &record.value();
  }
  return latest != nullptr && same_collection ? latest->seq : "";
}

void reply_batch(const CallPtr& call, const std::vector<Result<engine::Remembered>>& records,
                 const std::string& seq) {
  Response response;
  JsonWriter out(response.body);
  std::uint64_t failed = 0;
  out.begin_object().key("items").begin_array();
  for (const auto& record : records) {
    out.begin_object();
    if (record.ok()) {
      out.key("record");
      write_remembered(out, record.value());
    } else {
      ++failed;
      out.key("error");
      write_item_error(out, record.error());
    }
    out.end_object();
  }
  out.end_array();
  out.key("remembered").value(std::uint64_t{records.size()} - failed);
  out.key("failed").value(failed).end_object();
  if (!seq.empty()) response.headers.emplace_back("Quipu-Seq", seq);
  call->reply(std::move(response));
}

std::vector<engine::RememberRequest> to_requests(const Call& call, OneOrMany<RecordBody> body) {
  std::vector<engine::RememberRequest> requests;
  requests.reserve(body.items.size());
  for (RecordBody& item : body.items) {
    engine::RememberRequest request;
    request.text = std::move(item.text);
    request.id = item.id;
    request.metadata = std::move(item.metadata);
    request.collection = std::move(item.collection);
    request.params = call.write_params(body.one ? "" : std::to_string(requests.size()));
    requests.push_back(std::move(request));
  }
  return requests;
}

std::string query_collection(const Call& call) {
  return std::string(call.query("collection").value_or(""));
}

Error record_not_found(const PointId& id) {
  return {ErrorCode::kNotFound, "there is no record " + id.to_string(), "record_not_found"};
}

// The payload without our own member, which becomes "chunk".
void write_metadata(JsonWriter& out, const std::string& payload) {
  const Result<JsonDocument> parsed = JsonDocument::parse(payload);
  if (!parsed.ok() || !parsed.value().root().find(kChunkMember)) {
    out.key("metadata").raw(parsed.ok() ? payload : "{}");
    return;
  }
  out.key("metadata").begin_object();
  parsed.value().root().for_each_member([&](std::string_view name, JsonView value) {
    if (name != kChunkMember) out.key(name).raw(value.to_string());
    return true;
  });
  out.end_object();
  const JsonView chunk = *parsed.value().root().find(kChunkMember);
  if (chunk.is_object()) out.key("chunk").raw(chunk.to_string());
}

}  // namespace

void remember(const CallPtr& call) {
  OneOrMany<RecordBody> body;
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
  const bool one = body.one;
  const bool same_collection = std::ranges::all_of(body.items, [&](const RecordBody& item) {
    return item.collection == body.items.front().collection;
  });
  const auto records = call->core().memory.remember(to_requests(*call, std::move(body)));
  const std::string seq = latest_seq(records, same_collection);
  if (!one) return reply_batch(call, records, seq);
  if (!records.front().ok()) return call->fail(records.front().error());
  Response response;
  JsonWriter out(response.body);
  write_remembered(out, records.front().value());
  response.headers.emplace_back("Quipu-Seq", seq);
  call->reply(std::move(response));
}

void get_record(const CallPtr& call) {
  const auto id = path_id(call, 0);
  if (!id) return;
  std::string collection = query_collection(*call);
  const bool usual = collection.empty();
  if (usual) collection = call->core().options.memory_collection;
  const auto points = call->core().engine.get(
      call->tenant(), collection, {.ids = {*id}, .select = {}, .params = call->read_params()});
  // The usual collection is made by the first remember(): before that, nothing is known.
  if (!points.ok() && usual && points.error().stable_reason() == "collection_not_found") {
    return call->fail(record_not_found(*id));
  }
  if (!points.ok()) return call->fail(points.error());
  if (points.value().empty()) return call->fail(record_not_found(*id));
  const Point& point = points.value().front();
  Response response;
  JsonWriter out(response.body);
  out.begin_object().key("id");
  write_id(out, point.id);
  out.key("version").value(point.version);
  out.key("text").value(std::string_view(point.text ? *point.text : std::string()));
  write_metadata(out, point.payload);
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
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("items").begin_array();
  for (const PointId& id : body->ids) {
    const auto forgotten = call->core().memory.forget(id, body->collection);
    const bool about_item = forgotten.ok() || forgotten.error().code == ErrorCode::kInvalidArgument;
    // What stops one (no such collection, a full queue) stops all; what was forgotten stays so.
    if (!about_item) return call->fail(forgotten.error());
    out.begin_object().key("id");
    write_id(out, id);
    if (forgotten.ok()) {
      out.key("outcome").value(forgotten.value() ? "deleted" : "not_found");
    } else {
      out.key("outcome").value("refused").key("error");
      write_item_error(out, forgotten.error());
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
