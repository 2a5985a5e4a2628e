// Goal: requests in Qdrant's words do in the engine what they say, and are answered in its shapes.
// Method: the service without a network, over a real engine. What the unmodified client makes of it
// is tested in tests/clients.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "quipu/api/calls/extras.h"
#include "quipu/api/qdrant/dialect.h"
#include "quipu/api/qdrant/options.h"
#include "quipu/api/route_table.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "tests/support/service_fixture.h"

namespace quipu::api::qdrant {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string json_of(std::string_view body) {
  const auto parsed = JsonDocument::parse(body);
  return parsed.ok() ? parsed.value().root().to_string() : "not JSON: " + std::string(body);
}

class QdrantTest : public ServiceFixture {
 protected:
  // The member "result" of an answer that must be a success.
  std::string result(const std::string& method, const std::string& target,
                     const std::string& body = "") {
    const Response answer = call(method, target, body);
    EXPECT_EQ(answer.status, 200) << target << " " << body << ": " << answer.body;
    const auto parsed = JsonDocument::parse(answer.body);
    if (!parsed.ok()) return answer.body;
    const JsonView root = parsed.value().root();
    EXPECT_EQ(root.find("status")->as_string(), "ok");
    EXPECT_TRUE(root.find("time")->is_number());
    return root.find("result")->to_string();
  }
  // The text of an error, which must have Qdrant's shape.
  std::string error(int status, const std::string& method, const std::string& target,
                    const std::string& body = "") {
    const Response answer = call(method, target, body);
    EXPECT_EQ(answer.status, status) << target << " " << body << ": " << answer.body;
    return error_of(answer);
  }
  static std::string error_of(const Response& answer) {
    const auto parsed = JsonDocument::parse(answer.body);
    if (!parsed.ok()) return "not JSON: " + answer.body;
    const auto status = parsed.value().root().find("status");
    const auto text = status ? status->find("error") : std::nullopt;
    EXPECT_TRUE(parsed.value().root().find("time").has_value()) << answer.body;
    return text ? std::string(text->as_string().value_or("")) : "no error: " + answer.body;
  }
  void make_points() {
    ASSERT_EQ(result("PUT", "/collections/c", R"({"vectors":{"size":2,"distance":"Dot"}})"),
              "true");
    ASSERT_THAT(result("PUT", "/collections/c/points?wait=true",
                       R"({"points":[{"id":0,"vector":[1,0],"payload":{"k":"a"}},)"
                       R"({"id":1,"vector":[2,0],"payload":{"k":"b","n":null}},)"
                       R"({"id":"00000000-0000-0000-0000-000000000000","vector":[3,0]}]})"),
                HasSubstr(R"("status":"completed")"));
  }
};

// ---------------------------------------------------------------- shapes

TEST_F(QdrantTest, ErrorsHaveQdrantsShapeWhereverTheyComeFrom) {
  make_points();
  EXPECT_EQ(error(404, "GET", "/collections/none"), "Not found: Collection `none` doesn't exist!");
  EXPECT_THAT(error(409, "PUT", "/collections/c", R"({"vectors":{"size":2,"distance":"Dot"}})"),
              HasSubstr("Collection `c` already exists!"));
  EXPECT_THAT(error(400, "POST", "/collections/c/points/count", "{"), HasSubstr("JSON"));
  EXPECT_THAT(error(400, "POST", "/collections/c/points/count", "[]"), HasSubstr("an object"));
  EXPECT_THAT(error(400, "POST", "/collections/c/points/count?wait=1", "{}"), HasSubstr("wait"));
  EXPECT_THAT(error(400, "POST", "/collections/c/points/count?timeout=0", "{}"),
              HasSubstr("timeout"));
  EXPECT_THAT(error(400, "POST", "/collections/c/points/count?consistency=none", "{}"),
              HasSubstr("consistency"));
  EXPECT_EQ(result("POST", "/collections/c/points/count?consistency=2&timeout=5", "{}"),
            R"({"count":3})");
  EXPECT_THAT(error(501, "GET", "/snapshots"), HasSubstr("not built"));
  const Response method = call("DELETE", "/collections/c/points");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(header(method, "Allow"), "PUT, POST, OPTIONS");
  EXPECT_THAT(error_of(method), HasSubstr("DELETE"));
  // Our own rows keep their own.
  EXPECT_EQ(code(call("GET", "/v1/collections/none")), "collection_not_found");
}

TEST_F(QdrantTest, WhatWaitedTooLongIs408) {
  make_service({.request_timeout = std::chrono::milliseconds(0)});
  EXPECT_THAT(error(408, "POST", "/collections/c/points/count", "{}"), HasSubstr("limit"));
}

TEST_F(QdrantTest, RowsAreNotInOurOpenApi) {
  int rows = 0;
  for (const Route& route : route_table()) {
    if (route.dialect == nullptr) continue;
    ++rows;
    EXPECT_EQ(route.dialect, &kDialect);
    EXPECT_FALSE(route.pattern.starts_with("/v1")) << route.pattern;
  }
  EXPECT_GT(rows, 70);
  EXPECT_THAT(service_->openapi(), Not(HasSubstr("\"/collections")));
}

TEST_F(QdrantTest, SaysWhatItIs) {
  const Response version = call("GET", "/");
  EXPECT_THAT(version.body, HasSubstr(R"("version":"1.20.0")"));
  EXPECT_EQ(call("GET", "/readyz").status, 200);
  EXPECT_THAT(result("GET", "/telemetry?details_level=3"),
              HasSubstr(R"("number_of_collections":0)"));
}

// ---------------------------------------------------------------- options

TEST(QdrantOptions, Merge) {
  const auto merged = [](std::string_view base, std::string_view patch, int levels) {
    const auto a = JsonDocument::parse(base);
    const auto b = JsonDocument::parse(patch);
    std::string out;
    JsonWriter writer(out);
    write_merged(writer, a.value().root(), b.value().root(), levels);
    return out;
  };
  EXPECT_EQ(merged("{}", "{}", 1), "{}");
  EXPECT_EQ(merged(R"({"a":1,"b":{"x":1}})", R"({"a":null,"b":{"y":null},"c":2})", 1),
            R"({"b":{"y":null},"c":2})");
  EXPECT_EQ(merged(R"({"b":{"x":1,"y":2}})", R"({"b":{"y":null,"z":3}})", 2),
            R"({"b":{"x":1,"z":3}})");
  EXPECT_EQ(merged("{}", R"({"b":{"y":null,"z":3}})", 2), R"({"b":{"z":3}})");
  EXPECT_EQ(merged(R"({"quantization_config":{"scalar":1}})",
                   R"({"quantization_config":{"binary":2}})", 3),
            R"({"quantization_config":{"binary":2}})");
}

TEST_F(QdrantTest, StoredOptionsEndWithTheirCollection) {
  const std::string body = R"({"vectors":{"size":2,"distance":"Dot"},"metadata":{"a":1}})";
  EXPECT_EQ(result("PUT", "/collections/c", body), "true");
  const auto id = engine_->collection("default", "c").value().id;
  EXPECT_EQ(load_extras(*engine_, id).value(), R"({"metadata":{"a":1},"vectors":{"":{}}})");
  EXPECT_EQ(result("DELETE", "/collections/c"), "true");
  EXPECT_EQ(load_extras(*engine_, id).value(), "{}");
  EXPECT_EQ(result("GET", "/collections"), R"({"collections":[]})");
  EXPECT_EQ(result("DELETE", "/collections/c"), "false");
  // Those of our own API have none, and are shown all the same.
  make_notes();
  EXPECT_THAT(result("GET", "/collections/notes"), HasSubstr(R"("distance":"Cosine")"));
}

TEST_F(QdrantTest, ConcurrentChangesOfOptionsAllStay) {
  make_points();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      const std::string body = R"({"metadata":{"k)" + std::to_string(i) + R"(":1}})";
      EXPECT_EQ(call("PATCH", "/collections/c", body).status, 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string info = result("GET", "/collections/c");
  for (int i = 0; i < 4; ++i) EXPECT_THAT(info, HasSubstr("\"k" + std::to_string(i) + "\":1"));
}

// ---------------------------------------------------------------- pages

TEST_F(QdrantTest, PagesBeginAtTheirOffset) {
  make_points();
  const auto ids = [this](const std::string& members) {
    return result("POST", "/collections/c/points/scroll",
                  R"({"with_payload":false)" + members + "}");
  };
  const std::string nil = R"("00000000-0000-0000-0000-000000000000")";
  const std::string all = R"({"points":[{"id":0},{"id":1},{"id":)" + nil + R"(}],)";
  EXPECT_EQ(ids(""), all + R"("next_page_offset":null})");
  EXPECT_EQ(ids(R"(,"offset":0,"limit":3)"), all + R"("next_page_offset":null})");
  EXPECT_THAT(ids(R"(,"offset":1)"), HasSubstr(R"({"points":[{"id":1},)"));
  EXPECT_EQ(ids(R"(,"limit":2)"),
            R"({"points":[{"id":0},{"id":1}],"next_page_offset":)" + nil + "}");
  EXPECT_EQ(ids(R"(,"offset":)" + nil),
            R"({"points":[{"id":)" + nil + "}],\"next_page_offset\":null}");
  EXPECT_EQ(ids(R"(,"offset":2)"), R"({"points":[{"id":)" + nil + "}],\"next_page_offset\":null}");
  EXPECT_EQ(ids(R"(,"offset":"00000000-0000-0001-0000-000000000000")"),
            R"({"points":[],"next_page_offset":null})");
  for (const char* limit : {"0", "1000001"}) {
    EXPECT_THAT(error(400, "POST", "/collections/c/points/scroll",
                      R"({"limit":)" + std::string(limit) + "}"),
                HasSubstr("limit"));
  }
}

// ---------------------------------------------------------------- writes

TEST_F(QdrantTest, NullsRemoveMembers) {
  make_points();
  result("POST", "/collections/c/points/payload?wait=true",
         R"({"payload":{"k":null,"x":{"y":1}},"points":[0]})");
  result("POST", "/collections/c/points/payload?wait=true",
         R"({"payload":{"y":null,"z":2},"key":"x","points":[0]})");
  EXPECT_THAT(result("POST", "/collections/c/points", R"({"ids":[0]})"),
              HasSubstr(R"("payload":{"x":{"z":2}})"));
  EXPECT_THAT(error(400, "POST", "/collections/c/points/payload",
                    R"({"payload":{"a\"b":null},"key":"x","points":[0]})"),
              HasSubstr("payload.a\"b"));
}

