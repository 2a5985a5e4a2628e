#include "quipu/api/rest/answers.h"

#include <algorithm>
#include <span>
#include <variant>

#include "quipu/api/problem.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api::rest {
namespace {

constexpr std::size_t kInlineItemsMax = 64;

void write_item(JsonWriter& out, const ItemResult& item) {
  out.begin_object().key("id");
  write_id(out, item.id);
  out.key("outcome").value(item_outcome_name(item.outcome));
  out.key("version").value(item.version);
  if (item.truncated) out.key("truncated").value(true);
  if (item.token_count > 0) out.key("token_count").value(item.token_count);
  if (item.error) {
    out.key("error");
    write_item_error(out, *item.error);
  }
  out.end_object();
}

void reply_refused(const CallPtr& call, const WriteResult& result, WriteAnswer about) {
  std::vector<FieldError> errors;
  // Conditions that failed come first: the others were refused because of them.
  const ItemResult* first = nullptr;
  for (std::size_t i = 0; i < result.items.size(); ++i) {
    const ItemResult& item = result.items[i];
    if (!item.error) continue;
    if (first == nullptr) first = &item;
    if (errors.size() == FieldErrors::kMax) break;
    errors.push_back({.field = about.one ? std::string()
                                         : std::string(about.list) + "[" + std::to_string(i) + "]",
                      .code = std::string(item.error->stable_reason()),
                      .detail = item.error->message});
  }
  if (first == nullptr) {
    return call->fail({ErrorCode::kInternal, "items were refused without saying why"});
  }
  call->fail(*first->error, errors);
}

}  // namespace

void write_id(JsonWriter& out, const PointId& id) {
  if (id.is_uuid()) {
    out.value(std::string_view(id.to_string()));
  } else {
    out.value(id.as_number());
  }
}

void write_time(JsonWriter& out, std::string_view name, std::int64_t time_us) {
  out.key(name).value(std::string_view(telemetry::rfc3339(time_us)));
}

namespace {

void write_vector(JsonWriter& out, const NamedVector& vector, const VectorShapes& shapes) {
  if (!vector.indices.empty() || vector.values.empty()) {
    out.begin_object().key("indices").begin_array();
    for (const std::uint32_t index : vector.indices) out.value(index);
    out.end_array().key("values").floats(vector.values).end_object();
    return;
  }
  const auto shape =
      std::ranges::find(shapes.rows, vector.name, &std::pair<std::string, std::uint32_t>::first);
  if (shape == shapes.rows.end()) {
    out.floats(vector.values);
    return;
  }
  out.begin_array();
  const std::span<const float> values(vector.values);
  for (std::size_t begin = 0; begin < values.size(); begin += shape->second) {
    out.floats(values.subspan(begin, std::min<std::size_t>(shape->second, values.size() - begin)));
  }
  out.end_array();
}

}  // namespace

Result<VectorShapes> VectorShapes::of(const Call& call, const Select& select) {
  if (!select.vectors) return VectorShapes{};
  QUIPU_TRY(const CollectionInfo info,
            call.core().engine.collection(call.tenant(), call.parameter(0)));
  return of(info);
}

VectorShapes VectorShapes::of(const CollectionInfo& info) {
  VectorShapes shapes;
  for (const VectorConfig& vector : info.config.vectors) {
    if (vector.kind == VectorKind::kMulti) shapes.rows.emplace_back(vector.name, vector.dim);
  }
  return shapes;
}

void write_point_members(JsonWriter& out, const Point& point, const Select& select,
                         const VectorShapes& shapes) {
  // When nothing was asked for, the record was not read.
  if (!select.payload && !select.text && !select.vectors) return;
  out.key("version").value(point.version);
  write_time(out, "created_at", point.created_us);
  write_time(out, "updated_at", point.updated_us);
  if (select.text && point.text) out.key("text").value(std::string_view(*point.text));
  if (select.payload) out.key("payload").raw(point.payload.empty() ? "{}" : point.payload);
  if (!select.vectors) return;
  const auto unnamed = [](const NamedVector& vector) { return vector.name.empty(); };
  const auto usual = std::ranges::find_if(point.vectors, unnamed);
  if (usual != point.vectors.end()) {
    out.key("vector");
    write_vector(out, *usual, shapes);
  }
  if (std::ranges::all_of(point.vectors, unnamed)) return;
  out.key("vectors").begin_object();
  for (const NamedVector& vector : point.vectors) {
    if (vector.name.empty()) continue;
    out.key(vector.name);
    write_vector(out, vector, shapes);
  }
  out.end_object();
}

