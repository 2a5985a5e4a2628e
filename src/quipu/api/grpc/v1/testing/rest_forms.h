// For tests: the JSON that REST has in the place of quipu.v1's messages, both ways of a call.
#pragma once

#include <quipu_proto/quipu/v1/collections.pb.h>
#include <quipu_proto/quipu/v1/memory.pb.h>
#include <quipu_proto/quipu/v1/models.pb.h>
#include <quipu_proto/quipu/v1/points.pb.h>
#include <quipu_proto/quipu/v1/search.pb.h>

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::api::grpc::v1::testing_support {

namespace pb = ::quipu::v1;

// ---------------------------------------------------------------- comparing

inline void write_canonical(JsonView json, JsonWriter& out) {
  // What two runs of one request need not have in common: times, and how much work there was.
  static const std::set<std::string, std::less<>> kIgnored = {
      "took_ms",      "embed_ms", "filter_ms",   "search_ms",     "hydrate_ms",
      "rerank_ms",    "reranked", "duration_ms", "tail_rows",     "graph_distances",
      "scanned_rows", "postings", "hops",        "filter_judged", "created_at",
      "updated_at",   "seq",      "status",      "log_operations"};
  if (json.is_array()) {
    out.begin_array();
    json.for_each_element([&](JsonView element) {
      write_canonical(element, out);
      return true;
    });
    out.end_array();
  } else if (json.is_object()) {
    std::map<std::string, JsonView, std::less<>> members;
    json.for_each_member([&](std::string_view name, JsonView value) {
      if (!kIgnored.contains(name)) members.emplace(name, value);
      return true;
    });
    out.begin_object();
    for (const auto& [name, value] : members) {
      out.key(name);
      write_canonical(value, out);
    }
    out.end_object();
  } else {
    out.raw(json.to_string());
  }
}

// One spelling of a JSON text: members in order, without those.
[[nodiscard]] inline std::string canonical(std::string_view json) {
  const auto parsed = JsonDocument::parse(json);
  if (!parsed.ok()) return "not JSON: " + std::string(json);
  std::string text;
  JsonWriter out(text);
  write_canonical(parsed.value().root(), out);
  return text;
}

// ---------------------------------------------------------------- parts

inline void put_id(JsonWriter& out, const pb::PointId& id) {
  if (id.has_uuid()) {
    out.value(std::string_view(id.uuid()));
  } else {
    out.value(id.number());
  }
}

template <typename Ids>
void put_ids(JsonWriter& out, const Ids& ids) {
  out.begin_array();
  for (const pb::PointId& id : ids) put_id(out, id);
  out.end_array();
}

template <typename Texts>
void put_texts(JsonWriter& out, std::string_view name, const Texts& texts) {
  out.key(name).begin_array();
  for (const std::string& text : texts) out.value(std::string_view(text));
  out.end_array();
}

template <typename Values>
std::span<const float> floats_of(const Values& values) {
  return {values.data(), static_cast<std::size_t>(values.size())};
}

template <typename Indices, typename Values>
void put_sparse(JsonWriter& out, const Indices& indices, const Values& values) {
  out.begin_object().key("indices").begin_array();
  for (const std::uint32_t index : indices) out.value(index);
  out.end_array().key("values").floats(floats_of(values)).end_object();
}

// The multivectors of these tests have rows of two numbers, and are called "m".
inline void put_rows(JsonWriter& out, std::span<const float> values, std::size_t row) {
  out.begin_array();
  for (std::size_t begin = 0; begin < values.size(); begin += row) {
    out.floats(values.subspan(begin, std::min(row, values.size() - begin)));
  }
  out.end_array();
}

inline void put_vector(JsonWriter& out, const pb::NamedVector& vector) {
  if (vector.indices_size() > 0 || vector.values_size() == 0) {
    put_sparse(out, vector.indices(), vector.values());
  } else if (vector.name() == "m") {
    put_rows(out, floats_of(vector.values()), 2);
  } else {
    out.floats(floats_of(vector.values()));
  }
}

template <typename Vectors>
void put_vectors(JsonWriter& out, const Vectors& vectors) {
  bool named = false;
  for (const pb::NamedVector& vector : vectors) {
    named = named || !vector.name().empty();
    if (!vector.name().empty()) continue;
    out.key("vector");
    put_vector(out, vector);
  }
  if (!named) return;
  out.key("vectors").begin_object();
  for (const pb::NamedVector& vector : vectors) {
    if (vector.name().empty()) continue;
    out.key(vector.name());
    put_vector(out, vector);
  }
  out.end_object();
}

inline void put_select(JsonWriter& out, const pb::Select& select) {
  if (select.payload_include_size() > 0) {
    put_texts(out, "with_payload", select.payload_include());
  } else if (select.payload_exclude_size() > 0) {
    out.key("with_payload").begin_object();
    put_texts(out, "exclude", select.payload_exclude());
    out.end_object();
  } else if (select.has_payload()) {
    out.key("with_payload").value(select.payload());
  }
  if (select.has_text()) out.key("with_text").value(select.text());
  if (select.vector_names_size() > 0) {
    put_texts(out, "with_vector", select.vector_names());
  } else if (select.vectors()) {
    out.key("with_vector").value(true);
  }
}

// The members of a point after its id.
inline void put_point(JsonWriter& out, const pb::Point& point, const pb::Select& select) {
  const bool payload = !select.has_payload() || select.payload();
  const bool text = !select.has_text() || select.text();
  if (point.has_order_value()) {
    const pb::OrderValue& order = point.order_value();
    out.key("order_value");
    if (order.has_integer()) {
      out.value(order.integer());
    } else {
      out.value(order.real());
    }
  }
  if (!payload && !text && !select.vectors()) return;
  out.key("version").value(point.version());
  if (point.has_text()) out.key("text").value(std::string_view(point.text()));
  if (payload) out.key("payload").raw(point.payload_json());
  put_vectors(out, point.vectors());
}

inline void put_item_error(JsonWriter& out, std::string_view code, std::string_view detail) {
  out.key("error").begin_object().key("code").value(code).key("detail").value(detail);
  out.end_object();
}

inline void put_explain(JsonWriter& out, const pb::Explain& explain) {
  out.key("explain").begin_object().key("exact").value(explain.exact());
  out.key("storage_scan").value(explain.storage_scan());
  out.key("filter_matched").value(explain.filter_matched());
  put_texts(out, "filter_keys_without_index", explain.filter_keys_without_index());
  out.end_object();
}

inline void put_hit(JsonWriter& out, const pb::Hit& hit, const pb::Select& select,
                    std::string_view collection = "") {
  out.begin_object().key("id");
  put_id(out, hit.point().id());
  out.key("score").value(hit.score());
  if (!collection.empty()) out.key("collection").value(collection);
  if (hit.parts_size() > 0) {
    out.key("parts").begin_array();
    for (const pb::ScorePart& part : hit.parts()) {
      out.begin_object().key("source").value(std::string_view(part.source()));
      out.key("rank").value(part.rank()).key("score").value(part.score());
      out.key("share").value(part.share()).end_object();
    }
    out.end_array();
  }
  put_point(out, hit.point(), select);
  out.end_object();
}

inline void put_result(JsonWriter& out, const pb::SearchResponse& response,
                       const pb::Select& select) {
  out.begin_object().key("hits").begin_array();
  for (const pb::Hit& hit : response.hits()) put_hit(out, hit, select);
  out.end_array().key("query_truncated").value(response.query_truncated());
  if (response.has_explain()) put_explain(out, response.explain());
  out.end_object();
}

// A JSON text that `write` writes.
template <typename Write>
[[nodiscard]] std::string json_by(const Write& write) {
  std::string json;
  JsonWriter out(json);
  write(out);
  return json;
}
// An object.
template <typename Write>
[[nodiscard]] std::string object_by(const Write& write) {
  return json_by([&](JsonWriter& out) {
    out.begin_object();
    write(out);
    out.end_object();
  });
}

// ---------------------------------------------------------------- bodies of writes

inline std::string body_of(const pb::UpsertRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("points").begin_array();
    for (const pb::PointWrite& point : request.points()) {
      out.begin_object().key("id");
      put_id(out, point.id());
      put_vectors(out, point.vectors());
      if (point.has_text()) out.key("text").value(std::string_view(point.text()));
      if (!point.payload_json().empty()) out.key("payload").raw(point.payload_json());
      if (point.condition().has_if_version()) {
        out.key("if_version").value(point.condition().if_version());
      }
      if (point.condition().if_absent()) out.key("if_absent").value(true);
      out.end_object();
    }
    out.end_array();
  });
}

