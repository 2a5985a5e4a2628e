// A service over a real engine in a folder of its own, with the test double for the model.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/service.h"
#include "quipu/base/clock.h"
#include "quipu/base/json.h"
#include "quipu/base/thread_pool.h"
#include "quipu/engine.h"
#include "quipu/telemetry/prometheus_registry.h"
#include "quipu/telemetry/request_id.h"
#include "tests/support/fake_embedder.h"

namespace quipu::api {

using Headers = std::vector<std::pair<std::string, std::string>>;

class ServiceFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("quipu-api-" + telemetry::make_request_id());
    ASSERT_TRUE(std::filesystem::create_directory(folder_));
    EngineOptions options;
    options.data_dir = (folder_ / "data").string();
    EngineEnvironment environment;
    environment.metrics = &metrics_;
    environment.embedder = &embedder_;
    auto engine = Engine::open(options, environment);
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
    make_service({});
  }
  void TearDown() override {
    service_.reset();
    if (engine_ != nullptr) {
      const Status closed = engine_->close(std::chrono::seconds(10));
      EXPECT_TRUE(closed.ok());
    }
    engine_.reset();
    std::filesystem::remove_all(folder_);
  }
  void make_service(ServiceOptions options) {
    options.snapshots_dir = (folder_ / "data" / "snapshots").string();
    options.collection_snapshots_dir = (folder_ / "collection-snapshots").string();
    options.metrics_text = [this] { return metrics_.render(); };
    options.config_json = [] { return std::string(R"({"server.port":{"value":7333}})"); };
    service_.reset();
    service_ = std::make_unique<Service>(*engine_, compute_, metrics_, system_clock(), options);
  }

  Response call(std::string method, std::string target, std::string body = "",
                Headers headers = {}) {
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return send(std::move(method), std::move(target), std::move(body), std::move(headers));
  }
  // Exactly these headers.
  Response send(std::string method, std::string target, std::string body, Headers headers) {
    return service_->handle_and_wait({.method = std::move(method),
                                      .target = std::move(target),
                                      .headers = std::move(headers),
                                      .body = std::move(body),
                                      .peer = "test"});
  }
  // The value of a header of an answer; "" when it is absent.
  static std::string header(const Response& response, std::string_view name) {
    for (const auto& [known, value] : response.headers) {
      if (known == name) return value;
    }
    return "";
  }
  // The member "code" of a problem.
  static std::string code(const Response& response) {
    const auto document = JsonDocument::parse(response.body);
    if (!document.ok()) return "not JSON: " + response.body;
    const auto member = document.value().root().find("code");
    return member ? std::string(member->as_string().value_or("")) : "no code: " + response.body;
  }
  void make_notes() {
    const Response made =
        call("PUT", "/v1/collections/notes", R"({"vectors":[{"dim":4,"metric":"cosine"}]})");
    ASSERT_EQ(made.status, 201) << made.body;
  }

  std::filesystem::path folder_;
  telemetry::PrometheusRegistry metrics_;
  quipu::testing_support::FakeEmbedder embedder_;
  ThreadPool compute_{{.name = "compute", .thread_count = 2}};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Service> service_;
};

}  // namespace quipu::api
