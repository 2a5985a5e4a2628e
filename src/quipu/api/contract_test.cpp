// Goal: the OpenAPI document and the service say the same.
// Method: walk the document. Every operation is called with its example, which must succeed and
// answer what its schema says; then with bodies made wrong in one place after the other by the
// schema itself, with wrong parameters, and with random damage. Nothing may answer 5xx but 501.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "quipu/api/testing/json_schema.h"
#include "quipu/base/file_system.h"
#include "quipu/base/rng.h"
#include "tests/support/service_fixture.h"

namespace quipu::api {
namespace {

using testing_support::Validator;
using testing_support::WrongBodies;

// ---------------------------------------------------------------- the walk

class ContractTest : public ServiceFixture {
 protected:
  void SetUp() override {
    ServiceFixture::SetUp();
    auto parsed = JsonDocument::parse(service_->openapi());
    ASSERT_TRUE(parsed.ok()) << parsed.error().message;
    document_.emplace(std::move(parsed).value());
    validator_.emplace(document_->root());
  }

  // Calls `visit` with path, method and operation of each.
  template <typename Visit>
  void for_each_operation(Visit visit) {
    document_->root().find("paths")->for_each_member([&](std::string_view path, JsonView methods) {
      methods.for_each_member([&](std::string_view method, JsonView operation) {
        std::string upper(method);
        for (char& c : upper) c = static_cast<char>(c - 32);
        const ::testing::ScopedTrace trace(__FILE__, __LINE__, upper + " " + std::string(path));
        visit(std::string(path), upper, operation);
        return true;
      });
      return true;
    });
  }

  // Brings about what the examples rely on, whatever was called before.
  void prepare(const std::string& method, const std::string& path) {
    static_cast<void>(call("DELETE", "/v1/collections/contract"));
    if (method == "PUT" && path == "/v1/collections/{collection}") return;
    const Response made =
        call("PUT", "/v1/collections/contract",
             R"({"vectors":[{"dim":4},{"name":"terms","kind":"sparse","idf":true},)"
             R"({"name":"rows","kind":"multi","dim":2},{"name":"t","model":"all-MiniLM-L6-v2"}],)"
             R"("words":[{"name":"words","analyzer":{"language":"english"}}]})");
    ASSERT_EQ(made.status, 201) << made.body;
    const Response written =
        call("PUT", "/v1/collections/contract/points",
             R"({"points":[{"id":1,"vector":[1,0,0,0],"text":"a green hill","vectors":{)"
             R"("terms":{"indices":[3,1],"values":[0.5,2]},"rows":[[1,0],[0,1]]},)"
             R"("payload":{"page":7,"at":"2024-05-01T10:00:00Z","lang":["de","fr"]}},)"
             R"({"id":2,"vector":[0,1,0,0],"text":"a blue sea","payload":{"page":8}}]})");
    ASSERT_EQ(written.status, 200) << written.body;
    ASSERT_EQ(call("POST", "/v1/memory/records", R"({"id":1,"text":"a record"})").status, 200);
    std::filesystem::remove_all(folder_ / "data" / "snapshots");
    if (path.find("snapshots") != std::string::npos) keep_a_snapshot();
    if (method == "DELETE" && path.ends_with("{vector}")) {
      ASSERT_EQ(call("PUT", "/v1/collections/contract/vectors/late", R"({"dim":2})").status, 201);
    }
  }

  // One of the collection, under the name that examples have.
  void keep_a_snapshot() {
    const auto folder = folder_ / "collection-snapshots" / "default" / "contract";
    std::filesystem::remove_all(folder);
    ASSERT_EQ(call("POST", "/v1/collections/contract/snapshots").status, 201);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().extension() != ".snapshot") continue;
      std::filesystem::rename(entry.path(), folder / "kept.snapshot");
      return;
    }
    FAIL() << "no snapshot in " << folder;
  }

  static std::string filled(std::string path) {
    for (const auto& [name, value] : {std::pair{"{collection}", "contract"},
                                      {"{id}", "1"},
                                      {"{vector}", "late"},
                                      {"{snapshot}", "kept.snapshot"}}) {
      const std::size_t at = path.find(name);
      if (at != std::string::npos) path.replace(at, std::string_view(name).size(), value);
    }
    return path;
  }

