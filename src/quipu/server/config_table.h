// The one table of configuration keys. Private to this folder.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "quipu/server/config.h"

namespace quipu::server {

using ConfigValue = std::variant<bool, std::uint64_t, std::string, std::vector<std::string>>;

struct ConfigKey {
  std::string_view name;  // "server.port"
  std::string_view doc;
  // Range of a number; for texts the most bytes, for lists the most items.
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::vector<std::string_view> choices;  // of a text, if it has to be one of these
  bool reloadable = false;
  std::string_view default_doc;  // in place of the value, where the default depends on the machine
  std::function<ConfigValue(const ServerConfig&)> get;
  std::function<void(ServerConfig&, ConfigValue)> set;

  // The variable of the environment: "QUIPU_SERVER_PORT".
  [[nodiscard]] std::string variable() const;
};

[[nodiscard]] std::span<const ConfigKey> config_keys();
// Null when there is none of that name.
[[nodiscard]] const ConfigKey* find_key(std::string_view name);

// Checks kind, range and choices, then sets. Errors: kInvalidArgument ("bad_value") naming `where`,
// the key, the value and the limits.
Status set_value(const ConfigKey& key, ServerConfig& config, ConfigValue value,
                 std::string_view where);
// Reads `text` as the key's kind first. Lists are split at `separator`.
Status set_text(const ConfigKey& key, ServerConfig& config, std::string_view text,
                std::string_view where, char separator = ',');

// The value as TOML, which for these kinds is JSON as well.
[[nodiscard]] std::string value_text(const ConfigValue& value);

}  // namespace quipu::server