inline void put_change(JsonWriter& out, const pb::PointPatch& patch) {
  if (!patch.set_payload_json().empty()) out.key("set_payload").raw(patch.set_payload_json());
  if (!patch.set_key().empty()) out.key("set_key").value(std::string_view(patch.set_key()));
  if (patch.delete_payload_size() > 0) put_texts(out, "delete_payload", patch.delete_payload());
  if (patch.delete_paths_size() > 0) put_texts(out, "delete_paths", patch.delete_paths());
  if (patch.replace_payload()) out.key("replace_payload").value(true);
  if (patch.delete_vectors_size() > 0) put_texts(out, "delete_vectors", patch.delete_vectors());
}

inline std::string body_of(const pb::PatchRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("points").begin_array();
    for (const pb::PointPatch& patch : request.points()) {
      out.begin_object().key("id");
      put_id(out, patch.id());
      put_change(out, patch);
      put_vectors(out, patch.vectors());
      if (patch.has_text()) out.key("text").value(std::string_view(patch.text()));
      if (patch.condition().has_if_version()) {
        out.key("if_version").value(patch.condition().if_version());
      }
      out.end_object();
    }
    out.end_array();
  });
}

inline std::string body_of(const pb::PatchByFilterRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("filter").raw(request.filter_json()).key("patch").begin_object();
    put_change(out, request.patch());
    out.end_object();
  });
}

