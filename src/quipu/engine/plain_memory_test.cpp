// Goal: what is remembered is recalled as one record, however it was cut, replaced and forgotten.
// Method: a real engine in a folder of its own, with a test double for the model; a seeded history
// against a std::map.
#include "quipu/engine/plain_memory.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <thread>

#include "quipu/base/json.h"
#include "quipu/base/limits.h"
#include "quipu/base/rng.h"
#include "quipu/base/test_support.h"
#include "tests/support/fake_embedder.h"

namespace quipu::engine {
namespace {

class PlainMemoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto engine = Engine::open({.data_dir = folder_.file("data")}, {.embedder = &embedder_});
    ASSERT_TRUE(engine.ok()) << engine.error().message;
    engine_ = std::move(engine).value();
    memory_ = std::make_unique<PlainMemory>(*engine_, system_clock(), PlainMemory::Options{});
  }
  void TearDown() override {
    memory_.reset();
    if (engine_ != nullptr) {
      EXPECT_TRUE(engine_->close(std::chrono::seconds(10)).ok());
    }
    engine_.reset();
  }

  Result<Remembered> remember(RememberRequest request) {
    std::vector<RememberRequest> requests;
    requests.push_back(std::move(request));
    return std::move(memory_->remember(std::move(requests))[0]);
  }
  std::uint64_t points() {
    const auto count = engine_->count("default", "memories", {});
    return count.ok() ? count.value() : 0;
  }
  // A text of `count` distinct words that begin with `prefix`.
  static std::string words(const std::string& prefix, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) {
      text += (i == 0 ? "" : " ") + prefix + std::to_string(i);
    }
    return text;
  }

  TempDir folder_{TempDir::Place::kMemory};
  testing_support::FakeEmbedder embedder_{32, 64};
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<PlainMemory> memory_;
};

TEST_F(PlainMemoryTest, RemembersRecallsForgets) {
  EXPECT_TRUE(memory_->recall({.query = "anything"}).value().records.empty());
  EXPECT_FALSE(memory_->forget(PointId::number(1), "").value());
  const auto key = remember({.text = "the key is under the mat", .metadata = R"({"a":1})"});
  ASSERT_TRUE(key.ok()) << key.error().message;
  EXPECT_TRUE(key.value().created);
  EXPECT_TRUE(key.value().durable);
  EXPECT_EQ(key.value().chunks, std::vector<PointId>{key.value().id});
  EXPECT_EQ(key.value().token_count, 8U);
  ASSERT_TRUE(remember({.text = "the car is blue"}).ok());
  const auto found = memory_->recall({.query = "key mat", .k = 1, .explain = true});
  ASSERT_TRUE(found.ok()) << found.error().message;
  ASSERT_EQ(found.value().records.size(), 1U);
  const Recalled& best = found.value().records[0];
  EXPECT_EQ(best.id, key.value().id);
  EXPECT_EQ(best.text, "the key is under the mat");
  EXPECT_EQ(best.metadata, R"({"a":1})");
  EXPECT_GT(best.created_us, 0);
  EXPECT_TRUE(found.value().explain.has_value());
  EXPECT_TRUE(memory_->forget(key.value().id, "").value());
  EXPECT_FALSE(memory_->forget(key.value().id, "").value());
  EXPECT_EQ(memory_->recall({.query = "key mat"}).value().records.size(), 1U);
}

TEST_F(PlainMemoryTest, CutsLongTextsAndRecallsThemOnce) {
  const std::string text = words("w", 300);
  const auto remembered = remember({.text = text, .metadata = R"({"topic":"long"})"});
  ASSERT_TRUE(remembered.ok()) << remembered.error().message;
  const std::vector<PointId>& chunks = remembered.value().chunks;
  ASSERT_GT(chunks.size(), 4U);
  EXPECT_EQ(chunks[0], remembered.value().id);
  EXPECT_EQ(points(), chunks.size());
  const std::string end_of_text = text.substr(text.find("w265"));
  const auto found = memory_->recall({.query = end_of_text});
  ASSERT_EQ(found.value().records.size(), 1U);
  const Recalled& record = found.value().records[0];
  EXPECT_EQ(record.id, remembered.value().id);
  EXPECT_EQ(record.point, chunks.back());
  EXPECT_EQ(record.metadata, R"({"topic":"long"})");
  EXPECT_NE(record.text.find("w281"), std::string::npos);
  // The chunks say where they stand, and together they are the text.
  const auto stored = engine_->get("default", "memories", {.ids = chunks});
  std::vector<bool> covered(text.size(), false);
  for (std::size_t i = 0; i < chunks.size(); ++i) {
    const auto payload = JsonDocument::parse(stored.value()[i].payload);
    const JsonView place = *payload.value().root().find("quipu_chunk");
    EXPECT_EQ(place.find("of")->as_string(), remembered.value().id.to_string());
    EXPECT_EQ(place.find("index")->as_uint64(), i);
    EXPECT_EQ(place.find("count")->as_uint64(), chunks.size());
    const auto offset = static_cast<std::size_t>(*place.find("offset")->as_uint64());
    const auto bytes = static_cast<std::size_t>(*place.find("bytes")->as_uint64());
    EXPECT_EQ(stored.value()[i].text, text.substr(offset, bytes));
    std::fill_n(covered.begin() + static_cast<std::ptrdiff_t>(offset), bytes, true);
  }
  for (std::size_t i = 0; i < text.size(); ++i) ASSERT_TRUE(covered[i] || text[i] == ' ') << i;
  EXPECT_TRUE(memory_->forget(remembered.value().id, "").value());
  EXPECT_EQ(points(), 0U);
}

