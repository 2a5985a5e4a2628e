// Goal: words, hybrid search, the query language and vectors of every kind, over REST, do what
// their bodies say, and what cannot be is a clear error. Method: the service over a real engine;
// scores and counts are computed again from the formulas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "quipu/api/rest/ranked.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "quipu/query/request/query_json.h"
#include "tests/support/service_fixture.h"

namespace quipu::api::rest {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kC = "/v1/collections/c";

class RestQueryTest : public ServiceFixture {
 protected:
  static std::string path(std::string_view rest) { return kC + std::string(rest); }

  // The JSON of a call that succeeds.
  JsonDocument json(const std::string& method, const std::string& target, const std::string& body) {
    const Response answer = call(method, target, body);
    EXPECT_LT(answer.status, 300) << target << " " << body << ": " << answer.body;
    auto document = JsonDocument::parse(answer.body);
    EXPECT_TRUE(document.ok()) << answer.body;
    return std::move(document).value();
  }
  JsonDocument post(std::string_view rest, const std::string& body) {
    return json("POST", path(rest), body);
  }
  void expect_refused(std::string_view rest, const std::string& body, int status,
                      std::string_view reason, std::string_view says) {
    const Response answer = call("POST", path(rest), body);
    EXPECT_EQ(answer.status, status) << body << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(std::string(reason))) << body;
    EXPECT_THAT(answer.body, HasSubstr(std::string(says))) << body;
  }
  // Ids and scores of {"hits": [...]}.
  static std::vector<std::pair<std::uint64_t, double>> hits(JsonView result) {
    std::vector<std::pair<std::uint64_t, double>> found;
    result.find("hits")->for_each_element([&](JsonView hit) {
      found.emplace_back(*hit.find("id")->as_uint64(), *hit.find("score")->as_double());
      return true;
    });
    return found;
  }
  static std::vector<std::uint64_t> ids(JsonView result, std::string_view list = "hits") {
    std::vector<std::uint64_t> found;
    result.find(list)->for_each_element([&](JsonView item) {
      found.push_back(*item.find("id")->as_uint64());
      return true;
    });
    return found;
  }
  static JsonView nth(JsonView array, std::size_t n) {
    std::optional<JsonView> found;
    array.for_each_element([&](JsonView item) {
      found = item;
      return n-- > 0;
    });
    return *found;
  }
  // A collection with a model, words, and three notes.
  void make_notes_with_words() {
    json("PUT", kC, R"({"vectors":[{"model":"all-MiniLM-L6-v2"}],"words":[{"name":"body"}]})");
    json("PUT", path("/points"),
         R"({"points":[{"id":1,"text":"the roof of the house leaks","payload":{"n":1}},)"
         R"({"id":2,"text":"the house by the sea","payload":{"n":2}},)"
         R"({"id":3,"text":"sea and wind and sea","payload":{"n":3}}]})");
  }
};

// ---------------------------------------------------------------- collections

TEST_F(RestQueryTest, CollectionsShowAllOfTheirConfiguration) {
  const JsonDocument made = json(
      "PUT", kC,
      R"({"vectors":[{"dim":4},{"name":"terms","kind":"sparse","idf":true},)"
      R"({"name":"rows","kind":"multi","dim":2,"metric":"dot"}],)"
      R"("words":[{"name":"title","source":"doc.\"title\"","analyzer":{"language":"en"},"k1":2}],)"
      R"("payload_indexes":[{"key":"doc.year","kind":"integer"},)"
      R"({"key":"at","kind":"datetime","options":{}}]})");
  const std::string text = made.root().to_string();
  EXPECT_THAT(text, HasSubstr(R"({"name":"terms","kind":"sparse","model":"","idf":true})"));
  EXPECT_THAT(text, HasSubstr(R"({"name":"rows","kind":"multi","dim":2,"metric":"dot")"));
  EXPECT_THAT(text, HasSubstr(R"("words":[{"name":"title","source":"doc.title","analyzer":{)"));
  EXPECT_THAT(text, HasSubstr(R"("stemmer":{"type":"snowball","language":"english"})"));
  EXPECT_THAT(text, HasSubstr(R"("k1":2,"b":0.75)"));
  EXPECT_THAT(text, HasSubstr(R"({"key":"doc.year","kind":"integer","options":{}})"));
  EXPECT_THAT(text, HasSubstr(R"({"name":"title","kind":"words","state":"ready")"));
  EXPECT_THAT(text, HasSubstr(R"({"name":"rows","kind":"multi","state":"ready")"));

  const JsonDocument changed = json("PATCH", kC,
                                    R"({"add_words":[{"name":"all"}],"drop_words":["title"],)"
                                    R"("add_payload_indexes":[{"key":"doc.year","kind":"float"}],)"
                                    R"("drop_payload_indexes":["at"]})");
  const std::string after = changed.root().to_string();
  EXPECT_THAT(after, HasSubstr(R"("words":[{"name":"all","source":"")"));
  EXPECT_THAT(after,
              HasSubstr(R"("payload_indexes":[{"key":"doc.year","kind":"float","options":{}}])"));
  EXPECT_THAT(after, Not(HasSubstr(R"("title")")));
  EXPECT_THAT(call("GET", "/v1/collections").body, HasSubstr(R"("words":[{"name":"all")"));
}

