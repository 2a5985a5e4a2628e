// Goal: every command does what it says against a data folder and against a server alike, gives one
// JSON document with --json, and ends with the documented exit code.
// Method: whole command lines in this process, with a test double for the model.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "quipu/base/json.h"
#include "quipu/base/test_support.h"
#include "quipu/cli/app.h"
#include "quipu/cli/context.h"
#include "quipu/cli/exit_codes.h"
#include "quipu/cli/ingest/ingest.h"
#include "quipu/server/server.h"
#include "tests/support/fake_embedder.h"

namespace quipu::cli {
namespace {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  // What surrounds the test must not steer it.
  void SetUp() override {
    for (const char* name : {"QUIPU_SERVER", "QUIPU_CONFIG", "QUIPU_DATA"}) ::unsetenv(name);
    ::setenv("XDG_CONFIG_HOME", folder_.path().c_str(), 1);
  }

  Outcome run_raw(std::vector<std::string> arguments, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    const Streams streams{in, out, err, false, false, 80};
    Outcome outcome;
    outcome.code = run(arguments, streams, &embedder_);
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }
  // On the test's data folder, or its server when there is one.
  Outcome quipu(std::vector<std::string> arguments, const std::string& input = "") {
    std::vector<std::string> all;
    if (server_ != nullptr) {
      all = {"--server", server_->url()};
    } else {
      all = {"--data", folder_.file("data")};
    }
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run_raw(std::move(all), input);
  }
  // The JSON of a command that succeeds.
  JsonDocument json(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "--json");
    const Outcome outcome = quipu(std::move(arguments), input);
    EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
    auto document = JsonDocument::parse(outcome.out);
    EXPECT_TRUE(document.ok()) << outcome.out;
    return document.ok() ? std::move(document).value()
                         : std::move(JsonDocument::parse("{}")).value();
  }
  void start_server() {
    auto config =
        server::load_config("", {}, {{"data.dir", folder_.file("data")}, {"server.port", "0"}});
    ASSERT_TRUE(config.ok()) << config.error().message;
    auto started = server::Server::start(std::move(config).value(), &embedder_);
    ASSERT_TRUE(started.ok()) << started.error().message;
    server_ = std::move(started).value();
  }
  void stop_server() {
    EXPECT_EQ(why_not(server_->stop()), "");
    server_.reset();
  }
  std::string write(const std::string& name, std::string_view content) {
    const std::string path = folder_.file("files/" + name);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return path;
  }
  static std::string words(const std::string& prefix, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += prefix + std::to_string(i) + (i % 8 == 7 ? "\n" : " ");
    return text;
  }

  TempDir folder_{TempDir::Place::kMemory};
  testing_support::FakeEmbedder embedder_{32, 64};
  std::unique_ptr<server::Server> server_;
};

TEST_F(CliTest, SaysWhatThereIs) {
  EXPECT_EQ(run_raw({"--help"}).code, kExitOk);
  EXPECT_NE(run_raw({"--help"}).out.find("Exit codes"), std::string::npos);
  EXPECT_NE(run_raw({"ingest", "--help"}).out.find("--chunk-tokens"), std::string::npos);
  EXPECT_NE(run_raw({"collection", "create", "-h"}).out.find("--metric"), std::string::npos);
  EXPECT_EQ(run_raw({"--version"}).out, std::string("quipu ") + QUIPU_VERSION + "\n");
  EXPECT_EQ(run_raw({"version"}).out, std::string("quipu ") + QUIPU_VERSION + "\n");
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Outcome script = run_raw({"completion", shell});
    EXPECT_EQ(script.code, kExitOk);
    EXPECT_NE(script.out.find("remember"), std::string::npos);
  }
}

