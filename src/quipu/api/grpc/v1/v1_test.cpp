// Goal: every method of quipu.v1 does what its definition says, with clear errors.
// Method: a real server on a free port, called through a channel.
#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/impl/codegen/sync_stream.h>
#include <gtest/gtest.h>
#include <quipu_proto/quipu/v1/collections.pb.h>
#include <quipu_proto/quipu/v1/memory.pb.h>
#include <quipu_proto/quipu/v1/models.pb.h>
#include <quipu_proto/quipu/v1/points.pb.h>
#include <quipu_proto/quipu/v1/search.pb.h>
#include <quipu_proto/quipu/v1/snapshots.pb.h>
#include <quipu_proto/quipu/v1/system.pb.h>

#include <filesystem>
#include <set>
#include <string>

#include "quipu/api/rpc_table.h"
#include "tests/support/grpc_fixture.h"

namespace quipu::api::grpc::v1 {
namespace {

namespace pb = ::quipu::v1;
using ::testing::HasSubstr;

class V1Test : public GrpcFixture {
 protected:
  template <typename Answer>
  Answer ok(const std::string& method, const google::protobuf::Message& request,
            const RpcOptions& options = {}) {
    auto got = rpc<Answer>("/quipu.v1." + method, request, options);
    EXPECT_TRUE(got.ok()) << method << ": " << grpc_status_name(got.status) << ": " << got.message;
    return std::move(got.answer);
  }
  void refused(GrpcStatus status, const std::string& code, const std::string& text,
               const std::string& method, const google::protobuf::Message& request) {
    const auto got = rpc<pb::WriteResponse>("/quipu.v1." + method, request);
    EXPECT_EQ(got.status, status) << grpc_status_name(got.status) << ": " << got.message;
    EXPECT_THAT(got.message, HasSubstr(text));
    ASSERT_EQ(got.trailing.count("quipu-code"), 1U);
    EXPECT_EQ(got.trailing.at("quipu-code"), code);
  }
  // A collection "c" of two numbers, with a model beside and words; five points.
  void fill() {
    pb::CreateCollectionRequest create;
    create.set_name("c");
    pb::VectorConfig& plain = *create.mutable_config()->add_vectors();
    plain.set_dim(2);
    plain.set_metric(pb::METRIC_DOT);
    pb::VectorConfig& model = *create.mutable_config()->add_vectors();
    model.set_name("meaning");
    model.set_model("all-MiniLM-L6-v2");
    pb::WordsConfig& words = *create.mutable_config()->add_words();
    words.set_name("words");
    const auto info = ok<pb::CollectionInfo>("Collections/Create", create);
    EXPECT_EQ(info.config().vectors(1).dim(), 32U);
    EXPECT_EQ(info.config().shard_count(), 1U);
    EXPECT_EQ(info.config().words(0).k1(), 1.2);
    pb::UpsertRequest upsert;
    upsert.set_collection("c");
    for (std::uint64_t i = 0; i < 5; ++i) *upsert.add_points() = point(i);
    const auto written = ok<pb::WriteResponse>("Points/Upsert", upsert);
    ASSERT_EQ(written.items_size(), 5);
    EXPECT_EQ(written.items(4).outcome(), pb::OUTCOME_CREATED);
    EXPECT_TRUE(written.durable());
    EXPECT_GT(written.items(0).token_count(), 0U);
    seq_ = written.seq();
  }
  static pb::PointWrite point(std::uint64_t i) {
    pb::PointWrite made;
    made.mutable_id()->set_number(i);
    pb::NamedVector& vector = *made.add_vectors();
    vector.add_values(static_cast<float>(i));
    vector.add_values(1);
    made.set_text(i % 2 == 0 ? "rivers of Peru" : "mountains of Nepal");
    made.set_payload_json(R"({"n":)" + std::to_string(i) + R"(,"kind":")" +
                          (i % 2 == 0 ? "even" : "odd") + R"("})");
    return made;
  }
  static std::string ids_of(const google::protobuf::RepeatedPtrField<pb::Hit>& hits) {
    std::string ids;
    for (const pb::Hit& hit : hits) ids += std::to_string(hit.point().id().number()) + " ";
    return ids;
  }

  std::string seq_;
};