inline std::string body_of(const pb::DeleteRequest& request) {
  return object_by([&](JsonWriter& out) {
    if (request.ids_size() > 0) {
      out.key("ids");
      put_ids(out, request.ids());
    }
    if (request.points_size() == 0) return;
    out.key("points").begin_array();
    for (const pb::PointDelete& point : request.points()) {
      out.begin_object().key("id");
      put_id(out, point.id());
      if (point.has_if_version()) out.key("if_version").value(point.if_version());
      out.end_object();
    }
    out.end_array();
  });
}

// ---------------------------------------------------------------- bodies of reads

inline std::string body_of(const pb::GetRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("ids");
    put_ids(out, request.ids());
    put_select(out, request.select());
  });
}

inline std::string body_of(const pb::ScrollRequest& request) {
  return object_by([&](JsonWriter& out) {
    if (request.has_after()) {
      out.key("after");
      put_id(out, request.after());
    }
    if (!request.filter_json().empty()) out.key("filter").raw(request.filter_json());
    if (request.has_limit()) out.key("limit").value(request.limit());
    if (!request.order_by_json().empty()) out.key("order_by").raw(request.order_by_json());
    put_select(out, request.select());
  });
}

inline void put_search(JsonWriter& out, const pb::SearchRequest& request) {
  if (request.vector_size() > 0) {
    out.key("vector");
    if (request.indices_size() > 0) {
      put_sparse(out, request.indices(), request.vector());
    } else if (request.rows() > 0) {
      put_rows(out, floats_of(request.vector()),
               static_cast<std::size_t>(request.vector_size()) / request.rows());
    } else {
      out.floats(floats_of(request.vector()));
    }
  }
  if (request.has_text()) out.key("text").value(std::string_view(request.text()));
  if (request.has_id()) {
    out.key("id");
    put_id(out, request.id());
  }
  out.key("vector_name").value(std::string_view(request.vector_name()));
  if (request.has_k()) out.key("k").value(request.k());
  out.key("offset").value(request.offset()).key("ef").value(request.ef());
  out.key("exact").value(request.exact());
  if (!request.filter_json().empty()) out.key("filter").raw(request.filter_json());
  if (request.has_score_threshold()) out.key("score_threshold").value(request.score_threshold());
  if (request.has_hybrid()) {
    const pb::Hybrid& hybrid = request.hybrid();
    out.key("hybrid").begin_object();
    if (hybrid.fusion() == pb::Hybrid::FUSION_DBSF) out.key("fusion").value("dbsf");
    if (hybrid.fusion() == pb::Hybrid::FUSION_WEIGHTED) out.key("fusion").value("weighted");
    if (hybrid.has_k()) out.key("k").value(hybrid.k());
    if (hybrid.weights_size() > 0) {
      out.key("weights").begin_array();
      for (const double weight : hybrid.weights()) out.value(weight);
      out.end_array();
    }
    if (hybrid.has_prefetch()) out.key("prefetch").value(hybrid.prefetch());
    if (!hybrid.words().empty()) out.key("words").value(std::string_view(hybrid.words()));
    out.end_object();
  }
  out.key("explain").value(request.explain());
  put_select(out, request.select());
}