TEST_F(CliTest, AliasesNameCollectionsAndSeveralAreSearchedAsOne) {
  for (int round = 0; round < 2; ++round) {
    const std::string a = "a" + std::to_string(round);
    const std::string b = "b" + std::to_string(round);
    for (const std::string& name : {a, b}) {
      EXPECT_EQ(quipu({"collection", "create", name, "--dim", "2", "--metric", "dot"}).code,
                kExitOk);
    }
    EXPECT_EQ(quipu({"point", "put", a, R"({"id":1,"vector":[3,0]})"}).code, kExitOk);
    EXPECT_EQ(quipu({"point", "put", b, R"({"id":1,"vector":[5,0]})"}).code, kExitOk);
    EXPECT_EQ(quipu({"alias", "set", "next", b}).code, kExitOk);
    EXPECT_EQ(quipu({"alias", "set", "live", a}).code, kExitOk);
    EXPECT_NE(quipu({"alias", "list"}).out.find("live   " + a), std::string::npos)
        << quipu({"alias", "list"}).out;
    EXPECT_EQ(quipu({"alias", "list", "--collection", b}).out.find("live"), std::string::npos);
    EXPECT_EQ(quipu({"point", "count", "live"}).code, kExitOk);
    EXPECT_EQ(quipu({"collection", "drop", "live", "--yes"}).code, kExitConflict);
    EXPECT_EQ(quipu({"alias", "set", a, b}).code, kExitConflict);
    EXPECT_EQ(quipu({"alias", "set", "x", "none"}).code, kExitNotFound);
    EXPECT_EQ(quipu({"alias", "rename", "next", "live"}).code, kExitOk);
    EXPECT_EQ(json({"alias", "list"}).root().to_string(),
              R"({"aliases":[{"name":"live","collection":")" + b + R"("}]})");

    const Outcome both =
        quipu({"search", "--collection", a, "--collection", "live", "--vector", "[1,0]"});
    EXPECT_EQ(both.code, kExitOk) << both.err;
    EXPECT_LT(both.out.find("5.0000  live 1"), both.out.find("3.0000  " + a + " 1")) << both.out;
    const Outcome partly =
        quipu({"search", "--collection", "none", "--collection", a, "--vector", "[1,0]"});
    EXPECT_EQ(partly.code, kExitFailure);
    EXPECT_NE(partly.err.find("none"), std::string::npos);
    EXPECT_NE(partly.out.find("3.0000"), std::string::npos);
    EXPECT_EQ(quipu({"search", "--collection", "none", "--vector", "[1,0]"}).code, kExitNotFound);
    EXPECT_EQ(quipu({"search", "--vector", "[1,0]"}).code, kExitUsage);
    EXPECT_EQ(quipu({"search", "--collection", a, "one text", "another"}).code, kExitUsage);

    EXPECT_EQ(quipu({"alias", "delete", "live"}).code, kExitOk);
    EXPECT_EQ(quipu({"alias", "delete", "live"}).code, kExitNotFound);
    if (server_ == nullptr) start_server();
  }
  stop_server();
}

TEST_F(CliTest, RefusesWrongUsage) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"remeber", "x"},
      {"recall"},
      {"recall", "x", "-k", "0"},
      {"recall", "x", "-k", "many"},
      {"collection"},
      {"collection", "lst"},
      {"completion", "tcsh"},
      {"status", "--nonsense"},
      {"collection", "create", "x", "--metric", "near"},
      {"--set", "novalue", "config", "check"},
      {"--set", "server.prt=1", "config", "check"},
      {"--server", "https://x", "status"}};
  for (const auto& arguments : wrong) {
    const Outcome outcome = run_raw(arguments);
    EXPECT_EQ(outcome.code, kExitUsage) << (arguments.empty() ? "" : arguments.back());
    EXPECT_TRUE(outcome.err.starts_with("quipu: ")) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_NE(run_raw({"remeber", "x"}).err.find("did you mean \"remember\""), std::string::npos);
  EXPECT_NE(run_raw({"--set", "server.prt=1", "config", "check"}).err.find("server.port"),
            std::string::npos);
  const Outcome machine = run_raw({"--json", "recall", "x", "-k", "0"});
  EXPECT_TRUE(JsonDocument::parse(machine.err).ok()) << machine.err;
}

