// What answers of several handlers say of a collection.
#pragma once

#include "quipu/api/call.h"
#include "quipu/engine.h"
#include "quipu/result.h"

namespace quipu::api::grpc::v1 {

// Answers with the collection, or the error.
void reply_info(const CallPtr& call, const Result<CollectionInfo>& info);

}  // namespace quipu::api::grpc::v1
