// The handlers that the rows of rpcs.cpp name.
#pragma once

#include "quipu/api/route.h"

namespace quipu::api::qdrant::rpc {

// service_calls.cpp
void health_check(const CallPtr& call);

// collection_calls.cpp
void list_collections(const CallPtr& call);
void get_collection(const CallPtr& call);
void create_collection(const CallPtr& call);
void update_collection(const CallPtr& call);
void delete_collection(const CallPtr& call);
void collection_exists(const CallPtr& call);
void collection_cluster(const CallPtr& call);
void update_aliases(const CallPtr& call);
void list_aliases(const CallPtr& call);
void list_collection_aliases(const CallPtr& call);
void create_field_index(const CallPtr& call);
void delete_field_index(const CallPtr& call);
void create_vector_name(const CallPtr& call);
void delete_vector_name(const CallPtr& call);

// snapshot_calls.cpp
void create_snapshot(const CallPtr& call);
void list_snapshots(const CallPtr& call);
void delete_snapshot(const CallPtr& call);
void create_full_snapshot(const CallPtr& call);
void list_full_snapshots(const CallPtr& call);
void delete_full_snapshot(const CallPtr& call);

// write_calls.cpp
void upsert(const CallPtr& call);
void delete_points(const CallPtr& call);
void update_vectors(const CallPtr& call);
void delete_vectors(const CallPtr& call);
void set_payload(const CallPtr& call);
void overwrite_payload(const CallPtr& call);
void delete_payload(const CallPtr& call);
void clear_payload(const CallPtr& call);
void update_batch(const CallPtr& call);

// read_calls.cpp
void get_points(const CallPtr& call);
void scroll(const CallPtr& call);
void count(const CallPtr& call);
void facet(const CallPtr& call);
void matrix_pairs(const CallPtr& call);
void matrix_offsets(const CallPtr& call);

// query_calls.cpp
void query(const CallPtr& call);
void query_batch(const CallPtr& call);
void query_groups(const CallPtr& call);
void search(const CallPtr& call);
void search_batch(const CallPtr& call);
void search_groups(const CallPtr& call);
void recommend(const CallPtr& call);
void recommend_batch(const CallPtr& call);
void recommend_groups(const CallPtr& call);
void discover(const CallPtr& call);
void discover_batch(const CallPtr& call);

}  // namespace quipu::api::qdrant::rpc