TEST_F(CliTest, RemembersRecallsForgets) {
  for (const bool remote : {false, true}) {
    if (remote) start_server();
    const JsonDocument made =
        json({"remember", "the key is under the mat", "--metadata", R"({"room":"hall"})"});
    const std::string id(*made.root().find("id")->as_string());
    const JsonDocument found = json({"recall", "where is the key", "-k", "1", "--explain"});
    const JsonView records = *found.root().find("records");
    ASSERT_EQ(records.size(), 1U);
    records.for_each_element([&](JsonView record) {
      EXPECT_EQ(record.find("id")->as_string(), id);
      EXPECT_EQ(record.find("metadata")->to_string(), R"({"room":"hall"})");
      return true;
    });
    EXPECT_TRUE(found.root().find("explain").has_value());
    const Outcome shown = quipu({"recall", "key"});
    EXPECT_NE(shown.out.find("the key is under the mat"), std::string::npos) << shown.out;
    EXPECT_NE(shown.out.find(id), std::string::npos);
    EXPECT_EQ(quipu({"forget", id}).out, "forgot " + id + "\n");
    EXPECT_EQ(quipu({"forget", id}).code, kExitNotFound);
    EXPECT_EQ(quipu({"remember", "-"}, "from the input\n").code, kExitOk);
    EXPECT_NE(quipu({"recall", "input"}).out.find("from the input"), std::string::npos);
    EXPECT_EQ(quipu({"remember", "x", "--id", "12"}).out, "remembered 12\n");
    EXPECT_EQ(quipu({"remember", "y", "--id", "12"}).out, "replaced 12\n");
    EXPECT_EQ(quipu({"forget", "12"}).code, kExitOk);
    EXPECT_EQ(quipu({"remember", ""}).code, kExitUsage);
    EXPECT_EQ(quipu({"remember", "x", "--metadata", "{"}).code, kExitUsage);
    EXPECT_EQ(quipu({"remember", "x", "--metadata", "[1]"}).code, kExitUsage);
    EXPECT_EQ(quipu({"remember", "x", "--id", "not-an-id"}).code, kExitUsage);
    EXPECT_EQ(quipu({"recall", "x", "--collection", "none"}).code, kExitNotFound);
  }
  stop_server();
}

TEST_F(CliTest, ManagesCollectionsAndPoints) {
  EXPECT_EQ(quipu({"collection", "create", "c", "--dim", "3", "--metric", "euclidean"}).code,
            kExitOk);
  EXPECT_EQ(quipu({"collection", "create", "c", "--dim", "3"}).code, kExitConflict);
  EXPECT_EQ(
      quipu({"point", "put", "c", "-"}, R"({"points":[{"id":1,"vector":[1,0,0],"payload":{"n":1}},)"
                                        R"({"id":2,"vector":[0,1,0]}]})")
          .out,
      "2 created\n");
  EXPECT_EQ(quipu({"point", "put", "c", R"({"id":1,"vector":[1,0]})"}).code, kExitUsage);
  EXPECT_EQ(quipu({"point", "put", "c", R"({"id":1,"vector":[1,0,0],"if_absent":true})"}).code,
            kExitConflict);
  EXPECT_EQ(quipu({"point", "count", "c"}).out, "2\n");
  EXPECT_NE(quipu({"point", "get", "c", "1"}).out.find(R"({"n":1})"), std::string::npos);
  EXPECT_EQ(quipu({"point", "get", "c", "1", "9"}).code, kExitNotFound);
  EXPECT_NE(quipu({"point", "get", "c", "2", "--with-vector"}).out.find("[0,1,0]"),
            std::string::npos);
  const JsonDocument page = json({"point", "scroll", "c", "--limit", "1"});
  EXPECT_EQ(page.root().find("points")->size(), 1U);
  EXPECT_EQ(page.root().find("next")->to_string(), "1");
  const JsonDocument hits = json({"search", "c", "--vector", "[1,0.1,0]", "-k", "2"});
  EXPECT_EQ(hits.root().find("hits")->size(), 2U);
  EXPECT_EQ(json({"search", "c", "--id", "1"}).root().find("hits")->size(), 1U);
  EXPECT_EQ(quipu({"search", "c"}).code, kExitUsage);
  EXPECT_EQ(quipu({"search", "c", "text", "--id", "1"}).code, kExitUsage);
  EXPECT_EQ(quipu({"search", "c", "--vector", "[1"}).code, kExitUsage);
  EXPECT_EQ(quipu({"search", "c", "--vector", "[1,2]"}).code, kExitUsage);
  EXPECT_EQ(quipu({"search", "none", "--id", "1"}).code, kExitNotFound);
  EXPECT_EQ(quipu({"point", "delete", "c", "2"}).out, "1 deleted\n");
  EXPECT_EQ(quipu({"point", "delete", "c", "2"}).code, kExitNotFound);
  EXPECT_EQ(quipu({"collection", "update", "c"}).code, kExitUsage);
  EXPECT_NE(quipu({"collection", "update", "c", "--durability", "async"}).out.find("async"),
            std::string::npos);
  EXPECT_NE(quipu({"collection", "list"}).out.find("3 euclidean hnsw"), std::string::npos);
  EXPECT_EQ(quipu({"collection", "drop", "c"}).code, kExitUsage);  // nobody there to ask
  EXPECT_EQ(quipu({"collection", "drop", "c", "--yes"}).code, kExitOk);
  EXPECT_EQ(quipu({"collection", "show", "c"}).code, kExitNotFound);
}

