#include "quipu/server/config_table.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::server {
namespace {

constexpr std::uint64_t kHourMs = 3'600'000;
constexpr std::uint64_t kKiB = 1U << 10;
constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;

template <typename Access>
using Field = std::remove_reference_t<std::invoke_result_t<Access, ServerConfig&>>;

// `access` gives the place of a number of any type, or of milliseconds.
template <typename Access>
ConfigKey number(std::string_view name, Access access, std::uint64_t least, std::uint64_t most,
                 std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .least = least,
          .most = most,
          .choices = {},
          .reloadable = false,
          .default_doc = {},
          .get = [access](const ServerConfig& config) -> ConfigValue {
            const auto& field = access(const_cast<ServerConfig&>(config));
            if constexpr (std::is_same_v<Field<Access>, std::chrono::milliseconds>) {
              return static_cast<std::uint64_t>(field.count());
            } else {
              return static_cast<std::uint64_t>(field);
            }
          },
          .set =
              [access](ServerConfig& config, ConfigValue value) {
                access(config) = static_cast<Field<Access>>(std::get<std::uint64_t>(value));
              }};
}

template <typename T, typename Access>
ConfigKey plain(std::string_view name, Access access, std::uint64_t most, std::string_view doc) {
  return {.name = name,
          .doc = doc,
          .least = 0,
          .most = most,
          .choices = {},
          .reloadable = false,
          .default_doc = {},
          .get = [access](const ServerConfig& config) -> ConfigValue {
            return access(const_cast<ServerConfig&>(config));
          },
          .set = [access](ServerConfig& config,
                          ConfigValue value) { access(config) = std::get<T>(std::move(value)); }};
}

template <typename Access>
ConfigKey flag(std::string_view name, Access access, std::string_view doc) {
  return plain<bool>(name, access, 0, doc);
}
template <typename Access>
ConfigKey text(std::string_view name, Access access, std::string_view doc) {
  return plain<std::string>(name, access, 4096, doc);
}
template <typename Access>
ConfigKey list(std::string_view name, Access access, std::string_view doc) {
  return plain<std::vector<std::string>>(name, access, 64, doc);
}

// An enumerator by its name.
template <typename E, typename Access>
ConfigKey choice(std::string_view name, Access access,
                 std::vector<std::pair<std::string_view, E>> names, std::string_view doc) {
  ConfigKey key = plain<std::string>(
      name, [](ServerConfig& config) -> std::string& { return config.file; }, 64, doc);
  for (const auto& [known, value] : names) key.choices.push_back(known);
  key.get = [access, names](const ServerConfig& config) -> ConfigValue {
    const E now = access(const_cast<ServerConfig&>(config));
    for (const auto& [known, value] : names) {
      if (value == now) return std::string(known);
    }
    return std::string();
  };
  key.set = [access, names](ServerConfig& config, ConfigValue value) {
    for (const auto& [known, one] : names) {
      if (known == std::get<std::string>(value)) access(config) = one;
    }
  };
  return key;
}

ConfigKey reloadable(ConfigKey key) {
  key.reloadable = true;
  return key;
}
ConfigKey with_default(ConfigKey key, std::string_view doc) {
  key.default_doc = doc;
  return key;
}

// A place in ServerConfig, for the rows below.
#define QUIPU_PLACE(member) \
  [](ServerConfig & config) -> auto& { return config.member; }