  // Whether it takes a file and no JSON.
  static bool takes_file(JsonView operation) {
    return operation.find("requestBody") && !json_body(operation);
  }
  static std::optional<JsonView> json_body(JsonView operation) {
    const auto body = operation.find("requestBody");
    return body ? body->find("content")->find("application/json") : std::nullopt;
  }

  void expect_problem(const Response& response) {
    EXPECT_EQ(response.content_type, "application/problem+json") << response.body;
    const auto parsed = JsonDocument::parse(response.body);
    ASSERT_TRUE(parsed.ok()) << response.body;
    const auto schema = document_->root().find("components")->find("schemas")->find("Problem");
    EXPECT_EQ(validator_->check(*schema, parsed.value().root()), "") << response.body;
    EXPECT_EQ(parsed.value().root().find("status")->as_uint64(),
              static_cast<std::uint64_t>(response.status));
    EXPECT_EQ(*parsed.value().root().find("request_id")->as_string(),
              header(response, "X-Request-Id"));
  }

  void expect_declared(JsonView operation, const Response& response) {
    const auto declared = operation.find("responses")->find(std::to_string(response.status));
    ASSERT_TRUE(declared.has_value()) << response.status << " " << response.body;
    const std::string type = response.content_type.substr(0, response.content_type.find(';'));
    const auto content = declared->find("content")->find(type);
    ASSERT_TRUE(content.has_value()) << type;
    if (type != "application/json") return;
    const auto parsed = JsonDocument::parse(response.body);
    ASSERT_TRUE(parsed.ok()) << response.body;
    EXPECT_EQ(validator_->check(*content->find("schema"), parsed.value().root()), "")
        << response.body.substr(0, 1000);
  }

  std::optional<JsonDocument> document_;
  std::optional<Validator> validator_;
};

TEST_F(ContractTest, ExamplesSucceedAndAnswersFitTheirSchemas) {
  int operations = 0;
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    ++operations;
    prepare(method, path);
    const auto body = json_body(operation);
    const std::string example = body ? body->find("example")->to_string() : "";
    if (body) {
      EXPECT_EQ(validator_->check(*body->find("schema"), *body->find("example")), "");
    }
    if (takes_file(operation)) {
      const auto kept = folder_ / "collection-snapshots" / "default" / "contract" / "kept.snapshot";
      const auto file = read_file(posix_file_system(), kept.string(), 1U << 20);
      ASSERT_TRUE(file.ok()) << file.error().message;
      std::filesystem::remove(kept);
      expect_declared(operation, send(method, filled(path), file.value(),
                                      {{"Content-Type", "application/octet-stream"}}));
      return;
    }
    expect_declared(operation, call(method, filled(path), example));
    if (!body) return;
    const auto lines = operation.find("requestBody")->find("content")->find("application/x-ndjson");
    if (!lines) return;
    const std::string line(*lines->find("example")->as_string());
    expect_declared(operation, send(method, filled(path), line + "\n",
                                    {{"Content-Type", "application/x-ndjson"}}));
  });
  EXPECT_GE(operations, 34);
}