TEST_F(CliTest, AsksByWordsAndQueries) {
  const Outcome made =
      quipu({"collection", "create", "n", "--words", "body:english", "--words", "tag::tags",
             "--sparse", "terms:idf", "--multi", "rows:2", "--payload-index", "n:integer"});
  EXPECT_EQ(made.code, kExitOk) << made.err;
  EXPECT_NE(made.out.find("words          body (english), tag of tags"), std::string::npos)
      << made.out;
  EXPECT_NE(made.out.find("terms: sparse idf, rows: 2 cosine multi"), std::string::npos)
      << made.out;
  EXPECT_NE(made.out.find("indexed keys   n integer"), std::string::npos) << made.out;
  for (const bool remote : {false, true}) {
    if (remote) start_server();
    json({"point", "put", "n", "-"},
         R"({"points":[{"id":1,"text":"the roof leaks","payload":{"n":1,"tags":["house"]}},)"
         R"({"id":2,"text":"rivers and seas","payload":{"n":2,"tags":["water","house"]}},)"
         R"({"id":3,"text":"a river","payload":{"n":3,"tags":["water"]}}]})");
    const JsonDocument words = json({"search", "n", "river", "--words", "body"});
    EXPECT_EQ(words.root().find("hits")->size(), 2U);
    EXPECT_EQ(json({"search", "n", "house", "--words", "tag"}).root().find("hits")->size(), 2U);
    const Outcome hybrid = quipu({"search", "n", "river", "--hybrid", "--words", "body", "--fusion",
                                  "rrf", "--weights", "1,2", "--explain", "-k", "1"});
    EXPECT_EQ(hybrid.code, kExitOk) << hybrid.err;
    EXPECT_NE(hybrid.out.find("words 0.0"), std::string::npos) << hybrid.out;
    EXPECT_EQ(json({"search", "n", "leak", "--id", "2", "--hybrid", "--words", "body"})
                  .root()
                  .find("hits")
                  ->size(),
              2U);
    const std::string file =
        write("q.json", R"({"query":{"text":"rivers"},"using":"body","limit":1})");
    EXPECT_EQ(json({"query", "n", file}).root().find("hits")->size(), 1U);
    EXPECT_EQ(json({"query", "n", "-"}, R"({"queries":[{"limit":2},{"query":3}]})")
                  .root()
                  .find("results")
                  ->size(),
              2U);
    const Outcome groups = quipu(
        {"query", "n", R"({"query":{"text":"river roof"},"using":"body","group_by":"tags"})"});
    EXPECT_EQ(groups.code, kExitOk) << groups.err;
    EXPECT_NE(groups.out.find("water\n"), std::string::npos) << groups.out;
    EXPECT_NE(quipu({"query", "n", "{}"}).out.find(" 1. "), std::string::npos);
    EXPECT_NE(quipu({"query", "n", R"({"query":{"order_by":{"key":"n","direction":"desc"}}})"})
                  .out.find(" 1. 3  3\n"),
              std::string::npos);
    const Outcome facets = quipu({"facet", "n", "tags"});
    EXPECT_NE(facets.out.find("2  house"), std::string::npos) << facets.out;
    EXPECT_EQ(json({"facet", "n", "tags", "--limit", "1", "--filter",
                    R"({"must":[{"key":"n",)"
                    R"("range":{"gt":2}}]})"})
                  .root()
                  .find("values")
                  ->to_string(),
              R"([{"value":"water","count":1}])");
    EXPECT_EQ(quipu({"point", "count", "n", "--filter", R"({"must":[{"has_id":[1,2]}]})"}).out,
              "2\n");
    EXPECT_EQ(quipu({"point", "delete", "n", "--filter", R"({"must":[{"has_id":[1,9]}]})"}).out,
              "1 deleted\n");
    EXPECT_EQ(quipu({"point", "count", "n"}).out, "2\n");
  }
  const Outcome changed = quipu({"collection", "update", "n", "--words", "more", "--drop-words",
                                 "tag", "--drop-payload-index", "n"});
  EXPECT_EQ(changed.code, kExitOk) << changed.err;
  EXPECT_NE(changed.out.find("words          body (english), more\n"), std::string::npos)
      << changed.out;
  stop_server();
}