TEST_F(V1Test, EveryMethodHasARow) {
  std::set<std::string> rows;
  for (const Rpc& rpc : rpc_table()) rows.insert(std::string(rpc.row.name));
  // Messages are used, so that the linker keeps their files.
  static_cast<void>(pb::CollectionInfo());
  static_cast<void>(pb::SearchResponse());
  static_cast<void>(pb::Remembered());
  static_cast<void>(pb::EmbedResponse());
  static_cast<void>(pb::HealthResponse());
  static_cast<void>(pb::SnapshotFile());
  for (const char* const name :
       {"Collections", "Points", "Search", "Memory", "Models", "Snapshots", "System"}) {
    const auto* const service =
        google::protobuf::DescriptorPool::generated_pool()->FindServiceByName(
            std::string("quipu.v1.") + name);
    ASSERT_NE(service, nullptr) << name;
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* const method = service->method(i);
      const std::string row = std::string("quipu.v1.") + name + "/" + method->name();
      EXPECT_EQ(rows.erase(row), 1U) << row;
      for (const Rpc& rpc : rpc_table()) {
        if (rpc.row.name == row) {
          EXPECT_EQ(rpc.stream, method->client_streaming()) << row;
        }
      }
    }
  }
  for (const std::string& left : rows) EXPECT_FALSE(left.starts_with("quipu.")) << left;
}

TEST_F(V1Test, CollectionsLiveAndDie) {
  fill();
  pb::GetCollectionRequest get;
  get.set_name("c");
  const auto info = ok<pb::CollectionInfo>("Collections/Get", get);
  EXPECT_EQ(info.points(), 5U);
  EXPECT_EQ(info.views_size(), 3);
  EXPECT_FALSE(info.seq().empty());
  pb::UpdateCollectionRequest update;
  update.set_name("c");
  update.set_durability(pb::DURABILITY_ASYNC);
  pb::PayloadIndexConfig& index = *update.add_add_payload_indexes();
  index.set_key("kind");
  index.set_kind("keyword");
  const auto changed = ok<pb::CollectionInfo>("Collections/Update", update);
  EXPECT_EQ(changed.config().durability(), pb::DURABILITY_ASYNC);
  ASSERT_EQ(changed.config().payload_indexes_size(), 1);
  EXPECT_EQ(changed.config().payload_indexes(0).kind(), "keyword");
  const auto all =
      ok<pb::ListCollectionsResponse>("Collections/List", pb::ListCollectionsRequest());
  ASSERT_EQ(all.collections_size(), 1);
  EXPECT_EQ(all.collections(0).name(), "c");
  pb::DeleteCollectionRequest drop;
  drop.set_name("c");
  ok<pb::DeleteCollectionResponse>("Collections/Delete", drop);
  refused(GrpcStatus::kNotFound, "collection_not_found", "c", "Collections/Delete", drop);
  refused(GrpcStatus::kNotFound, "collection_not_found", "c", "Collections/Get", get);
}

TEST_F(V1Test, PointsAreWrittenChangedReadAndDeleted) {
  fill();
  pb::PatchRequest patch;
  patch.set_collection("c");
  pb::PointPatch& change = *patch.add_points();
  change.mutable_id()->set_number(1);
  change.set_set_payload_json(R"({"new":true})");
  change.add_delete_payload("kind");
  change.mutable_condition()->set_if_version(1);
  EXPECT_EQ(ok<pb::WriteResponse>("Points/Patch", patch).items(0).outcome(), pb::OUTCOME_UPDATED);
  // The version is another now.
  const auto late = ok<pb::WriteResponse>("Points/Patch", patch);
  EXPECT_EQ(late.items(0).outcome(), pb::OUTCOME_REFUSED);
  EXPECT_FALSE(late.items(0).error_code().empty());
  pb::GetRequest get;
  get.set_collection("c");
  for (const std::uint64_t id : {3U, 99U, 1U}) get.add_ids()->set_number(id);
  get.mutable_select()->set_vectors(true);
  get.mutable_select()->add_vector_names("");
  get.set_min_seq(seq_);
  const auto got = ok<pb::GetResponse>("Points/Get", get);
  ASSERT_EQ(got.points_size(), 2);
  EXPECT_EQ(got.points(0).text(), "mountains of Nepal");
  EXPECT_EQ(got.points(1).payload_json(), R"({"n":1,"new":true})");
  ASSERT_EQ(got.points(1).vectors_size(), 1);
  EXPECT_EQ(got.points(1).vectors(0).values(0), 1.0F);
  pb::ScrollRequest scroll;
  scroll.set_collection("c");
  scroll.set_limit(2);
  scroll.set_filter_json(R"({"must":[{"key":"kind","match":{"value":"even"}}]})");
  auto page = ok<pb::ScrollResponse>("Points/Scroll", scroll);
  ASSERT_EQ(page.points_size(), 2);
  ASSERT_TRUE(page.has_next());
  *scroll.mutable_after() = page.next();
  page = ok<pb::ScrollResponse>("Points/Scroll", scroll);
  ASSERT_EQ(page.points_size(), 1);
  EXPECT_EQ(page.points(0).id().number(), 4U);
  EXPECT_FALSE(page.has_next());
  pb::DeleteRequest remove;
  remove.set_collection("c");
  remove.add_ids()->set_number(0);
  remove.add_ids()->set_number(77);
  const auto removed = ok<pb::WriteResponse>("Points/Delete", remove);
  EXPECT_EQ(removed.items(0).outcome(), pb::OUTCOME_DELETED);
  EXPECT_EQ(removed.items(1).outcome(), pb::OUTCOME_NOT_FOUND);
  pb::DeleteByFilterRequest matching;
  matching.set_collection("c");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "filter_json", "Points/DeleteByFilter",
          matching);
  matching.set_filter_json(R"({"must":[{"key":"n","range":{"gte":3}}]})");
  EXPECT_EQ(ok<pb::FilterWriteResponse>("Points/DeleteByFilter", matching).matched(), 2U);
  pb::CountRequest count;
  count.set_collection("c");
  EXPECT_EQ(ok<pb::CountResponse>("Points/Count", count).points(), 2U);
}