TEST_F(RestQueryTest, CollectionsThatCannotBeAreRefused) {
  const auto refused = [this](const std::string& method, const std::string& body, int status,
                              std::string_view says) {
    const Response answer = call(method, kC, body);
    EXPECT_EQ(answer.status, status) << body << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(std::string(says))) << body;
  };
  refused("PUT", "{}", 422, "must have vectors or words");
  refused("PUT", R"({"vectors":[{"kind":"sparse"}],"words":[{"name":""}]})", 422, "words[0].name");
  refused("PUT", R"({"vectors":[{"kind":"spares"}]})", 422, R"(\"sparse\")");
  refused("PUT", R"({"vectors":[{"dim":4,"idf":true}]})", 422, "only a sparse vector has it");
  refused("PUT", R"({"words":[{"name":"w","k1":11}]})", 422, "words[0].k1");
  refused("PUT", R"({"words":[{"name":"w","source":"a..b"}]})", 422, "words[0].source");
  refused("PUT", R"({"words":[{"name":"w","analyzer":{"language":"klingon"}}]})", 422, "klingon");
  refused("PUT", R"({"words":[{"name":"w","analyzer":{"lingo":"en"}}]})", 422, "lingo");
  refused("PUT", R"({"words":[{"name":"w"},{"name":"w"}]})", 422, "used twice");
  refused("PUT", R"({"vectors":[{"name":"w","dim":2}],"words":[{"name":"w"}]})", 422, "used twice");
  refused("PUT",
          R"({"words":[{"name":"w"}],"payload_indexes":[{"key":"a","kind":"bool"},)"
          R"({"key":"\"a\"","kind":"uuid"}]})",
          422, "payload_indexes[1]");
  refused("PUT", R"({"words":[{"name":"w"}],"payload_indexes":[{"key":"a","kind":"number"}]})", 422,
          "payload_indexes[0].kind");
  json("PUT", kC, R"({"words":[{"name":"w"}]})");
  refused("PATCH", R"({"add_words":[{"name":"w"}]})", 409, "already");
  refused("PATCH", R"({"drop_words":["v"]})", 404, "no words 'v'");
  refused("PATCH", R"({"drop_payload_indexes":["a"]})", 404, "has no index");
  refused("PATCH", R"({"add_words":[]})", 422, "add_words");
  refused("PATCH", R"({"add_words":[{"name":"v"},{"name":"u v"}]})", 422, "add_words[1].name");
  refused("PATCH", R"({"add_words":[{"name":"v"},{"name":"u","analyzer":{"language":"x"}}]})", 422,
          "add_words[1].analyzer");
  refused("PATCH", R"({"add_words":[{"name":"v"},{"name":"v"}]})", 422, "add_words[1]");
}

// ---------------------------------------------------------------- points

