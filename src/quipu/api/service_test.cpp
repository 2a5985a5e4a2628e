// Goal: requests do in the engine what they say, and what cannot be is a clear error.
// Method: the service without a network, over a real engine and the test double for the model.
#include "quipu/api/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

#include "quipu/api/route_table.h"
#include "quipu/base/limits.h"
#include "tests/support/service_fixture.h"

namespace quipu::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ServiceTest : public ServiceFixture {};

// ---------------------------------------------------------------- collections

TEST_F(ServiceTest, CollectionsLiveAndDie) {
  EXPECT_EQ(call("GET", "/v1/collections").body, R"({"collections":[]})");
  make_notes();
  const Response again =
      call("PUT", "/v1/collections/notes", R"({"vectors":[{"dim":4,"metric":"cosine"}]})");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(code(again), "collection_exists");
  const Response got = call("GET", "/v1/collections/notes");
  EXPECT_EQ(got.status, 200);
  EXPECT_THAT(got.body, HasSubstr(R"("dim":4,"metric":"cosine")"));
  EXPECT_THAT(got.body, HasSubstr(R"("durability":"sync")"));
  const Response changed = call("PATCH", "/v1/collections/notes", R"({"durability":"async"})");
  EXPECT_EQ(changed.status, 200) << changed.body;
  EXPECT_THAT(changed.body, HasSubstr(R"("durability":"async")"));
  EXPECT_EQ(call("PATCH", "/v1/collections/notes", "{}").status, 422);
  EXPECT_EQ(call("DELETE", "/v1/collections/notes").status, 200);
  for (const char* method : {"GET", "DELETE"}) {
    const Response gone = call(method, "/v1/collections/notes");
    EXPECT_EQ(gone.status, 404);
    EXPECT_EQ(code(gone), "collection_not_found");
  }
}

TEST_F(ServiceTest, ModelsGiveTheirDimension) {
  const Response made =
      call("PUT", "/v1/collections/t", R"({"vectors":[{"model":"all-MiniLM-L6-v2"}]})");
  EXPECT_EQ(made.status, 201) << made.body;
  EXPECT_THAT(made.body, HasSubstr(R"("dim":32)"));
  const Response missing = call("PUT", "/v1/collections/u", R"({"vectors":[{"model":"nope"}]})");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(code(missing), "model_not_found");
  EXPECT_THAT(missing.body, HasSubstr("all-MiniLM-L6-v2"));
}

// ---------------------------------------------------------------- points

TEST_F(ServiceTest, PointsAreWrittenAndRead) {
  make_notes();
  const Response written =
      call("PUT", "/v1/collections/notes/points",
           R"({"points":[{"id":1,"vector":[1,0,0,0],"payload":{"a":[1,{"b":"ü"}]}},)"
           R"({"id":"0198c0de-0000-7000-8000-000000000001","vector":[0,1,0,0],"text":"two"}]})");
  ASSERT_EQ(written.status, 200) << written.body;
  EXPECT_THAT(written.body, HasSubstr(R"("outcome":"created")"));
  EXPECT_THAT(written.body, HasSubstr(R"("durable":true)"));
  EXPECT_FALSE(header(written, "Quipu-Seq").empty());

  const Response one = call("GET", "/v1/collections/notes/points/1?with_vector=true");
  EXPECT_EQ(one.status, 200);
  EXPECT_THAT(one.body, HasSubstr(R"("payload":{"a":[1,{"b":"ü"}]})"));
  EXPECT_THAT(one.body, HasSubstr(R"("vector":[1,0,0,0])"));
  EXPECT_FALSE(header(one, "ETag").empty());
  const Response bare = call("GET",
                             "/v1/collections/notes/points/0198C0DE-0000-7000-8000-000000000001"
                             "?with_payload=false&with_text=false");
  EXPECT_THAT(bare.body, HasSubstr(R"("id":"0198c0de-0000-7000-8000-000000000001")"));
  EXPECT_THAT(bare.body, Not(HasSubstr("payload")));
  EXPECT_THAT(bare.body, Not(HasSubstr("two")));

  const Response several =
      call("POST", "/v1/collections/notes/points:get", R"({"ids":[9,1],"with_payload":false})");
  EXPECT_THAT(several.body, HasSubstr(R"({"points":[{"id":1,)"));
  EXPECT_EQ(call("POST", "/v1/collections/notes/points:count", "{}").body, R"({"count":2})");

  const Response missing = call("GET", "/v1/collections/notes/points/9");
  EXPECT_EQ(missing.status, 404);
  EXPECT_EQ(code(missing), "point_not_found");
  EXPECT_EQ(call("GET", "/v1/collections/notes/points/nine").status, 422);
}

