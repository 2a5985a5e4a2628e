#include "quipu/server/config.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <set>
#include <thread>

#include "quipu/base/file_system.h"
#include "quipu/base/json.h"
#include "quipu/base/nearest.h"
#include "quipu/base/quote.h"
#include "quipu/server/config_table.h"

extern char** environ;  // tidy: POSIX gives it no header

namespace quipu::server {
namespace {

constexpr std::uint64_t kFileBytesMax = 1U << 20;
constexpr std::uint16_t kDefaultPort = 7333;

std::string did_you_mean_key(std::string_view name) {
  std::vector<std::string_view> known;
  for (const ConfigKey& key : config_keys()) known.push_back(key.name);
  return did_you_mean(name, known);
}

Error unknown_key(std::string_view where, std::string_view name, const std::string& hint) {
  return {ErrorCode::kInvalidArgument,
          std::string(where) + ": there is no key " + in_quotes(name) + hint, "unknown_key"};
}

std::string place(const std::string& file, const toml::node& node) {
  return file + ":" + std::to_string(node.source().begin.line);
}

// A TOML value as one of the kinds that keys have; empty for all others.
std::optional<ConfigValue> to_value(const toml::node& node) {
  if (const auto flag = node.value_exact<bool>()) return *flag;
  if (const auto number = node.value_exact<std::int64_t>()) {
    if (*number < 0) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
  }
  if (const auto text = node.value_exact<std::string>()) return *text;
  const toml::array* const array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> items;
  for (const toml::node& item : *array) {
    const auto text = item.value_exact<std::string>();
    if (!text) return std::nullopt;
    items.push_back(*text);
  }
  return items;
}

Status read_table(const toml::table& table, const std::string& prefix, const std::string& file,
                  ServerConfig& config) {
  for (const auto& [name, node] : table) {
    const std::string key_name = prefix + std::string(name.str());
    const std::string where = place(file, node);
    const ConfigKey* const key = find_key(key_name);
    const bool section = std::ranges::any_of(config_keys(), [&](const ConfigKey& each) {
      return each.name.starts_with(key_name + ".");
    });
    if (section && node.is_table()) {
      QUIPU_TRY_OK(read_table(*node.as_table(), key_name + ".", file, config));
      continue;
    }
    if (key == nullptr) return unknown_key(where, key_name, did_you_mean_key(key_name));
    auto value = to_value(node);
    if (!value) {
      return Error{
          ErrorCode::kInvalidArgument,
          where + ": " + key_name + " has a value of a kind that no key takes, or is negative",
          "bad_value"};
    }
    QUIPU_TRY_OK(set_value(*key, config, std::move(*value), where));
    config.sources[key_name] = where;
  }
  return ok_status();
}

Status read_toml(const std::string& path, ServerConfig& config) {
  auto content = read_file(posix_file_system(), path, kFileBytesMax);
  if (!content.ok()) {
    Error error = std::move(content).error();
    error.message = "cannot read the configuration: " + error.message;
    return error;
  }
  const toml::parse_result parsed = toml::parse(content.value(), path);
  if (!parsed) {
    const auto& problem = parsed.error();
    return Error{ErrorCode::kInvalidArgument,
                 path + ":" + std::to_string(problem.source().begin.line) + ": " +
                     std::string(problem.description()),
                 "malformed_toml"};
  }
  config.file = path;
  return read_table(parsed.table(), "", path, config);
}

// QUIPU_SERVER_PORT and the like. Other variables that begin with QUIPU_ are not ours to judge
// unless they name a section.
Status read_environment(const Environment& environment, ServerConfig& config) {
  std::set<std::string, std::less<>> sections;
  std::vector<std::string> variables;
  for (const ConfigKey& key : config_keys()) {
    const std::string variable = key.variable();
    sections.insert(variable.substr(0, variable.find('_', 6) + 1));
    variables.push_back(variable);
  }
  const std::vector<std::string_view> known(variables.begin(), variables.end());
  for (const auto& [name, value] : environment) {
    const auto found = std::ranges::find(known, name);
    if (found != known.end()) {
      const ConfigKey& key = config_keys()[static_cast<std::size_t>(found - known.begin())];
      QUIPU_TRY_OK(set_text(key, config, value, name));
      config.sources[std::string(key.name)] = name;
      continue;
    }
    const bool ours = std::ranges::any_of(sections, [&variable = name](const std::string& section) {
      return variable.starts_with(section);
    });
    if (ours) return unknown_key("environment", name, did_you_mean(name, known));
  }
  const auto short_form = [&](std::string_view variable, std::string_view key_name) -> Status {
    const auto found = environment.find(variable);
    if (found == environment.end() || config.sources[std::string(key_name)] != "default") {
      return ok_status();
    }
    config.sources[std::string(key_name)] = variable;
    return set_text(*find_key(key_name), config, found->second, variable, ':');
  };
  QUIPU_TRY_OK(short_form("QUIPU_DATA", "data.dir"));
  return short_form("QUIPU_MODELS", "models.dirs");
}

Status read_overrides(const Overrides& overrides, ServerConfig& config) {
  for (const auto& [name, value] : overrides) {
    const ConfigKey* const key = find_key(name);
    if (key == nullptr) return unknown_key("flag", name, did_you_mean_key(name));
    QUIPU_TRY_OK(set_text(*key, config, value, "flag"));
    config.sources[name] = "flag";
  }
  return ok_status();
}

std::string variable_or(const Environment& environment, std::string_view name,
                        std::string otherwise) {
  const auto found = environment.find(name);
  return found == environment.end() || found->second.empty() ? std::move(otherwise) : found->second;
}

std::string program_folder() {
  std::string path(PATH_MAX, '\0');
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  if (size <= 0) return "";
  path.resize(static_cast<std::size_t>(size));
  return path.substr(0, path.rfind('/'));
}

// What the defaults take from the machine.
void fill_defaults(const Environment& environment, ServerConfig& config) {
  const std::string home = variable_or(environment, "HOME", "/var/lib");
  const std::string share =
      variable_or(environment, "XDG_DATA_HOME", home + "/.local/share") + "/quipu";
  const std::size_t cores = std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
  config.http.port = kDefaultPort;
  config.http.threads = std::min<std::size_t>(cores, 4);
  config.compute_threads = cores;
  config.engine.data_dir = share;
  if (const std::string program = program_folder(); !program.empty()) {
    config.engine.model_dirs.push_back(program + "/../models");
  }
  config.engine.model_dirs.push_back(share + "/models");
#ifdef QUIPU_DEPS_DIR
  // What set-up put into the source tree, for programs run from there.
  config.engine.model_dirs.push_back(QUIPU_DEPS_DIR "/models");
#endif
  for (const ConfigKey& key : config_keys()) config.sources[std::string(key.name)] = "default";
}

std::string default_file(const Environment& environment) {
  const std::string home = variable_or(environment, "HOME", "/var/lib");
  const std::string path =
      variable_or(environment, "XDG_CONFIG_HOME", home + "/.config") + "/quipu/quipu.toml";
  return posix_file_system().exists(path) ? path : "";
}

}  // namespace

Environment process_environment() {
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) {
      out.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return out;
}

Result<ServerConfig> load_config(const std::string& path, const Environment& environment,
                                 const Overrides& overrides) {
  ServerConfig config;
  fill_defaults(environment, config);
  std::string file = path.empty() ? variable_or(environment, "QUIPU_CONFIG", "") : path;
  if (file.empty()) file = default_file(environment);
  if (!file.empty()) QUIPU_TRY_OK(read_toml(file, config));
  QUIPU_TRY_OK(read_environment(environment, config));
  QUIPU_TRY_OK(read_overrides(overrides, config));
  QUIPU_TRY_OK(check_address(config.http));
  // Any free one beside any free one, so that two servers on free ports never meet.
  const bool next_is_known = config.http.port != 0 && config.http.port != UINT16_MAX;
  if (config.sources["server.grpc_port"] == "default") {
    config.grpc_port = next_is_known ? static_cast<std::uint16_t>(config.http.port + 1) : 0;
  }
  return config;
}

std::vector<std::string> take_reloadable(ServerConfig& running, const ServerConfig& fresh,
                                         std::vector<std::string>& need_restart) {
  std::vector<std::string> taken;
  for (const ConfigKey& key : config_keys()) {
    ConfigValue value = key.get(fresh);
    if (value == key.get(running)) continue;
    if (!key.reloadable) {
      need_restart.emplace_back(key.name);
      continue;
    }
    key.set(running, std::move(value));
    running.sources[std::string(key.name)] = fresh.sources.find(key.name)->second;
    taken.emplace_back(key.name);
  }
  return taken;
}

std::string show_config(const ServerConfig& config) {
  std::string out;
  std::string_view section;
  for (const ConfigKey& key : config_keys()) {
    const std::size_t dot = key.name.find('.');
    if (key.name.substr(0, dot) != section) {
      section = key.name.substr(0, dot);
      out += (out.empty() ? "[" : "\n[") + std::string(section) + "]\n";
    }
    const auto source = config.sources.find(key.name);
    out += std::string(key.name.substr(dot + 1)) + " = " + value_text(key.get(config)) + "  # " +
           (source == config.sources.end() ? "default" : source->second) + "\n";
  }
  return out;
}

std::string config_json(const ServerConfig& config) {
  std::string json;
  JsonWriter out(json);
  out.begin_object();
  for (const ConfigKey& key : config_keys()) {
    const auto source = config.sources.find(key.name);
    out.key(key.name).begin_object().key("value").raw(value_text(key.get(config)));
    out.key("source").value(source == config.sources.end() ? std::string_view("default")
                                                           : std::string_view(source->second));
    out.end_object();
  }
  out.end_object();
  return json;
}

std::string config_docs() {
  std::string out =
      "# Configuration\n\n"
      "Made by `quipu config docs` from the table that parses it; do not edit.\n\n"
      "Values come from a TOML file (`quipu serve --config FILE`, `$QUIPU_CONFIG`, or\n"
      "`~/.config/quipu/quipu.toml`), then from the environment, then from flags (`--set "
      "KEY=VALUE`);\n"
      "later ones win. Unknown keys and bad values stop the start. `quipu config show` prints what "
      "is in\n"
      "force and where it comes from; `quipu config check` only checks. SIGHUP reads everything "
      "again and\n"
      "takes over the keys marked as reloadable.\n\n"
      "| key | default | range | variable | meaning |\n| --- | --- | --- | --- | --- |\n";
  const ServerConfig defaults = [] {
    ServerConfig config;
    config.http.port = kDefaultPort;
    return config;
  }();
  for (const ConfigKey& key : config_keys()) {
    const ConfigValue value = key.get(defaults);
    std::string range;
    if (std::holds_alternative<bool>(value)) range = "true, false";
    if (std::holds_alternative<std::uint64_t>(value)) {
      range = std::to_string(key.least) + " to " + std::to_string(key.most);
    }
    if (std::holds_alternative<std::string>(value)) range = "text";
    if (std::holds_alternative<std::vector<std::string>>(value)) {
      range = "list, at most " + std::to_string(key.most);
    }
    for (std::size_t i = 0; i < key.choices.size(); ++i) {
      range = (i == 0 ? "" : range + ", ") + std::string(key.choices[i]);
    }
    const std::string shown =
        key.default_doc.empty() ? "`" + value_text(value) + "`" : std::string(key.default_doc);
    out += "| `" + std::string(key.name) + "` | " + shown + " | " + range + " | `" +
           key.variable() + "` | " + std::string(key.doc) + (key.reloadable ? " Reloadable." : "") +
           " |\n";
  }
  return out;
}

}  // namespace quipu::server
