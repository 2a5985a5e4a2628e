// Collections and indexes of their payload keys.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "quipu/api/call.h"
#include "quipu/api/calls/extras.h"
#include "quipu/api/qdrant/collection_config.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/handlers.h"
#include "quipu/api/qdrant/request.h"
#include "quipu/base/format.h"
#include "quipu/query/filter/payload_path.h"

namespace quipu::api::qdrant {
namespace {

using Answer = Result<std::string>;

Answer info_of(const CallPtr& call) {
  Engine& engine = call->core().engine;
  QUIPU_TRY(const CollectionInfo info, engine.collection(call->tenant(), name_of(call)));
  QUIPU_TRY(const std::string extras, load_extras(engine, info.id));
  QUIPU_TRY(const JsonDocument parsed, JsonDocument::parse(extras));
  std::string json;
  JsonWriter out(json);
  write_collection_info(out, info, parsed.root(), engine.status());
  return json;
}

Answer create(const CallPtr& call, JsonView body) {
  QUIPU_TRY_OK(terms_of(*call));
  QUIPU_TRY(NewCollection wanted, read_new_collection(body));
  Engine& engine = call->core().engine;
  QUIPU_TRY(const CollectionInfo made,
            engine.create_collection(call->tenant(), name_of(call), std::move(wanted.config)));
  const Status stored = change_extras(
      engine, made.id, [&wanted](std::string_view) -> Answer { return wanted.extras; });
  if (stored.ok()) return std::string("true");
  // Nothing was acknowledged, so nothing may stay; if this fails too, the first error says why.
  static_cast<void>(engine.drop_collection(call->tenant(), name_of(call)));
  return stored.error();
}

Answer change_options(const CallPtr& call, JsonView body) {
  QUIPU_TRY_OK(terms_of(*call));
  Engine& engine = call->core().engine;
  QUIPU_TRY(const CollectionInfo info, engine.collection(call->tenant(), name_of(call)));
  const auto change = [&](std::string_view extras) {
    return updated_extras(body, info.config, extras);
  };
  QUIPU_TRY_OK(change_extras(engine, info.id, change));
  return std::string("true");
}

// Whether it was there.
Answer remove(const CallPtr& call) {
  QUIPU_TRY_OK(terms_of(*call));
  Engine& engine = call->core().engine;
  const auto info = engine.collection(call->tenant(), name_of(call));
  if (!info.ok() && info.error().code == ErrorCode::kNotFound) return std::string("false");
  if (!info.ok()) return info.error();
  // An alias is no collection to be deleted.
  if (info.value().name != name_of(call)) return std::string("false");
  const Status dropped = engine.drop_collection(call->tenant(), name_of(call));
  if (!dropped.ok() && dropped.error().code == ErrorCode::kNotFound) return std::string("false");
  if (!dropped.ok()) return dropped.error();
  QUIPU_TRY_OK(drop_extras(engine, info.value().id));
  return std::string("true");
}

std::string index_result(const Terms& terms) {
  return format(R"({{"operation_id":null,"status":"{}"}})",
                terms.wait ? "completed" : "acknowledged");
}

Answer make_index(const CallPtr& call, JsonView body) {
  QUIPU_TRY(const Terms terms, terms_of(*call));
  QUIPU_TRY(PayloadIndexConfig index, read_payload_index(body));
  CollectionPatch patch;
  patch.add_payload_indexes.push_back(std::move(index));
  QUIPU_TRY_OK(call->core().engine.update_collection(call->tenant(), name_of(call), patch));
  return index_result(terms);
}

Answer drop_index(const CallPtr& call) {
  QUIPU_TRY(const Terms terms, terms_of(*call));
  const auto path = query::PayloadPath::parse(call->parameter(1));
  if (!path.ok()) return path.error();
  const std::string key = path.value().to_string();
  Engine& engine = call->core().engine;
  QUIPU_TRY(const CollectionInfo info, engine.collection(call->tenant(), name_of(call)));
  // That there is none is what was asked for.
  if (std::ranges::find(info.config.payload_indexes, key, &PayloadIndexConfig::key) ==
      info.config.payload_indexes.end()) {
    return index_result(terms);
  }
  CollectionPatch patch;
  patch.drop_payload_indexes.push_back(key);
  QUIPU_TRY_OK(engine.update_collection(call->tenant(), name_of(call), patch));
  return index_result(terms);
}

Answer shards_of(const CallPtr& call) {
  QUIPU_TRY(const CollectionInfo info,
            call->core().engine.collection(call->tenant(), name_of(call)));
  if (info.config.shard_count > 1) {
    return not_built(
        format("the points of each of the {} shards are not counted yet", info.config.shard_count));
  }
  return format(R"({{"peer_id":0,"shard_count":1,"local_shards":[{{"shard_id":0,"points_count":{},)"
                R"("state":"Active"}}],"remote_shards":[],"shard_transfers":[]}})",
                info.points);
}

}  // namespace

void list_collections(const CallPtr& call) {
  std::string json;
  JsonWriter out(json);
  out.begin_object().key("collections").begin_array();
  for (const CollectionInfo& info : call->core().engine.collections(call->tenant())) {
    out.begin_object().key("name").value(std::string_view(info.name)).end_object();
  }
  out.end_array().end_object();
  reply_result(call, json);
}

void get_collection(const CallPtr& call) { reply(call, info_of(call)); }

void collection_exists(const CallPtr& call) {
  const auto info = call->core().engine.collection(call->tenant(), name_of(call));
  if (!info.ok() && info.error().code != ErrorCode::kNotFound) return call->fail(info.error());
  reply_result(call, info.ok() ? R"({"exists":true})" : R"({"exists":false})");
}

void create_collection(const CallPtr& call) {
  const auto body = call->json_body();
  if (body) reply(call, create(call, body->root()));
}

void update_collection(const CallPtr& call) {
  const auto body = call->json_body();
  if (body) reply(call, change_options(call, body->root()));
}

void delete_collection(const CallPtr& call) { reply(call, remove(call)); }

void collection_cluster(const CallPtr& call) { reply(call, shards_of(call)); }

void create_index(const CallPtr& call) {
  const auto body = call->json_body();
  if (body) reply(call, make_index(call, body->root()));
}

void delete_index(const CallPtr& call) { reply(call, drop_index(call)); }

}  // namespace quipu::api::qdrant
