// Writes of Qdrant's messages, read into the same structures as those of its JSON.
//
// Errors: kInvalidArgument with the place, kUnimplemented (images, documents and objects to be
// embedded; shard keys).
#pragma once

#include <qdrant_proto/points.pb.h>

#include <vector>

#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/api/qdrant/update.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

[[nodiscard]] Result<Update> read_update(const pb::UpsertPoints& from, VectorKinds& kinds);
[[nodiscard]] Result<Update> read_update(const pb::DeletePoints& from, VectorKinds& kinds);
[[nodiscard]] Result<Update> read_update(const pb::UpdatePointVectors& from, VectorKinds& kinds);
[[nodiscard]] Result<Update> read_update(const pb::DeletePointVectors& from, VectorKinds& kinds);
[[nodiscard]] Result<Update> read_update(const pb::DeletePayloadPoints& from, VectorKinds& kinds);
[[nodiscard]] Result<Update> read_update(const pb::ClearPayloadPoints& from, VectorKinds& kinds);
// `overwrite`: the payload becomes the whole one.
[[nodiscard]] Result<Update> read_payload_update(const pb::SetPayloadPoints& from, bool overwrite);

[[nodiscard]] Result<std::vector<Update>> read_updates(const pb::UpdateBatchPoints& from,
                                                       VectorKinds& kinds);

}  // namespace quipu::api::qdrant::rpc
