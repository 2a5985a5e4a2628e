// Qdrant's REST API as the import asks it, of the source over the network and of the destination.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/cli/backend.h"
#include "quipu/cli/http_client.h"
#include "quipu/result.h"

namespace quipu::cli {

// Asks again, later and later, while what failed may pass: lost connections (once it has answered
// at all), times that ran out, 429, 502, 503, 504. Threads: one.
class QdrantApi {
 public:
  using Send = std::function<Result<api::Response>(const api::Request&)>;
  struct Options {
    std::string who;      // "the source http://...", for messages
    std::string api_key;  // sent as the header api-key; "": none. Never in a message.
    int tries_max = 8;
    std::chrono::milliseconds first_pause{200};  // doubled with each try, at most 10 s
  };
  // Borrows `stop`, which cuts pauses short.
  QdrantApi(Send send, Options options, const std::atomic<bool>& stop)
      : send_(std::move(send)), options_(std::move(options)), stop_(stop) {}

  struct Answer {
    JsonDocument document;
    [[nodiscard]] JsonView result() const { return *document.root().find("result"); }
  };
  // The answer of a success. Errors: those of the transport, and every other status, with the text
  // of its error; kCancelled when `stop` was set. The reason of an error with a status is
  // "status_404" and so on.
  [[nodiscard]] Result<Answer> call(std::string_view method, const std::string& target,
                                    std::string body = {});
  [[nodiscard]] std::uint64_t retries() const noexcept { return retries_; }

 private:
  void pause(std::chrono::milliseconds length) const;

  Send send_;
  Options options_;
  const std::atomic<bool>& stop_;
  std::uint64_t retries_ = 0;
  bool answered_ = false;
};

// A create request's body from what GET /collections/{name} answers. `reduced`: only what shapes
// vectors, without options that other engines need. `shards`: 0 for as many as there.
// Errors: kInvalidArgument when the answer has no configuration.
[[nodiscard]] Result<std::string> create_body(JsonView info, bool reduced, std::uint32_t shards);

}  // namespace quipu::cli
