// The handlers that the rows of rpcs.cpp name.
#pragma once

#include "quipu/api/route.h"

namespace quipu::api::grpc::v1 {

// collection_calls.cpp
void list_collections(const CallPtr& call);
void create_collection(const CallPtr& call);
void get_collection(const CallPtr& call);
void update_collection(const CallPtr& call);
void change_vectors(const CallPtr& call);
void delete_collection(const CallPtr& call);

// alias_calls.cpp
void list_aliases(const CallPtr& call);
void change_aliases(const CallPtr& call);

// point_calls.cpp
void upsert(const CallPtr& call);
void patch(const CallPtr& call);
void delete_points(const CallPtr& call);
void delete_by_filter(const CallPtr& call);
void patch_by_filter(const CallPtr& call);
void get_points(const CallPtr& call);
void scroll(const CallPtr& call);
void count(const CallPtr& call);

// search_calls.cpp
void search(const CallPtr& call);
void search_batch(const CallPtr& call);
void search_several_collections(const CallPtr& call);

// query_calls.cpp
void query(const CallPtr& call);
void query_batch(const CallPtr& call);
void query_groups(const CallPtr& call);
void facet(const CallPtr& call);
void matrix(const CallPtr& call);

// memory_calls.cpp
void remember(const CallPtr& call);
void remember_batch(const CallPtr& call);
void recall(const CallPtr& call);
void get_record(const CallPtr& call);
void forget(const CallPtr& call);

// model_calls.cpp
void list_models(const CallPtr& call);
void embed_texts_call(const CallPtr& call);
void rerank_texts_call(const CallPtr& call);

// snapshot_calls.cpp
void create_snapshot(const CallPtr& call);
void list_collection_snapshots(const CallPtr& call);
void make_collection_snapshot(const CallPtr& call);
void delete_collection_snapshot(const CallPtr& call);
void recover_collection(const CallPtr& call);

// system_calls.cpp
void system_health(const CallPtr& call);
void system_status(const CallPtr& call);
void system_config(const CallPtr& call);

}  // namespace quipu::api::grpc::v1