TEST_F(CliTest, SaysWhatWordsAndQueriesCannotBe) {
  json({"collection", "create", "n", "--no-vector", "--words", "body"});
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"collection", "create", "x", "--words", ":english"}, "--words"},
      {{"collection", "create", "x", "--words", "w:klingon"}, "klingon"},
      {{"collection", "create", "x", "--sparse", "s:tf"}, "--sparse"},
      {{"collection", "create", "x", "--multi", "rows"}, "--multi"},
      {{"collection", "create", "x", "--multi", "rows:many"}, "--multi"},
      {{"collection", "create", "x", "--payload-index", "year"}, "--payload-index"},
      {{"collection", "create", "x", "--payload-index", "year:number"}, "payload_indexes[0].kind"},
      {{"collection", "create", "x", "--no-vector", "--dim", "3"}, "--no-vector"},
      {{"collection", "create", "x", "--no-vector"}, "vectors or words"},
      {{"search", "n", "--hybrid"}, "takes a text"},
      {{"search", "n", "--id", "1", "--hybrid"}, "takes a text"},
      {{"search", "n", "x", "--fusion", "rrf"}, "--hybrid"},
      {{"search", "n", "x", "--words", "body", "--vector-name", "v"}, "--words"},
      {{"search", "n", "x", "--hybrid", "--weights", "1"}, "--weights"},
      {{"query", "n", "{"}, "JSON"},
      {{"query", "n", R"({"queri":1})"}, "queri"},
      {{"facet", "n", "a..b"}, "key"},
      {{"point", "delete", "n"}, "--filter"},
      {{"point", "delete", "n", "1", "--filter", "{}"}, "--filter"},
      {{"point", "delete", "n", "--filter", "{"}, "JSON"}};
  for (const auto& [arguments, says] : wrong) {
    const Outcome outcome = quipu(arguments);
    EXPECT_EQ(outcome.code, kExitUsage) << arguments.back() << outcome.err;
    EXPECT_NE(outcome.err.find(says), std::string::npos) << arguments.back() << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  EXPECT_EQ(quipu({"query", "n", folder_.file("none.json")}).code, kExitNotFound);
  EXPECT_EQ(quipu({"search", "n", "x", "--words", "none"}).code, kExitNotFound);
  EXPECT_EQ(quipu({"facet", "none", "a"}).code, kExitNotFound);
}