TEST_F(V1Test, OneKeyWritesOnce) {
  fill();
  pb::UpsertRequest upsert;
  upsert.set_collection("c");
  *upsert.add_points() = point(9);
  const RpcOptions keyed{.metadata = {{"idempotency-key", "k-1"}}};
  const auto first = ok<pb::WriteResponse>("Points/Upsert", upsert, keyed);
  const auto second = ok<pb::WriteResponse>("Points/Upsert", upsert, keyed);
  EXPECT_FALSE(first.replayed());
  EXPECT_TRUE(second.replayed());
  EXPECT_EQ(first.items(0).version(), second.items(0).version());
}

TEST_F(V1Test, Searches) {
  fill();
  pb::SearchRequest search;
  search.set_collection("c");
  search.add_vector(1);
  search.add_vector(0);
  search.set_k(2);
  const auto near = ok<pb::SearchResponse>("Search/Search", search);
  EXPECT_EQ(ids_of(near.hits()), "4 3 ");
  EXPECT_EQ(near.hits(0).score(), 4.0F);
  EXPECT_THAT(near.hits(0).point().payload_json(), HasSubstr(R"("n":4)"));
  search.set_filter_json(R"({"must":[{"key":"kind","match":{"value":"odd"}}]})");
  search.set_offset(1);
  search.mutable_select()->set_payload(false);
  search.mutable_select()->set_text(false);
  const auto odd = ok<pb::SearchResponse>("Search/Search", search);
  EXPECT_EQ(ids_of(odd.hits()), "1 ");
  EXPECT_EQ(odd.hits(0).point().payload_json(), "");
  pb::SearchRequest text;
  text.set_collection("c");
  text.set_vector_name("meaning");
  text.set_text("rivers of Peru");
  text.set_k(3);
  EXPECT_EQ(ids_of(ok<pb::SearchResponse>("Search/Search", text).hits()), "0 2 4 ");
  pb::SearchRequest like;
  like.set_collection("c");
  like.mutable_id()->set_number(4);
  like.set_k(1);
  EXPECT_EQ(ids_of(ok<pb::SearchResponse>("Search/Search", like).hits()), "3 ");
  like.set_k(10'001);
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "10000", "Search/Search", like);
}