TEST_F(QdrantTest, ABatchIsReadWholeBeforeAnyOfIt) {
  make_points();
  EXPECT_THAT(error(400, "POST", "/collections/c/points/batch",
                    R"({"operations":[{"delete":{"points":[0]}},{"clear_payload":{}}]})"),
              HasSubstr("operations[1].clear_payload"));
  EXPECT_EQ(result("POST", "/collections/c/points/count", "{}"), R"({"count":3})");
  // What fails while it is done leaves what came before.
  EXPECT_THAT(error(404, "POST", "/collections/c/points/batch",
                    R"({"operations":[{"delete":{"points":[0]}},)"
                    R"({"clear_payload":{"points":[1,77]}},{"delete":{"points":[1]}}]})"),
              HasSubstr("No point with id 77 found"));
  EXPECT_EQ(result("POST", "/collections/c/points/count", "{}"), R"({"count":2})");
  EXPECT_THAT(result("POST", "/collections/c/points", R"({"ids":[1]})"),
              HasSubstr(R"("payload":{})"));
}

// Every writer reads after its insert: they must all see the one that was first.
TEST_F(QdrantTest, OnlyOneOfManyInsertsWins) {
  make_points();
  constexpr int kWriters = 6;
  for (int round = 100; round < 120; ++round) {
    std::array<std::string, kWriters> seen;
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([this, i, round, &seen] {
        const std::string id = std::to_string(round);
        const std::string own = std::to_string(round * 10 + i);
        const std::string body = R"({"update_mode":"insert_only","points":[{"id":)" + id +
                                 R"(,"vector":[1,0],"payload":{"by":)" + std::to_string(i) +
                                 R"(}},{"id":)" + own + R"(,"vector":[1,0]}]})";
        EXPECT_EQ(call("PUT", "/collections/c/points?wait=true", body).status, 200);
        const std::string both = R"({"ids":[)" + own + "," + id + R"(],"with_payload":["by"]})";
        seen[static_cast<std::size_t>(i)] =
            result("POST", "/collections/c/points", both).substr(own.size());
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const std::string& one : seen) {
      EXPECT_THAT(one, HasSubstr(R"("payload":{}},{"id":)" + std::to_string(round)));
      EXPECT_EQ(one.substr(one.find("by")), seen[0].substr(seen[0].find("by")));
    }
  }
}

// Who raises a number from n to n + 1, on condition that it is n, never sees less than n + 1 later.
TEST_F(QdrantTest, ConditionsHoldWhenTheyAreApplied) {
  make_points();
  result("PUT", "/collections/c/points?wait=true",
         R"({"points":[{"id":9,"vector":[1,0],"payload":{"n":0}}]})");
  const auto number = [this] {
    const std::string found = result("POST", "/collections/c/points", R"({"ids":[9]})");
    return std::stoi(found.substr(found.find("\"n\":") + 4));
  };
  constexpr int kRaises = 40;
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([this, &number] {
      for (int n = 0; n < kRaises; ++n) {
        const std::string body = R"({"update_filter":{"must":[{"key":"n","match":{"value":)" +
                                 std::to_string(n) +
                                 R"(}}]},"points":[{"id":9,"vector":[1,0],"payload":{"n":)" +
                                 std::to_string(n + 1) + "}}]}";
        EXPECT_EQ(call("PUT", "/collections/c/points?wait=true", body).status, 200);
        EXPECT_GE(number(), n + 1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(number(), kRaises);
}

// ---------------------------------------------------------------- selections

TEST_F(QdrantTest, SelectionsOfNothingAreEmptyObjects) {
  make_points();
  const auto selected = [this](const std::string& members) {
    return result("POST", "/collections/c/points", R"({"ids":[0],)" + members + "}");
  };
  EXPECT_EQ(selected(R"("with_payload":[])"), R"([{"id":0,"payload":{}}])");
  EXPECT_EQ(selected(R"("with_payload":{"exclude":[]})"), R"([{"id":0,"payload":{"k":"a"}}])");
  EXPECT_EQ(selected(R"("with_payload":false,"with_vector":[])"), R"([{"id":0,"vector":{}}])");
  EXPECT_EQ(selected(R"("with_payload":false,"with_vectors":true)"),
            R"([{"id":0,"vector":[1,0]}])");
  EXPECT_THAT(error(400, "POST", "/collections/c/points",
                    R"({"ids":[0],"with_payload":{"include":[],"exclude":[]}})"),
              HasSubstr("with_payload"));
  EXPECT_EQ(result("POST", "/collections/c/points", R"({"ids":[]})"), "[]");
}

// Property: no damaged body is a failure of the server, and every error has the shape.
TEST_F(QdrantTest, RandomDamageIsNoFailure) {
  make_points();
  const std::vector<std::array<std::string, 3>> requests = {
      {"PUT", "points", R"({"points":[{"id":1,"vector":[1,0],"payload":{"a":[1]}}]})"},
      {"PUT", "points", R"({"batch":{"ids":[1],"vectors":{"":[[1,0]]},"payloads":[{}]}})"},
      {"POST", "points/batch", R"({"operations":[{"set_payload":{"payload":{},"points":[1]}}]})"},
      {"POST", "points/query",
       R"({"prefetch":[{"query":[1,0]}],"query":{"rrf":{"k":3}},"with_payload":["a"],"limit":2})"},
      {"POST", "points/query/groups", R"({"query":1,"group_by":"k","with_lookup":"c"})"},
      {"POST", "points/scroll", R"({"offset":0,"limit":3,"order_by":null,"filter":{"must":[]}})"},
      {"POST", "facet", R"({"key":"k","limit":3})"},
      {"POST", "points/search/matrix/pairs", R"({"sample":3,"limit":2})"},
      {"PUT", "index", R"({"field_name":"k","field_schema":{"type":"keyword","on_disk":true}})"},
      {"PATCH", "", R"({"metadata":{"a":1},"vectors":{"":{"on_disk":true}}})"}};
  Rng rng(test_seed());
  for (int round = 0; round < 600; ++round) {
    const auto& [method, path, body] =
        requests[static_cast<std::size_t>(rng.below(requests.size()))];
    std::string damaged = body;
    for (std::uint64_t changes = 1 + rng.below(3); changes > 0 && !damaged.empty(); --changes) {
      const auto at = static_cast<std::size_t>(rng.below(damaged.size()));
      constexpr std::string_view kBytes = "{}[]\",:0-1e9.\\nulltrue \xff\x01";
      const char byte = kBytes[static_cast<std::size_t>(rng.below(kBytes.size()))];
      switch (rng.below(3)) {
        case 0: damaged[at] = byte; break;
        case 1: damaged.insert(at, 1, byte); break;
        default: damaged.erase(at, 1 + static_cast<std::size_t>(rng.below(4)));
      }
    }
    const Response answer =
        call(method, "/collections/c" + (path.empty() ? "" : "/" + path), damaged);
    EXPECT_TRUE(answer.status < 500 || answer.status == 501) << damaged << ": " << answer.body;
    if (answer.status < 400) continue;
    EXPECT_THAT(error_of(answer), Not(HasSubstr("no error"))) << damaged;
  }
}

TEST_F(QdrantTest, AnswersAreJson) {
  make_points();
  EXPECT_EQ(
      json_of(result("POST", "/collections/c/points/search",
                     R"({"vector":[1,0],"limit":1,"with_payload":true})")),
      R"([{"id":"00000000-0000-0000-0000-000000000000","version":1,"score":3,"payload":{}}])");
}

}  // namespace
}  // namespace quipu::api::qdrant