void write_point(JsonWriter& out, const Point& point, const Select& select,
                 const VectorShapes& shapes) {
  out.begin_object().key("id");
  write_id(out, point.id);
  write_point_members(out, point, select, shapes);
  out.end_object();
}

void write_order_value(JsonWriter& out, const OrderKey& key) {
  out.key("order_value");
  std::visit([&out](const auto& number) { out.value(number); }, key);
}

void write_explain(JsonWriter& out, const SearchExplain& explain) {
  out.begin_object();
  out.key("tail_rows").value(explain.tail_rows);
  out.key("graph_distances").value(explain.graph_distances);
  out.key("scanned_rows").value(explain.scanned_rows);
  out.key("postings").value(explain.postings);
  out.key("hops").value(explain.hops);
  out.key("exact").value(explain.exact);
  out.key("storage_scan").value(explain.storage_scan);
  out.key("filter_judged").value(explain.filter_judged);
  out.key("filter_matched").value(explain.filter_matched);
  out.key("filter_keys_without_index").begin_array();
  for (const std::string& key : explain.filter_keys_without_index) {
    out.value(std::string_view(key));
  }
  out.end_array();
  out.key("reranked").value(explain.reranked);
  out.key("embed_ms").value(explain.embed_ms);
  out.key("rerank_ms").value(explain.rerank_ms);
  out.key("filter_ms").value(explain.filter_ms);
  out.key("search_ms").value(explain.search_ms);
  out.key("hydrate_ms").value(explain.hydrate_ms);
  out.end_object();
}

void reply_written(const CallPtr& call, const Result<WriteResult>& result, WriteAnswer about) {
  if (!result.ok()) return call->fail(result.error());
  const WriteResult& written = result.value();
  const auto refused = [](const ItemResult& item) { return item.outcome == ItemOutcome::kRefused; };
  if (!written.items.empty() && std::ranges::all_of(written.items, refused)) {
    return reply_refused(call, written, about);
  }
  if (about.one && written.items.size() == 1 &&
      written.items[0].outcome == ItemOutcome::kNotFound) {
    return call->fail({ErrorCode::kNotFound, "there is no point " + written.items[0].id.to_string(),
                       "point_not_found"});
  }
  Response response;
  JsonWriter out(response.body);
  out.begin_object().key("items").begin_array();
  for (const ItemResult& item : written.items) write_item(out, item);
  out.end_array();
  out.key("seq").value(std::string_view(written.seq));
  out.key("durable").value(written.durable);
  out.key("replayed").value(written.replayed);
  out.end_object();
  response.headers.emplace_back("Quipu-Seq", written.seq);
  if (written.replayed) response.headers.emplace_back("Idempotency-Replayed", "true");
  call->reply(std::move(response));
}

Engine::WriteDone when_written(const CallPtr& call, WriteAnswer about) {
  return [call, about](Result<WriteResult> result) {
    if (!result.ok() || result.value().items.size() <= kInlineItemsMax) {
      return reply_written(call, result, about);
    }
    const auto shared = std::make_shared<const Result<WriteResult>>(std::move(result));
    const Status submitted =
        call->core().compute.submit([call, about, shared] { reply_written(call, *shared, about); });
    // The write was acknowledged: a full pool must not turn that into an error.
    if (!submitted.ok()) reply_written(call, *shared, about);
  };
}

void reply_filter_written(const CallPtr& call, const Result<FilterWriteResult>& result) {
  if (!result.ok()) return call->fail(result.error());
  const FilterWriteResult& written = result.value();
  Response response;
  JsonWriter out(response.body);
  out.begin_object().key("matched").value(written.matched);
  out.key("seq").value(std::string_view(written.seq));
  out.key("durable").value(written.durable).end_object();
  response.headers.emplace_back("Quipu-Seq", written.seq);
  call->reply(std::move(response));
}

std::optional<PointId> path_id(const CallPtr& call, std::size_t parameter) {
  Result<PointId> id = PointId::parse(call->parameter(parameter));
  if (id.ok()) return id.value();
  call->fail(id.error());
  return std::nullopt;
}

double milliseconds_since_start(const Call& call) {
  const std::chrono::duration<double, std::milli> took =
      call.core().clock.steady_now() - call.start();
  return took.count();
}

Select select_of_query(const Call& call) {
  return {.payload = call.flag("with_payload", true),
          .text = call.flag("with_text", true),
          .vectors = call.flag("with_vector", false)};
}

}  // namespace quipu::api::rest