TEST_F(ServiceTest, OnePointNeedsNoList) {
  make_notes();
  const Response written =
      call("PUT", "/v1/collections/notes/points", R"({"id":5,"vector":[1,1,0,0]})");
  EXPECT_EQ(written.status, 200) << written.body;
  EXPECT_THAT(written.body, HasSubstr(R"({"items":[{"id":5,"outcome":"created")"));
  EXPECT_THAT(call("PUT", "/v1/collections/notes/points", R"({"id":5,"vector":[1,1,0,0]})").body,
              HasSubstr(R"("outcome":"updated")"));
}

TEST_F(ServiceTest, LinesAreRead) {
  make_notes();
  const Headers lines = {{"Content-Type", "application/x-ndjson; charset=utf-8"}};
  const Response written =
      send("PUT", "/v1/collections/notes/points",
           "{\"id\":1,\"vector\":[1,0,0,0]}\r\n\n{\"id\":2,\"vector\":[0,1,0,0]}", lines);
  EXPECT_EQ(written.status, 200) << written.body;
  EXPECT_EQ(call("POST", "/v1/collections/notes/points:count", "{}").body, R"({"count":2})");
  const Response broken =
      send("PUT", "/v1/collections/notes/points", "{\"id\":3,\"vector\":[1,0,0,0]}\n{", lines);
  EXPECT_EQ(broken.status, 400);
  EXPECT_THAT(broken.body, HasSubstr("line 2: "));
  const Response wrong =
      send("PUT", "/v1/collections/notes/points", "{\"id\":3,\"vektor\":[1]}\n", lines);
  EXPECT_EQ(wrong.status, 422);
  EXPECT_THAT(wrong.body, HasSubstr(R"("field":"[0].vektor")"));
  EXPECT_EQ(call("POST", "/v1/collections/notes/points:count", "{}").body, R"({"count":2})");
}

TEST_F(ServiceTest, ConditionsThatFailAre409) {
  make_notes();
  ASSERT_EQ(call("PUT", "/v1/collections/notes/points", R"({"id":1,"vector":[1,0,0,0]})").status,
            200);
  const Response there = call("PUT", "/v1/collections/notes/points",
                              R"({"id":1,"vector":[1,0,0,0],"if_absent":true})");
  EXPECT_EQ(there.status, 409) << there.body;
  const Response moved = call(
      "PUT", "/v1/collections/notes/points",
      R"({"points":[{"id":2,"vector":[1,0,0,0]},{"id":1,"vector":[1,0,0,0],"if_version":99}]})");
  EXPECT_EQ(moved.status, 409) << moved.body;
  EXPECT_THAT(moved.body, HasSubstr(R"("field":"points[1]")"));
  EXPECT_EQ(call("GET", "/v1/collections/notes/points/2").status, 404);

  const std::string tag = header(call("GET", "/v1/collections/notes/points/1"), "ETag");
  EXPECT_EQ(call("PATCH", "/v1/collections/notes/points/1", R"({"set_payload":{"a":1}})",
                 {{"If-Match", "\"99\""}})
                .status,
            409);
  EXPECT_EQ(call("PATCH", "/v1/collections/notes/points/1", R"({"set_payload":{"a":1}})",
                 {{"If-Match", tag}})
                .status,
            200);
  EXPECT_EQ(call("DELETE", "/v1/collections/notes/points/1", "", {{"If-Match", tag}}).status, 409);
  EXPECT_EQ(call("DELETE", "/v1/collections/notes/points/1", "", {{"If-Match", "x"}}).status, 400);
  EXPECT_EQ(call("DELETE", "/v1/collections/notes/points/1").status, 200);
}

