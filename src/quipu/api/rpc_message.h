// Messages of gRPC calls: reading them and answering with them.
#pragma once

#include <google/protobuf/message.h>

#include "quipu/api/call.h"

namespace quipu::api {

// Reads the call's message and frees its bytes; on a mistake the call is answered and the result is
// false.
[[nodiscard]] bool parse_message(const CallPtr& call, google::protobuf::Message& message);
// Answers.
void reply_message(const CallPtr& call, const google::protobuf::Message& message);

}  // namespace quipu::api
