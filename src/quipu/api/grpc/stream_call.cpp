#include "quipu/api/grpc/stream_call.h"

#include <cstdint>
#include <string>
#include <utility>

namespace quipu::api::grpc {
namespace {

// Threads: the transport calls one method after the other; the service's answer comes between them.
class StreamCall final : public ::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer> {
 public:
  StreamCall(const Transport& transport, const Rpc& rpc, ::grpc::CallbackServerContext& context)
      : transport_(transport), rpc_(rpc), context_(context) {
    const quipu::Status meant = check_authority(transport_, context_);
    if (meant.ok()) {
      StartRead(&incoming_);
    } else {
      Finish(refuse(context_, meant.error()));
    }
  }

  void OnReadDone(bool ok) override {
    // The caller has said all, or is gone.
    if (!ok) return Finish(::grpc::Status::OK);
    const std::size_t size = incoming_.Valid() ? incoming_.Length() : 0;
    const quipu::Status entered = transport_.limits->enter(size);
    if (!entered.ok()) return Finish(refuse(context_, entered.error()));
    std::string bytes;
    const bool readable = to_bytes(incoming_, bytes);
    incoming_.Clear();
    if (!readable) {
      transport_.limits->leave(size);
      return Finish({::grpc::StatusCode::INTERNAL, "the message could not be read"});
    }
    Request request = make_request(rpc_, context_, std::move(bytes));
    request.headers.emplace_back(kStreamMessageHeader, std::to_string(messages_++));
    transport_.service->handle_rpc(rpc_, std::move(request), deadline_of(context_),
                                   [this, size](Response answer) {
                                     transport_.limits->leave(size);
                                     send(std::move(answer));
                                   });
  }

  void OnWriteDone(bool ok) override {
    if (!ok) return Finish({::grpc::StatusCode::CANCELLED, "the caller is gone"});
    outgoing_.Clear();
    StartRead(&incoming_);
  }

  void OnDone() override { delete this; }

 private:
  void send(Response answer) {
    if (answer.status != 0) {
      for (const auto& [name, value] : answer.headers) context_.AddTrailingMetadata(name, value);
      return Finish(status_of(answer));
    }
    outgoing_ = to_buffer(std::move(answer.body));
    StartWrite(&outgoing_);
  }

  const Transport& transport_;
  const Rpc& rpc_;
  ::grpc::CallbackServerContext& context_;
  std::uint64_t messages_ = 0;  // read so far
  ::grpc::ByteBuffer incoming_;
  ::grpc::ByteBuffer outgoing_;
};

}  // namespace

::grpc::ServerBidiReactor<::grpc::ByteBuffer, ::grpc::ByteBuffer>* make_stream_call(
    const Transport& transport, const Rpc& rpc, ::grpc::CallbackServerContext& context) {
  return new StreamCall(transport, rpc, context);
}

}  // namespace quipu::api::grpc