TEST_F(PlainMemoryTest, ReplacingRemovesWhatWasLonger) {
  const PointId id = PointId::number(7);
  for (const std::size_t count : {300U, 10U, 120U, 400U, 61U}) {
    const auto remembered =
        remember({.text = words("v" + std::to_string(count) + "x", count), .id = id});
    ASSERT_TRUE(remembered.ok()) << remembered.error().message;
    EXPECT_EQ(remembered.value().created, count == 300U);
    EXPECT_EQ(points(), remembered.value().chunks.size());
    const auto found = memory_->recall({.query = "anything at all", .k = 1000});
    ASSERT_EQ(found.value().records.size(), 1U);
    EXPECT_EQ(found.value().records[0].id, id);
  }
}

TEST_F(PlainMemoryTest, FindsKRecordsAmongManyChunks) {
  // One record whose chunks all come before the others.
  std::string long_text;
  for (int i = 0; i < 200; ++i) long_text += "apple pear plum quince cherry ";
  ASSERT_TRUE(remember({.text = long_text}).ok());
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(remember({.text = "apple juice number" + std::to_string(i)}).ok());
  }
  const auto found = memory_->recall({.query = "apple pear plum quince cherry", .k = 10});
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found.value().records.size(), 10U);
  std::set<PointId> distinct;
  for (std::size_t i = 0; i < 10; ++i) {
    distinct.insert(found.value().records[i].id);
    if (i > 0) {
      EXPECT_LE(found.value().records[i].score, found.value().records[i - 1].score);
    }
  }
  EXPECT_EQ(distinct.size(), 10U);
}

TEST_F(PlainMemoryTest, PassesOverChunksThatTheirRecordLost) {
  const PointId id = PointId::number(7);
  const auto remembered = remember({.text = words("w", 300), .id = id});
  // As a crash between writing a shorter version and removing the rest leaves it.
  PointWrite shorter;
  shorter.id = id;
  shorter.text = "short";
  ASSERT_TRUE(engine_->upsert("default", "memories", {.points = {shorter}}).ok());
  const auto found = memory_->recall({.query = words("w", 300).substr(words("w", 265).size())});
  ASSERT_EQ(found.value().records.size(), 1U);
  EXPECT_EQ(found.value().records[0].text, "short");
}

TEST_F(PlainMemoryTest, RefusesByName) {
  const auto reason = [&](RememberRequest request) {
    const auto remembered = remember(std::move(request));
    return remembered.ok() ? std::string("accepted")
                           : std::string(remembered.error().stable_reason());
  };
  EXPECT_EQ(reason({.text = ""}), "text_empty");
  EXPECT_EQ(reason({.text = std::string(limits::kTextBytesMax + 1, 'a')}), "text_too_large");
  EXPECT_EQ(reason({.text = std::string(1, '\xff')}), "text_not_utf8");
  EXPECT_EQ(reason({.text = "a", .metadata = "[]"}), "payload_not_object");
  EXPECT_EQ(reason({.text = "a", .metadata = "{"}), "malformed_json");
  EXPECT_EQ(reason({.text = "a", .metadata = R"({"quipu_chunk":1})"}), "reserved_member");
  EXPECT_EQ(reason({.text = " \n "}), "accepted");
  EXPECT_EQ(memory_->recall({.query = ""}).error().stable_reason(), "text_empty");
  EXPECT_EQ(memory_->recall({.query = "a", .k = 0}).error().stable_reason(), "k_range");
  EXPECT_EQ(memory_->recall({.query = "a", .k = 1001}).error().stable_reason(), "k_range");
  EXPECT_EQ(memory_->recall({.query = "a", .collection = "none"}).error().code,
            ErrorCode::kNotFound);
  CollectionConfig plain;
  plain.vectors.push_back({.dim = 4});
  ASSERT_TRUE(engine_->create_collection("default", "vectors", plain).ok());
  EXPECT_EQ(reason({.text = "a", .collection = "vectors"}), "collection_without_model");
}