// Bodies beside the examples, so that every form of the languages is walked.
constexpr std::pair<std::string_view, std::string_view> kMoreBodies[] = {
    {"/v1/collections/{collection}", R"({"vectors":[{"name":"a","dim":4},{"name":"b",
      "kind":"multi","dim":2,"metric":"dot"}],"words":[{"name":"w","source":"a.b","k1":2,"b":0.5,
      "analyzer":{"tokenizer":"prefix","lowercase":true,"ascii_folding":true,
      "stemmer":{"type":"snowball","language":"en"},"stopwords":{"languages":["english"],
      "custom":["x"]},"min_token_len":2,"max_token_len":9}}],"payload_indexes":[{"key":"t",
      "kind":"text","options":{"language":"english"}}],"shard_count":2})"},
    {"/v1/collections/{collection}/points", R"({"id":5,"vectors":{"rows":[[1,2],[3,4]],
      "terms":{"indices":[7],"values":[1]}},"payload":{"x":1}})"},
    {"/v1/collections/{collection}/points:patch", R"({"filter":{"must":{"key":"page",
      "match":{"value":7}}},"patch":{"set_payload":{"b":1},"set_key":"a","delete_paths":["lang[0]"],
      "delete_payload":["zz"],"delete_vectors":["terms"]}})"},
    {"/v1/collections/{collection}/points:delete", R"({"filter":{"must_not":[{"has_id":[1,2]}]}})"},
    {"/v1/collections/{collection}/points:get",
     R"({"ids":[1],"with_payload":["page","lang[]"],"with_vector":["rows","terms"]})"},
    {"/v1/collections/{collection}/points:scroll", R"({"order_by":{"key":"at","direction":"desc",
      "start_from":"2025-01-01"},"with_payload":{"exclude":["page"]},"with_vector":true,
      "filter":{"min_should":{"conditions":[{"key":"at","range":{"lt":"2025-01-01"}},
      {"nested":{"key":"lang","filter":{"must":[{"is_null":{"key":"x"}}]}}}],"min_count":1}}})"},
    {"/v1/collections/{collection}/points:count", R"({"filter":{"should":[
      {"key":"page","range":{"gte":7,"lt":9}},{"key":"lang","match":{"any":["de"]}},
      {"key":"page","match":{"except":[1,2]}},{"key":"g","geo_bounding_box":{"top_left":{"lon":1,
      "lat":2},"bottom_right":{"lon":2,"lat":1}}},{"key":"g","geo_radius":{"center":{"lon":1,
      "lat":2},
      "radius":5}},{"key":"g","geo_polygon":{"exterior":{"points":[{"lon":0,"lat":0},
      {"lon":1,"lat":0},{"lon":1,"lat":1},{"lon":0,"lat":0}]},"interiors":[]}},
      {"key":"lang","values_count":{"gt":1}},{"key":"lang","is_empty":true},
      {"key":"lang","is_null":false},{"is_empty":{"key":"x"}},{"has_vector":"terms"},
      {"slice":{"total":2,"index":1}},{"key":"lang","match":{"text":"de"}},
      {"key":"lang","match":{"prefix":"d"}},{"must":[]}]}})"},
    {"/v1/collections/{collection}/search", R"({"text":"green","hybrid":{"fusion":"weighted","k":60,
      "weights":[1,0.5],"prefetch":50,"words":"words"},"vector_name":"t","k":2,"explain":true})"},
    {"/v1/collections/{collection}/search", R"({"text":"green hills","vector_name":"words"})"},
    {"/v1/collections/{collection}/search",
     R"({"vector":{"indices":[1],"values":[1]},"vector_name":"terms","with_vector":true})"},
    {"/v1/collections/{collection}/search",
     R"({"vector":[[1,0],[1,1]],"vector_name":"rows","with_payload":false,"with_text":false})"},
    {"/v1/collections/{collection}/query", R"({"queries":[{"query":{"text":"green"},
      "using":"words","limit":2,"with_payload":["page"],"with_vector":["rows"],"explain":true},
      {"query":{"text":{"query":"sea","scoring":{"bm25":{"k":2,"b":0.3}}}},"using":"words"}]})"},
    {"/v1/collections/{collection}/query", R"({"query":{"nearest":[1,0,0,0],"mmr":{"diversity":0.5,
      "candidates_limit":10}},"params":{"hnsw_ef":64,"exact":true,"indexed_only":true,
      "quantization":{"ignore":true,"rescore":true,"oversampling":2},"acorn":{"enable":true,
      "max_selectivity":0.4},"idf":"global"},"score_threshold":0.1,"offset":1})"},
    {"/v1/collections/{collection}/query", R"({"query":{"discover":{"target":1,"context":[
      {"positive":1,"negative":[0,1,0,0]}]}},"lookup_from":{"collection":"contract"}})"},
    {"/v1/collections/{collection}/query", R"({"query":{"context":{"positive":{"text":"a"},
      "negative":{"text":"b"}}},"using":"t"})"},
    {"/v1/collections/{collection}/query",
     R"({"query":{"relevance_feedback":{"target":1,"feedback":[
      {"example":2,"score":0.5}],"strategy":{"naive":{"a":1,"b":1,"c":1}}}}})"},
    {"/v1/collections/{collection}/query",
     R"({"query":{"order_by":{"key":"page","direction":"desc","start_from":100}}})"},
    {"/v1/collections/{collection}/query", R"({"query":{"sample":"random"}})"},
    {"/v1/collections/{collection}/query",
     R"({"query":{"indices":[1],"values":[2]},"using":"terms","prefetch":null,"filter":null})"},
    {"/v1/collections/{collection}/query", R"({"query":[[1,0],[0,1]],"using":"rows"})"},
    {"/v1/collections/{collection}/query", R"({"prefetch":{"query":{"text":"hill","model":"x"},
      "using":"t"},"query":{"formula":{"sum":["$score",{"mult":[0.5,{"key":"page","match":
      {"value":7}}]},{"exp_decay":{"x":"page","target":{"datetime":"2024-05-01"},"scale":5,
      "midpoint":0.5}},{"div":{"left":1,"right":"page","by_zero_default":0}},{"pow":{"base":2,
      "exponent":2}},{"abs":{"neg":1}},{"max":[1,2]}]},"defaults":{"page":1}}})"},
    {"/v1/collections/{collection}/query",
     R"({"prefetch":[{"query":[1,0,0,0]},{"query":{"text":"sea"},
      "using":"words"}],"query":{"dbsf":{"weights":[1,2]}}})"},
    {"/v1/collections/{collection}/query", R"({"prefetch":[{"query":[1,0,0,0],"prefetch":[{
      "query":2}]}],"query":{"fusion":"weighted"}})"},
    {"/v1/collections/{collection}/query", R"({"prefetch":[{"query":1}],"query":{"weighted":{}}})"},
    {"/v1/collections/{collection}/query/groups", R"({"query":{"text":"sea"},"using":"words",
      "group_by":"lang[]","group_size":1,"limit":3,"filter":{"must_not":[]},"with_vector":true})"},
    {"/v1/collections/{collection}/facet", R"({"key":"lang[]","filter":{}})"},
    {"/v1/aliases", R"({"changes":[{"action":"put","alias":"x","collection":"contract"},
      {"action":"rename","alias":"x","to":"y"},{"action":"delete","alias":"y"}]})"},
    {"/v1/search", R"({"queries":[{"collections":["contract"],"text":"green","hybrid":{},
      "vector_name":"t","k":2,"offset":1,"explain":true},{"collections":["contract"],"id":1,
      "filter":{"must":[]},"with_vector":["rows"],"with_payload":["page"]}]})"},
    {"/v1/collections/{collection}/matrix", R"({"vector_name":"rows","sample":4})"},
};