TEST_F(RestQueryTest, VectorsOfEveryKindComeBackAsTheyCame) {
  json("PUT", kC,
       R"({"vectors":[{"dim":2,"metric":"dot"},{"name":"s","kind":"sparse"},)"
       R"({"name":"m","kind":"multi","dim":2,"metric":"dot"}]})");
  json("PUT", path("/points"),
       R"({"id":1,"vector":[1,2],"vectors":{"s":{"indices":[9,4],"values":[0.5,-1]},)"
       R"("m":[[1,2],[3,4],[5,6]]}})");
  json("PUT", path("/points"), R"({"id":2,"vectors":{"s":{"indices":[],"values":[]}}})");
  const std::string one = call("GET", path("/points/1?with_vector=true")).body;
  EXPECT_THAT(one, HasSubstr(R"("vector":[1,2])"));
  EXPECT_THAT(one, HasSubstr(R"("s":{"indices":[4,9],"values":[-1,0.5]})"));
  EXPECT_THAT(one, HasSubstr(R"("m":[[1,2],[3,4],[5,6]])"));
  EXPECT_THAT(call("GET", path("/points/2?with_vector=true")).body,
              HasSubstr(R"("vectors":{"s":{"indices":[],"values":[]}})"));
  const std::string some =
      call("POST", path("/points:get"), R"({"ids":[1],"with_vector":["m"]})").body;
  EXPECT_THAT(some, HasSubstr(R"("vectors":{"m":[[1,2],[3,4],[5,6]]})"));
  EXPECT_THAT(some, Not(HasSubstr("\"s\"")));
  EXPECT_EQ(call("POST", path("/points:get"), R"({"ids":[1],"with_vector":["x"]})").status, 404);
  const auto refused = [this](const std::string& body, std::string_view says) {
    const Response answer = call("PUT", path("/points"), body);
    EXPECT_EQ(answer.status, 422) << body << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(std::string(says))) << body;
  };
  refused(R"({"id":3,"vectors":{"m":[[1,2,3,4]]}})", "vectors.m: has rows of 4 numbers");
  refused(R"({"points":[{"id":3,"vector":[1,1]},{"id":4,"vector":[[1],[2]]}]})",
          "points[1].vector: has rows");
  refused(R"({"id":3,"vectors":{"m":[1,2,3]}})", "rows of 2");
  refused(R"({"id":3,"vectors":{"m":{"indices":[1],"values":[1]}}})", "not sparse");
  refused(R"({"id":3,"vectors":{"s":[1]}})", "0 indices");
  refused(R"({"id":3,"vectors":{"s":{"indices":[1,1],"values":[1,2]}}})", "twice");
  refused(R"({"id":3,"vectors":{"s":{"indices":[1],"values":[1,2]}}})", "1 indices and 2 values");
  const Response patched = call("PATCH", path("/points/1"), R"({"vectors":{"m":[[1]]}})");
  EXPECT_EQ(patched.status, 422) << patched.body;
  EXPECT_EQ(call("PUT", "/v1/collections/none/points", R"({"id":3,"vector":[[1]]})").status, 404);
}

TEST_F(RestQueryTest, PartsOfPayloadsAreChosen) {
  make_notes();
  json("PUT", "/v1/collections/notes/points",
       R"({"id":1,"vector":[1,0,0,0],"payload":{"a":{"b":1,"c":2},"d":[{"e":3,"f":4}],"g":5}})");
  const auto payload = [this](const std::string& select) {
    const Response answer = call("POST", "/v1/collections/notes/search",
                                 R"({"vector":[1,0,0,0],"with_payload":)" + select + "}");
    EXPECT_EQ(answer.status, 200) << select << answer.body;
    const auto document = JsonDocument::parse(answer.body);
    const auto found = nth(*document.value().root().find("hits"), 0).find("payload");
    return found ? found->to_string() : "none";
  };
  EXPECT_EQ(payload("true"), R"({"a":{"b":1,"c":2},"d":[{"e":3,"f":4}],"g":5})");
  EXPECT_EQ(payload("false"), "none");
  EXPECT_EQ(payload(R"(["a.b","g"])"), R"({"a":{"b":1},"g":5})");
  EXPECT_EQ(payload(R"({"include":["d[].e"]})"), R"({"d":[{"e":3}]})");
  EXPECT_EQ(payload(R"({"exclude":["a","d[].f"]})"), R"({"d":[{"e":3}],"g":5})");
  for (const char* wrong : {"[]", "{}", R"(["a..b"])", R"({"include":["a"],"exclude":["b"]})",
                            R"({"includes":["a"]})", "null", "\"a\"", "7"}) {
    EXPECT_EQ(call("POST", "/v1/collections/notes/points:scroll",
                   "{\"with_payload\":" + std::string(wrong) + "}")
                  .status,
              422)
        << wrong;
  }
  // Nothing asked for: nothing that was not read is made up.
  EXPECT_THAT(call("POST", "/v1/collections/notes/search",
                   R"({"vector":[1,0,0,0],"with_payload":false,"with_text":false})")
                  .body,
              HasSubstr(R"({"hits":[{"id":1,"score":1}])"));
}

