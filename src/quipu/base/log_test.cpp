#include "quipu/base/log.h"

#include <gtest/gtest.h>

#include <array>
#include <mutex>
#include <string>
#include <vector>

#include "quipu/base/metrics.h"
#include "quipu/base/quote.h"

namespace quipu {
namespace {

// A sink is a plain function, so what it saw is kept here.
std::mutex seen_mutex;
std::vector<std::string> lines_seen;

void remember(LogLevel level, std::string_view message,
              std::initializer_list<LogField> fields) noexcept {
  const std::lock_guard lock(seen_mutex);
  std::string line = std::to_string(static_cast<int>(level)) + " " + std::string(message);
  for (const LogField& field : fields) {
    line += " " + std::string(field.key) + "=" + field.value;
  }
  lines_seen.push_back(line);
}

class Log : public testing::Test {
 protected:
  void SetUp() override { lines_seen.clear(); }
  void TearDown() override {
    set_log_sink(nullptr);
    set_log_level(LogLevel::kInfo);
  }
};

TEST_F(Log, TheSinkGetsWhatIsAtOrAboveTheLevel) {
  set_log_sink(&remember);
  EXPECT_EQ(log_level(), LogLevel::kInfo);
  log_debug("no");
  log_info("one", {{"k", "v"}, {"n", "2"}});
  set_log_level(LogLevel::kError);
  log_warning("no");
  log_error("two");
  set_log_level(LogLevel::kDebug);
  log_debug("three");
  EXPECT_EQ(lines_seen, (std::vector<std::string>{"1 one k=v n=2", "3 two", "0 three"}));
}

TEST_F(Log, TheDefaultWritesWarningsAndErrorsToStandardError) {
  testing::internal::CaptureStderr();
  log_info("quiet");
  log_warning("careful", {{"path", "/a b"}, {"evil", "x\nquipu: error: forged"}});
  log_error("bad");
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "quipu: warning: careful path=\"/a b\" evil=\"x\\nquipu: error: forged\"\n"
            "quipu: error: bad\n");
}

TEST_F(Log, NullRestoresTheDefault) {
  set_log_sink(&remember);
  set_log_sink(nullptr);
  testing::internal::CaptureStderr();
  log_error("back");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "quipu: error: back\n");
  EXPECT_TRUE(lines_seen.empty());
}

TEST(Metrics, NullMetricsTakeEverything) {
  MetricsRegistry& metrics = null_metrics();
  EXPECT_EQ(&metrics, &null_metrics());
  Counter& counter = metrics.counter("quipu_x_total", "help", {});
  counter.add();
  counter.add(2.5);
  EXPECT_EQ(&counter, &metrics.counter("quipu_x_total", "help", {}));
  metrics.gauge("quipu_y", "help", {{"a", "b"}}).set(3);
  const std::array<double, 2> bounds = {1, 2};
  metrics.histogram("quipu_z_seconds", "help", {}, bounds).observe(1.5);
}

TEST(InQuotes, CutsLongTextAtACharacter) {
  EXPECT_EQ(in_quotes("a\"b"), "\"a\\\"b\"");
  EXPECT_EQ(in_quotes("abc", 3), "\"abc\"");
  EXPECT_EQ(in_quotes("abcd", 3), "\"abc\"...");
  // The cut would halve the second character, then fall before the first.
  EXPECT_EQ(in_quotes("a\xC3\xA9z", 2), "\"a\"...");
  EXPECT_EQ(in_quotes("\xF0\x9F\x98\x80z", 3), "\"\"...");
  EXPECT_EQ(in_quotes("abcd", 0), "\"\"...");
}

}  // namespace
}  // namespace quipu