TEST_F(CliTest, GivesOneJsonDocumentForEveryCommand) {
  json({"remember", "a note"});
  json({"point", "put", "memories", R"({"id":9,"text":"a point","payload":{"x":"y"}})"});
  const std::vector<std::vector<std::string>> commands = {{"status"},
                                                          {"health"},
                                                          {"gpu"},
                                                          {"version"},
                                                          {"collection", "list"},
                                                          {"collection", "show", "memories"},
                                                          {"point", "count", "memories"},
                                                          {"point", "scroll", "memories"},
                                                          {"model", "list"},
                                                          {"model", "show"},
                                                          {"model", "check"},
                                                          {"config", "show"},
                                                          {"config", "check"},
                                                          {"config", "docs"},
                                                          {"recall", "note"},
                                                          {"search", "memories", "note"},
                                                          {"query", "memories", "{}"},
                                                          {"facet", "memories", "x"},
                                                          {"snapshot", "monday"}};
  for (const auto& command : commands) {
    const JsonDocument document = json(command);
    EXPECT_TRUE(document.root().is_object()) << command[0];
  }
  for (const auto& command : commands) {
    if (command[0] == "snapshot") continue;
    const Outcome outcome = quipu(command);
    EXPECT_EQ(outcome.code, kExitOk) << command[0] << ": " << outcome.err;
    EXPECT_FALSE(outcome.out.empty()) << command[0];
  }
  const Outcome missing = quipu({"--json", "collection", "show", "none"});
  EXPECT_EQ(missing.code, kExitNotFound);
  EXPECT_EQ(missing.out, "");
  const auto error = JsonDocument::parse(missing.err);
  ASSERT_TRUE(error.ok()) << missing.err;
  EXPECT_EQ(error.value().root().find("code")->as_string(), "collection_not_found");
  EXPECT_EQ(error.value().root().find("exit_code")->as_int64(), 3);
}

TEST_F(CliTest, ACollectionTravelsAndChangesItsVectors) {
  json({"remember", "what travels"});
  const JsonDocument made = json({"collection", "snapshot", "memories"});
  const std::string name(made.root().find("name")->as_string().value_or(""));
  EXPECT_NE(quipu({"collection", "snapshots", "memories"}).out.find(name), std::string::npos);
  const JsonDocument copy =
      json({"collection", "recover", "copy", name, "--from", "memories", "--shards", "2"});
  EXPECT_EQ(copy.root().find("points")->as_int64(), 1);
  EXPECT_EQ(copy.root().find("shard_count")->as_int64(), 2);
  EXPECT_EQ(quipu({"collection", "recover", "copy", "absent.snapshot"}).code, kExitNotFound);
  json({"collection", "vectors", "copy", "--add", R"({"name":"next","dim":2})"});
  const JsonDocument changed = json({"collection", "vectors", "copy", "--rename", "next:last",
                                     "--add", R"({"name":"next","kind":"sparse"})"});
  EXPECT_EQ(changed.root().find("vectors")->size(), 3U);
  EXPECT_EQ(json({"collection", "vectors", "copy", "--drop", "next", "--drop", "last"})
                .root()
                .find("vectors")
                ->size(),
            1U);
  EXPECT_EQ(quipu({"collection", "vectors", "copy", "--rename", "next"}).code, kExitUsage);
  EXPECT_EQ(quipu({"collection", "vectors", "copy", "--drop", "next"}).code, kExitNotFound);
}