TEST_F(RestQueryTest, PatchesReachIntoPayloads) {
  json("PUT", kC, R"({"vectors":[{"dim":2},{"name":"s","kind":"sparse"}]})");
  json("PUT", path("/points"),
       R"({"points":[{"id":1,"vector":[1,0],"vectors":{"s":{"indices":[1],"values":[1]}},)"
       R"("payload":{"a":{"x":1},"b":{"c":1,"d":2},"list":[{"gone":1,"kept":2}]}},)"
       R"({"id":2,"vector":[0,1],"payload":{"n":2}},)"
       R"({"id":3,"vector":[1,1],"payload":{"n":3}}]})");
  json("PATCH", path("/points/1"),
       R"({"set_payload":{"y":2},"set_key":"a","delete_paths":["list[].gone","b.c"],)"
       R"("delete_vectors":["s"]})");
  const std::string one = call("GET", path("/points/1?with_vector=true")).body;
  EXPECT_THAT(one, HasSubstr(R"("a":{"x":1,"y":2})"));
  EXPECT_THAT(one, HasSubstr(R"("b":{"d":2},"list":[{"kept":2}])"));
  EXPECT_THAT(one, Not(HasSubstr("indices")));
  const Response by_filter = call(
      "POST", path("/points:patch"),
      R"({"filter":{"must":[{"key":"n","range":{"gte":2}}]},"patch":{"set_payload":{"z":1}}})");
  EXPECT_EQ(by_filter.status, 200) << by_filter.body;
  EXPECT_THAT(by_filter.body, HasSubstr(R"({"matched":2,"seq":)"));
  EXPECT_THAT(by_filter.body, HasSubstr(R"("durable":true})"));
  EXPECT_FALSE(header(by_filter, "Quipu-Seq").empty());
  EXPECT_THAT(call("GET", path("/points/3")).body, HasSubstr(R"("payload":{"n":3,"z":1})"));
  const Headers key = {{"Idempotency-Key", "k"}};
  for (int again = 0; again < 2; ++again) {
    const Response deleted = call("POST", path("/points:delete"),
                                  R"({"filter":{"must":[{"key":"n","match":{"value":2}}]}})", key);
    EXPECT_EQ(deleted.status, 200) << deleted.body;
    EXPECT_THAT(deleted.body, HasSubstr(R"({"matched":1,)"));
  }
  EXPECT_EQ(call("POST", path("/points:count"), "{}").body, R"({"count":2})");
  const auto refused = [this](std::string_view rest, const std::string& body) {
    EXPECT_EQ(call("POST", path(rest), body).status, 422) << body;
  };
  refused("/points:patch", R"({"filter":{}})");
  refused("/points:patch", R"({"filter":{},"patch":{}})");
  refused("/points:patch", R"({"patch":{"set_payload":{}}})");
  refused("/points:patch", R"({"points":[{"id":1,"set_payload":{}}],"patch":{"set_payload":{}}})");
  refused("/points:patch",
          R"({"points":[{"id":1,"set_payload":{}}],"filter":{},"patch":{"set_payload":{}}})");
  refused("/points:patch", R"({"filter":{},"patch":{"set_payload":{},"text":"x"}})");
  refused("/points:patch", R"({"points":[{"id":1,"set_key":"a"}]})");
  refused("/points:patch",
          R"({"points":[{"id":1,"set_key":"a","set_payload":{},"replace_payload":true}]})");
  refused("/points:patch", R"({"points":[{"id":1,"delete_paths":["a..b"]}]})");
  refused("/points:delete", R"({"ids":[1],"filter":{}})");
  refused("/points:delete", R"({"filter":{"must":[{"key":"n","match":{"worth":2}}]}})");
  EXPECT_EQ(call("POST", path("/points:count"), "{}").body, R"({"count":2})");
}

TEST_F(RestQueryTest, PagesGoByAValue) {
  make_notes();
  std::string lines;
  for (int i = 0; i < 20; ++i) {
    lines += "{\"id\":" + std::to_string(i) +
             ",\"vector\":[1,0,0,0],\"payload\":{\"n\":" + std::to_string((i * 7) % 20) + "}}\n";
  }
  send("PUT", "/v1/collections/notes/points", lines, {{"Content-Type", "application/x-ndjson"}});
  std::vector<std::uint64_t> values;
  std::string from;
  while (values.size() < 20) {
    const JsonDocument page =
        json("POST", "/v1/collections/notes/points:scroll",
             R"({"limit":6,"order_by":{"key":"n","direction":"desc")" + from + "}}");
    const JsonView points = *page.root().find("points");
    ASSERT_GT(points.size(), 0U);
    EXPECT_FALSE(page.root().find("next").has_value());
    points.for_each_element([&](JsonView point) {
      const std::uint64_t value = *point.find("order_value")->as_uint64();
      EXPECT_EQ((*point.find("id")->as_uint64() * 7) % 20, value);
      if (values.empty() || value < values.back()) values.push_back(value);
      return true;
    });
    from = ",\"start_from\":" + std::to_string(values.back());
  }
  for (std::size_t i = 0; i < 20; ++i) EXPECT_EQ(values[i], 19 - i);
  EXPECT_EQ(
      call("POST", "/v1/collections/notes/points:scroll", R"({"order_by":"n","after":3})").status,
      422);
  EXPECT_EQ(
      call("POST", "/v1/collections/notes/points:scroll", R"({"order_by":{"key":"a..b"}})").status,
      422);
}

