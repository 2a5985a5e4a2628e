// Goal: quipu.v1 and REST are two doors to one house: the same request has the same answer, or the
// same error, through both.
// Method: random requests, right and wrong ones, made as messages and written as REST's JSON too.
// Reads are asked of one collection through both; writes go to two collections, one through each,
// which must stay alike.
#include <gtest/gtest.h>

#include <cstdint>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/grpc/v1/testing/rest_forms.h"
#include "quipu/base/format.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "tests/support/grpc_fixture.h"

namespace quipu::api::grpc::v1 {
namespace {

namespace pb = ::quipu::v1;
using testing_support::answer_of;
using testing_support::batch_answer;
using testing_support::body_of;
using testing_support::canonical;

constexpr std::string_view kTwinWords[] = {"river", "mountain", "valley", "lake",
                                           "stone", "forest",   "cloud",  "road"};

class TwinTest : public GrpcFixture {
 protected:
  // ---- chance
  std::uint64_t below(std::uint64_t bound) { return rng_.below(bound); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  float number() { return static_cast<float>(rng_.normal()); }
  std::string words(std::uint64_t count) {
    std::string text;
    for (std::uint64_t i = 0; i < count; ++i) {
      text += (i == 0 ? "" : " ") + std::string(kTwinWords[below(std::size(kTwinWords))]);
    }
    return text;
  }

  // ---- both doors
  // Counts what was compared, so that a test whose requests all fail does not pass.
  struct Compared {
    int answers = 0;
    int errors = 0;
  };
  // `answer` writes a message's answer as REST would. Of a collection's configuration the engine
  // finds by itself what REST's schema finds before: only the status is the same then.
  template <typename Message, typename Answer>
  void compare(const std::string& method, const std::string& target, const std::string& body,
               const std::string& name, const google::protobuf::Message& request,
               const Answer& answer, bool engine_reads = false) {
    const Response rest = call(method, target, body);
    const auto got = rpc<Message>("/quipu.v1." + name, request);
    const std::string where =
        name + " " + target + " " + body + "\nREST: " + rest.body + "\ngRPC: " + got.message;
    if (rest.status >= 300) {
      ++compared_.errors;
      ASSERT_FALSE(got.ok()) << where;
      ASSERT_EQ(got.trailing.count("quipu-code"), 1U) << where;
      ASSERT_TRUE(fits(rest.status, got.status)) << where;
      if (!engine_reads || code(rest) != "invalid_request") {
        ASSERT_EQ(got.trailing.at("quipu-code"), code(rest)) << where;
      }
      pb::ErrorDetails details;
      ASSERT_TRUE(details.ParseFromString(got.trailing.at("quipu-error-bin"))) << where;
      ASSERT_EQ(details.code(), got.trailing.at("quipu-code")) << where;
      ASSERT_EQ(details.request_id(), got.trailing.at("x-request-id")) << where;
      return;
    }
    ++compared_.answers;
    ASSERT_TRUE(got.ok()) << where;
    ASSERT_EQ(canonical(answer(got.answer)), canonical(rest.body)) << where;
  }
  static bool fits(int http, GrpcStatus status) {
    switch (http) {
      case 400:
      case 422: return status == GrpcStatus::kInvalidArgument;
      case 404: return status == GrpcStatus::kNotFound;
      case 409:
        return status == GrpcStatus::kAlreadyExists || status == GrpcStatus::kFailedPrecondition;
      case 429: return status == GrpcStatus::kResourceExhausted;
      default: return false;
    }
  }

  // ---- data
  void make_collections() {
    for (const char* const name : {"ra", "ga", "other"}) {
      const Response made = call("PUT", format("/v1/collections/{}", name), R"({"vectors":[
          {"dim":4,"metric":"cosine"},{"name":"s","kind":"sparse"},
          {"name":"m","kind":"multi","dim":2,"metric":"dot"},{"name":"e","dim":3,
          "metric":"euclidean"},{"name":"t","model":"all-MiniLM-L6-v2"}],
          "words":[{"name":"words"}],"payload_indexes":[{"key":"n","kind":"integer"}]})");
      ASSERT_EQ(made.status, 201) << made.body;
    }
  }
  void fill_id(pb::PointId& id) { id.set_number(below(40)); }
  template <typename Point>
  void fill_vectors(Point& point) {
    // One mistake at most: which of two is named first is no promise.
    const std::uint64_t mistake = below(60);
    if (!one_in(5)) {
      pb::NamedVector& vector = *point.add_vectors();
      for (int i = 0; i < (mistake == 0 ? 5 : 4); ++i) vector.add_values(number());
    }
    if (one_in(2)) {
      pb::NamedVector& vector = *point.add_vectors();
      vector.set_name("s");
      for (std::uint32_t i = 0; i < 1 + below(4); ++i) {
        vector.add_indices(i * 3 + static_cast<std::uint32_t>(below(3)));
        vector.add_values(number());
      }
    }
    if (one_in(2)) {
      pb::NamedVector& vector = *point.add_vectors();
      vector.set_name("m");
      const std::uint64_t rows = 1 + below(3);
      for (std::uint64_t i = 0; i < 2 * rows; ++i) vector.add_values(number());
    }
    if (one_in(2)) {
      pb::NamedVector& vector = *point.add_vectors();
      vector.set_name(mistake == 1 ? "none" : "e");
      for (int i = 0; i < 3; ++i) vector.add_values(number());
    }
  }
  std::string payload() {
    return format(R"({{"n":{},"kind":"{}","tags":["{}","{}"],"in":{{"x":{}}}}})", below(20),
                  kTwinWords[below(4)], kTwinWords[below(8)], kTwinWords[below(8)], below(5));
  }
  void fill_condition(pb::Condition& condition) {
    if (one_in(3)) condition.set_if_version(below(200));
    if (one_in(4)) condition.set_if_absent(true);
  }
  pb::UpsertRequest upsert(std::uint64_t points) {
    pb::UpsertRequest request;
    for (std::uint64_t i = 0; i < points; ++i) {
      pb::PointWrite& point = *request.add_points();
      fill_id(*point.mutable_id());
      fill_vectors(point);
      if (one_in(2)) point.set_text(words(1 + below(5)));
      if (!one_in(6)) point.set_payload_json(payload());
      if (one_in(10)) fill_condition(*point.mutable_condition());
    }
    return request;
  }
  // The same points in all collections.
  void fill() {
    make_collections();
    for (std::uint64_t i = 0; i < 60; ++i) {
      pb::UpsertRequest request = upsert(1);
      pb::PointWrite& point = *request.mutable_points(0);
      point.clear_condition();
      point.mutable_id()->set_number(i);
      for (const char* const name : {"ra", "ga", "other"}) {
        call("PUT", format("/v1/collections/{}/points", name), body_of(request));
      }
    }
    ASSERT_GT(engine_->count("default", "ra", {}).value(), 40U);
  }
  std::string filter() {
    switch (below(6)) {
      case 0: return format(R"({{"must":[{{"key":"n","range":{{"gte":{}}}}}]}})", below(20));
      case 1:
        return format(R"({{"must":[{{"key":"kind","match":{{"value":"{}"}}}}]}})",
                      kTwinWords[below(4)]);
      case 2: return format(R"({{"must_not":[{{"has_id":[{},{}]}}]}})", below(40), below(40));
      case 3:
        return format(R"({{"should":[{{"key":"tags","match":{{"any":["{}"]}}}}]}})",
                      kTwinWords[below(8)]);
      case 4: return "{}";
      default: return R"({"must":[{"key":"n","rnge":{"gte":1}}]})";
    }
  }
  void fill_select(pb::Select& select) {
    if (one_in(4)) select.set_payload(one_in(2));
    if (one_in(4)) select.set_text(one_in(2));
    if (one_in(3)) select.set_vectors(true);
    if (one_in(6)) {
      select.set_payload(true);
      select.add_payload_include(one_in(8) ? "a..b" : "in.x");
    } else if (one_in(6)) {
      select.set_payload(true);
      select.add_payload_exclude("tags");
    }
    if (one_in(8)) {
      select.set_vectors(true);
      select.add_vector_names(one_in(4) ? "none" : "e");
    }
  }