TEST_F(ServiceTest, PatchesAndDeletes) {
  make_notes();
  ASSERT_EQ(call("PUT", "/v1/collections/notes/points",
                 R"({"points":[{"id":1,"vector":[1,0,0,0],"payload":{"a":1,"b":2}},)"
                 R"({"id":2,"vector":[0,1,0,0]}]})")
                .status,
            200);
  const Response patched =
      call("POST", "/v1/collections/notes/points:patch",
           R"({"points":[{"id":1,"delete_payload":["a"],"set_payload":{"c":3}},)"
           R"({"id":77,"set_payload":{}}]})");
  EXPECT_EQ(patched.status, 200) << patched.body;
  EXPECT_THAT(patched.body, HasSubstr(R"({"id":77,"outcome":"not_found")"));
  EXPECT_THAT(call("GET", "/v1/collections/notes/points/1").body,
              HasSubstr(R"("payload":{"b":2,"c":3})"));
  EXPECT_EQ(call("PATCH", "/v1/collections/notes/points/77", R"({"set_payload":{}})").status, 404);
  EXPECT_EQ(call("PATCH", "/v1/collections/notes/points/1", "{}").status, 422);
  EXPECT_EQ(
      call("POST", "/v1/collections/notes/points:delete", R"({"ids":[1,77]})").body.substr(0, 40),
      R"({"items":[{"id":1,"outcome":"deleted","v)");
  EXPECT_EQ(call("DELETE", "/v1/collections/notes/points/1").status, 404);
  EXPECT_EQ(
      call("POST", "/v1/collections/notes/points:delete", R"({"ids":[2],"points":[]})").status,
      422);
}

TEST_F(ServiceTest, ScrollingVisitsEveryPointOnce) {
  make_notes();
  std::string lines;
  for (int i = 0; i < 25; ++i) {
    lines += "{\"id\":" + std::to_string(i) + ",\"vector\":[1,0,0," + std::to_string(i) + "]}\n";
  }
  ASSERT_EQ(
      send("PUT", "/v1/collections/notes/points", lines, {{"Content-Type", "application/x-ndjson"}})
          .status,
      200);
  std::string after;
  std::uint64_t expected = 0;
  while (true) {
    const Response page =
        call("POST", "/v1/collections/notes/points:scroll", "{\"limit\":10" + after + "}");
    ASSERT_EQ(page.status, 200) << page.body;
    const auto document = JsonDocument::parse(page.body);
    document.value().root().find("points")->for_each_element([&](JsonView point) {
      EXPECT_EQ(point.find("id")->as_uint64(), expected++);
      return true;
    });
    const auto next = document.value().root().find("next");
    if (!next) break;
    after = ",\"after\":" + next->to_string();
  }
  EXPECT_EQ(expected, 25U);
}

