// Qdrant's messages as the JSON of the same things in its REST API, and back: for requests that are
// rare and rich in options (collections, indexes, aliases), where the REST handlers do the work.
//
// Members have the fields' names, but for a few; enumerators are in snake case
// ("one_and_half_bits"), distances and compressions as they are; a message of nothing but a map is
// that map. What JSON spells in another way altogether has a rule of its own in json_messages.cpp.
#pragma once

#include <google/protobuf/message.h>

#include <string>

#include "quipu/api/qdrant/request.h"
#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::api::qdrant::rpc {

// Writes what is set. Enumerators that stand for "unknown" are left out.
// Errors: kInvalidArgument with the place for numbers that JSON does not have.
[[nodiscard]] Status write_message(const google::protobuf::Message& message, const Place& at,
                                   JsonWriter& out);

// Sets what the JSON has. Nulls, and members that the message has no field for, are left out: what
// is read is an answer of ours.
void fill_message(JsonView json, google::protobuf::Message& message);

}  // namespace quipu::api::qdrant::rpc