inline std::string body_of(const pb::SearchRequest& request) {
  return object_by([&](JsonWriter& out) { put_search(out, request); });
}

inline std::string body_of(const pb::SearchBatchRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("queries").begin_array();
    for (const pb::SearchRequest& query : request.queries()) {
      out.begin_object();
      put_search(out, query);
      out.end_object();
    }
    out.end_array();
  });
}

inline std::string body_of(const pb::SearchSeveralRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("queries").begin_array();
    for (const pb::SeveralSearch& query : request.queries()) {
      out.begin_object();
      put_texts(out, "collections", query.collections());
      put_search(out, query.search());
      out.end_object();
    }
    out.end_array();
  });
}

// `query` is an object's text: more members are put into it.
template <typename Request>
std::string query_body(const Request& request) {
  std::string own = object_by([&](JsonWriter& out) {
    out.key("explain").value(request.explain());
    put_select(out, request.select());
  });
  const std::string query = request.query_json();
  if (query.empty() || query.front() != '{') return query;
  return "{" + own.substr(1, own.size() - 2) + (query == "{}" ? "" : ",") + query.substr(1);
}
inline std::string body_of(const pb::QueryRequest& request) { return query_body(request); }
inline std::string body_of(const pb::QueryGroupsRequest& request) { return query_body(request); }

inline std::string body_of(const pb::QueryBatchRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("queries").begin_array();
    for (const pb::QueryRequest& query : request.queries()) out.raw(body_of(query));
    out.end_array();
  });
}

inline std::string body_of(const pb::FacetRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("key").value(std::string_view(request.key()));
    if (!request.filter_json().empty()) out.key("filter").raw(request.filter_json());
    if (request.has_limit()) out.key("limit").value(request.limit());
  });
}

inline std::string body_of(const pb::MatrixRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("vector_name").value(std::string_view(request.vector_name()));
    if (!request.filter_json().empty()) out.key("filter").raw(request.filter_json());
    if (request.has_sample()) out.key("sample").value(request.sample());
    if (request.has_limit()) out.key("limit").value(request.limit());
  });
}

// ---------------------------------------------------------------- answers

inline std::string answer_of(const pb::WriteResponse& response) {
  constexpr std::string_view kOutcomes[] = {"",        "created",   "updated",
                                            "deleted", "not_found", "refused"};
  return object_by([&](JsonWriter& out) {
    out.key("items").begin_array();
    for (const pb::ItemResult& item : response.items()) {
      out.begin_object().key("id");
      put_id(out, item.id());
      out.key("outcome").value(kOutcomes[item.outcome()]).key("version").value(item.version());
      if (item.truncated()) out.key("truncated").value(true);
      if (item.token_count() > 0) out.key("token_count").value(item.token_count());
      if (!item.error_code().empty()) put_item_error(out, item.error_code(), item.error_message());
      out.end_object();
    }
    out.end_array().key("durable").value(response.durable());
    out.key("replayed").value(response.replayed());
  });
}