TEST_F(ServiceTest, TheSameKeyAnswersTheSameResult) {
  make_notes();
  const Headers key = {{"Idempotency-Key", "k-1"}};
  const Response first =
      call("PUT", "/v1/collections/notes/points", R"({"id":1,"vector":[1,0,0,0]})", key);
  ASSERT_EQ(first.status, 200);
  const Response again =
      call("PUT", "/v1/collections/notes/points", R"({"id":1,"vector":[1,0,0,0]})", key);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(header(again, "Idempotency-Replayed"), "true");
  EXPECT_THAT(again.body, HasSubstr(R"("outcome":"created")"));
  const Response other =
      call("PUT", "/v1/collections/notes/points", R"({"id":1,"vector":[0,1,0,0]})", key);
  EXPECT_EQ(other.status, 422) << other.body;
  EXPECT_EQ(code(other), "idempotency_mismatch");
  // Another route with the same key is another request.
  EXPECT_EQ(call("POST", "/v1/collections/notes/points:delete", R"({"ids":[1]})", key).status, 200);
  EXPECT_EQ(call("PUT", "/v1/collections/notes/points", R"({"id":1,"vector":[1,0,0,0]})",
                 {{"Idempotency-Key", std::string(256, 'k')}})
                .status,
            400);
}

// ---------------------------------------------------------------- search

TEST_F(ServiceTest, SearchFindsTheNearest) {
  make_notes();
  ASSERT_EQ(call("PUT", "/v1/collections/notes/points",
                 R"({"points":[{"id":1,"vector":[1,0,0,0],"payload":{"n":1}},)"
                 R"({"id":2,"vector":[0.9,0.1,0,0]},{"id":3,"vector":[0,0,1,0]}]})")
                .status,
            200);
  const Response found = call("POST", "/v1/collections/notes/search",
                              R"({"vector":[1,0,0,0],"k":2,"with_vector":true,"explain":true})");
  ASSERT_EQ(found.status, 200) << found.body;
  const auto document = JsonDocument::parse(found.body);
  const JsonView hits = *document.value().root().find("hits");
  EXPECT_EQ(hits.size(), 2U);
  std::vector<std::uint64_t> ids;
  hits.for_each_element([&](JsonView hit) {
    ids.push_back(*hit.find("id")->as_uint64());
    return true;
  });
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{1, 2}));
  EXPECT_THAT(found.body, HasSubstr(R"("explain":{)"));
  const Response batch = call("POST", "/v1/collections/notes/search",
                              R"({"queries":[{"vector":[0,0,1,0],"k":1},{"id":1,"k":1}]})");
  ASSERT_EQ(batch.status, 200) << batch.body;
  EXPECT_THAT(batch.body, HasSubstr(R"({"results":[{"hits":[{"id":3,)"));
  EXPECT_THAT(batch.body, HasSubstr(R"({"hits":[{"id":2,)"));
}

TEST_F(ServiceTest, SearchRefusesWhatCannotBe) {
  make_notes();
  const auto ask = [&](const std::string& body) {
    return call("POST", "/v1/collections/notes/search", body);
  };
  EXPECT_EQ(ask("{}").status, 422);
  EXPECT_EQ(ask(R"({"vector":[1,0,0,0],"id":1})").status, 422);
  EXPECT_EQ(ask(R"({"vector":[1,0,0,0],"k":0})").status, 422);
  EXPECT_EQ(ask(R"({"vector":[1,0,0,0],"k":10000})").status, 200);
  EXPECT_EQ(ask(R"({"vector":[1,0,0,0],"k":10001})").status, 422);
  EXPECT_EQ(ask(R"({"vector":[1,0,0,0],"k":10000,"offset":1})").status, 422);
  const Response dimension = ask(R"({"vector":[1,0,0]})");
  EXPECT_EQ(dimension.status, 422);
  EXPECT_EQ(code(dimension), "dimension_mismatch");
  const Response second = ask(R"({"queries":[{"vector":[1,0,0,0]},{"vector":[1]}]})");
  EXPECT_EQ(second.status, 422);
  EXPECT_THAT(second.body, HasSubstr(R"("field":"queries[1]")"));
  const Response unknown = ask(R"({"vector":[1,0,0,0],"top_k":3})");
  EXPECT_EQ(unknown.status, 422);
  EXPECT_THAT(unknown.body, HasSubstr("unknown_field"));
  EXPECT_EQ(call("POST", "/v1/collections/none/search", R"({"vector":[1]})").status, 404);
}