TEST_F(PlainMemoryTest, TellsChunksFromRecords) {
  const auto remembered = remember({.text = words("w", 200)});
  const PointId part = remembered.value().chunks.at(1);
  EXPECT_EQ(memory_->forget(part, "").error().stable_reason(), "chunk_of_record");
  EXPECT_EQ(remember({.text = "x", .id = part}).error().stable_reason(), "chunk_of_record");
}

TEST_F(PlainMemoryTest, WritesManyTogetherAndFailsAlone) {
  std::vector<RememberRequest> requests;
  for (std::uint64_t i = 0; i < 50; ++i) {
    requests.push_back({.text = "note " + std::to_string(i), .id = PointId::number(i)});
  }
  requests[20].text = "";
  requests[30].id = PointId::number(29);  // the same record twice: the later one wins
  const auto answers = memory_->remember(std::move(requests));
  ASSERT_EQ(answers.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(answers[i].ok(), i != 20) << i;
  EXPECT_TRUE(answers[29].value().created);
  EXPECT_FALSE(answers[30].value().created);
  EXPECT_EQ(points(), 48U);
  const auto found = engine_->get("default", "memories", {.ids = {PointId::number(29)}});
  EXPECT_EQ(found.value().at(0).text, "note 30");
}

TEST_F(PlainMemoryTest, AnswersARepeatedKeyWithTheFirstResult) {
  RememberRequest request{.text = words("w", 200)};
  request.params.idempotency_key = "once";
  const auto first = remember(request);
  const auto again = remember(request);
  ASSERT_TRUE(first.ok() && again.ok()) << again.error().message;
  EXPECT_EQ(first.value().id, again.value().id);
  EXPECT_EQ(first.value().version, again.value().version);
  request.text = "another";
  EXPECT_EQ(remember(request).error().stable_reason(), "idempotency_mismatch");
}

TEST_F(PlainMemoryTest, WritersOfOneRecordLeaveOneVersion) {
  const PointId id = PointId::number(3);
  std::vector<std::thread> writers;
  for (int writer = 0; writer < 4; ++writer) {
    writers.emplace_back([&, writer] {
      for (const std::size_t count : {200U, 5U, 90U}) {
        std::vector<RememberRequest> requests;
        requests.push_back({.text = words("t" + std::to_string(writer) + "n", count), .id = id});
        const auto answers = memory_->remember(std::move(requests));
        EXPECT_TRUE(answers[0].ok()) << answers[0].error().message;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  const auto found = memory_->recall({.query = "anything", .k = 100});
  ASSERT_EQ(found.value().records.size(), 1U);
  EXPECT_TRUE(memory_->forget(id, "").value());
  EXPECT_TRUE(memory_->recall({.query = "anything", .k = 100}).value().records.empty());
}

TEST_F(PlainMemoryTest, FollowsAnyHistory) {
  Rng rng(test_seed());
  std::map<PointId, std::string> model;
  for (int step = 0; step < 120; ++step) {
    const PointId id = PointId::number(rng.below(6));
    if (rng.below(3) > 0) {
      const std::string text = words("s" + std::to_string(step) + "w", 1 + rng.below(200));
      const auto remembered = remember({.text = text, .id = id});
      ASSERT_TRUE(remembered.ok()) << remembered.error().message;
      EXPECT_EQ(remembered.value().created, !model.contains(id));
      model[id] = text;
    } else {
      EXPECT_EQ(memory_->forget(id, "").value(), model.erase(id) == 1);
    }
    const auto found = memory_->recall({.query = "anything", .k = 100});
    ASSERT_TRUE(found.ok());
    std::set<PointId> ids;
    for (const Recalled& record : found.value().records) {
      ASSERT_TRUE(ids.insert(record.id).second) << "a record came twice";
      ASSERT_TRUE(model.contains(record.id));
      EXPECT_NE(model[record.id].find(record.text), std::string::npos);
    }
    ASSERT_EQ(ids.size(), model.size());
  }
}

TEST(UuidV7, AreDistinctAscendingAndWellFormed) {
  PointId last = make_uuid_v7(1'700'000'000'000'123);
  EXPECT_EQ(last.to_string().substr(0, 13), "018bcfe5-6800");
  for (int i = 0; i < 10'000; ++i) {
    const PointId next = make_uuid_v7(1'700'000'000'000'123);
    ASSERT_LT(last, next);
    ASSERT_EQ((next.high() >> 12) & 0xf, 7U);
    ASSERT_EQ(next.low() >> 62, 2U);
    last = next;
  }
}

TEST(DerivedUuid, DependsOnItsNameAlone) {
  EXPECT_EQ(derived_uuid("a"), derived_uuid("a"));
  EXPECT_NE(derived_uuid("a"), derived_uuid("b"));
  EXPECT_EQ((derived_uuid("a").high() >> 12) & 0xf, 8U);
  EXPECT_EQ(derived_uuid("a").low() >> 62, 2U);
}

}  // namespace
}  // namespace quipu::engine
