// Goal: aliases over REST, ours and Qdrant's, and the search in several collections.
// Method: the service without a network, over a real engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/service_fixture.h"

namespace quipu::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class AliasesApiTest : public ServiceFixture {
 protected:
  void make(const std::string& name, const std::string& metric = "dot") {
    const Response made = call("PUT", "/v1/collections/" + name,
                               R"({"vectors":[{"dim":2,"metric":")" + metric + R"("}]})");
    ASSERT_EQ(made.status, 201) << made.body;
  }
  // A point of this score for the query [1, 0] under dot.
  void put(const std::string& name, int id, const std::string& score) {
    const Response written = call("PUT", "/v1/collections/" + name + "/points",
                                  R"({"id":)" + std::to_string(id) + R"(,"vector":[)" + score +
                                      R"(,0],"payload":{"of":")" + name + R"("}})");
    ASSERT_EQ(written.status, 200) << written.body;
  }
  std::string body_of(const std::string& method, const std::string& path,
                      const std::string& body = "", int status = 200) {
    const Response answer = call(method, path, body);
    EXPECT_EQ(answer.status, status) << answer.body;
    return answer.body;
  }
  // "collection:id ..." of the hits of an answer.
  static std::string hits(const JsonView& answer) {
    std::string text;
    if (const auto list = answer.find("hits")) {
      list->for_each_element([&text](JsonView hit) {
        text += (text.empty() ? "" : " ") + std::string(*hit.find("collection")->as_string()) +
                ":" + hit.find("id")->to_string();
        return true;
      });
    }
    return text;
  }
  std::string found(const std::string& body) {
    const Response answer = call("POST", "/v1/search", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto parsed = JsonDocument::parse(answer.body);
    return parsed.ok() ? hits(parsed.value().root()) : answer.body;
  }
};

TEST_F(AliasesApiTest, AreMadeMovedRenamedAndDeleted) {
  make("a");
  make("b");
  put("a", 1, "1");
  EXPECT_EQ(body_of("GET", "/v1/aliases"), R"({"aliases":[]})");
  EXPECT_EQ(body_of("POST", "/v1/aliases",
                    R"({"changes":[{"action":"put","alias":"live","collection":"a"},)"
                    R"({"action":"put","alias":"next","collection":"b"}]})"),
            R"({"changed":2})");
  EXPECT_EQ(body_of("GET", "/v1/aliases"),
            R"({"aliases":[{"name":"live","collection":"a"},{"name":"next","collection":"b"}]})");
  EXPECT_EQ(body_of("GET", "/v1/collections/a/aliases"),
            R"({"aliases":[{"name":"live","collection":"a"}]})");
  EXPECT_EQ(body_of("GET", "/v1/collections/live/aliases"),
            R"({"aliases":[{"name":"live","collection":"a"}]})");
  EXPECT_EQ(body_of("POST", "/v1/collections/live/points:count", "{}"), R"({"count":1})");
  EXPECT_THAT(body_of("GET", "/v1/collections/live"), HasSubstr(R"("name":"a")"));
  EXPECT_EQ(code(call("DELETE", "/v1/collections/live")), "is_alias");
  EXPECT_EQ(code(call("PUT", "/v1/collections/live", R"({"vectors":[{"dim":2}]})")),
            "alias_exists");
  body_of("POST", "/v1/aliases",
          R"({"changes":[{"action":"rename","alias":"next","to":"live"},)"
          R"({"action":"delete","alias":"never","if_there":true}]})");
  EXPECT_EQ(body_of("GET", "/v1/aliases"), R"({"aliases":[{"name":"live","collection":"b"}]})");
  EXPECT_EQ(body_of("POST", "/v1/collections/live/points:count", "{}"), R"({"count":0})");
  body_of("DELETE", "/v1/collections/b");
  EXPECT_EQ(body_of("GET", "/v1/aliases"), R"({"aliases":[]})");
}

TEST_F(AliasesApiTest, WrongChangesAreRefusedByName) {
  make("a");
  const auto refused = [this](const std::string& change) {
    const Response answer = call("POST", "/v1/aliases", R"({"changes":[)" + change + "]}");
    return std::to_string(answer.status) + " " + answer.body;
  };
  EXPECT_THAT(refused(R"({"action":"put","alias":"x"})"), HasSubstr("changes[0].collection"));
  EXPECT_THAT(refused(R"({"action":"put","alias":"x","collection":"a","to":"y"})"),
              HasSubstr("changes[0].to"));
  EXPECT_THAT(refused(R"({"action":"rename","alias":"x"})"), HasSubstr("changes[0].to"));
  EXPECT_THAT(refused(R"({"action":"put","alias":"x","collection":"a","if_there":true})"),
              HasSubstr("changes[0].if_there"));
  EXPECT_THAT(refused(R"({"action":"drop","alias":"x"})"), HasSubstr("changes[0].action"));
  EXPECT_THAT(refused(R"({"action":"put","alias":"x y","collection":"a"})"), HasSubstr("422 "));
  EXPECT_THAT(refused(R"({"action":"put","alias":"x","collection":"none"})"),
              HasSubstr("collection_not_found"));
  EXPECT_THAT(refused(R"({"action":"put","alias":"a","collection":"a"})"),
              HasSubstr("collection_exists"));
  EXPECT_THAT(refused(R"({"action":"delete","alias":"x"})"), HasSubstr("alias_not_found"));
  EXPECT_EQ(code(call("GET", "/v1/collections/none/aliases")), "collection_not_found");
  EXPECT_EQ(body_of("GET", "/v1/aliases"), R"({"aliases":[]})");
}

TEST_F(AliasesApiTest, InQdrantsWords) {
  make("a");
  put("a", 1, "1");
  const std::string path = "/collections/aliases";
  const auto create = [](const std::string& alias, const std::string& collection) {
    return R"({"actions":[{"create_alias":{"alias_name":")" + alias + R"(","collection_name":")" +
           collection + R"("}}]})";
  };
  EXPECT_THAT(body_of("POST", path, create("live", "a")), HasSubstr(R"("result":true)"));
  EXPECT_THAT(body_of("GET", "/aliases"),
              HasSubstr(R"([{"alias_name":"live","collection_name":"a"}])"));
  EXPECT_THAT(body_of("GET", "/collections/a/aliases"), HasSubstr("live"));
  EXPECT_THAT(body_of("GET", "/collections/live/aliases"), HasSubstr(R"("aliases":[])"));
  EXPECT_THAT(body_of("GET", "/collections/live/exists"), HasSubstr("true"));
  EXPECT_THAT(body_of("POST", "/collections/live/points/count", "{}"), HasSubstr(R"("count":1)"));
  EXPECT_THAT(body_of("DELETE", "/collections/live"), HasSubstr(R"("result":false)"));
  EXPECT_THAT(body_of("POST", path, create("a", "a"), 409), HasSubstr("already exists"));
  EXPECT_THAT(body_of("POST", path, create("x", "none"), 404), HasSubstr("none"));
  EXPECT_THAT(body_of("POST", path, create("x", "live"), 404), HasSubstr("is an alias"));
  EXPECT_THAT(
      body_of("PUT", "/collections/live", R"({"vectors":{"size":2,"distance":"Dot"}})", 409),
      HasSubstr("is an alias"));
  EXPECT_THAT(body_of("POST", path,
                      R"({"actions":[{"rename_alias":{"old_alias_name":"live",)"
                      R"("new_alias_name":"other"}},{"delete_alias":{"alias_name":"never"}}]})"),
              HasSubstr("true"));
  EXPECT_THAT(body_of("GET", "/aliases"), HasSubstr("other"));
  EXPECT_THAT(body_of("POST", path, R"({"actions":[]})"), HasSubstr("true"));
  for (const auto& [wrong, named] : std::vector<std::pair<std::string, std::string>>{
           {"{}", "actions"},
           {R"({"actions":{}})", "actions"},
           {R"({"actions":[{}]})", "actions[0]"},
           {R"({"actions":[{"create_alias":{"alias_name":"x"}}]})", "collection_name"},
           {R"({"actions":[{"create_alias":{"alias_name":1,"collection_name":"a"}}]})",
            "alias_name"},
           {R"({"actions":[{"delete_alias":{"alias_name":"x","more":1}}]})", "more"},
           {R"({"actions":[{"delete_alias":{"alias_name":"x"},"rename_alias":{}}]})", "actions[0]"},
           {R"({"actions":[],"more":1})", "more"}}) {
    EXPECT_THAT(body_of("POST", path, wrong, 400), HasSubstr(named)) << wrong;
  }
}

