// Goal: a configuration is either exactly what was meant, or an error that says where it is wrong.
#include "quipu/server/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "quipu/base/json.h"
#include "quipu/server/config_table.h"
#include "quipu/telemetry/request_id.h"

namespace quipu::server {
namespace {

using ::testing::HasSubstr;

class ConfigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("quipu-config-" + telemetry::make_request_id());
    ASSERT_TRUE(std::filesystem::create_directory(folder_));
    environment_["HOME"] = folder_.string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file(const std::string& toml) {
    const std::string path = (folder_ / "quipu.toml").string();
    std::ofstream(path) << toml;
    return path;
  }
  std::string error_of(const std::string& toml) {
    const auto loaded = load_config(file(toml), environment_, {});
    return loaded.ok() ? "no error" : loaded.error().message;
  }
  std::filesystem::path folder_;
  Environment environment_;
};

TEST_F(ConfigTest, Defaults) {
  const auto loaded = load_config("", environment_, {});
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const ServerConfig& config = loaded.value();
  EXPECT_EQ(config.http.host, "127.0.0.1");
  EXPECT_EQ(config.http.port, 7333);
  EXPECT_FALSE(config.http.insecure);
  EXPECT_EQ(config.engine.data_dir, folder_.string() + "/.local/share/quipu");
  EXPECT_GE(config.compute_threads, 1U);
  EXPECT_EQ(config.sources.find("server.port")->second, "default");
}

TEST_F(ConfigTest, ThePortOfGrpcFollows) {
  const auto port = [this](const Overrides& overrides) {
    const auto loaded = load_config("", environment_, overrides);
    EXPECT_TRUE(loaded.ok());
    return loaded.value().grpc_port;
  };
  EXPECT_EQ(port({}), 7334);
  EXPECT_EQ(port({{"server.port", "8000"}}), 8001);
  EXPECT_EQ(port({{"server.port", "0"}}), 0);
  EXPECT_EQ(port({{"server.port", "65535"}}), 0);
  EXPECT_EQ(port({{"server.port", "0"}, {"server.grpc_port", "6334"}}), 6334);
  environment_["QUIPU_SERVER_GRPC_PORT"] = "6335";
  EXPECT_EQ(port({}), 6335);
}

TEST_F(ConfigTest, LaterSourcesWin) {
  const std::string path =
      file("[server]\nport = 1\nhost = \"127.0.0.2\"\n[log]\nlevel=\"debug\"\n");
  environment_["QUIPU_SERVER_PORT"] = "2";
  environment_["QUIPU_DATA"] = "/somewhere";
  const auto file_and_variable = load_config(path, environment_, {});
  ASSERT_TRUE(file_and_variable.ok()) << file_and_variable.error().message;
  EXPECT_EQ(file_and_variable.value().http.port, 2);
  EXPECT_EQ(file_and_variable.value().http.host, "127.0.0.2");
  EXPECT_EQ(file_and_variable.value().log_level, LogLevel::kDebug);
  EXPECT_EQ(file_and_variable.value().engine.data_dir, "/somewhere");
  EXPECT_EQ(file_and_variable.value().sources.find("server.host")->second, path + ":3");
  EXPECT_EQ(file_and_variable.value().sources.find("server.port")->second, "QUIPU_SERVER_PORT");
  EXPECT_EQ(file_and_variable.value().sources.find("data.dir")->second, "QUIPU_DATA");
  const auto all = load_config(path, environment_, {{"server.port", "3"}, {"data.dir", "/other"}});
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(all.value().http.port, 3);
  EXPECT_EQ(all.value().engine.data_dir, "/other");
}

TEST_F(ConfigTest, ListsInEverySource) {
  const auto from_file =
      load_config(file("[server]\nallowed_hosts = [\"a\", \"b\"]\n"), environment_, {});
  ASSERT_TRUE(from_file.ok());
  EXPECT_EQ(from_file.value().http.allowed_hosts, (std::vector<std::string>{"a", "b"}));
  environment_["QUIPU_MODELS"] = "/x:/y";
  const auto other = load_config("", environment_, {{"server.allowed_hosts", "c,d"}});
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(other.value().http.allowed_hosts, (std::vector<std::string>{"c", "d"}));
  EXPECT_EQ(other.value().engine.model_dirs, (std::vector<std::string>{"/x", "/y"}));
}

TEST_F(ConfigTest, UnknownKeysNameLineAndNeighbour) {
  EXPECT_THAT(error_of("[server]\n\nprot = 1\n"), HasSubstr("quipu.toml:3"));
  EXPECT_THAT(error_of("[server]\n\nprot = 1\n"), HasSubstr("\"server.prot\""));
  EXPECT_THAT(error_of("[server]\n\nprot = 1\n"), HasSubstr("did you mean \"server.port\"?"));
  EXPECT_THAT(error_of("[sever]\nport = 1\n"), HasSubstr("quipu.toml:1"));
  EXPECT_THAT(error_of("port = 1\n"), HasSubstr("there is no key \"port\""));
  environment_["QUIPU_SERVER_PROT"] = "1";
  EXPECT_THAT(error_of(""), HasSubstr("QUIPU_SERVER_PORT"));
}

TEST_F(ConfigTest, VariablesOfOthersAreLeftAlone) {
  environment_["QUIPU_SIMD"] = "scalar";
  environment_["QUIPU_TEST_SEED"] = "1";
  EXPECT_EQ(error_of(""), "no error");
}

TEST_F(ConfigTest, BadValuesNameKeyValueAndLimits) {
  EXPECT_THAT(error_of("[server]\nport = 65536\n"),
              HasSubstr(":2: server.port must be from 0 to 65535, got 65536"));
  EXPECT_THAT(error_of("[server]\nport = \"x\"\n"), HasSubstr("must be a number, got \"x\""));
  EXPECT_THAT(error_of("[server]\nport = -1\n"), HasSubstr("server.port"));
  EXPECT_THAT(error_of("[server]\nport = 1.5\n"), HasSubstr("server.port"));
  EXPECT_THAT(error_of("[server]\ninsecure = 1\n"), HasSubstr("true or false"));
  EXPECT_THAT(error_of("[server]\nallowed_hosts = [1]\n"), HasSubstr("server.allowed_hosts"));
  EXPECT_THAT(error_of("[log]\nlevel = \"loud\"\n"),
              HasSubstr("log.level must be one of debug, info, warning, error, got \"loud\""));
  EXPECT_THAT(error_of("[server]\nport = \n"), HasSubstr("quipu.toml:2"));
  const auto flag = load_config("", environment_, {{"server.port", "7333x"}});
  ASSERT_FALSE(flag.ok());
  EXPECT_THAT(flag.error().message, HasSubstr("flag: server.port must be a number"));
}

TEST_F(ConfigTest, OpenAddressesNeedInsecure) {
  EXPECT_THAT(error_of("[server]\nhost = \"0.0.0.0\"\n"), HasSubstr("insecure"));
  EXPECT_EQ(error_of("[server]\nhost = \"0.0.0.0\"\ninsecure = true\n"), "no error");
}

TEST_F(ConfigTest, FilesAreFound) {
  const auto missing = load_config((folder_ / "none.toml").string(), environment_, {});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message, HasSubstr("none.toml"));
  const std::string path = file("[server]\nport = 9\n");
  environment_["QUIPU_CONFIG"] = path;
  EXPECT_EQ(load_config("", environment_, {}).value().http.port, 9);
  environment_.erase("QUIPU_CONFIG");
  EXPECT_EQ(load_config("", environment_, {}).value().http.port, 7333);
  std::filesystem::create_directories(folder_ / ".config/quipu");
  std::filesystem::copy(path, folder_ / ".config/quipu/quipu.toml");
  EXPECT_EQ(load_config("", environment_, {}).value().http.port, 9);
}

