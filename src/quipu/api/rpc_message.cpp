#include "quipu/api/rpc_message.h"

#include <utility>

#include "quipu/api/status_map.h"

namespace quipu::api {

bool parse_message(const CallPtr& call, google::protobuf::Message& message) {
  if (message.ParseFromString(call->request().body)) {
    call->drop_body();
    return true;
  }
  call->fail({ErrorCode::kInvalidArgument,
              "the message is no " + message.GetDescriptor()->full_name(), "malformed_request"});
  return false;
}

void reply_message(const CallPtr& call, const google::protobuf::Message& message) {
  Response response;
  response.status = static_cast<int>(GrpcStatus::kOk);
  response.content_type = "";
  if (!message.SerializeToString(&response.body)) {
    return call->fail({ErrorCode::kInternal,
                       "an answer of " + message.GetDescriptor()->full_name() + " is too large"});
  }
  call->reply(std::move(response));
}

}  // namespace quipu::api