inline std::string answer_of(const pb::FilterWriteResponse& response) {
  return object_by([&](JsonWriter& out) {
    out.key("matched").value(response.matched()).key("durable").value(response.durable());
  });
}

template <typename Points>
void put_points(JsonWriter& out, const Points& points, const pb::Select& select) {
  out.key("points").begin_array();
  for (const pb::Point& point : points) {
    out.begin_object().key("id");
    put_id(out, point.id());
    put_point(out, point, select);
    out.end_object();
  }
  out.end_array();
}

inline std::string answer_of(const pb::GetResponse& response, const pb::Select& select) {
  return object_by([&](JsonWriter& out) { put_points(out, response.points(), select); });
}

inline std::string answer_of(const pb::ScrollResponse& response, const pb::Select& select) {
  return object_by([&](JsonWriter& out) {
    put_points(out, response.points(), select);
    if (!response.has_next()) return;
    out.key("next");
    put_id(out, response.next());
  });
}

inline std::string answer_of(const pb::SearchResponse& response, const pb::Select& select) {
  return json_by([&](JsonWriter& out) { put_result(out, response, select); });
}

template <typename Request>
std::string batch_answer(const pb::SearchBatchResponse& response, const Request& request) {
  return object_by([&](JsonWriter& out) {
    out.key("results").begin_array();
    for (int i = 0; i < response.results_size(); ++i) {
      put_result(out, response.results(i), request.queries(i).select());
    }
    out.end_array();
  });
}

inline std::string answer_of(const pb::SearchSeveralResponse& response,
                             const pb::SearchSeveralRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("results").begin_array();
    for (int i = 0; i < response.results_size(); ++i) {
      const pb::Select& select = request.queries(i).search().select();
      out.begin_object().key("hits").begin_array();
      for (const pb::SeveralHit& hit : response.results(i).hits()) {
        put_hit(out, hit.hit(), select, hit.collection());
      }
      out.end_array().key("collections").begin_array();
      for (const pb::SeveralPart& part : response.results(i).collections()) {
        out.begin_object().key("collection").value(std::string_view(part.collection()));
        out.key("hits").value(part.hits());
        if (part.has_error()) {
          put_item_error(out, part.error().code(), part.error().message());
        } else {
          out.key("query_truncated").value(part.query_truncated());
        }
        if (part.has_explain()) put_explain(out, part.explain());
        out.end_object();
      }
      out.end_array().end_object();
    }
    out.end_array();
  });
}

inline std::string answer_of(const pb::QueryGroupsResponse& response, const pb::Select& select) {
  return object_by([&](JsonWriter& out) {
    out.key("groups").begin_array();
    for (const pb::HitGroup& group : response.groups()) {
      out.begin_object().key("value");
      if (group.has_text()) {
        out.value(std::string_view(group.text()));
      } else {
        out.value(group.number());
      }
      out.key("hits").begin_array();
      for (const pb::Hit& hit : group.hits()) put_hit(out, hit, select);
      out.end_array().end_object();
    }
    out.end_array();
    if (response.has_explain()) put_explain(out, response.explain());
  });
}

inline std::string answer_of(const pb::FacetResponse& response) {
  return object_by([&](JsonWriter& out) {
    out.key("values").begin_array();
    for (const pb::FacetValue& value : response.values()) {
      out.begin_object().key("value");
      if (value.has_text()) out.value(std::string_view(value.text()));
      if (value.has_number()) out.value(value.number());
      if (value.has_flag()) out.value(value.flag());
      out.key("count").value(value.count()).end_object();
    }
    out.end_array();
  });
}

inline std::string answer_of(const pb::MatrixResponse& response) {
  return object_by([&](JsonWriter& out) {
    out.key("ids");
    put_ids(out, response.ids());
    out.key("pairs").begin_array();
    for (const pb::MatrixPair& pair : response.pairs()) {
      out.begin_object().key("a").value(pair.a()).key("b").value(pair.b());
      out.key("score").value(pair.score()).end_object();
    }
    out.end_array();
  });
}

