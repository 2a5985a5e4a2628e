#include "quipu/cli/import/qdrant_api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <condition_variable>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/thread_annotations.h"
#include "quipu/cli/context.h"

namespace quipu::cli {
namespace {

constexpr std::chrono::milliseconds kPauseMax{10'000};
constexpr std::chrono::milliseconds kRetryAfterMax{60'000};

bool may_pass(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// `answered`: it has been there before. An address where nobody ever listened is a wrong one.
bool may_pass(const Error& error, bool answered) {
  const std::string_view reason = error.stable_reason();
  return reason == "connection_lost" || reason == "server_timeout" ||
         (answered && reason == "server_unreachable");
}

ErrorCode code_of(int status) {
  switch (status) {
    case 404: return ErrorCode::kNotFound;
    case 409: return ErrorCode::kAlreadyExists;
    case 429: return ErrorCode::kResourceExhausted;
    case 501: return ErrorCode::kUnimplemented;
    case 503: return ErrorCode::kUnavailable;
    case 408:
    case 504: return ErrorCode::kDeadlineExceeded;
    default: return status >= 500 ? ErrorCode::kInternal : ErrorCode::kInvalidArgument;
  }
}

// Qdrant's {"status": {"error": ...}}, or the beginning of whatever else it is.
std::string text_of_error(const api::Response& response) {
  const auto parsed = JsonDocument::parse(response.body);
  if (parsed.ok()) {
    const auto status = parsed.value().root().find("status");
    const std::string text = status ? text_of(*status, "error") : std::string();
    if (!text.empty()) return text;
  }
  return response.body.empty() ? "no text" : response.body.substr(0, 300);
}

Error error_of_status(const std::string& who, const api::Response& response) {
  Error error{code_of(response.status),
              quipu::format("{} answered {}: {}", who, response.status, text_of_error(response)),
              quipu::format("status_{}", response.status)};
  if (response.status == 401 || response.status == 403) {
    error.message += " (an API key comes from --api-key-file or QUIPU_QDRANT_API_KEY)";
    error.reason = "unauthorized";
  }
  return error;
}

std::optional<std::chrono::milliseconds> retry_after(const api::Response& response) {
  for (const auto& [name, value] : response.headers) {
    if (name != "retry-after" && name != "Retry-After") continue;
    std::uint32_t seconds = 0;
    const auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    if (failed != std::errc() || end != value.data() + value.size()) continue;
    return std::min<std::chrono::milliseconds>(std::chrono::seconds(seconds), kRetryAfterMax);
  }
  return std::nullopt;
}

}  // namespace

void QdrantApi::pause(std::chrono::milliseconds length) const {
  Mutex mutex;
  std::condition_variable nobody;
  const auto end = std::chrono::steady_clock::now() + length;
  MutexLock lock(mutex);
  while (!stop_.load() && std::chrono::steady_clock::now() < end) {
    nobody.wait_until(lock.native(), std::min(end, std::chrono::steady_clock::now() +
                                                       std::chrono::milliseconds(100)));
  }
}

Result<QdrantApi::Answer> QdrantApi::call(std::string_view method, const std::string& target,
                                          std::string body) {
  api::Request request{.method = std::string(method),
                       .target = target,
                       .headers = {},
                       .body = std::move(body),
                       .peer = {}};
  if (!request.body.empty()) request.headers.emplace_back("Content-Type", "application/json");
  if (!options_.api_key.empty()) request.headers.emplace_back("api-key", options_.api_key);
  std::chrono::milliseconds wait = options_.first_pause;
  for (int tries = 1;; ++tries) {
    if (stop_.load()) return Error{ErrorCode::kCancelled, "interrupted", "interrupted"};
    Result<api::Response> response = send_(request);
    answered_ = answered_ || response.ok();
    const bool again =
        response.ok() ? may_pass(response.value().status) : may_pass(response.error(), answered_);
    if (again && tries < options_.tries_max) {
      const auto asked = response.ok() ? retry_after(response.value()) : std::nullopt;
      ++retries_;
      pause(asked.value_or(wait));
      wait = std::min(wait * 2, kPauseMax);
      continue;
    }
    const std::string tried = tries > 1 ? quipu::format(" (tried {} times)", tries) : "";
    if (!response.ok()) {
      Error error = std::move(response).error();
      error.message = options_.who + ": " + error.message + tried;
      return error;
    }
    if (response.value().status < 200 || response.value().status > 299) {
      Error error = error_of_status(options_.who, response.value());
      error.message += tried;
      return error;
    }
    auto parsed = JsonDocument::parse(response.value().body);
    if (!parsed.ok() || !parsed.value().root().find("result")) {
      return Error{ErrorCode::kInternal,
                   quipu::format("{} answered {} {} with no result: is it a Qdrant server?",
                                 options_.who, method, target),
                   "not_qdrant"};
    }
    return Answer{std::move(parsed).value()};
  }
}

// ---------------------------------------------------------------- configurations

namespace {

// Members that are null say nothing, and some are refused.
void write_without_nulls(JsonWriter& out, JsonView json) {
  if (!json.is_object()) {
    out.raw(json.to_string());
    return;
  }
  out.begin_object();
  json.for_each_member([&out](std::string_view name, JsonView value) {
    if (value.is_null()) return true;
    out.key(name);
    write_without_nulls(out, value);
    return true;
  });
  out.end_object();
}

void write_members(JsonWriter& out, JsonView json, std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    const auto value = json.find(name);
    if (!value || value->is_null()) continue;
    out.key(name);
    write_without_nulls(out, *value);
  }
}

void write_reduced_vector(JsonWriter& out, JsonView vector) {
  constexpr std::array<std::string_view, 3> kShape = {"size", "distance", "multivector_config"};
  out.begin_object();
  write_members(out, vector, kShape);
  out.end_object();
}

// One vector, or an object of them by name.
void write_reduced_vectors(JsonWriter& out, JsonView vectors) {
  if (vectors.find("size")) return write_reduced_vector(out, vectors);
  out.begin_object();
  vectors.for_each_member([&out](std::string_view name, JsonView vector) {
    out.key(name);
    write_reduced_vector(out, vector);
    return true;
  });
  out.end_object();
}

void write_reduced_sparse(JsonWriter& out, JsonView vectors) {
  constexpr std::array<std::string_view, 1> kShape = {"modifier"};
  out.begin_object();
  vectors.for_each_member([&out, &kShape](std::string_view name, JsonView vector) {
    out.key(name).begin_object();
    write_members(out, vector, kShape);
    out.end_object();
    return true;
  });
  out.end_object();
}

}  // namespace

Result<std::string> create_body(JsonView info, bool reduced, std::uint32_t shards) {
  const auto config = info.find("config");
  const auto params = config ? config->find("params") : std::nullopt;
  if (!params) {
    return Error{ErrorCode::kInvalidArgument, "the source's answer has no config.params",
                 "not_qdrant"};
  }
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  const auto vectors = params->find("vectors");
  const auto sparse = params->find("sparse_vectors");
  if (reduced) {
    if (vectors && !vectors->is_null()) {
      out.key("vectors");
      write_reduced_vectors(out, *vectors);
    }
    if (sparse && !sparse->is_null()) {
      out.key("sparse_vectors");
      write_reduced_sparse(out, *sparse);
    }
  } else {
    constexpr std::array<std::string_view, 5> kParams = {
        "vectors", "sparse_vectors", "replication_factor", "write_consistency_factor",
        "on_disk_payload"};
    constexpr std::array<std::string_view, 4> kConfig = {"hnsw_config", "wal_config",
                                                         "quantization_config", "metadata"};
    write_members(out, *params, kParams);
    write_members(out, *config, kConfig);
    // It has one name when it is told and another when it is asked for.
    if (const auto optimizer = config->find("optimizer_config");
        optimizer && !optimizer->is_null()) {
      out.key("optimizers_config");
      write_without_nulls(out, *optimizer);
    }
  }
  const auto there = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(std::max<std::uint64_t>(count_of(*params, "shard_number"), 1),
                              limits::kShardsPerCollectionMax));
  out.key("shard_number").value(shards > 0 ? shards : there);
  out.end_object();
  return body;
}

}  // namespace quipu::cli
