// Goal: vectors that come and go and snapshots of collections do over both REST surfaces what they
// say, names lead nowhere else, and what clients of one surface told travels along.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "quipu/api/calls/collection_snapshots.h"
#include "quipu/base/bytes.h"
#include "quipu/base/test_support.h"
#include "tests/support/service_fixture.h"

namespace quipu::api {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class CollectionSnapshotsTest : public ServiceFixture {
 protected:
  void fill_notes(int points) {
    make_notes();
    for (int i = 0; i < points; ++i) {
      const std::string id = std::to_string(i);
      ASSERT_EQ(
          call("PUT", "/v1/collections/notes/points",
               R"({"id":)" + id + R"(,"vector":[1,0,0,)" + id + R"(],"payload":{"n":)" + id + "}}")
              .status,
          200);
    }
  }
  std::string make_snapshot() {
    const Response made = call("POST", "/v1/collections/notes/snapshots");
    EXPECT_EQ(made.status, 201) << made.body;
    return member(made.body, "name");
  }
  static std::string member(const std::string& json, std::string_view name) {
    const auto parsed = JsonDocument::parse(json);
    if (!parsed.ok()) return "not JSON: " + json;
    const auto found = parsed.value().root().find(name);
    return found ? std::string(found->as_string().value_or("")) : "absent in " + json;
  }
  std::string count(const std::string& collection) {
    return call("POST", "/v1/collections/" + collection + "/points:count", "{}").body;
  }
  [[nodiscard]] std::filesystem::path folder_of(const std::string& collection) const {
    return folder_ / "collection-snapshots" / "default" / collection;
  }
  static std::string content_of(const std::string& path) {
    const auto bytes = read_file(posix_file_system(), path, 1U << 24);
    EXPECT_EQ(why_not(bytes), "");
    return bytes.ok() ? bytes.value() : std::string();
  }
  // As clients send a file.
  Response upload(const std::string& collection, const std::string& file,
                  const std::string& query = "") {
    const std::string body =
        "--edge\r\nContent-Disposition: form-data; name=\"snapshot\"; filename=\"a\"\r\n"
        "Content-Type: application/octet-stream\r\n\r\n" +
        file + "\r\n--edge--\r\n";
    return send("POST", "/collections/" + collection + "/snapshots/upload" + query, body,
                {{"Content-Type", "multipart/form-data; boundary=edge"}});
  }
};

TEST_F(CollectionSnapshotsTest, AreMadeListedFetchedAndDeleted) {
  ASSERT_NO_FATAL_FAILURE(fill_notes(5));
  EXPECT_EQ(call("GET", "/v1/collections/notes/snapshots").body, R"({"snapshots":[]})");
  const std::string name = make_snapshot();
  EXPECT_THAT(name, testing::StartsWith("notes-"));
  const Response fetched = call("GET", "/v1/collections/notes/snapshots/" + name);
  EXPECT_EQ(fetched.status, 200);
  EXPECT_EQ(fetched.content_type, "application/octet-stream");
  EXPECT_EQ(fetched.file_path, folder_of("notes") / name);
  const std::string content = content_of(fetched.file_path);
  EXPECT_EQ(header(fetched, "Quipu-Sha256"), sha256_hex(content));
  const Response listed = call("GET", "/v1/collections/notes/snapshots");
  EXPECT_THAT(listed.body, HasSubstr("\"size_bytes\":" + std::to_string(content.size())));
  EXPECT_THAT(listed.body, HasSubstr(sha256_hex(content)));
  // A digest that is lost is made anew.
  std::filesystem::remove(folder_of("notes") / (name + ".sha256"));
  EXPECT_EQ(call("GET", "/v1/collections/notes/snapshots").body, listed.body);
  EXPECT_EQ(call("DELETE", "/v1/collections/notes/snapshots/" + name).status, 200);
  EXPECT_EQ(call("GET", "/v1/collections/notes/snapshots").body, R"({"snapshots":[]})");
  EXPECT_TRUE(std::filesystem::is_empty(folder_of("notes")));
  EXPECT_EQ(code(call("DELETE", "/v1/collections/notes/snapshots/" + name)), "snapshot_not_found");
}

TEST_F(CollectionSnapshotsTest, AreRecoveredUnderAnyNameAndShardCount) {
  ASSERT_NO_FATAL_FAILURE(fill_notes(9));
  const std::string name = make_snapshot();
  ASSERT_EQ(call("POST", "/v1/collections/notes/points:delete", R"({"ids":[1,2,3]})").status, 200);
  const Response copied = call("POST", "/v1/collections/copy/snapshots:recover",
                               R"({"snapshot":")" + name + R"(","from":"notes","shard_count":3})");
  ASSERT_EQ(copied.status, 200) << copied.body;
  EXPECT_THAT(copied.body, HasSubstr("\"shard_count\":3"));
  EXPECT_EQ(count("copy"), R"({"count":9})");
  EXPECT_EQ(count("notes"), R"({"count":6})");
  const std::string wrong(64, 'a');
  EXPECT_EQ(code(call("POST", "/v1/collections/notes/snapshots:recover",
                      R"({"snapshot":")" + name + R"(","sha256":")" + wrong + "\"}")),
            "checksum_mismatch");
  EXPECT_EQ(count("notes"), R"({"count":6})");
  EXPECT_EQ(
      call("POST", "/v1/collections/notes/snapshots:recover", R"({"snapshot":")" + name + "\"}")
          .status,
      200);
  EXPECT_EQ(count("notes"), R"({"count":9})");
  // A collection that was dropped comes back.
  ASSERT_EQ(call("DELETE", "/v1/collections/notes").status, 200);
  EXPECT_EQ(
      call("POST", "/v1/collections/notes/snapshots:recover", R"({"snapshot":")" + name + "\"}")
          .status,
      200);
  EXPECT_EQ(count("notes"), R"({"count":9})");
}

