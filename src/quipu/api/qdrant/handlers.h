// The handlers that the rows of routes.cpp name.
#pragma once

#include "quipu/api/route.h"

namespace quipu::api::qdrant {

// node.cpp
void version(const CallPtr& call);
void healthz(const CallPtr& call);
void livez(const CallPtr& call);
void readyz(const CallPtr& call);
void telemetry(const CallPtr& call);
void cluster(const CallPtr& call);

// collections.cpp
void list_collections(const CallPtr& call);
void get_collection(const CallPtr& call);
void collection_exists(const CallPtr& call);
void create_collection(const CallPtr& call);
void update_collection(const CallPtr& call);
void delete_collection(const CallPtr& call);
void collection_cluster(const CallPtr& call);
void create_index(const CallPtr& call);
void delete_index(const CallPtr& call);

// vector_names.cpp
void create_vector_name(const CallPtr& call);
void delete_vector_name(const CallPtr& call);

// snapshots.cpp
void list_snapshots(const CallPtr& call);
void create_snapshot(const CallPtr& call);
void fetch_snapshot(const CallPtr& call);
void delete_snapshot(const CallPtr& call);
void recover_snapshot(const CallPtr& call);
void upload_snapshot(const CallPtr& call);

// aliases.cpp
void update_aliases(const CallPtr& call);
void list_aliases(const CallPtr& call);
void list_collection_aliases(const CallPtr& call);

// writes.cpp
void upsert_points(const CallPtr& call);
void delete_points(const CallPtr& call);
void update_vectors(const CallPtr& call);
void delete_vectors(const CallPtr& call);
void set_payload(const CallPtr& call);
void overwrite_payload(const CallPtr& call);
void delete_payload(const CallPtr& call);
void clear_payload(const CallPtr& call);
void update_batch(const CallPtr& call);

// reads.cpp
void get_point(const CallPtr& call);
void get_points(const CallPtr& call);
void scroll_points(const CallPtr& call);
void count_points(const CallPtr& call);
void facet(const CallPtr& call);
void matrix_pairs(const CallPtr& call);
void matrix_offsets(const CallPtr& call);

// queries.cpp
void query_points(const CallPtr& call);
void query_batch(const CallPtr& call);
void query_groups(const CallPtr& call);
void search_points(const CallPtr& call);
void search_batch(const CallPtr& call);
void search_groups(const CallPtr& call);
void recommend_points(const CallPtr& call);
void recommend_batch(const CallPtr& call);
void recommend_groups(const CallPtr& call);
void discover_points(const CallPtr& call);
void discover_batch(const CallPtr& call);

}  // namespace quipu::api::qdrant
