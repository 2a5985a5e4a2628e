// Goal: what comes by messages is what comes by JSON, and no message whatsoever breaks the server.
// Method: the same things done over gRPC and over REST and compared; random payloads there and
// back; random and damaged bytes to every method.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <qdrant_proto/collections_service.pb.h>
#include <qdrant_proto/points_service.pb.h>

#include <future>
#include <string>
#include <vector>

#include "quipu/api/qdrant/grpc/json_messages.h"
#include "quipu/api/qdrant/grpc/values.h"
#include "quipu/api/rpc_table.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "tests/support/grpc_fixture.h"

namespace quipu::api::qdrant::rpc {
namespace {

using ::testing::HasSubstr;

class MessagesTest : public GrpcFixture {
 protected:
  // The member "result" of a REST answer, without the time of creation.
  std::string rest(const std::string& method, const std::string& target,
                   const std::string& body = "") {
    const Response answer = call(method, target, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    const auto parsed = JsonDocument::parse(answer.body);
    if (!parsed.ok()) return answer.body;
    std::string text = parsed.value().root().find("result")->to_string();
    const std::size_t created = text.find(R"(,"created_at")");
    return text.substr(0, created);
  }
// Older clients still send what Qdrant's definitions call deprecated.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  pb::CreateCollection rich_collection(const std::string& name) {
    pb::CreateCollection request;
    request.set_collection_name(name);
    auto& vectors = *request.mutable_vectors_config()->mutable_params_map()->mutable_map();
    vectors["a"].set_size(3);
    vectors["a"].set_distance(pb::Cosine);
    vectors["a"].set_on_disk(true);
    vectors["a"].set_datatype(pb::Float16);
    vectors["a"].mutable_hnsw_config()->set_m(8);
    vectors["a"].mutable_quantization_config()->mutable_product()->set_compression(pb::x4);
    vectors["b"].set_size(5);
    vectors["b"].set_distance(pb::Manhattan);
    vectors["b"].set_memory(pb::Pinned);
    vectors["b"].mutable_multivector_config()->set_comparator(pb::MaxSim);
    auto& sparse = (*request.mutable_sparse_vectors_config()->mutable_map())["s"];
    sparse.set_modifier(pb::Idf);
    sparse.mutable_index()->set_on_disk(true);
    request.set_shard_number(2);
    request.set_replication_factor(3);
    request.set_on_disk_payload(false);
    request.set_sharding_method(pb::Auto);
    request.mutable_optimizers_config()->set_indexing_threshold(5000);
    request.mutable_optimizers_config()->set_deprecated_max_optimization_threads(2);
    request.mutable_wal_config()->set_wal_capacity_mb(64);
    auto& binary = *request.mutable_quantization_config()->mutable_binary();
    binary.set_encoding(pb::OneAndHalfBits);
    binary.mutable_query_encoding()->set_setting(pb::BinaryQuantizationQueryEncoding::Scalar4Bits);
    request.mutable_strict_mode_config()->set_enabled(false);
    (*request.mutable_metadata())["owner"].set_string_value("me");
    request.mutable_payload()->set_memory(pb::Cold);
    return request;
  }
#pragma GCC diagnostic pop
};

TEST_F(MessagesTest, ACollectionIsTheSameByEitherWay) {
  const auto made =
      rpc<pb::CollectionOperationResponse>("/qdrant.Collections/Create", rich_collection("g"));
  ASSERT_TRUE(made.ok()) << made.message;
  EXPECT_TRUE(made.answer.result());
  EXPECT_EQ(rest("PUT", "/collections/r", R"({
    "vectors": {
      "a": {"size": 3, "distance": "Cosine", "on_disk": true, "datatype": "float16",
            "hnsw_config": {"m": 8}, "quantization_config": {"product": {"compression": "x4"}}},
      "b": {"size": 5, "distance": "Manhattan", "memory": "pinned",
            "multivector_config": {"comparator": "max_sim"}}},
    "sparse_vectors": {"s": {"modifier": "idf", "index": {"on_disk": true}}},
    "shard_number": 2, "replication_factor": 3, "on_disk_payload": false, "sharding_method": "auto",
    "optimizers_config": {"indexing_threshold": 5000, "max_optimization_threads": 2},
    "wal_config": {"wal_capacity_mb": 64},
    "quantization_config": {"binary": {"encoding": "one_and_half_bits",
                                       "query_encoding": "scalar4bits"}},
    "strict_mode_config": {"enabled": false}, "metadata": {"owner": "me"},
    "payload": {"memory": "cold"}})"),
            "true");
  for (const char* const name : {"g", "r"}) {
    ASSERT_EQ(rest("PUT", std::string("/collections/") + name + "/index?wait=true",
                   R"({"field_name":"t","field_schema":{"type":"text","tokenizer":"word",)"
                   R"("stopwords":"english","stemmer":{"type":"snowball","language":"english"}}})"),
              R"({"operation_id":null,"status":"completed"})");
  }
  // But for the status, which is yellow while the index is made.
  const auto info_of = [this](const std::string& target) {
    const std::string text = rest("GET", target);
    return text.substr(text.find(R"("optimizer_status")"));
  };
  EXPECT_EQ(info_of("/collections/g"), info_of("/collections/r"));
  pb::GetCollectionInfoRequest get;
  get.set_collection_name("r");
  const auto info = rpc<pb::GetCollectionInfoResponse>("/qdrant.Collections/Get", get);
  ASSERT_TRUE(info.ok()) << info.message;
  const pb::CollectionInfo& got = info.answer.result();
  const auto& params = got.config().params();
  EXPECT_EQ(params.vectors_config().params_map().map().at("a").datatype(), pb::Float16);
  EXPECT_EQ(params.vectors_config()
                .params_map()
                .map()
                .at("a")
                .quantization_config()
                .product()
                .compression(),
            pb::x4);
  EXPECT_EQ(params.vectors_config().params_map().map().at("b").memory(), pb::Pinned);
  EXPECT_EQ(params.sparse_vectors_config().map().at("s").modifier(), pb::Idf);
  EXPECT_EQ(got.config().quantization_config().binary().query_encoding().setting(),
            pb::BinaryQuantizationQueryEncoding::Scalar4Bits);
  EXPECT_EQ(got.config().optimizer_config().max_optimization_threads().value(), 2U);
  EXPECT_EQ(got.config().metadata().at("owner").string_value(), "me");
  EXPECT_TRUE(got.optimizer_status().ok());
  EXPECT_EQ(got.warnings_size(), 1);
  EXPECT_GT(got.created_at().seconds(), 1'500'000'000);
  const pb::PayloadSchemaInfo& index = got.payload_schema().at("t");
  EXPECT_EQ(index.data_type(), pb::Text);
  EXPECT_EQ(index.params().text_index_params().tokenizer(), pb::Word);
  EXPECT_EQ(index.params().text_index_params().stopwords().languages(0), "english");
  EXPECT_EQ(index.params().text_index_params().stemmer().snowball().language(), "english");
}

TEST_F(MessagesTest, OptionsOfIndexesAreTheSameByEitherWay) {
  ASSERT_EQ(rest("PUT", "/collections/c", R"({"vectors":{"size":1,"distance":"Dot"}})"), "true");
  pb::CreateFieldIndexCollection request;
  request.set_collection_name("c");
  request.set_wait(true);
  request.set_field_name("t");
  pb::TextIndexParams& text = *request.mutable_field_index_params()->mutable_text_index_params();
  text.set_tokenizer(pb::Multilingual);
  text.set_lowercase(true);
  text.set_min_token_len(2);
  text.mutable_stopwords()->add_languages("english");
  text.mutable_stopwords()->add_custom("foo");
  text.mutable_stemmer()->mutable_snowball()->set_language("german");
  const auto made = rpc<pb::PointsOperationResponse>("/qdrant.Points/CreateFieldIndex", request);
  ASSERT_TRUE(made.ok()) << made.message;
  EXPECT_EQ(made.answer.result().status(), pb::Completed);
  EXPECT_FALSE(made.answer.result().has_operation_id());
  EXPECT_THAT(rest("GET", "/collections/c"),
              HasSubstr(R"("stopwords":{"languages":["english"],"custom":["foo"]},)"
                        R"("stemmer":{"type":"snowball","language":"german"})"));
  request.clear_field_index_params();
  request.set_field_name("k");
  request.set_field_type(pb::FieldTypeKeyword);
  EXPECT_TRUE(rpc<pb::PointsOperationResponse>("/qdrant.Points/CreateFieldIndex", request).ok());
  EXPECT_THAT(rest("GET", "/collections/c"), HasSubstr(R"("k":{"data_type":"keyword")"));
}

std::string random_text(Rng& rng) {
  static const std::vector<std::string> kTexts = {
      "", "a", "\xc3\xa4\xe2\x82\xac", "quo\"ted\\", "\n\x01", "long enough to be no short string"};
  return kTexts[rng.below(kTexts.size())];
}

void random_value(Rng& rng, int depth, JsonWriter& out) {
  switch (rng.below(depth > 0 ? 8 : 6)) {
    case 0: out.null(); return;
    case 1: out.value(rng.below(2) == 1); return;
    case 2: out.value(static_cast<std::int64_t>(rng.next())); return;
    case 3: out.value(static_cast<std::int64_t>(rng.below(3)) - 1); return;
    case 4: out.raw(rng.below(2) == 0 ? "1.0" : "-2.5e-7"); return;
    case 5: out.value(std::string_view(random_text(rng))); return;
    case 6:
      out.begin_array();
      for (std::uint64_t n = rng.below(4); n > 0; --n) random_value(rng, depth - 1, out);
      out.end_array();
      return;
    default:
      out.begin_object();
      for (std::uint64_t n = rng.below(4); n > 0; --n) {
        out.key("k" + std::to_string(n));
        random_value(rng, depth - 1, out);
      }
      out.end_object();
  }
}

TEST_F(MessagesTest, PayloadsAreTheSameByEitherWay) {
  ASSERT_EQ(rest("PUT", "/collections/c", R"({"vectors":{"size":1,"distance":"Dot"}})"), "true");
  Rng rng(test_seed());
  for (std::uint64_t round = 0; round < 200; ++round) {
    std::string payload;
    JsonWriter out(payload);
    out.begin_object();
    for (std::uint64_t n = rng.below(5); n > 0; --n) {
      out.key(std::string(n, 'm'));
      random_value(rng, 4, out);
    }
    out.end_object();
    pb::UpsertPoints upsert;
    upsert.set_collection_name("c");
    pb::PointStruct& point = *upsert.add_points();
    point.mutable_id()->set_num(1);
    point.mutable_vectors()->mutable_vector()->mutable_dense()->add_data(1);
    fill_values(payload, *point.mutable_payload());
    const auto done = rpc<pb::PointsOperationResponse>("/qdrant.Points/Upsert", upsert);
    ASSERT_TRUE(done.ok()) << done.message << payload;
    // Both ways of reading agree on what both ways of writing stored: names are in one order then.
    const std::string stored = rest("POST", "/collections/c/points", R"({"ids":[1]})");
    ASSERT_EQ(rest("PUT", "/collections/c/points?wait=true",
                   R"({"points":[{"id":2,"vector":[1],"payload":)" + payload + "}]}")
                  .substr(0, 1),
              "{");
    pb::GetPoints get;
    get.set_collection_name("c");
    get.add_ids()->set_num(2);
    get.mutable_with_payload()->set_enable(true);
    const auto got = rpc<pb::GetResponse>("/qdrant.Points/Get", get);
    ASSERT_TRUE(got.ok()) << got.message;
    const auto again = json_of(got.answer.result(0).payload(), Place(""));
    ASSERT_TRUE(again.ok());
    ASSERT_EQ(stored, R"([{"id":1,"payload":)" + again.value() + "}]") << payload;
  }
}

TEST_F(MessagesTest, NoMessageBreaksTheServer) {
  ASSERT_EQ(rest("PUT", "/collections/c", R"({"vectors":{"size":1,"distance":"Dot"}})"), "true");
  Rng rng(test_seed());
  // Something that most requests share: a name, and then fields of many numbers and kinds.
  const auto random_bytes = [&rng] {
    std::string bytes = rng.below(4) == 0 ? std::string() : std::string("\x0a\x01") + "c";
    for (std::uint64_t n = rng.below(6); n > 0; --n) {
      const auto field = static_cast<char>(rng.below(16) + 1);
      if (rng.below(2) == 0) {
        bytes += static_cast<char>(field << 3);
        bytes += static_cast<char>(rng.below(128));
      } else {
        const std::uint64_t size = rng.below(6);
        bytes += static_cast<char>((field << 3) | 2);
        bytes += static_cast<char>(size);
        for (std::uint64_t i = 0; i < size; ++i) bytes += static_cast<char>(rng.below(96));
      }
    }
    return bytes;
  };
  for (const Rpc& rpc_row : rpc_table()) {
    if (rpc_row.stream) continue;
    for (int round = 0; round < 60; ++round) {
      const std::string bytes = round == 0 ? std::string() : random_bytes();
      std::promise<Response> answered;
      service_->handle_rpc(rpc_row, {.method = "POST", .body = bytes, .peer = "test"}, {},
                           [&](Response answer) { answered.set_value(std::move(answer)); });
      const Response answer = answered.get_future().get();
      const auto status = static_cast<GrpcStatus>(answer.status);
      EXPECT_TRUE(status == GrpcStatus::kOk || status == GrpcStatus::kInvalidArgument ||
                  status == GrpcStatus::kNotFound || status == GrpcStatus::kUnimplemented ||
                  status == GrpcStatus::kAlreadyExists || status == GrpcStatus::kFailedPrecondition)
          << rpc_row.row.name << ": " << grpc_status_name(status) << ": " << answer.body;
      if (status != GrpcStatus::kOk) {
        EXPECT_FALSE(answer.body.empty()) << rpc_row.row.name;
      }
    }
  }
}

}  // namespace
}  // namespace quipu::api::qdrant::rpc