TEST_F(ContractTest, EveryFormIsAsItsSchemaSays) {
  std::size_t bodies = 0;
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    const auto schema = json_body(operation);
    if (!schema || method == "PATCH") return;
    for (const auto& [where, text] : kMoreBodies) {
      if (where != path) continue;
      prepare(method, path);
      const auto body = JsonDocument::parse(text);
      ASSERT_TRUE(body.ok()) << text << body.error().message;
      EXPECT_EQ(validator_->check(*schema->find("schema"), body.value().root()), "") << text;
      const Response answer = call(method, filled(path), std::string(text));
      EXPECT_LT(answer.status, 300) << text << answer.body;
      expect_declared(operation, answer);
      prepare(method, path);
      for (const std::string& wrong :
           WrongBodies(*validator_).of(*schema->find("schema"), body.value().root())) {
        ++bodies;
        const Response refused = call(method, filled(path), wrong);
        EXPECT_TRUE(refused.status == 422 || refused.status == 413)
            << refused.status << " for " << wrong.substr(0, 600) << ": "
            << refused.body.substr(0, 300);
      }
    }
  });
  EXPECT_GT(bodies, 2'000U);
}

TEST_F(ContractTest, WrongBodiesAreRefusedByName) {
  int bodies = 0;
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    prepare(method, path);
    const auto body = json_body(operation);
    if (!body) {
      EXPECT_EQ(call(method, filled(path), "{}").status, takes_file(operation) ? 415 : 400);
      return;
    }
    const std::string example = body->find("example")->to_string();
    for (const std::string& malformed : {std::string("{"), example + "}", std::string("nul"),
                                         std::string("\xff\xfe"), std::string(" ")}) {
      const Response answer = call(method, filled(path), malformed);
      EXPECT_EQ(answer.status, 400) << malformed;
      expect_problem(answer);
    }
    const Response typed = send(method, filled(path), example, {{"Content-Type", "text/plain"}});
    EXPECT_EQ(typed.status, 415);
    expect_problem(typed);
    for (const std::string& wrong :
         WrongBodies(*validator_).of(*body->find("schema"), *body->find("example"))) {
      ++bodies;
      const Response answer = call(method, filled(path), wrong);
      EXPECT_TRUE(answer.status == 422 || answer.status == 413)
          << answer.status << " for " << wrong.substr(0, 200) << ": " << answer.body;
      expect_problem(answer);
    }
  });
  EXPECT_GT(bodies, 300);
}