void add_server_keys(std::vector<ConfigKey>& keys) {
  keys.push_back(text("server.host", QUIPU_PLACE(http.host),
                      "The address to listen on: an IP address, or localhost."));
  keys.push_back(
      number("server.port", QUIPU_PLACE(http.port), 0, 65'535, "The port; 0 takes any free one."));
  keys.push_back(flag("server.grpc", QUIPU_PLACE(grpc), "Whether to serve gRPC too."));
  keys.push_back(
      with_default(number("server.grpc_port", QUIPU_PLACE(grpc_port), 0, 65'535,
                          "The port of gRPC, at the same address; 0 takes any free one. Qdrant's "
                          "clients expect 6334 unless told another."),
                   "the port after `server.port`: 7334; any free one where that is any"));
  keys.push_back(number("server.grpc_connections_max", QUIPU_PLACE(grpc_connections_max), 1,
                        1'000'000, "Open connections of gRPC; more are closed at once."));
  keys.push_back(number("server.grpc_streams_max", QUIPU_PLACE(grpc_streams_max), 1, 1'000'000,
                        "Calls of gRPC at once on one connection; more wait."));
  keys.push_back(number("server.grpc_calls_max", QUIPU_PLACE(grpc_calls_max), 1, 1'000'000,
                        "Messages of gRPC answered at once; more are refused "
                        "(RESOURCE_EXHAUSTED)."));
  keys.push_back(flag("server.insecure", QUIPU_PLACE(http.insecure),
                      "Allow an address that other machines reach, although nothing asks who "
                      "calls yet."));
  keys.push_back(list("server.allowed_hosts", QUIPU_PLACE(http.allowed_hosts),
                      "Names besides localhost, 127.0.0.1 and [::1] that Host and Origin may have; "
                      "\"*\" allows all."));
  keys.push_back(with_default(number("server.io_threads", QUIPU_PLACE(http.threads), 1, 256,
                                     "Threads that serve connections."),
                              "the number of cores, at most 4"));
  keys.push_back(with_default(number("server.compute_threads", QUIPU_PLACE(compute_threads), 1,
                                     1024, "Threads that search and compute."),
                              "the number of cores"));
  keys.push_back(number("server.waiting_threads", QUIPU_PLACE(waiting_threads), 1, 256,
                        "Threads for requests that wait for the disk or the embedder."));
  keys.push_back(number("server.connections_max", QUIPU_PLACE(http.connections_max), 1, 1'000'000,
                        "Open connections of HTTP; more are answered with 503."));
  keys.push_back(number("server.header_bytes_max", QUIPU_PLACE(http.header_bytes_max), kKiB, kMiB,
                        "Size of a request's head."));
  keys.push_back(number("server.body_bytes_max", QUIPU_PLACE(http.body_bytes_max), kKiB,
                        limits::kRequestBytesMax, "Size of a request's body."));
  keys.push_back(number("server.upload_bytes_max", QUIPU_PLACE(upload_bytes_max), kMiB, kTiB,
                        "Size of a snapshot that is sent; it goes to the disk, not to memory."));
  keys.push_back(number("server.buffered_bytes_max", QUIPU_PLACE(http.buffered_bytes_max), kMiB,
                        kTiB, "Size of the bodies of all requests together."));
  keys.push_back(number("server.idle_timeout_ms", QUIPU_PLACE(http.idle_timeout), 1, kHourMs,
                        "How long a connection may wait between requests."));
  keys.push_back(number("server.header_timeout_ms", QUIPU_PLACE(http.header_timeout), 1, kHourMs,
                        "How long the head of a request may take to arrive."));
  keys.push_back(number("server.body_timeout_ms", QUIPU_PLACE(http.body_timeout), 1, kHourMs,
                        "How long a body may take, beyond a second for each 64 KiB."));
  keys.push_back(number("server.write_timeout_ms", QUIPU_PLACE(http.write_timeout), 1, kHourMs,
                        "How long an answer may take, beyond a second for each 64 KiB."));
  keys.push_back(number("server.request_timeout_ms", QUIPU_PLACE(request_timeout_ms), 1, kHourMs,
                        "How long a request may wait and work before it is given up."));
  keys.push_back(number("server.shutdown_timeout_ms", QUIPU_PLACE(shutdown_timeout_ms), 0, kHourMs,
                        "How long requests in flight may take to finish when the server stops."));
}

void add_engine_keys(std::vector<ConfigKey>& keys) {
  keys.push_back(with_default(text("data.dir", QUIPU_PLACE(engine.data_dir),
                                   "The folder that holds everything (also QUIPU_DATA)."),
                              "`$XDG_DATA_HOME/quipu`, usually `~/.local/share/quipu`"));
  keys.push_back(with_default(
      text("data.collection_snapshots_dir", QUIPU_PLACE(collection_snapshots_dir),
           "The folder for snapshots of collections: `<tenant>/<collection>/<name>.snapshot`."),
      "`collection-snapshots` in `data.dir`"));
  keys.push_back(
      with_default(list("models.dirs", QUIPU_PLACE(engine.model_dirs),
                        "Folders that hold models, searched in order (also "
                        "QUIPU_MODELS, separated by colons)."),
                   "`models` beside the program's folder, `$XDG_DATA_HOME/quipu/models`"));
  keys.push_back(
      text("models.default", QUIPU_PLACE(default_model), "The model where a request names none."));
  keys.push_back(text("memory.tenant", QUIPU_PLACE(tenant), "The tenant that requests act for."));
  keys.push_back(text("memory.collection", QUIPU_PLACE(memory_collection),
                      "The collection of remember and recall where a request names none."));
  keys.push_back(number("engine.background_threads", QUIPU_PLACE(engine.background_threads), 1, 256,
                        "Threads that link vectors and write checkpoints."));
  keys.push_back(number("engine.async_flush_ms", QUIPU_PLACE(engine.async_flush_ms), 1, 60'000,
                        "How soon the writes of an async collection are on disk."));
  keys.push_back(number("engine.write_queue_operations_max",
                        QUIPU_PLACE(engine.write_queue_operations_max), 1, kMiB,
                        "Writes that may wait to be committed."));
  keys.push_back(number("engine.write_queue_bytes_max", QUIPU_PLACE(engine.write_queue_bytes_max),
                        kMiB, kTiB, "Their size together."));
  keys.push_back(number("engine.block_cache_bytes", QUIPU_PLACE(engine.block_cache_bytes), kMiB,
                        kTiB, "Cache of what is read from disk."));
  keys.push_back(number("engine.embedding_cache_bytes", QUIPU_PLACE(engine.embedding_cache_bytes),
                        0, kTiB, "Cache of texts' vectors."));
  keys.push_back(number("engine.query_cache_entries", QUIPU_PLACE(engine.query_cache_entries), 0,
                        1'000'000, "Answers of searches that are kept; 0: none."));
  keys.push_back(number("engine.query_cache_bytes", QUIPU_PLACE(engine.query_cache_bytes), kMiB,
                        kTiB, "Their size together."));
  keys.push_back(number("engine.query_cache_age_s", QUIPU_PLACE(engine.query_cache_age_s), 1,
                        86'400, "How long an answer is given again; a write ends it at once."));
  keys.push_back(number("engine.query_cache_warm", QUIPU_PLACE(engine.query_cache_warm), 0, 10'000,
                        "Most asked queries that are asked again after a restart."));
  keys.push_back(number("engine.memory_bytes_max", QUIPU_PLACE(engine.memory_bytes_max), 0, kTiB,
                        "Resident memory beyond which caches shrink and writes are refused; 0: "
                        "80 % of the machine."));
  keys.push_back(number("engine.checkpoint_operations", QUIPU_PLACE(engine.checkpoint_operations),
                        1, std::uint64_t{1} << 32,
                        "Operations after which a view checkpoint is due."));
  keys.push_back(number("engine.checkpoint_interval_s", QUIPU_PLACE(engine.checkpoint_interval_s),
                        1, 86'400, "Seconds after which a view checkpoint is due."));
}

void add_log_keys(std::vector<ConfigKey>& keys) {
  keys.push_back(reloadable(choice<LogLevel>("log.level", QUIPU_PLACE(log_level),
                                             {{"debug", LogLevel::kDebug},
                                              {"info", LogLevel::kInfo},
                                              {"warning", LogLevel::kWarning},
                                              {"error", LogLevel::kError}},
                                             "The least important lines that are written.")));
  keys.push_back(choice<telemetry::LogFormat>(
      "log.format", QUIPU_PLACE(log.format),
      {{"console", telemetry::LogFormat::kConsole}, {"json", telemetry::LogFormat::kJson}},
      "How lines are written."));
  keys.push_back(text("log.file", QUIPU_PLACE(log.file),
                      "The file that lines go to; standard error without one."));
  keys.push_back(number("log.rotate_bytes", QUIPU_PLACE(log.rotate_bytes), kKiB, kTiB,
                        "Size at which a new file is begun."));
  keys.push_back(number("log.rotate_files", QUIPU_PLACE(log.rotate_files), 0, 100,
                        "How many older files are kept."));
}

#undef QUIPU_PLACE

Error bad_value(const ConfigKey& key, std::string_view where, const std::string& problem) {
  return {ErrorCode::kInvalidArgument,
          std::string(where) + ": " + std::string(key.name) + " " + problem, "bad_value"};
}

std::string kind_name(const ConfigValue& value) {
  static constexpr std::string_view kNames[] = {"true or false", "a number", "a text",
                                                "a list of texts"};
  return std::string(kNames[value.index()]);
}

}  // namespace

std::string ConfigKey::variable() const {
  std::string out = "QUIPU_";
  for (const char c : name) {
    out += c == '.' ? '_' : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  }
  return out;
}

std::span<const ConfigKey> config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    add_server_keys(all);
    add_engine_keys(all);
    add_log_keys(all);
    return all;
  }();
  return keys;
}

const ConfigKey* find_key(std::string_view name) {
  const auto found = std::ranges::find(config_keys(), name, &ConfigKey::name);
  return found == config_keys().end() ? nullptr : &*found;
}

Status set_value(const ConfigKey& key, ServerConfig& config, ConfigValue value,
                 std::string_view where) {
  const ConfigValue now = key.get(config);
  if (now.index() != value.index()) {
    return bad_value(key, where, "must be " + kind_name(now) + ", got " + value_text(value));
  }
  const auto range = std::to_string(key.least) + " to " + std::to_string(key.most);
  if (const auto* n = std::get_if<std::uint64_t>(&value); n && (*n < key.least || *n > key.most)) {
    return bad_value(key, where, "must be from " + range + ", got " + std::to_string(*n));
  }
  if (const auto* text_value = std::get_if<std::string>(&value)) {
    if (text_value->size() > key.most) {
      return bad_value(key, where,
                       "must have at most " + std::to_string(key.most) + " bytes, has " +
                           std::to_string(text_value->size()));
    }
    if (!key.choices.empty() && std::ranges::find(key.choices, *text_value) == key.choices.end()) {
      std::string names;
      for (const std::string_view name : key.choices) {
        names += (names.empty() ? "" : ", ") + std::string(name);
      }
      return bad_value(key, where, "must be one of " + names + ", got " + in_quotes(*text_value));
    }
  }
  if (const auto* items = std::get_if<std::vector<std::string>>(&value);
      items && items->size() > key.most) {
    return bad_value(key, where,
                     "must have at most " + std::to_string(key.most) + " items, has " +
                         std::to_string(items->size()));
  }
  key.set(config, std::move(value));
  return ok_status();
}

Status set_text(const ConfigKey& key, ServerConfig& config, std::string_view text_value,
                std::string_view where, char separator) {
  const ConfigValue now = key.get(config);
  if (std::holds_alternative<bool>(now)) {
    if (text_value != "true" && text_value != "false") {
      return bad_value(key, where, "must be true or false, got " + in_quotes(text_value));
    }
    return set_value(key, config, text_value == "true", where);
  }
  if (std::holds_alternative<std::uint64_t>(now)) {
    std::uint64_t number_value = 0;
    const char* const end = text_value.data() + text_value.size();
    const auto [stop, error] = std::from_chars(text_value.data(), end, number_value);
    if (error != std::errc() || stop != end) {
      return bad_value(key, where,
                       "must be a number from " + std::to_string(key.least) + " to " +
                           std::to_string(key.most) + ", got " + in_quotes(text_value));
    }
    return set_value(key, config, number_value, where);
  }
  if (std::holds_alternative<std::string>(now)) {
    return set_value(key, config, std::string(text_value), where);
  }
  std::vector<std::string> items;
  while (!text_value.empty()) {
    const std::size_t end = std::min(text_value.find(separator), text_value.size());
    if (end > 0) items.emplace_back(text_value.substr(0, end));
    text_value.remove_prefix(std::min(end + 1, text_value.size()));
  }
  return set_value(key, config, std::move(items), where);
}

std::string value_text(const ConfigValue& value) {
  std::string out;
  JsonWriter writer(out);
  if (const auto* flag_value = std::get_if<bool>(&value)) writer.value(*flag_value);
  if (const auto* number_value = std::get_if<std::uint64_t>(&value)) writer.value(*number_value);
  if (const auto* text_value = std::get_if<std::string>(&value)) {
    writer.value(std::string_view(*text_value));
  }
  if (const auto* items = std::get_if<std::vector<std::string>>(&value)) {
    writer.begin_array();
    for (const std::string& item : *items) writer.value(std::string_view(item));
    writer.end_array();
  }
  return out;
}

}  // namespace quipu::server