TEST_F(CliTest, RestoresASnapshot) {
  json({"remember", "before the snapshot"});
  json({"snapshot", "monday"});
  EXPECT_EQ(quipu({"snapshot", "monday"}).code, kExitConflict);
  const std::string from = folder_.file("data/snapshots/monday");
  EXPECT_EQ(run_raw({"--data", folder_.file("copy"), "restore", from}).code, kExitOk);
  const Outcome found = run_raw({"--data", folder_.file("copy"), "recall", "snapshot"});
  EXPECT_NE(found.out.find("before the snapshot"), std::string::npos) << found.err;
  EXPECT_NE(run_raw({"--data", folder_.file("copy"), "restore", from}).code, kExitOk);
}

TEST_F(CliTest, ChoosesWhereToWork) {
  // No server, no folder: reading makes none.
  const Outcome nothing =
      run_raw({"--set", "server.port=1", "--data", folder_.file("none"), "recall", "x"});
  EXPECT_EQ(nothing.code, kExitUnavailable);
  EXPECT_FALSE(std::filesystem::exists(folder_.file("none")));
  EXPECT_EQ(run_raw({"--server", "http://127.0.0.1:1", "status"}).code, kExitUnavailable);
  start_server();
  // The folder belongs to the server now.
  const Outcome locked = run_raw({"--data", folder_.file("data"), "remember", "x"});
  EXPECT_EQ(locked.code, kExitUnavailable);
  EXPECT_NE(locked.err.find("in use by another process"), std::string::npos) << locked.err;
  EXPECT_NE(locked.err.find("--server"), std::string::npos) << locked.err;
  // Without either option the configured server is found.
  const std::string port = "server.port=" + std::to_string(server_->port());
  const Outcome found = run_raw({"--set", port, "status"});
  EXPECT_EQ(found.code, kExitOk) << found.err;
  EXPECT_NE(found.out.find(server_->url()), std::string::npos) << found.out;
  stop_server();
}

// Every point of a collection as source, chunk, text.
using Stored = std::map<std::pair<std::string, std::uint64_t>, std::string>;

class IngestTest : public CliTest {
 protected:
  Stored stored(const std::string& collection = "documents") {
    Stored all;
    const JsonDocument page = json({"point", "scroll", collection, "--limit", "10000"});
    page.root().find("points")->for_each_element([&](JsonView point) {
      const JsonView payload = *point.find("payload");
      const auto added =
          all.emplace(std::pair(text_of(payload, "source"), count_of(payload, "chunk")),
                      text_of(point, "text"));
      EXPECT_TRUE(added.second) << "a chunk is there twice";
      return true;
    });
    return all;
  }
  std::vector<std::string> command() {
    return {"ingest",         folder_.file("files"),
            "--base",         folder_.file("files"),
            "--chunk-tokens", "40",
            "--overlap",      "5",
            "--batch",        "7"};
  }
};

TEST_F(IngestTest, IsTheSameLocallyAndRemotely) {
  write("a.md", "# Roof\n" + words("tile", 300) + "\n# Walls\n" + words("brick", 30));
  write("b/c.txt", words("plain", 100));
  write("b/.hidden", "secret");
  write("image.png", "x");
  write("binary", std::string("a\0b", 3));
  const JsonDocument report = json(command());
  EXPECT_EQ(count_of(report.root(), "files"), 2U);
  EXPECT_EQ(report.root().find("skipped")->size(), 2U);
  const Stored local = stored();
  EXPECT_EQ(local.size(), count_of(report.root(), "chunks"));
  EXPECT_GT(local.size(), 10U);
  EXPECT_TRUE(local.at({"a.md", 0}).starts_with("Roof\n"));
  start_server();
  json({"collection", "drop", "documents", "--yes"});
  const JsonDocument remote = json(command());
  EXPECT_EQ(count_of(remote.root(), "chunks"), local.size());
  EXPECT_EQ(stored(), local);
  // What is searched says where it stands.
  const Outcome found = quipu({"search", "documents", words("brick", 30), "-k", "1"});
  EXPECT_NE(found.out.find("Walls, line"), std::string::npos) << found.out;
  stop_server();
}