TEST_F(V1Test, QueriesGroupsAndFacets) {
  fill();
  pb::QueryRequest query;
  query.set_collection("c");
  query.set_query_json(R"({"prefetch":[{"query":[1,0],"limit":5},)"
                       R"({"query":{"text":"Nepal"},"using":"words","limit":5}],)"
                       R"("query":{"fusion":"rrf"},"limit":2})");
  EXPECT_EQ(ids_of(ok<pb::SearchResponse>("Search/Query", query).hits()), "1 3 ");
  query.set_query_json("{");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "query_json", "Search/Query", query);
  query.set_query_json(R"({"query":[1,0],"limt":3})");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "limit", "Search/Query", query);
  pb::QueryGroupsRequest groups;
  groups.set_collection("c");
  groups.set_query_json(R"({"query":[1,0],"group_by":"kind","group_size":2,"limit":5})");
  const auto found = ok<pb::QueryGroupsResponse>("Search/QueryGroups", groups);
  ASSERT_EQ(found.groups_size(), 2);
  EXPECT_EQ(found.groups(0).text(), "even");
  EXPECT_EQ(ids_of(found.groups(0).hits()), "4 2 ");
  EXPECT_EQ(ids_of(found.groups(1).hits()), "3 1 ");
  pb::FacetRequest facet;
  facet.set_collection("c");
  facet.set_key("kind");
  const auto values = ok<pb::FacetResponse>("Search/Facet", facet);
  ASSERT_EQ(values.values_size(), 2);
  EXPECT_EQ(values.values(0).text(), "even");
  EXPECT_EQ(values.values(0).count(), 3U);
}

TEST_F(V1Test, MistakesAreNamed) {
  fill();
  pb::UpsertRequest upsert;
  upsert.set_collection("c");
  *upsert.add_points() = point(1);
  upsert.mutable_points(0)->clear_id();
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "points[0].id", "Points/Upsert", upsert);
  upsert.mutable_points(0)->mutable_id()->set_uuid("nonsense");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "points[0].id", "Points/Upsert", upsert);
  *upsert.mutable_points(0) = point(1);
  upsert.mutable_points(0)->set_payload_json("[1]");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "points[0].payload_json",
          "Points/Upsert", upsert);
  *upsert.mutable_points(0) = point(1);
  upsert.mutable_points(0)->mutable_vectors(0)->add_values(3);
  refused(GrpcStatus::kInvalidArgument, "dimension_mismatch", "3", "Points/Upsert", upsert);
  upsert.clear_points();
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "points", "Points/Upsert", upsert);
  pb::CreateCollectionRequest create;
  create.set_name("d");
  create.mutable_config()->add_vectors()->set_dim(2);
  create.mutable_config()->set_shard_count(65);
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "shard_count", "Collections/Create",
          create);
  create.mutable_config()->clear_shard_count();
  create.mutable_config()->mutable_vectors(0)->set_metric(static_cast<pb::Metric>(9));
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "config.vectors[0].metric",
          "Collections/Create", create);
}

TEST_F(V1Test, HybridSearchesExplainTheirScores) {
  fill();
  pb::SearchRequest search;
  search.set_collection("c");
  search.set_text("rivers of Peru");
  search.set_vector_name("meaning");
  search.mutable_hybrid()->set_prefetch(5);
  search.set_explain(true);
  search.set_k(3);
  const auto found = ok<pb::SearchResponse>("Search/Search", search);
  EXPECT_EQ(ids_of(found.hits()), "0 2 4 ");
  ASSERT_EQ(found.hits(0).parts_size(), 2);
  EXPECT_EQ(found.hits(0).parts(0).source(), "vector");
  EXPECT_EQ(found.hits(0).parts(1).source(), "words");
  EXPECT_NEAR(found.hits(0).parts(0).share() + found.hits(0).parts(1).share(),
              found.hits(0).score(), 1e-6);
  ASSERT_TRUE(found.has_explain());
  EXPECT_GT(found.explain().postings(), 0U);
  EXPECT_GT(found.took_ms(), 0);
}

TEST_F(V1Test, ABatchNamesTheQueryThatIsWrong) {
  fill();
  pb::SearchBatchRequest batch;
  batch.set_collection("c");
  for (const float sign : {1.0F, -1.0F}) {
    pb::SearchRequest& search = *batch.add_queries();
    search.add_vector(sign);
    search.add_vector(0);
    search.set_k(1);
  }
  const auto found = ok<pb::SearchBatchResponse>("Search/SearchBatch", batch);
  ASSERT_EQ(found.results_size(), 2);
  EXPECT_EQ(ids_of(found.results(0).hits()), "4 ");
  EXPECT_EQ(ids_of(found.results(1).hits()), "0 ");
  batch.mutable_queries(1)->set_collection("d");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "queries[1]", "Search/SearchBatch",
          batch);
  batch.mutable_queries(1)->clear_collection();
  batch.mutable_queries(1)->add_vector(0);
  const auto got = rpc<pb::SearchBatchResponse>("/quipu.v1.Search/SearchBatch", batch);
  pb::ErrorDetails details;
  ASSERT_TRUE(details.ParseFromString(got.trailing.at("quipu-error-bin")));
  EXPECT_EQ(details.code(), "dimension_mismatch");
  ASSERT_EQ(details.errors_size(), 1);
  EXPECT_EQ(details.errors(0).field(), "queries[1]");
}