TEST_F(CollectionSnapshotsTest, AreSentToAServerThatHasNoSuchCollection) {
  ASSERT_NO_FATAL_FAILURE(fill_notes(4));
  const std::string content = content_of(folder_of("notes") / make_snapshot());
  const std::string path = "/v1/collections/fresh/snapshots/mine.snapshot";
  const Headers binary = {{"Content-Type", "application/octet-stream"}};
  const Response sent = send("PUT", path, content, binary);
  ASSERT_EQ(sent.status, 201) << sent.body;
  EXPECT_EQ(member(sent.body, "sha256"), sha256_hex(content));
  EXPECT_EQ(code(send("PUT", path, content, binary)), "snapshot_exists");
  EXPECT_EQ(code(send("PUT", "/v1/collections/fresh/snapshots/b.snapshot", content + "x", binary)),
            "snapshot_damaged");
  EXPECT_EQ(code(send("PUT", "/v1/collections/fresh/snapshots/b.snapshot", "", binary)),
            "body_required");
  EXPECT_EQ(
      call("POST", "/v1/collections/fresh/snapshots:recover", R"({"snapshot":"mine.snapshot"})")
          .status,
      200);
  EXPECT_EQ(count("fresh"), R"({"count":4})");
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "collection-snapshots" / ".uploads"));
}