// ---------------------------------------------------------------- words

// BM25 as docs/words.md has it.
double bm25(double rows, double having, double count, double length, double mean) {
  const double idf = std::log(1 + (rows - having + 0.5) / (having + 0.5));
  return idf * count * (1.2 + 1) / (count + 1.2 * (1 - 0.75 + 0.75 * length / mean));
}

TEST_F(RestQueryTest, WordsAreScoredByTheFormula) {
  make_notes_with_words();
  // Lengths 6, 5, 5; "sea" is once in 2 and twice in 3.
  const double mean = 16.0 / 3;
  const JsonDocument found = post("/search", R"({"text":"Sea","vector_name":"body","k":5})");
  const auto got = hits(found.root());
  ASSERT_EQ(got.size(), 2U);
  EXPECT_EQ(got[0].first, 3U);
  EXPECT_NEAR(got[0].second, bm25(3, 2, 2, 5, mean), 1e-5);
  EXPECT_EQ(got[1].first, 2U);
  EXPECT_NEAR(got[1].second, bm25(3, 2, 1, 5, mean), 1e-5);
  const JsonDocument two =
      post("/search", R"({"text":"house sea","vector_name":"body","explain":true})");
  EXPECT_THAT(ids(two.root()), ElementsAre(2, 3, 1));
  EXPECT_NEAR(hits(two.root())[0].second, 2 * bm25(3, 2, 1, 5, mean), 1e-5);
  EXPECT_GT(*two.root().find("explain")->find("postings")->as_uint64(), 0U);
  EXPECT_THAT(ids(post("/search", R"({"text":"sea","vector_name":"body","filter":)"
                                  R"({"must":[{"key":"n","range":{"lt":3}}]}})")
                      .root()),
              ElementsAre(2));
  EXPECT_EQ(hits(post("/search", R"({"text":"xyz","vector_name":"body"})").root()).size(), 0U);
  expect_refused("/search", R"({"id":1,"vector_name":"body"})", 422, "invalid_query", "by a text");
  expect_refused("/search", R"({"text":"sea","vector_name":"bodi"})", 404, "vector_not_found",
                 "bodi");
}

TEST_F(RestQueryTest, AddedWordsAnswerAtOnce) {
  json("PUT", kC, R"({"vectors":[{"dim":2}]})");
  json("PUT", path("/points"),
       R"({"points":[{"id":1,"vector":[1,0],"payload":{"title":"Rivers of Peru"}},)"
       R"({"id":2,"vector":[0,1],"payload":{"title":["Running","a river"]}}]})");
  json("PATCH", kC,
       R"({"add_words":[{"name":"title","source":"title","analyzer":{"language":"english"}}]})");
  EXPECT_THAT(ids(post("/search", R"({"text":"river","vector_name":"title"})").root()),
              ::testing::UnorderedElementsAre(1, 2));
  EXPECT_THAT(ids(post("/search", R"({"text":"run","vector_name":"title"})").root()),
              ElementsAre(2));
  json("PATCH", kC, R"({"drop_words":["title"]})");
  EXPECT_EQ(call("POST", path("/search"), R"({"text":"river","vector_name":"title"})").status, 404);
}

TEST_F(RestQueryTest, CollectionsMayHaveWordsAlone) {
  json("PUT", kC, R"({"words":[{"name":"w","source":"title"}]})");
  json("PUT", path("/points"), R"({"id":1,"payload":{"title":"green hill"}})");
  EXPECT_THAT(ids(post("/search", R"({"text":"hill","vector_name":"w"})").root()), ElementsAre(1));
  EXPECT_EQ(call("PUT", path("/points"), R"({"id":2})").status, 422);
}

// ---------------------------------------------------------------- hybrid