TEST_F(V1Test, LongDetailsStayWithinTheirLimit) {
  pb::ChangeAliasesRequest change;
  pb::AliasChange& put = *change.add_changes();
  put.set_action(pb::AliasChange::ACTION_PUT);
  put.set_collection("c");
  for (int i = 0; i < 20'000; ++i) *put.mutable_alias() += "\xc3\xa4";
  const auto got = rpc<pb::ChangeAliasesResponse>("/quipu.v1.Collections/ChangeAliases", change);
  EXPECT_EQ(got.status, GrpcStatus::kInvalidArgument);
  EXPECT_LE(got.trailing.at("quipu-error-bin").size(), 3'000U);
  pb::ErrorDetails details;
  ASSERT_TRUE(details.ParseFromString(got.trailing.at("quipu-error-bin")));
  ASSERT_EQ(details.errors_size(), 1);
  EXPECT_EQ(details.errors(0).field(), "changes[0].alias");
  EXPECT_EQ(details.errors(0).code(), "too_long");
}

TEST_F(V1Test, AliasesChangeTogether) {
  fill();
  pb::ChangeAliasesRequest change;
  pb::AliasChange& put = *change.add_changes();
  put.set_action(pb::AliasChange::ACTION_PUT);
  put.set_alias("live");
  put.set_collection("c");
  pb::AliasChange& rename = *change.add_changes();
  rename.set_action(pb::AliasChange::ACTION_RENAME);
  rename.set_alias("live");
  rename.set_to("newest");
  EXPECT_EQ(ok<pb::ChangeAliasesResponse>("Collections/ChangeAliases", change).changed(), 2U);
  pb::ListAliasesRequest list;
  list.set_collection("newest");
  const auto of_one = ok<pb::ListAliasesResponse>("Collections/ListAliases", list);
  ASSERT_EQ(of_one.aliases_size(), 1);
  EXPECT_EQ(of_one.aliases(0).name(), "newest");
  EXPECT_EQ(of_one.aliases(0).collection(), "c");
  pb::CountRequest count;
  count.set_collection("newest");
  EXPECT_EQ(ok<pb::CountResponse>("Points/Count", count).points(), 5U);
  pb::DeleteCollectionRequest drop;
  drop.set_name("newest");
  refused(GrpcStatus::kFailedPrecondition, "is_alias", "newest", "Collections/Delete", drop);
  // The second change cannot be made, so the first is not either.
  change.mutable_changes(0)->set_alias("other");
  change.mutable_changes(1)->set_alias("nothing");
  refused(GrpcStatus::kNotFound, "alias_not_found", "nothing", "Collections/ChangeAliases", change);
  list.clear_collection();
  EXPECT_EQ(ok<pb::ListAliasesResponse>("Collections/ListAliases", list).aliases_size(), 1);
  change.mutable_changes(0)->set_if_there(true);
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "changes[0].if_there",
          "Collections/ChangeAliases", change);
  change.mutable_changes(0)->clear_action();
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "changes[0].action",
          "Collections/ChangeAliases", change);
  list.set_collection("none");
  refused(GrpcStatus::kNotFound, "collection_not_found", "none", "Collections/ListAliases", list);
}