  // ---- requests
  void fill_target(pb::SearchRequest& search) {
    switch (below(7)) {
      case 0:
        search.set_vector_name("s");
        for (std::uint32_t i = 0; i < 1 + below(3); ++i) {
          search.add_indices(20 - i * 2);
          search.add_vector(number());
        }
        return;
      case 1:
        search.set_vector_name("m");
        search.set_rows(1 + static_cast<std::uint32_t>(below(3)));
        for (std::uint32_t i = 0; i < 2 * search.rows(); ++i) search.add_vector(number());
        return;
      case 2:
        search.set_vector_name(one_in(2) ? "t" : "words");
        search.set_text(words(1 + below(3)));
        return;
      case 3: search.mutable_id()->set_number(below(70)); return;
      case 4:
        search.set_vector_name("e");
        for (int i = 0; i < 3; ++i) search.add_vector(number());
        return;
      default:
        for (int i = 0; i < 4; ++i) search.add_vector(number());
    }
  }
  void fill_mistake(pb::SearchRequest& search) {
    switch (below(10)) {
      case 0: search.set_k(0); return;
      case 1: search.set_k(10'001); return;
      case 2: search.set_offset(10'000); return;
      case 3: search.set_ef(100'001); return;
      case 4:
        search.clear_vector();
        search.clear_indices();
        search.clear_rows();
        return;
      case 5: search.set_text("and a text"); return;
      case 6: search.set_vector_name("none"); return;
      case 7: search.set_vector_name(std::string(65, 'v')); return;
      case 8: search.set_text(""); return;
      default: search.add_vector(1);
    }
  }
  pb::SearchRequest search_request() {
    pb::SearchRequest search;
    fill_target(search);
    if (one_in(2)) search.set_k(1 + static_cast<std::uint32_t>(below(20)));
    if (one_in(3)) search.set_offset(static_cast<std::uint32_t>(below(6)));
    if (one_in(4)) search.set_exact(true);
    if (one_in(6)) search.set_ef(100);
    if (one_in(2)) search.set_filter_json(filter());
    if (one_in(5)) search.set_score_threshold(number());
    if (one_in(6)) fill_hybrid(search);
    if (one_in(4)) search.set_explain(true);
    fill_select(*search.mutable_select());
    if (one_in(6)) fill_mistake(search);
    return search;
  }
  void fill_hybrid(pb::SearchRequest& search) {
    if (!one_in(5)) search.set_text(words(2));
    if (search.vector_name() == "words") search.set_vector_name("t");
    pb::Hybrid& hybrid = *search.mutable_hybrid();
    if (one_in(3)) hybrid.set_fusion(pb::Hybrid::FUSION_DBSF);
    if (one_in(3)) hybrid.set_fusion(pb::Hybrid::FUSION_WEIGHTED);
    if (one_in(3)) hybrid.set_k(one_in(5) ? 0.5 : 10);
    if (one_in(3)) {
      hybrid.add_weights(one_in(5) ? -1 : 0.25);
      if (!one_in(5)) hybrid.add_weights(2);
    }
    if (one_in(3)) hybrid.set_prefetch(one_in(5) ? 0 : 20);
    if (one_in(3)) hybrid.set_words(one_in(3) ? "none" : "words");
  }
  std::string query_text() {
    const std::string near = format("[{},{},{},{}]", number(), number(), number(), number());
    switch (below(9)) {
      case 0:
        return format(R"({{"prefetch":[{{"query":{},"limit":20}},{{"query":{{"text":"{}"}},)"
                      R"("using":"words","limit":20}}],"query":{{"fusion":"rrf"}},"limit":{}}})",
                      near, words(2), 1 + below(10));
      case 1:
        return format(R"({{"query":{{"recommend":{{"positive":[{}],"negative":[{}]}}}}}})",
                      below(60), below(60));
      case 2: return format(R"({{"query":{{"order_by":"n"}},"limit":{}}})", below(12));
      case 3: return format(R"({{"query":{},"filter":{},"limit":7,"offset":2}})", near, filter());
      case 4: return R"({"query":[1,0,0,0],"limt":3})";
      case 5: return R"({"query":[1,0],"limit":3})";
      case 6:
        return format(R"({{"query":{{"nearest":{},"mmr":{{"diversity":0.5}}}},"limit":4}})", near);
      case 7: return format(R"({{"query":{{"text":"{}"}},"using":"t","limit":5}})", words(2));
      default: return format(R"({{"query":{},"limit":{}}})", near, 1 + below(30));
    }
  }
  template <typename Request>
  void fill_query(Request& request) {
    request.set_query_json(query_text());
    request.set_explain(one_in(4));
    fill_select(*request.mutable_select());
  }

  void fill_change(pb::PointPatch& patch) {
    if (one_in(2)) patch.set_set_payload_json(one_in(20) ? "[1]" : payload());
    if (one_in(4)) patch.set_set_key(one_in(6) ? "a..b" : "in");
    if (one_in(4)) patch.add_delete_payload("kind");
    if (one_in(4)) patch.add_delete_paths(one_in(6) ? "a..b" : "in.x");
    if (one_in(6)) patch.set_replace_payload(true);
    if (one_in(8)) patch.add_delete_vectors(one_in(4) ? "none" : "e");
  }
  void fill_config(pb::CollectionConfig& config) {
    constexpr const char* kKinds[] = {"keyword", "integer", "geo", "text", "words"};
    for (std::uint64_t n = 0; n < below(3); ++n) {
      pb::VectorConfig& vector = *config.add_vectors();
      vector.set_name(one_in(12) ? "a b" : n == 0 ? "" : one_in(8) ? "" : "v");
      vector.set_kind(static_cast<pb::VectorKind>(1 + below(3)));
      if (vector.kind() != pb::VECTOR_KIND_SPARSE) {
        vector.set_dim(one_in(12) ? 65'537 : 3);
        vector.set_metric(static_cast<pb::Metric>(1 + below(4)));
      }
      if (vector.kind() == pb::VECTOR_KIND_DENSE) {
        vector.set_exact(one_in(4));
        if (one_in(4)) vector.set_m(one_in(4) ? 1 : 8);
        if (one_in(4)) vector.set_ef_construction(one_in(4) ? 10'001 : 64);
      } else if (vector.kind() == pb::VECTOR_KIND_SPARSE) {
        vector.set_idf(one_in(2));
      }
    }
    if (one_in(2)) {
      pb::WordsConfig& words = *config.add_words();
      words.set_name(one_in(10) ? "" : one_in(10) ? "v" : "w");
      if (one_in(3)) words.set_source(one_in(4) ? "a..b" : "title");
      if (one_in(3))
        words.set_analyzer_json(one_in(4) ? R"({"languages":"english"})"
                                          : R"({"language":"english"})");
      if (one_in(3)) words.set_k1(one_in(4) ? 11 : 2);
      if (one_in(3)) words.set_b(one_in(4) ? -0.5 : 0.5);
    }
    if (one_in(2)) {
      pb::PayloadIndexConfig& index = *config.add_payload_indexes();
      index.set_key(one_in(10) ? "a..b" : "\"page\"");
      index.set_kind(kKinds[below(5)]);
      if (one_in(6)) index.set_options_json(R"({"language":"english"})");
    }
    if (one_in(6)) config.set_shard_count(one_in(3) ? 65 : 2);
    if (one_in(3)) config.set_durability(pb::DURABILITY_ASYNC);
    if (one_in(5)) config.set_tail_vectors_max(one_in(3) ? 999 : 5'000);
  }
  // With the name that REST's twin has.
  static std::string named_answer(const pb::CollectionInfo& info, int number) {
    const std::string answer = answer_of(info);
    return format(R"({{"name":"r{}",{})", number, answer.substr(1));
  }

  void expect_enough(int answers, int errors) const {
    std::cout << compared_.answers << " answers and " << compared_.errors << " errors compared\n";
    EXPECT_GE(compared_.answers, answers);
    EXPECT_GE(compared_.errors, errors);
  }

  Rng rng_{test_seed()};
  Compared compared_;
};

TEST_F(TwinTest, Searches) {
  ASSERT_NO_FATAL_FAILURE(fill());
  for (int i = 0; i < 400; ++i) {
    pb::SearchRequest search = search_request();
    search.set_collection(one_in(40) ? "none" : "ra");
    ASSERT_NO_FATAL_FAILURE(compare<pb::SearchResponse>(
        "POST", "/v1/collections/" + search.collection() + "/search", body_of(search),
        "Search/Search", search,
        [&](const auto& answer) { return answer_of(answer, search.select()); }));
  }
  expect_enough(150, 40);
}

TEST_F(TwinTest, BatchesAndSeveralCollections) {
  ASSERT_NO_FATAL_FAILURE(fill());
  for (int i = 0; i < 120; ++i) {
    pb::SearchBatchRequest batch;
    for (std::uint64_t q = 0; q < below(4); ++q) *batch.add_queries() = search_request();
    batch.set_collection("ra");
    ASSERT_NO_FATAL_FAILURE(compare<pb::SearchBatchResponse>(
        "POST", "/v1/collections/ra/search", body_of(batch), "Search/SearchBatch", batch,
        [&](const auto& answer) { return batch_answer(answer, batch); }));
    pb::QueryBatchRequest queries;
    for (std::uint64_t q = 0; q < 1 + below(3); ++q) fill_query(*queries.add_queries());
    queries.set_collection("ra");
    ASSERT_NO_FATAL_FAILURE(compare<pb::SearchBatchResponse>(
        "POST", "/v1/collections/ra/query", body_of(queries), "Search/QueryBatch", queries,
        [&](const auto& answer) { return batch_answer(answer, queries); }));
    pb::SearchSeveralRequest several;
    for (std::uint64_t q = 0; q < 1 + below(2); ++q) {
      pb::SeveralSearch& one = *several.add_queries();
      *one.mutable_search() = search_request();
      one.add_collections("ra");
      if (!one_in(4)) one.add_collections("other");
      if (one_in(6)) one.add_collections("none");
      if (one_in(12)) one.add_collections("ra");
    }
    ASSERT_NO_FATAL_FAILURE(compare<pb::SearchSeveralResponse>(
        "POST", "/v1/search", body_of(several), "Search/SearchSeveral", several,
        [&](const auto& answer) { return answer_of(answer, several); }));
  }
  expect_enough(60, 30);
}

TEST_F(TwinTest, QueriesGroupsFacetsAndTheMatrix) {
  ASSERT_NO_FATAL_FAILURE(fill());
  for (int i = 0; i < 150; ++i) {
    pb::QueryRequest query;
    query.set_collection("ra");
    fill_query(query);
    ASSERT_NO_FATAL_FAILURE(compare<pb::SearchResponse>(
        "POST", "/v1/collections/ra/query", body_of(query), "Search/Query", query,
        [&](const auto& answer) { return answer_of(answer, query.select()); }));
    pb::QueryGroupsRequest groups;
    groups.set_collection("ra");
    groups.set_query_json(
        format(R"({{"query":[{},1,0,1],"group_by":"{}","group_size":{},"limit":{}}})", number(),
               one_in(10)  ? "a..b"
               : one_in(2) ? "kind"
                           : "n",
               below(4), 1 + below(5)));
    fill_select(*groups.mutable_select());
    ASSERT_NO_FATAL_FAILURE(compare<pb::QueryGroupsResponse>(
        "POST", "/v1/collections/ra/query/groups", body_of(groups), "Search/QueryGroups", groups,
        [&](const auto& answer) { return answer_of(answer, groups.select()); }));
    pb::FacetRequest facet;
    facet.set_collection("ra");
    facet.set_key(one_in(8) ? "a..b" : one_in(2) ? "tags" : "n");
    if (one_in(2)) facet.set_filter_json(filter());
    if (one_in(3)) facet.set_limit(static_cast<std::uint32_t>(below(5)));
    ASSERT_NO_FATAL_FAILURE(compare<pb::FacetResponse>(
        "POST", "/v1/collections/ra/facet", body_of(facet), "Search/Facet", facet,
        [](const auto& answer) { return answer_of(answer); }));
    pb::MatrixRequest matrix;
    matrix.set_collection("ra");
    matrix.set_vector_name(one_in(8) ? "none" : one_in(2) ? "e" : "");
    matrix.set_sample(one_in(8) ? 1 : 1'000);  // all of them: which is no matter of chance
    if (one_in(2)) matrix.set_limit(static_cast<std::uint32_t>(below(4)));
    if (one_in(2)) matrix.set_filter_json(filter());
    ASSERT_NO_FATAL_FAILURE(compare<pb::MatrixResponse>(
        "POST", "/v1/collections/ra/matrix", body_of(matrix), "Search/Matrix", matrix,
        [](const auto& answer) { return answer_of(answer); }));
  }
  expect_enough(200, 60);
}

TEST_F(TwinTest, PointsAreReadAlike) {
  ASSERT_NO_FATAL_FAILURE(fill());
  for (int i = 0; i < 150; ++i) {
    pb::GetRequest get;
    get.set_collection("ra");
    for (std::uint64_t n = 0; n < below(5); ++n) fill_id(*get.add_ids());
    fill_select(*get.mutable_select());
    ASSERT_NO_FATAL_FAILURE(compare<pb::GetResponse>(
        "POST", "/v1/collections/ra/points:get", body_of(get), "Points/Get", get,
        [&](const auto& answer) { return answer_of(answer, get.select()); }));
    pb::ScrollRequest scroll;
    scroll.set_collection("ra");
    if (one_in(2)) scroll.set_limit(static_cast<std::uint32_t>(below(20)));
    if (one_in(3)) fill_id(*scroll.mutable_after());
    if (one_in(2)) scroll.set_filter_json(filter());
    if (one_in(3)) {
      scroll.set_order_by_json(one_in(6)   ? R"({"key":"n","dir":1})"
                               : one_in(2) ? R"("n")"
                                           : R"({"key":"n","direction":"desc","start_from":12})");
    }
    fill_select(*scroll.mutable_select());
    ASSERT_NO_FATAL_FAILURE(compare<pb::ScrollResponse>(
        "POST", "/v1/collections/ra/points:scroll", body_of(scroll), "Points/Scroll", scroll,
        [&](const auto& answer) { return answer_of(answer, scroll.select()); }));
  }
  expect_enough(120, 30);
}

TEST_F(TwinTest, WritesLeaveTheSameBehind) {
  ASSERT_NO_FATAL_FAILURE(make_collections());
  int refused = 0;
  // REST makes an error of a write whose items are all refused; quipu.v1 says it of each item.
  const auto write = [&](const std::string& method, const std::string& action, const auto& body,
                         const std::string& name, auto request) {
    const Response rest = call(method, "/v1/collections/ra/points" + action, body);
    request.set_collection("ga");
    const auto got = rpc<pb::WriteResponse>("/quipu.v1." + name, request);
    const std::string where = name + " " + body + "\n" + rest.body + "\n" + got.message;
    if (rest.status == 409) {
      ++refused;
      ASSERT_TRUE(got.ok()) << where;
      for (const pb::ItemResult& item : got.answer.items()) {
        EXPECT_EQ(item.outcome(), pb::OUTCOME_REFUSED) << where;
      }
      EXPECT_EQ(got.answer.items(0).error_code(), code(rest)) << where;
      return;
    }
    compared_.errors += got.ok() ? 0 : 1;
    compared_.answers += got.ok() ? 1 : 0;
    ASSERT_EQ(rest.status == 200, got.ok()) << where;
    if (!got.ok()) {
      ASSERT_EQ(got.trailing.at("quipu-code"), code(rest)) << where;
      return;
    }
    ASSERT_EQ(canonical(answer_of(got.answer)), canonical(rest.body)) << where;
  };
  for (int i = 0; i < 250; ++i) {
    const pb::UpsertRequest upserts = upsert(below(4));
    ASSERT_NO_FATAL_FAILURE(write("PUT", "", body_of(upserts), "Points/Upsert", upserts));
    pb::PatchRequest patches;
    for (std::uint64_t n = 0; n < 1 + below(2); ++n) {
      pb::PointPatch& patch = *patches.add_points();
      fill_id(*patch.mutable_id());
      fill_change(patch);
      if (one_in(3)) fill_vectors(patch);
      if (one_in(5)) patch.set_text(words(2));
      if (one_in(6)) patch.mutable_condition()->set_if_version(below(100));
    }
    ASSERT_NO_FATAL_FAILURE(write("POST", ":patch", body_of(patches), "Points/Patch", patches));
    pb::DeleteRequest deletes;
    if (one_in(2)) fill_id(*deletes.add_ids());
    if (one_in(2)) {
      pb::PointDelete& point = *deletes.add_points();
      fill_id(*point.mutable_id());
      if (one_in(2)) point.set_if_version(below(50));
    }
    ASSERT_NO_FATAL_FAILURE(write("POST", ":delete", body_of(deletes), "Points/Delete", deletes));
    if (!one_in(5)) continue;
    pb::PatchByFilterRequest by_filter;
    by_filter.set_collection("ga");
    by_filter.set_filter_json(filter());
    fill_change(*by_filter.mutable_patch());
    ASSERT_NO_FATAL_FAILURE(compare<pb::FilterWriteResponse>(
        "POST", "/v1/collections/ra/points:patch", body_of(by_filter), "Points/PatchByFilter",
        by_filter, [](const auto& answer) { return answer_of(answer); }));
  }
  EXPECT_GT(refused, 10);
  expect_enough(250, 100);
  pb::ScrollRequest all;
  all.set_collection("ga");
  all.set_limit(1'000);
  all.mutable_select()->set_vectors(true);
  compare<pb::ScrollResponse>("POST", "/v1/collections/ra/points:scroll", body_of(all),
                              "Points/Scroll", all,
                              [&](const auto& answer) { return answer_of(answer, all.select()); });
}

TEST_F(TwinTest, RecordsAreRememberedAlike) {
  for (int i = 0; i < 60; ++i) {
    pb::RememberBatchRequest batch;
    for (std::uint64_t n = 0; n < below(4); ++n) {
      pb::RememberRequest& record = *batch.add_records();
      record.set_text(one_in(20) ? "" : words(one_in(6) ? 150 : 1 + below(8)));
      fill_id(*record.mutable_id());
      if (one_in(2)) record.set_metadata_json(one_in(8) ? "[1]" : payload());
      record.set_collection("ma");
    }
    const std::string body = body_of(batch);
    for (auto& record : *batch.mutable_records()) record.set_collection("mb");
    ASSERT_NO_FATAL_FAILURE(compare<pb::RememberBatchResponse>(
        "POST", "/v1/memory/records", body, "Memory/RememberBatch", batch,
        [](const auto& answer) { return answer_of(answer); }));
    pb::RememberRequest one;
    one.set_text(words(3));
    fill_id(*one.mutable_id());
    one.set_collection(one_in(10) ? "bad name" : "ma");
    const std::string single = body_of(one);
    if (one.collection() == "ma") one.set_collection("mb");
    ASSERT_NO_FATAL_FAILURE(
        compare<pb::Remembered>("POST", "/v1/memory/records", single, "Memory/Remember", one,
                                [](const auto& answer) { return answer_of(answer); }));
    pb::RecallRequest recall;
    recall.set_query(one_in(12) ? "" : words(2));
    recall.set_collection(one_in(12) ? "none" : "ma");
    if (one_in(2)) recall.set_k(static_cast<std::uint32_t>(below(6)));
    if (one_in(3)) recall.set_score_threshold(0.5F);
    ASSERT_NO_FATAL_FAILURE(
        compare<pb::RecallResponse>("POST", "/v1/memory/recall", body_of(recall), "Memory/Recall",
                                    recall, [](const auto& answer) { return answer_of(answer); }));
    pb::GetRecordRequest get;
    get.set_collection("ma");
    fill_id(*get.mutable_id());
    ASSERT_NO_FATAL_FAILURE(compare<pb::Record>(
        "GET", format("/v1/memory/records/{}?collection=ma", get.id().number()), "", "Memory/Get",
        get, [](const auto& answer) { return answer_of(answer); }));
    pb::ForgetRequest forget;
    for (std::uint64_t n = 0; n < below(3); ++n) fill_id(*forget.add_ids());
    forget.set_collection("mb");
    std::string ids;
    for (const auto& id : forget.ids())
      ids += (ids.empty() ? "" : ",") + std::to_string(id.number());
    ASSERT_NO_FATAL_FAILURE(compare<pb::ForgetResponse>(
        "POST", "/v1/memory/records:forget", format(R"({{"ids":[{}],"collection":"ma"}})", ids),
        "Memory/Forget", forget, [](const auto& answer) { return answer_of(answer); }));
  }
  expect_enough(100, 30);
}

TEST_F(TwinTest, CollectionsAreMadeAlike) {
  for (int i = 0; i < 120; ++i) {
    pb::CreateCollectionRequest create;
    create.set_name(format("g{}", i));
    fill_config(*create.mutable_config());
    ASSERT_NO_FATAL_FAILURE(compare<pb::CollectionInfo>(
        "PUT", format("/v1/collections/r{}", i), body_of(create.config()), "Collections/Create",
        create, [i](const auto& info) { return named_answer(info, i); }, true));
    pb::GetCollectionRequest get;
    get.set_name(create.name());
    ASSERT_NO_FATAL_FAILURE(
        compare<pb::CollectionInfo>("GET", format("/v1/collections/r{}", i), "", "Collections/Get",
                                    get, [i](const auto& info) { return named_answer(info, i); }));
  }
  expect_enough(40, 40);
}

TEST_F(TwinTest, VectorsChangeAlike) {
  ASSERT_NO_FATAL_FAILURE(fill());
  const auto any_name = [this] { return std::string(1, static_cast<char>('a' + below(8))); };
  for (int i = 0; i < 60; ++i) {
    pb::ChangeVectorsRequest request;
    request.set_name("ga");
    std::string list;
    for (std::uint64_t n = 0; n < below(4); ++n) {
      pb::VectorChange& change = *request.add_changes();
      list += list.empty() ? "" : ",";
      switch (below(3)) {
        case 0:
          change.mutable_add()->set_name(any_name());
          change.mutable_add()->set_dim(one_in(6) ? 0 : 3);
          // 0 is how a message leaves it out.
          list += format(R"({{"add":{{"name":"{}"{}}}}})", change.add().name(),
                         change.add().dim() == 0 ? "" : R"(,"dim":3)");
          break;
        case 1:
          change.set_drop(any_name());
          list += format(R"({{"drop":"{}"}})", change.drop());
          break;
        default:
          change.mutable_rename()->set_from(any_name());
          change.mutable_rename()->set_to(any_name());
          list += format(R"({{"rename":{{"from":"{}","to":"{}"}}}})", change.rename().from(),
                         change.rename().to());
      }
    }
    ASSERT_NO_FATAL_FAILURE(compare<pb::CollectionInfo>(
        "POST", "/v1/collections/ra/vectors", format(R"({{"changes":[{}]}})", list),
        "Collections/ChangeVectors", request,
        [](const auto& info) { return R"({"name":"ra",)" + answer_of(info).substr(1); }, true));
  }
  expect_enough(2, 5);
}

TEST_F(TwinTest, TextsAreRankedAlike) {
  for (int i = 0; i < 40; ++i) {
    pb::RerankRequest rerank;
    rerank.set_query(one_in(8) ? "" : words(3));
    for (std::uint64_t n = 0; n < below(6); ++n) rerank.add_documents(words(4));
    rerank.set_model(one_in(8)   ? "none"
                     : one_in(8) ? "all-MiniLM-L6-v2"
                                 : quipu::testing_support::FakeEmbedder::kReranker);
    if (one_in(3)) rerank.set_top_n(static_cast<std::uint32_t>(below(4)));
    const std::string body = testing_support::object_by([&](JsonWriter& out) {
      out.key("query").value(std::string_view(rerank.query()));
      testing_support::put_texts(out, "documents", rerank.documents());
      out.key("model").value(std::string_view(rerank.model()));
      if (rerank.has_top_n()) out.key("top_n").value(rerank.top_n());
    });
    ASSERT_NO_FATAL_FAILURE(compare<pb::RerankResponse>(
        "POST", "/v1/rerank", body, "Models/Rerank", rerank, [](const auto& answer) {
          return testing_support::object_by([&](JsonWriter& out) {
            out.key("model").value(std::string_view(answer.model())).key("results").begin_array();
            for (const pb::Reranked& result : answer.results()) {
              out.begin_object().key("index").value(result.index());
              out.key("relevance_score").value(result.relevance());
              out.key("truncated").value(result.truncated()).end_object();
            }
            out.end_array().key("usage").begin_object();
            out.key("total_tokens").value(answer.total_tokens()).end_object();
          });
        }));
  }
  expect_enough(5, 3);
}

TEST_F(TwinTest, TextsAreEmbeddedAlike) {
  for (int i = 0; i < 40; ++i) {
    pb::EmbedRequest embed;
    for (std::uint64_t n = 0; n < below(4); ++n) {
      embed.add_texts(one_in(12) ? "" : words(one_in(5) ? 90 : 3));
    }
    if (one_in(6)) embed.set_model("none");
    if (one_in(2)) embed.set_kind(pb::EmbedRequest::KIND_QUERY);
    const std::string body = testing_support::object_by([&](JsonWriter& out) {
      testing_support::put_texts(out, "texts", embed.texts());
      if (!embed.model().empty()) out.key("model").value(std::string_view(embed.model()));
      out.key("kind").value(embed.kind() == pb::EmbedRequest::KIND_QUERY ? "query" : "passage");
    });
    ASSERT_NO_FATAL_FAILURE(
        compare<pb::EmbedResponse>("POST", "/v1/embed", body, "Models/Embed", embed,
                                   [](const auto& answer) { return answer_of(answer); }));
  }
  expect_enough(5, 3);
}

}  // namespace
}  // namespace quipu::api::grpc::v1