TEST_F(ServiceTest, AReadWaitsForTheMomentItNames) {
  make_notes();
  const Response written =
      call("PUT", "/v1/collections/notes/points", R"({"id":1,"vector":[1,0,0,0]})");
  const std::string seq = header(written, "Quipu-Seq");
  EXPECT_EQ(call("GET", "/v1/collections/notes/points/1?min_seq=" + seq).status, 200);
  EXPECT_EQ(call("POST", "/v1/collections/notes/points:count?min_seq=" + seq, "{}").status, 200);
  EXPECT_EQ(call("GET", "/v1/collections/notes/points/1?min_seq=garbage!").status, 422);
}

// ---------------------------------------------------------------- memory

TEST_F(ServiceTest, RememberRecallForget) {
  EXPECT_THAT(call("POST", "/v1/memory/recall", R"({"query":"anything"})").body,
              HasSubstr(R"({"records":[])"));
  const Response key = call("POST", "/v1/memory/records",
                            R"({"text":"The spare key is under the third flowerpot.",)"
                            R"("metadata":{"topic":"home"}})");
  ASSERT_EQ(key.status, 200) << key.body;
  EXPECT_FALSE(header(key, "Quipu-Seq").empty());
  const Response more = call(
      "POST", "/v1/memory/records",
      R"({"records":[{"text":"Trains to Basel leave at nine.","id":7},{"text":"Milk is out."}]})");
  ASSERT_EQ(more.status, 200) << more.body;
  EXPECT_THAT(more.body, HasSubstr(R"("remembered":2,"failed":0)"));
  const Response found =
      call("POST", "/v1/memory/recall", R"({"query":"where is the spare key","k":1})");
  ASSERT_EQ(found.status, 200) << found.body;
  EXPECT_THAT(found.body, HasSubstr("flowerpot"));
  EXPECT_THAT(found.body, HasSubstr(R"("metadata":{"topic":"home"})"));
  const Response record = call("GET", "/v1/memory/records/7");
  EXPECT_THAT(record.body, HasSubstr("Basel"));
  EXPECT_EQ(call("DELETE", "/v1/memory/records/7").status, 200);
  EXPECT_EQ(call("DELETE", "/v1/memory/records/7").status, 404);
  EXPECT_EQ(code(call("GET", "/v1/memory/records/7")), "record_not_found");
  EXPECT_EQ(call("POST", "/v1/memory/records:forget", R"({"ids":[7]})").body,
            R"({"items":[{"id":7,"outcome":"not_found"}]})");
}

TEST_F(ServiceTest, LongTextsAreCutAndRecalledAsOne) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "word" + std::to_string(i) + " ";
  const Response kept = call("POST", "/v1/memory/records", "{\"id\":1,\"text\":\"" + text + "\"}");
  ASSERT_EQ(kept.status, 200) << kept.body;
  const auto document = JsonDocument::parse(kept.body);
  EXPECT_GT(document.value().root().find("chunks")->size(), 2U);
  const Response found = call("POST", "/v1/memory/recall", R"({"query":"word190","k":3})");
  EXPECT_THAT(found.body, HasSubstr("word190"));
  const auto records = JsonDocument::parse(found.body);
  EXPECT_EQ(records.value().root().find("records")->size(), 1U);
  EXPECT_THAT(call("GET", "/v1/memory/records/1").body, HasSubstr(R"("chunk":{)"));
  EXPECT_THAT(call("GET", "/v1/memory/records/1").body, Not(HasSubstr("quipu_chunk")));
}