TEST_F(V1Test, TheServerSaysHowItIs) {
  fill();
  const auto health = ok<pb::HealthResponse>("System/Health", pb::HealthRequest());
  EXPECT_EQ(health.status(), "ok");
  EXPECT_EQ(health.state(), "ready");
  EXPECT_EQ(health.version(), QUIPU_VERSION);
  pb::HealthRequest ready;
  ready.set_ready(true);
  EXPECT_EQ(ok<pb::HealthResponse>("System/Health", ready).status(), "ok");
  pb::SearchRequest search;
  search.set_collection("c");
  search.add_vector(1);
  search.add_vector(0);
  for (int i = 0; i < 3; ++i) ok<pb::SearchResponse>("Search/Search", search);
  const auto cached = ok<pb::HealthResponse>("System/Health", pb::HealthRequest()).query_cache();
  EXPECT_EQ(cached.hits(), 2U);
  search.set_cache(false);
  ok<pb::SearchResponse>("Search/Search", search);
  EXPECT_EQ(ok<pb::HealthResponse>("System/Health", pb::HealthRequest()).query_cache().hits(), 2U);
  const auto status = ok<pb::StatusResponse>("System/Status", pb::StatusRequest());
  EXPECT_EQ(status.collections(), 1U);
  EXPECT_EQ(status.points(), 5U);
  EXPECT_GT(status.disk_bytes(), 0U);
  const auto config = ok<pb::ConfigResponse>("System/Config", pb::ConfigRequest());
  EXPECT_THAT(config.config_json(), HasSubstr("server.port"));
  const auto models = ok<pb::ListModelsResponse>("Models/List", pb::ListModelsRequest());
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).dimension(), 32U);
  EXPECT_TRUE(models.models(0).is_default());
}

TEST_F(V1Test, ASnapshotOfEverythingIsTaken) {
  fill();
  pb::CreateSnapshotRequest create;
  create.set_name("monday");
  const auto made = ok<pb::CreateSnapshotResponse>("Snapshots/Create", create);
  EXPECT_EQ(made.path(), "snapshots/monday");
  EXPECT_TRUE(std::filesystem::exists(folder_ / "data" / made.path()));
  refused(GrpcStatus::kAlreadyExists, "snapshot_exists", "monday", "Snapshots/Create", create);
  create.set_name("../monday");
  refused(GrpcStatus::kInvalidArgument, "invalid_request", "name", "Snapshots/Create", create);
}

TEST_F(V1Test, ACollectionIsRecoveredFromItsSnapshot) {
  fill();
  pb::MakeCollectionSnapshotRequest make;
  make.set_collection("c");
  const auto file = ok<pb::SnapshotFile>("Snapshots/MakeOfCollection", make);
  EXPECT_EQ(file.sha256().size(), 64U);
  EXPECT_GT(file.size_bytes(), 0U);
  pb::ListCollectionSnapshotsRequest list;
  list.set_collection("c");
  auto listed = ok<pb::ListCollectionSnapshotsResponse>("Snapshots/ListOfCollection", list);
  ASSERT_EQ(listed.snapshots_size(), 1);
  EXPECT_EQ(listed.snapshots(0).name(), file.name());
  pb::RecoverCollectionRequest recover;
  recover.set_collection("again");
  recover.set_from("c");
  recover.set_snapshot(file.name());
  recover.set_sha256(std::string(64, '0'));
  refused(GrpcStatus::kInvalidArgument, "checksum_mismatch", "", "Snapshots/RecoverCollection",
          recover);
  recover.set_sha256(file.sha256());
  EXPECT_EQ(ok<pb::CollectionInfo>("Snapshots/RecoverCollection", recover).points(), 5U);
  pb::SearchRequest search;
  search.set_collection("again");
  search.add_vector(1);
  search.add_vector(0);
  search.set_k(2);
  EXPECT_EQ(ids_of(ok<pb::SearchResponse>("Search/Search", search).hits()), "4 3 ");
  pb::DeleteCollectionSnapshotRequest remove;
  remove.set_collection("c");
  remove.set_snapshot(file.name());
  ok<pb::DeleteCollectionSnapshotResponse>("Snapshots/DeleteOfCollection", remove);
  refused(GrpcStatus::kNotFound, "snapshot_not_found", file.name(), "Snapshots/RecoverCollection",
          recover);
  listed = ok<pb::ListCollectionSnapshotsResponse>("Snapshots/ListOfCollection", list);
  EXPECT_EQ(listed.snapshots_size(), 0);
}

TEST_F(V1Test, AnIdempotencyKeyThatIsNoneIsRefused) {
  fill();
  pb::UpsertRequest upsert;
  upsert.set_collection("c");
  *upsert.add_points() = point(9);
  const auto got = rpc<pb::WriteResponse>("/quipu.v1.Points/Upsert", upsert,
                                          {.metadata = {{"idempotency-key", "with space"}}});
  EXPECT_EQ(got.status, GrpcStatus::kInvalidArgument);
  EXPECT_EQ(got.trailing.at("quipu-code"), "malformed_header");
}

// ---------------------------------------------------------------- streams