TEST_F(ContractTest, WrongParametersAreRefused) {
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    prepare(method, path);
    const auto body = json_body(operation);
    const std::string example = body ? body->find("example")->to_string() : "";
    const Response unknown = call(method, filled(path) + "?no_such_parameter=1", example);
    EXPECT_EQ(unknown.status, 422) << unknown.body;
    expect_problem(unknown);
    operation.find("parameters")->for_each_element([&](JsonView parameter) {
      const std::string name(*parameter.find("name")->as_string());
      const std::string_view in = *parameter.find("in")->as_string();
      const bool flag = parameter.find("schema")->find("type")->as_string() == "boolean";
      if (in == "query") {
        const Response wrong =
            call(method, filled(path) + "?" + name + "=" + (flag ? "maybe" : ""), example);
        EXPECT_EQ(wrong.status, 422) << name << wrong.body;
        expect_problem(wrong);
      }
      if (in == "header") {
        const Response wrong = call(method, filled(path), example, {{name, "two words"}});
        EXPECT_EQ(wrong.status, 400) << name << wrong.body;
        expect_problem(wrong);
      }
      return true;
    });
    if (path.find("{id}") == std::string::npos) return;
    for (const char* id : {"x", "-1", "1.5", "18446744073709551616", "%20"}) {
      std::string wrong_path = path;
      wrong_path.replace(wrong_path.find("{id}"), 4, id);
      const Response wrong = call(method, filled(wrong_path), example);
      EXPECT_EQ(wrong.status, 422) << id << wrong.body;
      expect_problem(wrong);
    }
  });
}

TEST_F(ContractTest, UnknownCollectionsAre404) {
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    if (path.find("{collection}") == std::string::npos) return;
    if (method == "PUT" && path == "/v1/collections/{collection}") return;
    if (takes_file(operation)) return;  // what a collection may be made of
    const auto body = json_body(operation);
    const std::string example = body ? body->find("example")->to_string() : "";
    const Response answer = call(method, filled(path), example);
    EXPECT_EQ(answer.status, 404) << answer.body;
    EXPECT_EQ(code(answer), "collection_not_found");
    expect_problem(answer);
  });
}

// Property: no damaged body is a failure of the server.
TEST_F(ContractTest, RandomDamageIsNoFailure) {
  Rng rng(21);
  for_each_operation([&](const std::string& path, const std::string& method, JsonView operation) {
    const auto body = json_body(operation);
    if (!body) return;
    prepare(method, path);
    const std::string example = body->find("example")->to_string();
    for (int round = 0; round < 60; ++round) {
      std::string damaged = example;
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
      const Response answer = call(method, filled(path), damaged);
      EXPECT_LT(answer.status, 500) << damaged << ": " << answer.body;
      if (answer.status >= 400) expect_problem(answer);
    }
  });
}

}  // namespace
}  // namespace quipu::api
