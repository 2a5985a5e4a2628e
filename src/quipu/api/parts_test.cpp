// Goal: the small parts under the service (targets, routes, names, gzip, statuses) do what they
// say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "quipu/api/compression.h"
#include "quipu/api/problem.h"
#include "quipu/api/route_table.h"
#include "quipu/api/router.h"
#include "quipu/api/status_map.h"
#include "quipu/api/uri.h"
#include "quipu/base/log.h"
#include "quipu/base/rng.h"

namespace quipu::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// ---------------------------------------------------------------- targets

TEST(Target, TakesApart) {
  const auto target = parse_target("/v1/a%20b/%C3%A4?x=1&y=%26&z&&e=");
  ASSERT_TRUE(target.ok());
  EXPECT_EQ(target.value().segments, (std::vector<std::string>{"v1", "a b", "\xc3\xa4"}));
  ASSERT_EQ(target.value().query.size(), 4U);
  EXPECT_EQ(target.value().query[1].second, "&");
  EXPECT_EQ(target.value().query[2].second, "");
  EXPECT_EQ(parse_target("/").value().segments, std::vector<std::string>{""});
}

TEST(Target, RefusesWhatIsBroken) {
  std::string deep;
  for (int i = 0; i < 17; ++i) deep += "/a";
  std::string wide = "/?";
  for (int i = 0; i < 33; ++i) wide += "a=" + std::to_string(i) + "&";
  for (const std::string& text :
       {std::string(""), std::string("a"), std::string("*"), std::string("http://h/"),
        std::string("/%"), std::string("/%4"), std::string("/%zz"), std::string("/%00"),
        std::string("/%ff"), std::string("/?a=%c0%80"), std::string("/%ed%a0%80"), deep, wide}) {
    EXPECT_FALSE(parse_target(text).ok()) << text;
  }
}

// ---------------------------------------------------------------- routes

TEST(RouteTable, RowsAreWholeAndDistinct) {
  std::set<std::pair<Method, std::string_view>> rows;
  std::set<std::string_view> names;
  for (const Route& route : route_table()) {
    EXPECT_TRUE(rows.insert({route.method, route.pattern}).second) << route.pattern;
    EXPECT_FALSE(route.summary.empty()) << route.pattern;
    EXPECT_TRUE(route.pattern.starts_with('/'));
    if (!route.built()) continue;
    EXPECT_TRUE(names.insert(route.name).second) << route.name;
    EXPECT_FALSE(route.tag.empty()) << route.name;
    EXPECT_EQ(route.body.describe == nullptr, route.body.example.empty()) << route.name;
    EXPECT_EQ(route.body.describe_line == nullptr, route.body.example_line.empty());
    const std::set<std::string_view> open = {"docs",           "openapi",      "qdrant_version",
                                             "qdrant_healthz", "qdrant_livez", "qdrant_readyz"};
    EXPECT_EQ(route.permission.empty(), route.pattern.starts_with("/health/") ||
                                            route.pattern == "/health" || open.contains(route.name))
        << route.name;
    // What changes something is never a GET.
    EXPECT_FALSE(route.idempotent && route.method == Method::kGet) << route.name;
  }
  EXPECT_GT(names.size(), 25U);
}