template <typename Request, typename Response>
auto open_stream(const std::shared_ptr<::grpc::Channel>& channel, ::grpc::ClientContext& context,
                 const char* method) {
  const ::grpc::internal::RpcMethod called(method, ::grpc::internal::RpcMethod::BIDI_STREAMING,
                                           channel);
  return std::unique_ptr<::grpc::ClientReaderWriter<Request, Response>>(
      ::grpc::internal::ClientReaderWriterFactory<Request, Response>::Create(channel.get(), called,
                                                                             &context));
}

TEST_F(V1Test, EachMessageOfAStreamIsAcknowledged) {
  fill();
  ::grpc::ClientContext context;
  const auto stream = open_stream<pb::UpsertRequest, pb::WriteResponse>(
      channel_, context, "/quipu.v1.Points/StreamUpsert");
  for (std::uint64_t i = 100; i < 150; ++i) {
    pb::UpsertRequest upsert;
    upsert.set_collection("c");
    *upsert.add_points() = point(i);
    ASSERT_TRUE(stream->Write(upsert));
    pb::WriteResponse written;
    ASSERT_TRUE(stream->Read(&written));
    ASSERT_EQ(written.items_size(), 1);
    EXPECT_EQ(written.items(0).id().number(), i);
    // Acknowledged means visible.
    const auto points = engine_->get("default", "c", {.ids = {PointId::number(i)}});
    ASSERT_TRUE(points.ok());
    EXPECT_EQ(points.value().size(), 1U);
  }
  EXPECT_TRUE(stream->WritesDone());
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(engine_->count("default", "c", {}).value(), 55U);
}

TEST_F(V1Test, AStreamsAnswersAreInOrderAndAnErrorEndsIt) {
  fill();
  ::grpc::ClientContext context;
  const auto stream = open_stream<pb::SearchRequest, pb::SearchResponse>(
      channel_, context, "/quipu.v1.Search/StreamSearch");
  // All are sent before the first answer is read.
  for (const float sign : {1.0F, -1.0F, 1.0F}) {
    pb::SearchRequest search;
    search.set_collection("c");
    search.add_vector(sign);
    search.add_vector(0);
    search.set_k(1);
    ASSERT_TRUE(stream->Write(search));
  }
  pb::SearchRequest wrong;
  wrong.set_collection("none");
  wrong.add_vector(1);
  ASSERT_TRUE(stream->Write(wrong));
  for (const char* const ids : {"4 ", "0 ", "4 "}) {
    pb::SearchResponse answer;
    ASSERT_TRUE(stream->Read(&answer));
    EXPECT_EQ(ids_of(answer.hits()), ids);
  }
  pb::SearchResponse none;
  EXPECT_FALSE(stream->Read(&none));
  const ::grpc::Status status = stream->Finish();
  EXPECT_EQ(status.error_code(), ::grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("none"));
}

TEST_F(V1Test, AStreamThatIsSentAgainWritesOnce) {
  fill();
  for (const bool again : {false, true}) {
    ::grpc::ClientContext context;
    context.AddMetadata("idempotency-key", "stream-1");
    const auto stream = open_stream<pb::UpsertRequest, pb::WriteResponse>(
        channel_, context, "/quipu.v1.Points/StreamUpsert");
    for (std::uint64_t i = 200; i < 205; ++i) {
      pb::UpsertRequest upsert;
      upsert.set_collection("c");
      *upsert.add_points() = point(i);
      ASSERT_TRUE(stream->Write(upsert));
      pb::WriteResponse written;
      ASSERT_TRUE(stream->Read(&written));
      EXPECT_EQ(written.replayed(), again);
      EXPECT_EQ(written.items(0).outcome(), pb::OUTCOME_CREATED);
    }
    EXPECT_TRUE(stream->WritesDone());
    EXPECT_TRUE(stream->Finish().ok());
  }
  EXPECT_EQ(engine_->count("default", "c", {}).value(), 10U);
}

TEST_F(V1Test, ACallerWhoLeavesAStreamHoldsNothing) {
  fill();
  for (int round = 0; round < 20; ++round) {
    ::grpc::ClientContext context;
    const auto stream = open_stream<pb::SearchRequest, pb::SearchResponse>(
        channel_, context, "/quipu.v1.Search/StreamSearch");
    pb::SearchRequest search;
    search.set_collection("c");
    search.add_vector(1);
    search.add_vector(0);
    stream->Write(search);
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  // TearDown's stop() returns false if a call were left.
}

}  // namespace
}  // namespace quipu::api::grpc::v1