TEST_F(RestQueryTest, HybridFusesMeaningAndWords) {
  make_notes_with_words();
  const auto dense = ids(post("/search", R"({"text":"wind at sea"})").root());
  const auto words = ids(post("/search", R"({"text":"wind at sea","vector_name":"body"})").root());
  std::map<std::uint64_t, double> expected;
  for (std::size_t i = 0; i < dense.size(); ++i) expected[dense[i]] += 1.0 / (60.0 + double(i));
  for (std::size_t i = 0; i < words.size(); ++i) expected[words[i]] += 1.0 / (60.0 + double(i));
  const JsonDocument found =
      post("/search", R"({"text":"wind at sea","hybrid":{},"explain":true})");
  const auto got = hits(found.root());
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [id, score] : got) EXPECT_NEAR(score, expected[id], 1e-6) << id;
  std::size_t parts = 0;
  found.root().find("hits")->for_each_element([&](JsonView hit) {
    double sum = 0;
    hit.find("parts")->for_each_element([&](JsonView part) {
      ++parts;
      const bool vector = part.find("source")->as_string() == "vector";
      EXPECT_TRUE(vector || part.find("source")->as_string() == "words");
      const auto& list = vector ? dense : words;
      EXPECT_EQ(list[*part.find("rank")->as_uint64()], *hit.find("id")->as_uint64());
      EXPECT_TRUE(part.find("score")->is_number());
      sum += *part.find("share")->as_double();
      return true;
    });
    EXPECT_NEAR(sum, *hit.find("score")->as_double(), 1e-6);
    return true;
  });
  EXPECT_EQ(parts, dense.size() + words.size());
  // The weights are of the vector and of the words.
  EXPECT_EQ(
      ids(post("/search", R"({"text":"wind at sea","hybrid":{"weights":[0,1]},"k":2})").root())
          .front(),
      words.front());
  EXPECT_EQ(
      ids(post("/search", R"({"text":"wind at sea","hybrid":{"weights":[1,0]},"k":3})").root()),
      dense);
  EXPECT_THAT(ids(post("/search", R"({"text":"wind at sea","hybrid":{"fusion":"weighted",)"
                                  R"("prefetch":1},"filter":{"must_not":[{"has_id":[3]}]}})")
                      .root()),
              ::testing::UnorderedElementsAre(1, 2));
  // A brought vector stands for the meaning: nothing is embedded.
  const std::uint64_t before = embedder_.embedded();
  EXPECT_EQ(ids(post("/search", R"({"text":"wind","id":2,"hybrid":{}})").root()).size(), 2U);
  EXPECT_EQ(embedder_.embedded(), before);
}

TEST_F(RestQueryTest, HybridSaysWhatIsMissing) {
  make_notes_with_words();
  expect_refused("/search", R"({"id":1,"hybrid":{}})", 422, "missing_field", "hybrid looks for");
  expect_refused("/search", R"({"text":"x","vector":[1],"id":1,"hybrid":{}})", 422, "bad_value",
                 "cannot both");
  expect_refused("/search", R"({"text":"x","hybrid":{"words":"bodi"}})", 404, "words_not_found",
                 R"(\"body\")");
  expect_refused("/search", R"({"text":"x","hybrid":{"weights":[1]}})", 422, "too_few_items",
                 "hybrid.weights");
  expect_refused("/search", R"({"queries":[{"text":"x"},{"text":"x","hybrid":{"words":"z"}}]})",
                 404, "words_not_found", R"("field":"queries[1]")");
  json("PATCH", kC, R"({"add_words":[{"name":"second"}]})");
  expect_refused("/search", R"({"text":"x","hybrid":{}})", 422, "words_ambiguous",
                 R"(\"body\", \"second\")");
  EXPECT_EQ(hits(post("/search", R"({"text":"sea","hybrid":{"words":"second"}})").root()).size(),
            3U);
  json("PATCH", kC, R"({"drop_words":["body","second"]})");
  expect_refused("/search", R"({"text":"x","hybrid":{}})", 422, "no_words", "add_words");
}

// ---------------------------------------------------------------- queries

