#include "quipu/cli/context.h"

#include <chrono>
#include <cmath>
#include <ostream>

#include "quipu/base/clock.h"
#include "quipu/base/format.h"
#include "quipu/base/metrics.h"
#include "quipu/base/quote.h"
#include "quipu/embed/embedding_service.h"

namespace quipu::cli {
namespace {

// How long the choice between server and folder may wait for a server that is not there.
constexpr std::chrono::milliseconds kProbeTimeout{500};

ErrorCode code_of_status(int status) {
  switch (status) {
    case 404: return ErrorCode::kNotFound;
    case 409: return ErrorCode::kAlreadyExists;
    case 412: return ErrorCode::kFailedPrecondition;
    case 423:
    case 429: return ErrorCode::kResourceExhausted;
    case 501: return ErrorCode::kUnimplemented;
    case 503: return ErrorCode::kUnavailable;
    case 504: return ErrorCode::kDeadlineExceeded;
    default: return status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidArgument;
  }
}

}  // namespace

Context::~Context() = default;

Result<const Settings*> Context::settings() {
  if (!settings_) {
    QUIPU_TRY(settings_, load_settings(globals_));
  }
  return static_cast<const Settings*>(&*settings_);
}

Result<embed::Embedder*> Context::embedder() {
  if (embedder_ != nullptr) return embedder_;
  QUIPU_TRY(const Settings* const settings, this->settings());
  QUIPU_TRY(owned_embedder_,
            embed::make_embedder({.model_dirs = settings->engine.model_dirs,
                                  .cache_bytes = settings->engine.embedding_cache_bytes},
                                 null_metrics(), system_clock()));
  embedder_ = owned_embedder_.get();
  return embedder_;
}

Result<Backend*> Context::backend(Need need) {
  if (backend_ != nullptr) return backend_.get();
  QUIPU_TRY(const Settings* const settings, this->settings());
  const HttpLimits limits{.timeout = std::chrono::milliseconds(
                              static_cast<std::int64_t>(std::ceil(globals_.timeout_s * 1000)))};
  if (!globals_.server.empty()) {
    QUIPU_TRY(ServerAddress address, parse_server_address(globals_.server));
    backend_ = make_remote_backend(std::move(address), limits);
  } else if (globals_.data.empty() && server_answers(settings->server, kProbeTimeout)) {
    backend_ = make_remote_backend(settings->server, limits);
  } else {
    QUIPU_TRY(embed::Embedder* const embedder, this->embedder());
    QUIPU_TRY(backend_, open_local_backend({.engine = settings->engine,
                                            .service = settings->service,
                                            .create = need == Need::kWriting,
                                            .embedder = embedder,
                                            .server_url = settings->server.url()}));
  }
  return backend_.get();
}

Error error_of(const api::Response& response) {
  Error error{code_of_status(response.status), {}, {}};
  const Result<JsonDocument> document = JsonDocument::parse(response.body);
  if (document.ok() && document.value().root().is_object()) {
    const JsonView problem = document.value().root();
    error.reason = text_of(problem, "code");
    error.message = text_of(problem, "detail");
    if (error.message.empty()) error.message = text_of(problem, "title");
    if (const auto fields = problem.find("errors")) {
      fields->for_each_element([&](JsonView field) {
        const std::string line =
            quipu::format("{}: {}", text_of(field, "field"), text_of(field, "detail"));
        if (line != error.message) error.message += "\n  " + line;  // the only one says it already
        return true;
      });
    }
  }
  if (response.status == 401) error.reason = "unauthorized";
  if (response.status == 403 && error.reason.empty()) error.reason = "forbidden";
  if (error.message.empty()) {
    error.message = quipu::format("the server answered with status {}", response.status);
  }
  return error;
}

Result<Answer> Context::call(Need need, std::string_view method, std::string target,
                             std::string body) {
  QUIPU_TRY(Backend* const backend, this->backend(need));
  api::Request request;
  request.method = std::string(method);
  request.target = std::move(target);
  if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  request.body = std::move(body);
  QUIPU_TRY(api::Response response, backend->call(request));
  if (response.status < 200 || response.status > 299) return error_of(response);
  Answer answer;
  answer.status = response.status;
  answer.headers = std::move(response.headers);
  answer.body = std::move(response.body);
  if (!answer.body.empty() && response.content_type.find("json") != std::string::npos) {
    QUIPU_TRY(answer.document, JsonDocument::parse(answer.body));
  }
  return answer;
}

int Context::fail(const Error& error) const {
  if (globals_.json) {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .key("code")
        .value(error.stable_reason())
        .key("detail")
        .value(std::string_view(error.message))
        .key("exit_code")
        .value(static_cast<int>(exit_code_of(error)))
        .end_object();
    streams_.err << text << '\n';
  } else {
    streams_.err << "quipu: " << printable(error.message) << '\n';
  }
  return exit_code_of(error);
}

void Context::print_json(std::string_view document) const {
  streams_.out << document;
  if (!document.ends_with('\n')) streams_.out << '\n';
}

void Context::note(std::string_view text) const {
  if (!globals_.quiet && !globals_.json) streams_.err << text << '\n';
}

int Context::finish(int exit_code) {
  streams_.out.flush();
  if (!streams_.out && exit_code == kExitOk) {
    exit_code = fail({ErrorCode::kIo, "the output could not be written", "output_failed"});
  }
  if (backend_ == nullptr) return exit_code;
  const Status closed = backend_->close();
  if (closed.ok() || exit_code != kExitOk) return exit_code;
  return fail(closed.error());
}

std::string path_segment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += quipu::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

std::string collection_path(std::string_view collection) {
  return "/v1/collections/" + path_segment(collection);
}

Result<std::string> id_json(std::string_view text) {
  QUIPU_TRY(const PointId id, PointId::parse(text));
  std::string json = id.to_string();
  return id.is_uuid() ? "\"" + json + "\"" : json;
}

std::string id_text(std::optional<JsonView> id) {
  if (!id) return {};
  if (const auto text = id->as_string()) return std::string(*text);
  return id->to_string();
}

std::string text_of(const JsonView& object, std::string_view key) {
  const auto member = object.find(key);
  if (!member) return {};
  const auto text = member->as_string();
  return text ? std::string(*text) : std::string();
}

std::uint64_t count_of(const JsonView& object, std::string_view key) {
  const auto member = object.find(key);
  return member ? member->as_uint64().value_or(0) : 0;
}

double real_of(const JsonView& object, std::string_view key) {
  const auto member = object.find(key);
  return member ? member->as_double().value_or(0) : 0;
}

bool flag_of(const JsonView& object, std::string_view key) {
  const auto member = object.find(key);
  return member && member->as_bool().value_or(false);
}

}  // namespace quipu::cli