// ---------------------------------------------------------------- memory

inline void put_record(JsonWriter& out, const pb::RememberRequest& record) {
  out.begin_object().key("text").value(std::string_view(record.text()));
  if (record.has_id()) {
    out.key("id");
    put_id(out, record.id());
  }
  if (!record.metadata_json().empty()) out.key("metadata").raw(record.metadata_json());
  if (!record.collection().empty()) {
    out.key("collection").value(std::string_view(record.collection()));
  }
  out.end_object();
}

inline std::string body_of(const pb::RememberRequest& request) {
  return json_by([&](JsonWriter& out) { put_record(out, request); });
}

inline std::string body_of(const pb::RememberBatchRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("records").begin_array();
    for (const pb::RememberRequest& record : request.records()) put_record(out, record);
    out.end_array();
  });
}

inline std::string body_of(const pb::RecallRequest& request) {
  return object_by([&](JsonWriter& out) {
    out.key("query").value(std::string_view(request.query()));
    if (request.has_k()) out.key("k").value(request.k());
    if (!request.collection().empty()) {
      out.key("collection").value(std::string_view(request.collection()));
    }
    if (request.has_score_threshold()) out.key("score_threshold").value(request.score_threshold());
    out.key("explain").value(request.explain());
  });
}

inline void put_remembered(JsonWriter& out, const pb::Remembered& record) {
  out.begin_object().key("id");
  put_id(out, record.id());
  out.key("created").value(record.created()).key("version").value(record.version());
  out.key("chunks");
  put_ids(out, record.chunks());
  out.key("token_count").value(record.token_count()).key("durable").value(record.durable());
  out.end_object();
}

inline std::string answer_of(const pb::Remembered& response) {
  return json_by([&](JsonWriter& out) { put_remembered(out, response); });
}

inline std::string answer_of(const pb::RememberBatchResponse& response) {
  return object_by([&](JsonWriter& out) {
    out.key("items").begin_array();
    for (const auto& item : response.items()) {
      out.begin_object();
      if (item.has_record()) {
        out.key("record");
        put_remembered(out, item.record());
      } else {
        put_item_error(out, item.error().code(), item.error().message());
      }
      out.end_object();
    }
    out.end_array().key("remembered").value(response.remembered());
    out.key("failed").value(response.failed());
  });
}

inline std::string answer_of(const pb::RecallResponse& response) {
  return object_by([&](JsonWriter& out) {
    out.key("records").begin_array();
    for (const pb::Recalled& record : response.records()) {
      out.begin_object().key("id");
      put_id(out, record.id());
      out.key("point");
      put_id(out, record.point());
      out.key("score").value(record.score()).key("text").value(std::string_view(record.text()));
      out.key("metadata").raw(record.metadata_json()).end_object();
    }
    out.end_array().key("query_truncated").value(response.query_truncated());
    if (response.has_explain()) put_explain(out, response.explain());
  });
}

inline std::string answer_of(const pb::Record& record) {
  return object_by([&](JsonWriter& out) {
    out.key("id");
    put_id(out, record.id());
    out.key("version").value(record.version()).key("text").value(std::string_view(record.text()));
    out.key("metadata").raw(record.metadata_json());
    if (!record.chunk_json().empty()) out.key("chunk").raw(record.chunk_json());
  });
}

inline std::string answer_of(const pb::ForgetResponse& response) {
  constexpr std::string_view kOutcomes[] = {"", "deleted", "not_found", "refused"};
  return object_by([&](JsonWriter& out) {
    out.key("items").begin_array();
    for (const pb::Forgotten& item : response.items()) {
      out.begin_object().key("id");
      put_id(out, item.id());
      out.key("outcome").value(kOutcomes[item.outcome()]);
      if (item.has_error()) put_item_error(out, item.error().code(), item.error().message());
      out.end_object();
    }
    out.end_array();
  });
}