TEST_F(AliasesApiTest, SeveralCollectionsAreSearchedAsOne) {
  make("a");
  make("b");
  for (int i = 0; i < 5; ++i) {
    put("a", i, std::to_string(2 * i));
    put("b", i, std::to_string(2 * i + 1));
  }
  const std::string both = R"({"collections":["a","b"],"vector":[1,0],)";
  EXPECT_EQ(found(both + R"("k":4})"), "b:4 a:4 b:3 a:3");
  EXPECT_EQ(found(both + R"("k":3,"offset":8})"), "b:0 a:0");
  EXPECT_EQ(found(both + R"("k":3,"offset":20})"), "");
  EXPECT_EQ(found(both + R"("k":9,"score_threshold":7})"), "b:4 a:4 b:3");
  EXPECT_EQ(found(both + R"("k":2,"filter":{"must":[{"key":"of","match":{"value":"a"}}]}})"),
            "a:4 a:3");
  // Equal scores come as the collections are listed.
  put("b", 9, "8");
  EXPECT_EQ(found(R"({"collections":["b","a"],"vector":[1,0],"k":3})"), "b:4 b:9 a:4");
  const std::string batch = body_of("POST", "/v1/search",
                                    R"({"queries":[{"collections":["a"],"id":4,"k":1},)"
                                    R"({"collections":["b","a"],"vector":[1,0],"k":1}]})");
  EXPECT_THAT(batch, HasSubstr(R"("collection":"a")"));
  EXPECT_THAT(batch, HasSubstr(R"("results":[)"));
}