TEST_F(IngestTest, ReplacesWhatItReadBefore) {
  write("a.txt", words("first", 400));
  write("b.txt", words("other", 60));
  json(command());
  const Stored before = stored();
  write("a.txt", words("second", 50));
  const JsonDocument report = json(command());
  const Stored after = stored();
  EXPECT_LT(after.size(), before.size());
  EXPECT_EQ(count_of(report.root(), "removed"), before.size() - after.size());
  for (const auto& [key, text] : after) {
    EXPECT_EQ(text.find("first"), std::string::npos) << text;
    if (key.first == "b.txt") {
      EXPECT_EQ(text, before.at(key));
    }
  }
  const JsonDocument again = json(command());
  EXPECT_EQ(count_of(again.root(), "created"), 0U);
  EXPECT_EQ(count_of(again.root(), "removed"), 0U);
  EXPECT_EQ(stored(), after);
}

TEST_F(IngestTest, WritesReceipts) {
  write("a.txt", words("first", 200));
  std::vector<std::string> arguments = command();
  arguments.insert(arguments.end(), {"--receipts", folder_.file("receipts")});
  json(arguments);
  std::ifstream receipts(folder_.file("receipts"));
  std::set<std::string> ids;
  for (std::string line; std::getline(receipts, line);) {
    const auto receipt = JsonDocument::parse(line);
    ASSERT_TRUE(receipt.ok()) << line;
    EXPECT_GT(count_of(receipt.value().root(), "version"), 0U);
    ids.insert(id_text(receipt.value().root().find("id")));
  }
  EXPECT_EQ(ids.size(), stored().size());
  std::vector<std::string> get = {"point", "get", "documents"};
  get.insert(get.end(), ids.begin(), ids.end());
  EXPECT_EQ(quipu(get).code, kExitOk);
  arguments.back() = folder_.file("no/such/folder");
  EXPECT_EQ(quipu(arguments).code, kExitFailure);
}

TEST_F(IngestTest, StopsWhenAskedAndKeepsWhatIsIn) {
  for (int i = 0; i < 50; ++i) write("f" + std::to_string(i) + ".txt", words("w", 100));
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const Streams streams{in, out, err, false, false, 80};
  GlobalOptions globals;
  globals.data = folder_.file("data");
  Context context(globals, streams, &embedder_);
  IngestArguments arguments;
  arguments.paths = {folder_.file("files")};
  arguments.batch_chunks = 4;
  const std::atomic<bool> stop{true};  // as if Ctrl-C came at once
  const auto report = run_ingest(context, arguments, stop);
  ASSERT_TRUE(report.ok()) << report.error().message;
  EXPECT_TRUE(report.value().interrupted);
  EXPECT_EQ(context.finish(0), 0);
  EXPECT_EQ(stored().size(), report.value().chunks);
  EXPECT_LT(report.value().files, 50U);
}

TEST_F(IngestTest, SaysWhatCannotBe) {
  EXPECT_EQ(quipu({"ingest", folder_.file("missing")}).code, kExitNotFound);
  write("only.bin", std::string("a\0b", 3));
  const Outcome nothing = quipu(command());
  EXPECT_EQ(nothing.code, kExitUsage);
  EXPECT_NE(nothing.out.find("only.bin: it is binary"), std::string::npos) << nothing.out;
  write("a.txt", "words");
  EXPECT_EQ(
      quipu({"ingest", folder_.file("files"), "--chunk-tokens", "20", "--overlap", "11"}).code,
      kExitUsage);
  EXPECT_EQ(quipu({"collection", "create", "raw", "--dim", "3"}).code, kExitOk);
  EXPECT_EQ(quipu({"ingest", folder_.file("files"), "--collection", "raw"}).code, kExitConflict);
  embedder_.set_error({ErrorCode::kInternal, "the model is broken", "broken"});
  const Outcome broken = quipu(command());
  EXPECT_NE(broken.code, kExitOk);
  EXPECT_NE(broken.err.find("ingest again"), std::string::npos) << broken.err;
}

}  // namespace
}  // namespace quipu::cli