TEST_F(ServiceTest, AFailingEmbedderIsSaidSo) {
  embedder_.set_error({ErrorCode::kUnavailable, "the runtime is missing", "runtime_missing"});
  const Response refused = call("POST", "/v1/memory/records", R"({"text":"x"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(code(refused), "runtime_missing");
  EXPECT_EQ(header(refused, "Retry-After"), "1");
  const Response embed = call("POST", "/v1/embed", R"({"texts":["x"]})");
  EXPECT_EQ(embed.status, 503);
  embedder_.clear_error();
  EXPECT_EQ(call("POST", "/v1/memory/records", R"({"text":"x"})").status, 200);
}

// ---------------------------------------------------------------- embedding

TEST_F(ServiceTest, EmbedsTexts) {
  for (const char* path : {"/v1/embed", "/embed"}) {
    const Response answer = call("POST", path, R"({"texts":["one two","three"],"kind":"query"})");
    ASSERT_EQ(answer.status, 200) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(R"("dimension":32)"));
    EXPECT_THAT(answer.body, HasSubstr(R"("total_tokens":7)"));
  }
  const Response missing = call("POST", "/v1/embed", R"({"texts":["x"],"model":"nope"})");
  EXPECT_EQ(missing.status, 404);
  std::string many = "{\"texts\":[\"a\"";
  for (int i = 0; i < 32; ++i) many += ",\"a\"";
  EXPECT_EQ(call("POST", "/v1/embed", many + "]}").status, 422);
  const Response models = call("GET", "/v1/models");
  EXPECT_THAT(models.body, HasSubstr(R"("id":"all-MiniLM-L6-v2")"));
  EXPECT_THAT(models.body, Not(HasSubstr("test double")));  // no paths
}

// ---------------------------------------------------------------- every request