inline std::string answer_of(const pb::EmbedResponse& response) {
  return object_by([&](JsonWriter& out) {
    out.key("embeddings").begin_array();
    for (const pb::Embedding& each : response.embeddings()) {
      out.begin_object();
      if (each.has_error()) {
        put_item_error(out, each.error().code(), each.error().message());
      } else {
        out.key("values").floats(floats_of(each.values()));
        out.key("token_count").value(each.token_count());
        out.key("truncated").value(each.truncated());
      }
      out.end_object();
    }
    out.end_array().key("model").value(std::string_view(response.model()));
    out.key("dimension").value(response.dimension()).key("usage").begin_object();
    out.key("total_tokens").value(response.total_tokens()).end_object();
  });
}

// ---------------------------------------------------------------- collections

inline void put_words(JsonWriter& out, const pb::WordsConfig& words) {
  out.begin_object().key("name").value(std::string_view(words.name()));
  out.key("source").value(std::string_view(words.source()));
  if (!words.analyzer_json().empty()) out.key("analyzer").raw(words.analyzer_json());
  if (words.has_k1()) out.key("k1").value(words.k1());
  if (words.has_b()) out.key("b").value(words.b());
  out.end_object();
}

inline void put_index(JsonWriter& out, const pb::PayloadIndexConfig& index) {
  out.begin_object().key("key").value(std::string_view(index.key()));
  out.key("kind").value(std::string_view(index.kind()));
  if (!index.options_json().empty()) out.key("options").raw(index.options_json());
  out.end_object();
}

// `answer`: as REST answers, which leaves out what a kind does not have.
inline void put_vector_config(JsonWriter& out, const pb::VectorConfig& vector, bool answer) {
  constexpr std::string_view kMetrics[] = {"cosine", "cosine", "dot", "euclidean", "manhattan"};
  constexpr std::string_view kKinds[] = {"dense", "dense", "sparse", "multi"};
  const bool sparse = vector.kind() == pb::VECTOR_KIND_SPARSE;
  const bool dense = vector.kind() <= pb::VECTOR_KIND_DENSE;
  out.begin_object().key("name").value(std::string_view(vector.name()));
  out.key("kind").value(kKinds[vector.kind()]);
  if (!sparse && (answer || vector.dim() > 0)) out.key("dim").value(vector.dim());
  if (!sparse) out.key("metric").value(kMetrics[vector.metric()]);
  if (answer || !vector.model().empty()) out.key("model").value(std::string_view(vector.model()));
  if (dense && (answer || vector.exact())) {
    out.key("index").value(vector.exact() ? "flat" : "hnsw");
  }
  if (dense && vector.has_m()) out.key("m").value(vector.m());
  if (dense && vector.has_ef_construction()) {
    out.key("ef_construction").value(vector.ef_construction());
  }
  if (sparse) out.key("idf").value(vector.idf());
  out.end_object();
}

inline void put_config(JsonWriter& out, const pb::CollectionConfig& config, bool answer) {
  out.key("vectors").begin_array();
  for (const pb::VectorConfig& vector : config.vectors()) put_vector_config(out, vector, answer);
  out.end_array().key("words").begin_array();
  for (const pb::WordsConfig& words : config.words()) put_words(out, words);
  out.end_array().key("payload_indexes").begin_array();
  for (const pb::PayloadIndexConfig& index : config.payload_indexes()) put_index(out, index);
  out.end_array();
  if (config.shard_count() > 0) out.key("shard_count").value(config.shard_count());
  out.key("durability").value(config.durability() == pb::DURABILITY_ASYNC ? "async" : "sync");
  if (config.has_tail_vectors_max()) out.key("tail_vectors_max").value(config.tail_vectors_max());
}

inline std::string body_of(const pb::CollectionConfig& config) {
  return object_by([&](JsonWriter& out) { put_config(out, config, false); });
}

// Without its name: the twins of a test have two.
inline std::string answer_of(const pb::CollectionInfo& info) {
  return object_by([&](JsonWriter& out) {
    put_config(out, info.config(), true);
    out.key("points").value(info.points());
  });
}

}  // namespace quipu::api::grpc::v1::testing_support