TEST_F(RestQueryTest, QueriesAreAsked) {
  make_notes_with_words();
  const JsonDocument fused = post(
      "/query", R"({"prefetch":[{"query":{"text":"sea"},"using":"body"},{"query":{"nearest":2}}],)"
                R"("query":{"rrf":{"k":60}},"limit":3,"explain":true,)"
                R"("with_payload":["n"],"with_text":false})");
  // Point 2 is left out only of the ranking that is nearest to it.
  EXPECT_THAT(ids(fused.root()), ElementsAre(3, 1, 2));
  EXPECT_THAT(fused.root().to_string(), HasSubstr(R"("source":"prefetch[1]","rank":)"));
  EXPECT_THAT(fused.root().to_string(), HasSubstr(R"("payload":{"n":3})"));
  EXPECT_THAT(fused.root().to_string(), Not(HasSubstr(R"("text")")));
  const JsonDocument batch =
      post("/query", R"({"queries":[{"query":{"order_by":{"key":"n","direction":"desc"}}},)"
                     R"({"query":{"text":"roof"},"using":"body"},{"limit":2,"offset":1}]})");
  const JsonView results = *batch.root().find("results");
  EXPECT_THAT(ids(nth(results, 0)), ElementsAre(3, 2, 1));
  EXPECT_EQ(nth(*nth(results, 0).find("hits"), 0).find("order_value")->as_uint64(), 3U);
  EXPECT_THAT(ids(nth(results, 1)), ElementsAre(1));
  EXPECT_THAT(ids(nth(results, 2)), ElementsAre(2, 3));
  const JsonDocument formula =
      post("/query", R"({"prefetch":{"query":{"text":"sea"},"using":"body"},)"
                     R"("query":{"formula":{"mult":[10,"n"]}}})");
  EXPECT_EQ(hits(formula.root()),
            (std::vector<std::pair<std::uint64_t, double>>{{3, 30}, {2, 20}}));

  expect_refused("/query", R"({"query":{"neerest":1}})", 422, "invalid_query",
                 R"("field":"query")");
  expect_refused("/query", R"({"queries":[{},{"limit":0}]})", 422, "invalid_query",
                 R"("field":"queries[1].limit")");
  expect_refused("/query", R"({"limt":3})", 422, "invalid_query", "limit");
  expect_refused("/query", R"({"query":{"image":"x"}})", 422, "unimplemented_input", "embedded");
  expect_refused("/query", R"({"with_payload":7})", 422, "wrong_type", "with_payload");
  expect_refused("/query", R"({"queries":[{},{"query":77}]})", 404, "point_not_found",
                 R"("field":"queries[1]")");
  expect_refused("/query", R"({"query":{"text":"x"},"using":"bodi"})", 404, "words_not_found",
                 "bodi");
  std::string many;
  for (int i = 0; i < 129; ++i) many += i == 0 ? "{}" : ",{}";
  expect_refused("/query", R"({"queries":[)" + many + "]}", 422, "too_many_items", "128");
}

TEST_F(RestQueryTest, GroupsAndFacets) {
  make_notes();
  Rng rng(test_seed());
  std::map<std::uint64_t, std::uint64_t> counts;
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    const std::uint64_t tag = rng.below(4);
    if (i >= 10) ++counts[tag];
    lines += "{\"id\":" + std::to_string(i) + ",\"vector\":[" + std::to_string(i + 1) +
             ",1,0,0],\"payload\":{\"tag\":[" + std::to_string(tag) + "," + std::to_string(tag) +
             "],\"i\":" + std::to_string(i) + "}}\n";
  }
  const std::string notes = "/v1/collections/notes";
  send("PUT", notes + "/points", lines, {{"Content-Type", "application/x-ndjson"}});
  const JsonDocument facets = json("POST", notes + "/facet",
                                   R"({"key":"tag[]","filter":{"must":[{"key":"i",)"
                                   R"("range":{"gte":10}}]}})");
  std::uint64_t last = UINT64_MAX;
  facets.root().find("values")->for_each_element([&](JsonView value) {
    const std::uint64_t count = *value.find("count")->as_uint64();
    EXPECT_EQ(count, counts[*value.find("value")->as_uint64()]);
    EXPECT_LE(count, last);
    last = count;
    return true;
  });
  EXPECT_EQ(facets.root().find("values")->size(), counts.size());
  EXPECT_EQ(
      json("POST", notes + "/facet", R"({"key":"tag","limit":1})").root().find("values")->size(),
      1U);

  const JsonDocument groups =
      json("POST", notes + "/query/groups",
           R"({"query":[1,0,0,0],"group_by":"tag","group_size":2,"limit":4,"with_vector":true})");
  std::uint64_t in_groups = 0;
  groups.root().find("groups")->for_each_element([&](JsonView group) {
    EXPECT_LE(group.find("hits")->size(), 2U);
    group.find("hits")->for_each_element([&](JsonView hit) {
      ++in_groups;
      EXPECT_EQ(nth(*hit.find("payload")->find("tag"), 0).as_uint64(),
                group.find("value")->as_uint64());
      EXPECT_TRUE(hit.find("vector").has_value());
      return true;
    });
    return true;
  });
  EXPECT_GE(in_groups, 2U);
  EXPECT_EQ(call("POST", notes + "/query/groups", R"({"query":[1,0,0,0]})").status, 422);
  EXPECT_EQ(call("POST", notes + "/query/groups",
                 R"({"query":[1,0,0,0],"group_by":"tag","group_size":101})")
                .status,
            422);
  EXPECT_EQ(call("POST", notes + "/facet", R"({"key":"a..b"})").status, 422);
}