TEST_F(AliasesApiTest, WhatCannotAnswerIsSaidBesideTheOthersHits) {
  make("a");
  make("far", "euclidean");
  put("a", 1, "1");
  const Response made =
      call("PUT", "/v1/collections/long", R"({"vectors":[{"dim":3,"metric":"dot"}]})");
  ASSERT_EQ(made.status, 201);
  const std::string some =
      body_of("POST", "/v1/search",
              R"({"collections":["none","a","long"],"vector":[1,0],"k":3,"explain":true})");
  EXPECT_THAT(some, HasSubstr(R"({"id":1,"score":1,"collection":"a")"));
  EXPECT_THAT(some,
              HasSubstr(R"({"collection":"none","hits":0,"error":{"code":"collection_not_f)"));
  EXPECT_THAT(some, HasSubstr("dimension_mismatch"));
  EXPECT_THAT(some, HasSubstr("explain"));
  const auto refused = [this](const std::string& body) {
    return code(call("POST", "/v1/search", body));
  };
  EXPECT_EQ(refused(R"({"collections":["none","more"],"vector":[1,0]})"), "collection_not_found");
  EXPECT_EQ(refused(R"({"collections":["a","far"],"vector":[1,0]})"), "incompatible_metrics");
  EXPECT_EQ(refused(R"({"collections":["a","a"],"vector":[1,0]})"), "invalid_request");
  EXPECT_EQ(refused(R"({"collections":[],"vector":[1,0]})"), "invalid_request");
  EXPECT_EQ(refused(R"({"vector":[1,0]})"), "invalid_request");
  body_of("POST", "/v1/aliases",
          R"({"changes":[{"action":"put","alias":"live","collection":"a"}]})");
  EXPECT_EQ(refused(R"({"collections":["a","live"],"vector":[1,0]})"), "duplicate_name");
  EXPECT_EQ(found(R"({"collections":["live"],"vector":[1,0]})"), "live:1");
  // 1,024 searches in all: 16 queries in 64 collections each are allowed, 17 are not.
  std::string names;
  for (int i = 0; i < 64; ++i) names += (i > 0 ? ",\"n" : "\"n") + std::to_string(i) + "\"";
  std::string queries;
  for (int i = 0; i < 17; ++i) {
    queries += std::string(i > 0 ? "," : "") + R"({"vector":[1,0],"collections":[)" + names + "]}";
    if (i == 15) {
      EXPECT_EQ(refused(R"({"queries":[)" + queries + "]}"), "collection_not_found");
    }
  }
  EXPECT_EQ(refused(R"({"queries":[)" + queries + "]}"), "batch_too_large");
}

TEST_F(AliasesApiTest, DistancesAndWordsAreMergedToo) {
  make("a", "euclidean");
  make("b", "manhattan");
  put("a", 1, "1");
  put("a", 2, "5");
  put("b", 1, "2");
  EXPECT_EQ(found(R"({"collections":["a","b"],"vector":[0,0],"k":3})"), "a:1 b:1 a:2");
  for (const char* name : {"/v1/collections/v", "/v1/collections/w"}) {
    ASSERT_EQ(call("PUT", name, R"({"words":[{"name":"words"}]})").status, 201);
    ASSERT_EQ(
        call("PUT", std::string(name) + "/points", R"({"id":1,"text":"a green hill far away"})")
            .status,
        200);
  }
  ASSERT_EQ(call("PUT", "/v1/collections/w/points", R"({"id":2,"text":"nothing of it"})").status,
            200);
  const std::string by_words =
      found(R"({"collections":["v","w"],"text":"green hill","vector_name":"words","k":5})");
  // The rarer the words are in a collection, the more they count there.
  EXPECT_EQ(by_words, "w:1 v:1");
}

}  // namespace
}  // namespace quipu::api
