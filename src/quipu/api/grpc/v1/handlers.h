// The handlers that the rows of rpcs.cpp name.
#pragma once

#include "quipu/api/route.h"

namespace quipu::api::grpc::v1 {

// collection_calls.cpp
void list_collections(const CallPtr& call);
void create_collection(const CallPtr& call);
void get_collection(const CallPtr& call);
void update_collection(const CallPtr& call);
void delete_collection(const CallPtr& call);

// point_calls.cpp
void upsert(const CallPtr& call);
void patch(const CallPtr& call);
void delete_points(const CallPtr& call);
void delete_by_filter(const CallPtr& call);
void get_points(const CallPtr& call);
void scroll(const CallPtr& call);
void count(const CallPtr& call);

// search_calls.cpp
void search(const CallPtr& call);
void query(const CallPtr& call);
void query_groups(const CallPtr& call);
void facet(const CallPtr& call);

}  // namespace quipu::api::grpc::v1