TEST(Router, FindsRows) {
  const Router router(route_table());
  const auto match = [&](std::string_view path) {
    static std::vector<std::string> segments;  // matches borrow them
    segments = parse_target(path).value().segments;
    return router.match(segments);
  };
  EXPECT_EQ(match("/health").by_method[0]->name, "health");
  EXPECT_EQ(match("/v1/collections/x/points:get").by_method[2]->name, "points_get");
  EXPECT_EQ(match("/v1/collections/x/points/7").parameters,
            (std::vector<std::string_view>{"x", "7"}));
  // A collection may have a name that is a word of the table elsewhere.
  EXPECT_EQ(match("/v1/collections/search/search").parameters,
            std::vector<std::string_view>{"search"});
  EXPECT_EQ(match("/").by_method[0]->name, "qdrant_version");
  EXPECT_FALSE(match("//").found());
  EXPECT_FALSE(match("/health/").found());
  EXPECT_FALSE(match("/v1/collections//points").found());
  EXPECT_FALSE(match("/v1/collections/x/points:frobnicate").found());
  EXPECT_EQ(match("/v1/collections/x").allowed(), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(match("/mcp").allowed(), "OPTIONS");
}

// ---------------------------------------------------------------- gzip

std::string gunzip(const std::string& packed) {
  z_stream stream{};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string out(1 << 20, '\0');
  std::string copy = packed;
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  inflateEnd(&stream);
  return out;
}

TEST(Gzip, ReadsBack) {
  Rng rng(9);
  for (const std::size_t size : {1U, 100U, 5000U, 100'000U}) {
    std::string text;
    for (std::size_t i = 0; i < size; ++i) text += static_cast<char>('a' + rng.below(4));
    const std::string packed = gzip(text);
    if (!packed.empty()) {
      EXPECT_EQ(gunzip(packed), text);
      EXPECT_LT(packed.size(), text.size());
    }
    EXPECT_EQ(packed.empty(), size < 100) << size;
  }
  EXPECT_EQ(gzip(""), "");
}

TEST(Gzip, IsAskedForByHeader) {
  for (const char* yes : {"gzip", "deflate, GZIP;q=0.5", "*", "br;q=0, gzip", "gzip;q=1.000"}) {
    EXPECT_TRUE(accepts_gzip(yes)) << yes;
  }
  for (const char* no :
       {"", "deflate", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0", "gzipx"}) {
    EXPECT_FALSE(accepts_gzip(no)) << no;
  }
}

// ---------------------------------------------------------------- errors

TEST(StatusMap, EveryCodeHasAStatusAndReasonsOverride) {
  EXPECT_EQ(http_status({ErrorCode::kInvalidArgument, ""}).status, 422);
  EXPECT_EQ(http_status({ErrorCode::kInvalidArgument, "", "malformed_json"}).status, 400);
  EXPECT_EQ(http_status({ErrorCode::kNotFound, ""}).status, 404);
  EXPECT_EQ(http_status({ErrorCode::kAlreadyExists, ""}).status, 409);
  EXPECT_EQ(http_status({ErrorCode::kFailedPrecondition, "", "version_mismatch"}).status, 409);
  EXPECT_EQ(http_status({ErrorCode::kFailedPrecondition, "", "idempotency_mismatch"}).status, 422);
  EXPECT_EQ(http_status({ErrorCode::kResourceExhausted, "", "write_queue_full"}).status, 429);
  EXPECT_TRUE(http_status({ErrorCode::kResourceExhausted, "", "tail_full"}).retry_after);
  EXPECT_EQ(http_status({ErrorCode::kResourceExhausted, "", "disk_full"}).status, 507);
  EXPECT_EQ(http_status({ErrorCode::kDeadlineExceeded, ""}).status, 504);
  EXPECT_EQ(http_status({ErrorCode::kUnavailable, ""}).status, 503);
  EXPECT_EQ(http_status({ErrorCode::kUnimplemented, ""}).status, 501);
  for (const ErrorCode code : {ErrorCode::kCorruption, ErrorCode::kIo, ErrorCode::kInternal}) {
    EXPECT_EQ(http_status({code, ""}).status, 500);
    EXPECT_TRUE(http_status({code, ""}).internal);
  }
  for (const int status : error_statuses()) EXPECT_NE(http_reason(status), "Unknown") << status;
}

TEST(Problem, HasTheFieldsOfTheStandard) {
  const Response response =
      problem_response({ErrorCode::kNotFound, "there is no \"x\"", "collection_not_found"}, "id-1",
                       {{.field = "a", .code = "b", .detail = "c"}});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            R"({"type":"urn:quipu:problem:collection_not_found","title":"Not Found","status":404,)"
            R"("code":"collection_not_found","detail":"there is no \"x\"","request_id":"id-1",)"
            R"("errors":[{"field":"a","code":"b","detail":"c"}]})");
}

TEST(Problem, InsidesStayInside) {
  set_log_sink([](LogLevel, std::string_view, std::initializer_list<LogField>) noexcept {});
  const Response response =
      problem_response({ErrorCode::kIo, "cannot read /secret/path/000012.sst", "sst_broken"}, "id");
  set_log_sink(nullptr);
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(response.body, Not(HasSubstr("secret")));
  EXPECT_THAT(response.body, Not(HasSubstr("sst")));
}

}  // namespace
}  // namespace quipu::api
