// Goal: metrics render as Prometheus reads them, stay bounded, and no value can forge a log line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/base/log.h"
#include "quipu/base/rng.h"
#include "quipu/telemetry/log_output.h"
#include "quipu/telemetry/process_status.h"
#include "quipu/telemetry/prometheus_registry.h"
#include "quipu/telemetry/request_id.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::telemetry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(PrometheusRegistry, RendersEveryKind) {
  PrometheusRegistry registry;
  registry.counter("quipu_things_total", "Things.", {{"kind", "a"}}).add(3);
  registry.counter("quipu_things_total", "Things.", {{"kind", "a"}}).add();
  registry.gauge("quipu_level", "A level.", {}).set(2.5);
  const std::array<double, 2> bounds = {0.1, 1};
  registry.histogram("quipu_wait_seconds", "Waits.", {}, bounds).observe(0.5);
  const std::string text = registry.render();
  EXPECT_THAT(text, HasSubstr("# TYPE quipu_things_total counter\n"));
  EXPECT_THAT(text, HasSubstr("quipu_things_total{kind=\"a\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("quipu_level 2.5\n"));
  EXPECT_THAT(text, HasSubstr("quipu_wait_seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("quipu_wait_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quipu_wait_seconds_bucket{le=\"+Inf\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("quipu_process_resident_bytes "));
}

TEST(PrometheusRegistry, SameNameAndLabelsAreOneMetric) {
  PrometheusRegistry registry;
  EXPECT_EQ(&registry.counter("a_total", "A.", {{"x", "1"}}),
            &registry.counter("a_total", "A.", {{"x", "1"}}));
  EXPECT_NE(&registry.counter("a_total", "A.", {{"x", "1"}}),
            &registry.counter("a_total", "A.", {{"x", "2"}}));
}

TEST(PrometheusRegistry, AFamilyIsBounded) {
  PrometheusRegistry registry;
  std::set<Counter*> series;
  for (std::size_t i = 0; i < 2 * kMetricSeriesMax; ++i) {
    Counter& counter = registry.counter("many_total", "Many.", {{"n", std::to_string(i)}});
    counter.add();
    series.insert(&counter);
  }
  EXPECT_EQ(series.size(), kMetricSeriesMax);
  const std::string expected =
      "many_total{n=\"other\"} " + std::to_string(kMetricSeriesMax + 1) + "\n";
  EXPECT_THAT(registry.render(), HasSubstr(expected));
}

TEST(PrometheusRegistryDeathTest, BadNamesAndMixedKindsAreBugs) {
  PrometheusRegistry registry;
  EXPECT_DEATH(static_cast<void>(registry.counter("1st", "X.", {})), "valid_name");
  EXPECT_DEATH(static_cast<void>(registry.counter("ok", "X.", {{"a-b", "1"}})), "valid_name");
  static_cast<void>(registry.gauge("level", "L.", {}));
  EXPECT_DEATH(static_cast<void>(registry.counter("level", "L.", {})), "contains");
}

TEST(PrometheusRegistry, ThreadsLoseNothing) {
  PrometheusRegistry registry;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&registry, t] {
      for (int i = 0; i < 1000; ++i) {
        registry.counter("hits_total", "Hits.", {{"mod", std::to_string((i + t) % 7)}}).add();
        if (i % 100 == 0) static_cast<void>(registry.render());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  double sum = 0;
  std::istringstream lines(registry.render());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("hits_total{")) sum += std::stod(line.substr(line.rfind(' ') + 1));
  }
  EXPECT_EQ(sum, 4000);
}

TEST(ProcessStatus, SeesThisProcess) {
  const ProcessStatus status = process_status();
  EXPECT_GT(status.resident_bytes, 1U << 20);
  EXPECT_GE(status.threads, 1U);
  EXPECT_GE(status.open_descriptors, 3U);
}

TEST(LogLine, ConsoleForm) {
  EXPECT_EQ(format_log_line(LogFormat::kConsole, 0, LogLevel::kInfo, "started",
                            {{"port", "7333"}, {"path", "two words"}, {"empty", ""}}),
            "1970-01-01T00:00:00.000Z info    started port=7333 path=\"two words\" empty=\"\"");
}

TEST(LogLine, JsonForm) {
  EXPECT_EQ(
      format_log_line(LogFormat::kJson, 1'000, LogLevel::kWarning, "a \"b\"", {{"k", "v\n"}}),
      R"({"time":"1970-01-01T00:00:00.001Z","level":"warning","message":"a \"b\"","k":"v\n"})");
}

// Property: whatever bytes a value has, a line stays one line, and JSON lines stay JSON.
TEST(LogLine, NoValueForgesALine) {
  Rng rng(7);
  for (int round = 0; round < 2000; ++round) {
    std::string value;
    for (std::uint64_t i = rng.below(20); i > 0; --i) value += static_cast<char>(rng.below(256));
    const std::string console =
        format_log_line(LogFormat::kConsole, 0, LogLevel::kInfo, value, {{"k", value}});
    const std::string json =
        format_log_line(LogFormat::kJson, 0, LogLevel::kInfo, value, {{"k", value}});
    for (const std::string& line : {console, json}) {
      EXPECT_EQ(line.find('\n'), std::string::npos);
      EXPECT_EQ(line.find('\r'), std::string::npos);
      EXPECT_EQ(line.find('\x1b'), std::string::npos);
    }
    EXPECT_TRUE(JsonDocument::parse(json).ok()) << json;
  }
}

TEST(LogOutput, WritesAndRotatesAFile) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("quipu-log-" + make_request_id());
  ASSERT_TRUE(std::filesystem::create_directory(folder));
  const std::string file = (folder / "quipu.log").string();
  ASSERT_TRUE(
      install_log_output(
          {.format = LogFormat::kJson, .file = file, .rotate_bytes = 2048, .rotate_files = 2})
          .ok());
  const LogLevel before = log_level();
  set_log_level(LogLevel::kInfo);
  for (int i = 0; i < 200; ++i) log_info("line", {{"i", std::to_string(i)}});
  log_debug("hidden");
  set_log_level(before);
  remove_log_output();
  EXPECT_TRUE(std::filesystem::exists(folder / "quipu.1.log"));
  EXPECT_TRUE(std::filesystem::exists(folder / "quipu.2.log"));
  EXPECT_FALSE(std::filesystem::exists(folder / "quipu.3.log"));
  std::ifstream stream(file);
  const std::string text((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  EXPECT_THAT(text, HasSubstr("\"i\":\"199\""));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  std::filesystem::remove_all(folder);
}

TEST(LogOutput, RefusesBadOptionsByName) {
  const Status small = install_log_output({.rotate_bytes = 1023});
  ASSERT_FALSE(small.ok());
  EXPECT_THAT(small.error().message, HasSubstr("1023"));
  EXPECT_FALSE(install_log_output({.rotate_files = 101}).ok());
  const Status missing = install_log_output({.file = "/proc/no-such-folder/x.log"});
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code, ErrorCode::kIo);
}

TEST(RequestId, MadeOnesAreValidAndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 10'000; ++i) {
    const std::string id = make_request_id();
    EXPECT_TRUE(valid_request_id(id));
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(RequestId, RefusesWhatCouldForge) {
  EXPECT_TRUE(valid_request_id(std::string(kRequestIdBytesMax, 'a')));
  EXPECT_FALSE(valid_request_id(std::string(kRequestIdBytesMax + 1, 'a')));
  EXPECT_FALSE(valid_request_id(""));
  EXPECT_FALSE(valid_request_id("a b"));
  EXPECT_FALSE(valid_request_id("a\r\nX: y"));
}

TEST(TimeText, KnownTimes) {
  EXPECT_EQ(rfc3339(1'772'366'400'123'456), "2026-03-01T12:00:00.123Z");
  EXPECT_EQ(rfc3339(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(http_date(784'111'777'000'000), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(rfc3339(INT64_MAX), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(rfc3339(INT64_MIN), "0000-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace quipu::telemetry