TEST_F(CollectionSnapshotsTest, NamesLeadNowhereElse) {
  ASSERT_NO_FATAL_FAILURE(fill_notes(1));
  const std::string name = make_snapshot();
  std::ofstream(folder_ / "secret.snapshot") << "secret";
  for (const std::string bad :
       {"..%2F..%2F..%2Fsecret.snapshot", "a%2Fb.snapshot", ".x.snapshot", ".snapshot", "plain",
        "%2Fetc%2Fpasswd", "a%00b.snapshot", "a%5Cb.snapshot"}) {
    const int own = call("GET", "/v1/collections/notes/snapshots/" + bad).status;
    EXPECT_TRUE(own == 422 || own == 400) << bad << own;
    EXPECT_EQ(call("GET", "/collections/notes/snapshots/" + bad).status, 400) << bad;
    const int removed = call("DELETE", "/v1/collections/notes/snapshots/" + bad).status;
    EXPECT_TRUE(removed == 422 || removed == 400) << bad;
  }
  EXPECT_EQ(code(call("GET", "/v1/collections/..%2Fx/snapshots/a.snapshot")), "invalid_name");
  EXPECT_EQ(code(call("POST", "/v1/collections/x/snapshots:recover",
                      R"({"snapshot":"../../secret.snapshot"})")),
            "invalid_name");
  EXPECT_EQ(code(call("POST", "/v1/collections/x/snapshots:recover",
                      R"({"snapshot":"a.snapshot","from":".."})")),
            "invalid_name");
  const std::string root = (folder_ / "collection-snapshots").string();
  std::filesystem::create_symlink(folder_ / "secret.snapshot",
                                  folder_of("notes") / "link.snapshot");
  for (const std::string& location :
       {"file://" + folder_.string() + "/secret.snapshot",
        "file://" + root + "/default/notes/../../../secret.snapshot",
        "file://" + root + "/default/notes/link.snapshot", "file://" + root,
        "file://" + root + "/other/notes/" + name, std::string("/etc/passwd")}) {
    const Response refused =
        call("PUT", "/collections/notes/snapshots/recover", R"({"location":")" + location + "\"}");
    EXPECT_EQ(refused.status, 400) << location << refused.body;
    EXPECT_THAT(refused.body, HasSubstr("location"));
  }
  EXPECT_EQ(call("PUT", "/collections/notes/snapshots/recover",
                 R"({"location":"https://example.com/a.snapshot"})")
                .status,
            501);
  EXPECT_EQ(call("PUT", "/collections/copy/snapshots/recover",
                 R"({"location":"file://)" + root + "/default/notes/" + name + "\"}")
                .status,
            200);
  EXPECT_EQ(count("copy"), R"({"count":1})");
}

TEST_F(CollectionSnapshotsTest, QdrantsClientsFindTheirOptionsAgain) {
  ASSERT_EQ(call("PUT", "/collections/notes",
                 R"({"vectors":{"size":2,"distance":"Dot","on_disk":true},"metadata":{"a":1}})")
                .status,
            200);
  ASSERT_EQ(call("PUT", "/collections/notes/points",
                 R"({"points":[{"id":1,"vector":[1,2]},{"id":2,"vector":[3,4]}]})")
                .status,
            200);
  const Response made = call("POST", "/collections/notes/snapshots?wait=true");
  ASSERT_EQ(made.status, 200) << made.body;
  const auto parsed = JsonDocument::parse(made.body);
  ASSERT_EQ(why_not(parsed), "");
  const JsonView description = *parsed.value().root().find("result");
  const std::string name(*description.find("name")->as_string());
  EXPECT_EQ(description.find("creation_time")->as_string()->size(), 19U);
  const std::string content = content_of(folder_of("notes") / name);
  EXPECT_EQ(description.find("checksum")->as_string(), sha256_hex(content));
  EXPECT_EQ(description.find("size")->as_uint64(), content.size());
  ASSERT_EQ(call("DELETE", "/collections/notes").status, 200);
  const Response sent = upload("other", content, "?checksum=" + sha256_hex(content));
  ASSERT_EQ(sent.status, 200) << sent.body;
  const Response info = call("GET", "/collections/other");
  EXPECT_THAT(info.body, HasSubstr(R"("on_disk":true)"));
  EXPECT_THAT(info.body, HasSubstr(R"("metadata":{"a":1})"));
  EXPECT_THAT(info.body, HasSubstr(R"("points_count":2)"));
}

TEST_F(CollectionSnapshotsTest, MalformedUploadsChangeNothing) {
  ASSERT_NO_FATAL_FAILURE(fill_notes(2));
  const std::string content = content_of(folder_of("notes") / make_snapshot());
  EXPECT_EQ(upload("notes", content, "?checksum=abc").status, 400);
  EXPECT_EQ(upload("notes", content, "?checksum=" + std::string(64, '0')).status, 400);
  EXPECT_EQ(upload("notes", content, "?priority=most").status, 400);
  EXPECT_EQ(upload("notes", content.substr(1)).status, 400);
  EXPECT_THAT(upload("notes", std::string(600, 'q')).body, HasSubstr("quipu import qdrant URL"));
  const auto form = [&](const std::string& body, const std::string& type) {
    return send("POST", "/collections/notes/snapshots/upload", body, {{"Content-Type", type}});
  };
  const std::string type = "multipart/form-data; boundary=edge";
  EXPECT_EQ(form("", type).status, 400);
  EXPECT_EQ(form("--edge\r\n", type).status, 400);
  EXPECT_EQ(
      form("--edge\r\nContent-Disposition: form-data; name=\"snapshot\"\r\n\r\n" + content, type)
          .status,
      400);
  EXPECT_EQ(form("--edge\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n" + content +
                     "\r\n--edge--",
                 type)
                .status,
            400);
  EXPECT_EQ(form(content, "multipart/form-data").status, 400);
  EXPECT_EQ(form(content, "application/json").status, 415);
  EXPECT_EQ(count("notes"), R"({"count":2})");
  EXPECT_TRUE(std::filesystem::is_empty(folder_ / "collection-snapshots" / ".uploads"));
}

TEST_F(CollectionSnapshotsTest, WithoutWaitingTheAnswerComesFirst) {
  ASSERT_NO_FATAL_FAILURE(fill_notes(2));
  const Response accepted = call("POST", "/collections/notes/snapshots?wait=false");
  EXPECT_EQ(accepted.status, 202) << accepted.body;
  EXPECT_THAT(accepted.body, HasSubstr(R"("status":"accepted")"));
  make_service({});  // waits for what the one before has accepted
  EXPECT_THAT(call("GET", "/collections/notes/snapshots").body, HasSubstr("notes-"));
}

TEST_F(CollectionSnapshotsTest, WithoutAFolderTheyAreNotBuilt) {
  ServiceOptions options;
  service_.reset();
  service_ = std::make_unique<Service>(*engine_, compute_, metrics_, system_clock(), options);
  EXPECT_EQ(call("GET", "/v1/collections/notes/snapshots").status, 501);
}

// ---- vectors

TEST_F(CollectionSnapshotsTest, VectorsComeAndGo) {
  make_notes();
  const std::string vectors = "/v1/collections/notes/vectors";
  EXPECT_EQ(call("PUT", vectors + "/late", R"({"dim":2,"metric":"dot"})").status, 201);
  EXPECT_EQ(code(call("PUT", vectors + "/late", R"({"dim":2})")), "vector_exists");
  EXPECT_EQ(
      call("PUT", "/v1/collections/notes/points", R"({"id":1,"vectors":{"late":[1,2]}})").status,
      200);
  const std::string search = R"({"vector_name":"late","vector":[1,1]})";
  EXPECT_THAT(call("POST", "/v1/collections/notes/search", search).body, HasSubstr("\"score\":3"));
  const Response switched =
      call("POST", vectors,
           R"({"changes":[{"drop":""},{"rename":{"from":"late","to":""}},{"add":{"name":"terms",)"
           R"("kind":"sparse"}}]})");
  ASSERT_EQ(switched.status, 200) << switched.body;
  EXPECT_THAT(call("POST", "/v1/collections/notes/search", R"({"vector":[1,1]})").body,
              HasSubstr("\"score\":3"));
  EXPECT_EQ(code(call("POST", "/v1/collections/notes/search", search)), "vector_not_found");
  EXPECT_EQ(call("DELETE", vectors + "/terms").status, 200);
  EXPECT_EQ(code(call("DELETE", vectors + "/terms")), "vector_not_found");
  const Response refused =
      call("POST", vectors, R"({"changes":[{"add":{"name":"x","dim":1}},{"drop":"nothing"}]})");
  EXPECT_EQ(refused.status, 404);
  EXPECT_THAT(refused.body, HasSubstr("changes[1]"));
  EXPECT_THAT(call("GET", "/v1/collections/notes").body, Not(HasSubstr("\"x\"")));
  EXPECT_EQ(call("POST", vectors, R"({"changes":[{"drop":"a","add":{"dim":1}}]})").status, 422);
}

TEST_F(CollectionSnapshotsTest, VectorsComeAndGoInQdrantsWords) {
  ASSERT_EQ(
      call("PUT", "/collections/c", R"({"vectors":{"a":{"size":2,"distance":"Dot"}}})").status,
      200);
  const std::string late = "/collections/c/vectors/late";
  const std::string dense = R"({"dense":{"size":3,"distance":"Cosine","datatype":"float16"}})";
  EXPECT_EQ(call("PUT", late + "?wait=true", dense).status, 200);
  EXPECT_EQ(call("PUT", late, dense).status, 409);
  EXPECT_THAT(call("GET", "/collections/c").body, HasSubstr(R"("datatype":"float16")"));
  EXPECT_EQ(call("PUT", "/collections/c/vectors/t", R"({"sparse":{"modifier":"idf"}})").status,
            200);
  EXPECT_THAT(call("GET", "/collections/c").body, HasSubstr(R"("modifier":"idf")"));
  for (const char* wrong : {"{}", R"({"dense":{"size":3}})", R"({"dense":{},"sparse":{}})",
                            R"({"dense":{"size":3,"distance":"Dot","on_disk":true}})",
                            R"({"sparse":{"index":{}}})", R"({"other":{}})"}) {
    EXPECT_EQ(call("PUT", "/collections/c/vectors/w", wrong).status, 400) << wrong;
  }
  EXPECT_EQ(call("DELETE", late).status, 200);
  EXPECT_EQ(call("DELETE", late).status, 400);
  EXPECT_EQ(call("PUT", late, R"({"dense":{"size":1,"distance":"Dot"}})").status, 200);
  EXPECT_THAT(call("GET", "/collections/c").body, Not(HasSubstr("float16")));
  EXPECT_EQ(call("PUT", "/collections/none/vectors/w", dense).status, 404);
}

}  // namespace
}  // namespace quipu::api