TEST_F(RestQueryTest, TheMatrixHasTheNearestOfEach) {
  make_notes();
  std::string lines;
  for (int i = 0; i < 40; ++i) {
    lines +=
        "{\"id\":" + std::to_string(i) + ",\"vector\":[" + std::to_string(i + 1) + ",1,0,0]}\n";
  }
  const std::string notes = "/v1/collections/notes";
  send("PUT", notes + "/points", lines, {{"Content-Type", "application/x-ndjson"}});
  const JsonDocument matrix = json("POST", notes + "/matrix", R"({"sample":8,"limit":3})");
  EXPECT_EQ(matrix.root().find("ids")->size(), 8U);
  EXPECT_EQ(matrix.root().find("pairs")->size(), 24U);
  matrix.root().find("pairs")->for_each_element([&](JsonView pair) {
    const auto a = *pair.find("a")->as_uint64();
    const auto b = *pair.find("b")->as_uint64();
    EXPECT_NE(a, b);
    const auto place = [&](std::uint64_t at) {
      return static_cast<double>(*nth(*matrix.root().find("ids"), at).as_uint64()) + 1;
    };
    const double cosine = (place(a) * place(b) + 1) / std::sqrt(place(a) * place(a) + 1) /
                          std::sqrt(place(b) * place(b) + 1);
    EXPECT_NEAR(*pair.find("score")->as_double(), cosine, 1e-5);
    return true;
  });
  EXPECT_EQ(call("POST", notes + "/matrix", R"({"sample":1})").status, 422);
  EXPECT_EQ(call("POST", notes + "/matrix", R"({"vector_name":"x"})").status, 404);
}

TEST_F(RestQueryTest, VectorsOfEveryKindAreSearched) {
  json("PUT", kC,
       R"({"vectors":[{"name":"s","kind":"sparse"},{"name":"m","kind":"multi","dim":2}]})");
  json("PUT", path("/points"),
       R"({"points":[{"id":1,"vectors":{"s":{"indices":[1,2],"values":[1,1]},"m":[[1,0],[0,1]]}},)"
       R"({"id":2,"vectors":{"s":{"indices":[2,3],"values":[3,1]},"m":[[-1,0]]}}]})");
  EXPECT_EQ(
      hits(post("/search", R"({"vector":{"indices":[3,2],"values":[0.5,2]},"vector_name":"s"})")
               .root()),
      (std::vector<std::pair<std::uint64_t, double>>{{2, 6.5}, {1, 2}}));
  EXPECT_EQ(hits(post("/search", R"({"vector":[[1,0],[0,1]],"vector_name":"m"})").root()),
            (std::vector<std::pair<std::uint64_t, double>>{{1, 2}, {2, -1}}));
  expect_refused("/search", R"({"vector":[1,0],"vector_name":"s"})", 422, "vector_kind", "sparse");
  expect_refused("/search", R"({"vector":{"indices":[1,1],"values":[1,2]},"vector_name":"s"})", 422,
                 "invalid_query", "distinct");
}

// Property: whatever waits for the embedder or looks at everything is told apart from the rest.
TEST(RestQuery, LongWorkIsKnown) {
  const auto is_long = [](std::string_view text) {
    const auto json = JsonDocument::parse(text);
    EXPECT_TRUE(json.ok()) << text;
    const auto read = query::read_query(json.value().root());
    EXPECT_TRUE(read.ok()) << text;
    return takes_long(read.value().stage);
  };
  EXPECT_FALSE(is_long("{}"));
  EXPECT_FALSE(is_long(R"({"query":[1,2]})"));
  EXPECT_FALSE(is_long(R"({"query":{"recommend":{"positive":[1]}}})"));
  EXPECT_FALSE(is_long(R"({"query":{"text":"words"},"using":"w"})"));
  EXPECT_FALSE(is_long(R"({"prefetch":[{"query":1}],"query":{"fusion":"rrf"}})"));
  EXPECT_TRUE(is_long(R"({"query":{"text":"embedded","model":"m"}})"));
  EXPECT_TRUE(is_long(R"({"query":{"nearest":{"text":"embedded"}}})"));
  EXPECT_TRUE(is_long(R"({"query":{"recommend":{"positive":[1,{"text":"x"}]}}})"));
  EXPECT_TRUE(is_long(R"({"query":{"recommend":{"positive":[1],"strategy":"best_score"}}})"));
  EXPECT_TRUE(is_long(R"({"query":{"sample":"random"}})"));
  EXPECT_TRUE(is_long(R"({"query":{"order_by":"n"}})"));
  EXPECT_TRUE(is_long(R"({"prefetch":[{"prefetch":{"query":{"sample":"random"}},"query":1}],)"
                      R"("query":{"fusion":"rrf"}})"));
}

}  // namespace
}  // namespace quipu::api::rest