// Property: what show_config() prints is a configuration file that gives the same values.
TEST_F(ConfigTest, ShownConfigurationReadsBack) {
  const auto first = load_config("", environment_,
                                 {{"server.port", "1"},
                                  {"server.allowed_hosts", "a,b"},
                                  {"log.level", "error"},
                                  {"engine.async_flush_ms", "5"},
                                  {"models.default", "a \"quoted\" name"}});
  ASSERT_TRUE(first.ok()) << first.error().message;
  const auto second = load_config(file(show_config(first.value())), {}, {});
  ASSERT_TRUE(second.ok()) << second.error().message;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_EQ(value_text(key.get(first.value())), value_text(key.get(second.value()))) << key.name;
  }
}

TEST_F(ConfigTest, ReloadTakesOnlyWhatMayChange) {
  ServerConfig running = load_config("", environment_, {}).value();
  const ServerConfig fresh =
      load_config("", environment_, {{"log.level", "debug"}, {"server.port", "1"}}).value();
  std::vector<std::string> need_restart;
  EXPECT_EQ(take_reloadable(running, fresh, need_restart), std::vector<std::string>{"log.level"});
  EXPECT_EQ(need_restart, (std::vector<std::string>{"server.port", "server.grpc_port"}));
  EXPECT_EQ(running.log_level, LogLevel::kDebug);
  EXPECT_EQ(running.http.port, 7333);
}

TEST(ConfigKeys, EveryRowWorks) {
  std::set<std::string> variables;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_FALSE(key.doc.empty()) << key.name;
    EXPECT_TRUE(variables.insert(key.variable()).second) << key.name;
    ServerConfig config;
    const ConfigValue before = key.get(config);
    ConfigValue changed = before;
    if (auto* flag = std::get_if<bool>(&changed)) *flag = !*flag;
    if (auto* number = std::get_if<std::uint64_t>(&changed)) {
      *number = *number == key.most ? key.least : key.most;
    }
    if (auto* text = std::get_if<std::string>(&changed)) {
      *text = key.choices.empty()       ? "another"
              : key.choices[0] == *text ? std::string(key.choices[1])
                                        : std::string(key.choices[0]);
    }
    if (auto* list = std::get_if<std::vector<std::string>>(&changed)) list->push_back("another");
    ASSERT_TRUE(set_value(key, config, changed, "test").ok()) << key.name;
    EXPECT_EQ(value_text(key.get(config)), value_text(changed)) << key.name;
    EXPECT_NE(value_text(before), value_text(changed)) << key.name;
  }
}

TEST(ConfigJson, IsJsonWithEveryKey) {
  const auto parsed = JsonDocument::parse(config_json(ServerConfig{}));
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed.value().root().size(), config_keys().size());
}

TEST(ConfigDocs, AreCurrent) {
  const std::string path = QUIPU_SOURCE_DIR "/docs/configuration.md";
  if (std::getenv("QUIPU_UPDATE_DOCS") != nullptr) std::ofstream(path) << config_docs();
  std::ifstream file(path);
  const std::string content((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
  EXPECT_TRUE(content == config_docs()) << "run: quipu config docs > docs/configuration.md";
}

}  // namespace
}  // namespace quipu::server