TEST_F(ServiceTest, PathsMethodsAndPlans) {
  EXPECT_EQ(call("GET", "/nowhere").status, 404);
  const Response method = call("POST", "/health");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(header(method, "Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(call("FROBNICATE", "/health").status, 405);
  const Response options = call("OPTIONS", "/v1/collections/x");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(header(options, "Allow"), "GET, HEAD, PUT, PATCH, DELETE, OPTIONS");
  EXPECT_EQ(call("HEAD", "/health").status, 200);
  EXPECT_EQ(call("GET", "/%zz").status, 400);
  EXPECT_EQ(call("GET", "nothing").status, 400);
  for (const Route& route : route_table()) {
    if (route.built()) continue;
    std::string path(route.pattern);
    for (std::size_t open = path.find('{'); open != std::string::npos; open = path.find('{')) {
      path.replace(open, path.find('}') - open + 1, "1");
    }
    const Response planned = call(std::string(method_name(route.method)), path);
    EXPECT_EQ(planned.status, 501) << path;
    EXPECT_THAT(service_->openapi(), Not(HasSubstr("\"" + std::string(route.pattern) + "\":{\"" +
                                                   std::string(route.summary) + "\"")));
  }
}

TEST_F(ServiceTest, BodiesAreChecked) {
  make_notes();
  const std::string path = "/v1/collections/notes/points";
  EXPECT_EQ(code(call("PUT", path, "{")), "malformed_json");
  EXPECT_EQ(call("PUT", path, "{").status, 400);
  EXPECT_EQ(call("PUT", path, "").status, 400);
  EXPECT_EQ(call("PUT", path, R"({"id":1,"id":2})").status, 400);
  EXPECT_EQ(call("PUT", path, R"([1])").status, 422);
  EXPECT_EQ(
      send("PUT", path, "x=1", {{"Content-Type", "application/x-www-form-urlencoded"}}).status,
      415);
  EXPECT_EQ(send("PUT", path, R"({"id":1,"vector":[1,0,0,0]})", {}).status, 200);
  EXPECT_EQ(send("PUT", path, R"({"id":1,"vector":[1,0,0,0]})",
                 {{"content-type", "Application/JSON; charset=utf-8"}})
                .status,
            200);
  EXPECT_EQ(call("GET", "/health", "{}").status, 400);
  std::string deep;
  for (std::size_t i = 0; i < limits::kJsonDepthMax + 1; ++i) deep += "[";
  EXPECT_EQ(call("PUT", path, deep).status, 400);
  const std::string big = "{\"name\":\"" + std::string(2 << 20, 'a') + "\"}";
  EXPECT_EQ(call("POST", "/v1/snapshots", big).status, 413);
  const Response nan = call("PUT", path, R"({"id":1,"vector":[NaN,0,0,0]})");
  EXPECT_EQ(nan.status, 400);
  std::string over = "{\"points\":[";
  for (std::size_t i = 0; i <= limits::kBatchPointsMax; ++i) {
    over += (i == 0 ? "{\"id\":" : ",{\"id\":") + std::to_string(i) + "}";
  }
  const Response batch = call("PUT", path, over + "]}");
  EXPECT_EQ(batch.status, 422);
  EXPECT_THAT(batch.body, HasSubstr("must have at most 10000, has 10001"));
}

TEST_F(ServiceTest, QueriesAreChecked) {
  make_notes();
  const std::string path = "/v1/collections/notes/points/1";
  const Response unknown = call("GET", path + "?with_vektor=true");
  EXPECT_EQ(unknown.status, 422);
  EXPECT_THAT(unknown.body, HasSubstr("with_vector"));
  EXPECT_EQ(call("GET", path + "?with_vector=yes").status, 422);
  EXPECT_EQ(call("GET", path + "?with_vector=true&with_vector=true").status, 422);
  EXPECT_EQ(call("GET", path + "?min_seq=").status, 422);
}

TEST_F(ServiceTest, RequestIdsAreKeptOrMade) {
  const Response kept = call("GET", "/nowhere", "", {{"x-request-id", "mine-1"}});
  EXPECT_EQ(header(kept, "X-Request-Id"), "mine-1");
  EXPECT_THAT(kept.body, HasSubstr(R"("request_id":"mine-1")"));
  const Response made = call("GET", "/health", "", {{"X-Request-Id", "a b\r\nX: y"}});
  EXPECT_EQ(header(made, "X-Request-Id").size(), 16U);
}

TEST_F(ServiceTest, GzipWhenAsked) {
  const Response packed = call("GET", "/openapi.json", "", {{"Accept-Encoding", "gzip"}});
  EXPECT_EQ(header(packed, "Content-Encoding"), "gzip");
  EXPECT_LT(packed.body.size(), service_->openapi().size() / 3);
  const Response plain = call("GET", "/openapi.json");
  EXPECT_EQ(header(plain, "Content-Encoding"), "");
  EXPECT_EQ(plain.body, service_->openapi());
  EXPECT_EQ(header(call("GET", "/health", "", {{"Accept-Encoding", "gzip"}}), "Content-Encoding"),
            "");
}

TEST_F(ServiceTest, MetricsCountRequestsByRouteAndStatus) {
  make_notes();
  static_cast<void>(call("GET", "/v1/collections/notes"));
  static_cast<void>(call("GET", "/v1/collections/none"));
  static_cast<void>(call("GET", "/" + std::string(100, 'x')));
  const Response metrics = call("GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.body,
              HasSubstr("quipu_http_requests_total{route=\"collection_get\",status=\"200\"} 1\n"));
  EXPECT_THAT(metrics.body,
              HasSubstr("quipu_http_requests_total{route=\"collection_get\",status=\"404\"} 1\n"));
  EXPECT_THAT(metrics.body,
              HasSubstr("quipu_http_requests_total{route=\"unmatched\",status=\"404\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("quipu_collections 1\n"));
  EXPECT_THAT(metrics.body, Not(HasSubstr("xxxxx")));
}

TEST_F(ServiceTest, SnapshotsGoBesideTheData) {
  make_notes();
  const Response taken = call("POST", "/v1/snapshots", R"({"name":"monday"})");
  EXPECT_EQ(taken.status, 201) << taken.body;
  EXPECT_TRUE(std::filesystem::is_directory(folder_ / "data/snapshots/monday"));
  EXPECT_EQ(call("POST", "/v1/snapshots", R"({"name":"monday"})").status, 409);
  for (const char* name : {"", "..", "a/b", "a b", "/etc"}) {
    EXPECT_EQ(call("POST", "/v1/snapshots", "{\"name\":\"" + std::string(name) + "\"}").status, 422)
        << name;
  }
}

TEST_F(ServiceTest, HealthAndPages) {
  EXPECT_THAT(call("GET", "/health").body, HasSubstr(R"("status":"ok")"));
  for (const char* path : {"/health/live", "/health/ready", "/health/startup", "/status",
                           "/v1/config", "/openapi.json"}) {
    EXPECT_EQ(call("GET", path).status, 200) << path;
  }
  const Response docs = call("GET", "/docs");
  EXPECT_EQ(docs.content_type, "text/html; charset=utf-8");
  // Nothing comes from elsewhere.
  EXPECT_THAT(docs.body, Not(HasSubstr("http://")));
  EXPECT_THAT(docs.body, Not(HasSubstr("https://")));
}

// ---------------------------------------------------------------- many at once

// Writes must not hold threads while they wait for the log: 64 at once on 2 + 16 threads, all of
// them acknowledged, and reads go on meanwhile.
TEST_F(ServiceTest, ManyWritersAtOnce) {
  make_notes();
  std::mutex mutex;
  std::condition_variable changed;
  int answered = 0;
  int good = 0;
  constexpr int kWriters = 300;
  for (int i = 0; i < kWriters; ++i) {
    Request request{.method = "PUT",
                    .target = "/v1/collections/notes/points",
                    .headers = {{"Content-Type", "application/json"}},
                    .body = "{\"id\":" + std::to_string(i) + ",\"vector\":[1,2,3,4]}",
                    .peer = ""};
    service_->handle(std::move(request), [&](Response response) {
      const std::lock_guard lock(mutex);
      ++answered;
      good += response.status == 200 ? 1 : 0;
      changed.notify_all();
    });
  }
  EXPECT_EQ(call("GET", "/v1/collections/notes").status, 200);
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answered == kWriters; });
  EXPECT_EQ(good, kWriters);
  EXPECT_EQ(call("POST", "/v1/collections/notes/points:count", "{}").body, R"({"count":300})");
}

TEST_F(ServiceTest, AServiceWaitsForItsCalls) {
  make_notes();
  std::atomic<int> answered{0};
  for (int i = 0; i < 50; ++i) {
    Request request{.method = "PUT",
                    .target = "/v1/collections/notes/points",
                    .headers = {},
                    .body = "{\"id\":" + std::to_string(i) + ",\"vector\":[1,2,3,4]}",
                    .peer = ""};
    service_->handle(std::move(request), [&](Response) { ++answered; });
  }
  service_.reset();
  EXPECT_EQ(answered.load(), 50);
}

// Each call computes for a while on the one thread, so the queue of 1,024 behind it must overflow.
TEST_F(ServiceTest, FullQueuesRefuseEarly) {
  ServiceOptions options;
  options.waiting_threads = 1;
  make_service(options);
  std::string words;
  for (int i = 0; i < 2000; ++i) words += "w" + std::to_string(i) + " ";
  std::mutex mutex;
  std::condition_variable changed;
  int answered = 0;
  int refused = 0;
  constexpr int kCalls = 3000;
  for (int i = 0; i < kCalls; ++i) {
    service_->handle({.method = "POST",
                      .target = "/v1/embed",
                      .headers = {},
                      .body = "{\"texts\":[\"" + words + "\"]}",
                      .peer = ""},
                     [&](Response response) {
                       const std::lock_guard lock(mutex);
                       ++answered;
                       refused += response.status == 429 ? 1 : 0;
                       changed.notify_all();
                     });
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return answered == kCalls; });
  EXPECT_GT(refused, 0);
  EXPECT_LT(refused, kCalls);
}

}  // namespace
}  // namespace quipu::api
