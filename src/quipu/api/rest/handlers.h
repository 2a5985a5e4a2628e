// The handlers that the route table names, and the descriptions of the bodies that they take.
#pragma once

#include "quipu/api/route.h"

namespace quipu::api::rest {

// system.cpp
void health(const CallPtr& call);
void health_live(const CallPtr& call);
void health_ready(const CallPtr& call);
void health_startup(const CallPtr& call);
void status(const CallPtr& call);
void metrics(const CallPtr& call);
void openapi(const CallPtr& call);
void docs(const CallPtr& call);
void config(const CallPtr& call);
void snapshot(const CallPtr& call);
void describe_snapshot(JsonWriter& out, Components& components);

// collections.cpp
void list_collections(const CallPtr& call);
void create_collection(const CallPtr& call);
void get_collection(const CallPtr& call);
void update_collection(const CallPtr& call);
void change_vectors(const CallPtr& call);
void add_vector(const CallPtr& call);
void drop_vector(const CallPtr& call);
// Answers a collection; also of others who make one.
void reply_collection(const CallPtr& call, int status, const Result<CollectionInfo>& info);

// collection_snapshots.cpp
void list_collection_snapshots(const CallPtr& call);
void make_collection_snapshot(const CallPtr& call);
void fetch_collection_snapshot(const CallPtr& call);
void send_collection_snapshot(const CallPtr& call);
void delete_collection_snapshot(const CallPtr& call);
void recover_collection(const CallPtr& call);
void describe_recover_collection(JsonWriter& out, Components& components);

void drop_collection(const CallPtr& call);
void describe_create_collection(JsonWriter& out, Components& components);
void describe_update_collection(JsonWriter& out, Components& components);
void describe_change_vectors(JsonWriter& out, Components& components);
void describe_add_vector(JsonWriter& out, Components& components);

// aliases.cpp
void list_aliases(const CallPtr& call);
void list_collection_aliases(const CallPtr& call);
void change_aliases(const CallPtr& call);
void describe_change_aliases(JsonWriter& out, Components& components);

// points.cpp
void upsert_points(const CallPtr& call);
void get_points(const CallPtr& call);
void delete_points(const CallPtr& call);
void patch_points(const CallPtr& call);
void scroll_points(const CallPtr& call);
void count_points(const CallPtr& call);
void get_point(const CallPtr& call);
void patch_point(const CallPtr& call);
void delete_point(const CallPtr& call);
void describe_upsert(JsonWriter& out, Components& components);
void describe_upsert_line(JsonWriter& out, Components& components);
void describe_get_points(JsonWriter& out, Components& components);
void describe_delete_points(JsonWriter& out, Components& components);
void describe_patch_points(JsonWriter& out, Components& components);
void describe_scroll(JsonWriter& out, Components& components);
void describe_count(JsonWriter& out, Components& components);
void describe_patch_point(JsonWriter& out, Components& components);

// search.cpp
void search(const CallPtr& call);
void describe_search(JsonWriter& out, Components& components);

// search_several.cpp
void search_several(const CallPtr& call);
void describe_search_several(JsonWriter& out, Components& components);

// query.cpp
void query(const CallPtr& call);
void query_groups(const CallPtr& call);
void facet(const CallPtr& call);
void matrix(const CallPtr& call);
void describe_query(JsonWriter& out, Components& components);
void describe_query_groups(JsonWriter& out, Components& components);
void describe_facet(JsonWriter& out, Components& components);
void describe_matrix(JsonWriter& out, Components& components);

// memory.cpp
void remember(const CallPtr& call);
void get_record(const CallPtr& call);
void forget_record(const CallPtr& call);
void forget_records(const CallPtr& call);
void recall(const CallPtr& call);
void describe_remember(JsonWriter& out, Components& components);
void describe_remember_line(JsonWriter& out, Components& components);
void describe_forget(JsonWriter& out, Components& components);
void describe_recall(JsonWriter& out, Components& components);

// models.cpp
void embed(const CallPtr& call);
void rerank(const CallPtr& call);
void models(const CallPtr& call);
void describe_embed(JsonWriter& out, Components& components);
void describe_rerank(JsonWriter& out, Components& components);

}  // namespace quipu::api::rest
