// What each command is given and what runs it. The functions return the process's exit code;
// options are declared in app.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "quipu/cli/context.h"

namespace quipu::cli {

// ---------------------------------------------------------------- memory_commands.cpp

struct RememberArguments {
  std::string text;  // "-": the standard input
  std::string id;
  std::string metadata;
  std::string collection;
};
[[nodiscard]] int remember(Context& context, const RememberArguments& arguments);

struct RecallArguments {
  std::string query;
  std::size_t k = 5;
  std::string collection;
  std::optional<float> score_threshold;
  bool explain = false;
};
[[nodiscard]] int recall(Context& context, const RecallArguments& arguments);

struct ForgetArguments {
  std::vector<std::string> ids;
  std::string collection;
};
[[nodiscard]] int forget(Context& context, const ForgetArguments& arguments);

// ---------------------------------------------------------------- search_commands.cpp

struct SearchArguments {
  std::string collection;
  std::vector<std::string> collections;  // several; then `collection` is the text
  // Exactly one of the three.
  std::string text;
  std::string vector;  // a JSON array, or "-" for one on the standard input
  std::string id;
  std::string vector_name;
  std::string filter;  // JSON, "-" for the standard input; "": everything
  std::string words;   // search these words; with `hybrid`, the words of it
  bool hybrid = false;
  std::string fusion;
  std::vector<double> weights;  // of the vector and of the words; with `hybrid`
  std::size_t k = 10;
  std::size_t offset = 0;
  std::uint32_t ef = 0;
  bool exact = false;
  std::optional<float> score_threshold;
  bool with_vector = false;
  bool explain = false;
};
[[nodiscard]] int search(Context& context, const SearchArguments& arguments);

// ---------------------------------------------------------------- query_commands.cpp

struct QueryArguments {
  std::string collection;
  std::string body;  // a file of JSON, "-" for the standard input, or the JSON itself
};
[[nodiscard]] int query(Context& context, const QueryArguments& arguments);

struct FacetArguments {
  std::string collection;
  std::string key;
  std::string filter;  // as SearchArguments'
  std::size_t limit = 10;
};
[[nodiscard]] int facet(Context& context, const FacetArguments& arguments);

// ---------------------------------------------------------------- collection_commands.cpp

struct CollectionArguments {
  std::string name;
  std::uint32_t dim = 0;
  std::string metric;
  std::string model;
  std::string index;
  std::uint32_t m = 0;
  std::uint32_t ef_construction = 0;
  std::uint32_t shards = 0;
  std::string durability;
  std::uint32_t tail_vectors_max = 0;
  bool no_vector = false;
  std::vector<std::string> words;            // "NAME[:LANGUAGE[:KEY]]"
  std::vector<std::string> sparse;           // "NAME[:idf]"
  std::vector<std::string> multi;            // "NAME:DIM"
  std::vector<std::string> payload_indexes;  // "KEY:KIND"
  std::vector<std::string> drop_words;
  std::vector<std::string> drop_payload_indexes;
  std::string json_config;  // the whole configuration as JSON, "-" for the standard input
  bool yes = false;         // drop without a question
};
[[nodiscard]] int collection_list(Context& context);
[[nodiscard]] int collection_create(Context& context, const CollectionArguments& arguments);
[[nodiscard]] int collection_show(Context& context, const CollectionArguments& arguments);
[[nodiscard]] int collection_update(Context& context, const CollectionArguments& arguments);
[[nodiscard]] int collection_drop(Context& context, const CollectionArguments& arguments);

// Prints a collection that was answered.
[[nodiscard]] int show_collection(Context& context, const Result<Answer>& answer);

// ---------------------------------------------------------------- collection_change_commands.cpp

struct VectorArguments {
  std::string collection;
  std::vector<std::string> add;  // as JSON, "-" for the standard input
  std::vector<std::string> drop;
  std::vector<std::string> rename;  // "FROM:TO"
};
[[nodiscard]] int collection_vectors(Context& context, const VectorArguments& arguments);

struct CollectionSnapshotArguments {
  std::string collection;
  std::string snapshot;
  std::string from;
  std::uint32_t shards = 0;
};
[[nodiscard]] int collection_snapshot(Context& context,
                                      const CollectionSnapshotArguments& arguments);
[[nodiscard]] int collection_snapshots(Context& context,
                                       const CollectionSnapshotArguments& arguments);
[[nodiscard]] int collection_recover(Context& context,
                                     const CollectionSnapshotArguments& arguments);

// ---------------------------------------------------------------- alias_commands.cpp

struct AliasArguments {
  std::string name;
  std::string collection;
  std::string to;  // the new name
};
[[nodiscard]] int alias_list(Context& context, const AliasArguments& arguments);
[[nodiscard]] int alias_set(Context& context, const AliasArguments& arguments);
[[nodiscard]] int alias_rename(Context& context, const AliasArguments& arguments);
[[nodiscard]] int alias_delete(Context& context, const AliasArguments& arguments);

// ---------------------------------------------------------------- point_commands.cpp

struct PointArguments {
  std::string collection;
  std::vector<std::string> ids;
  std::string body;  // points as JSON, "-" for the standard input
  std::string after;
  std::string filter;  // as SearchArguments'
  std::size_t limit = 20;
  bool with_vector = false;
};
[[nodiscard]] int point_put(Context& context, const PointArguments& arguments);
[[nodiscard]] int point_get(Context& context, const PointArguments& arguments);
[[nodiscard]] int point_scroll(Context& context, const PointArguments& arguments);
[[nodiscard]] int point_count(Context& context, const PointArguments& arguments);
[[nodiscard]] int point_delete(Context& context, const PointArguments& arguments);

// ---------------------------------------------------------------- model_commands.cpp

struct ModelArguments {
  std::string name;  // "": the default model
};
[[nodiscard]] int model_list(Context& context);
[[nodiscard]] int model_show(Context& context, const ModelArguments& arguments);
// Loads the model and looks at what it gives.
[[nodiscard]] int model_check(Context& context, const ModelArguments& arguments);

// ---------------------------------------------------------------- status_commands.cpp

[[nodiscard]] int status(Context& context);
[[nodiscard]] int health(Context& context);
[[nodiscard]] int gpu(Context& context);
[[nodiscard]] int version(Context& context);

struct SnapshotArguments {
  std::string name;       // for `snapshot`
  std::string directory;  // for `restore`: where the snapshot is
};
[[nodiscard]] int snapshot(Context& context, const SnapshotArguments& arguments);
[[nodiscard]] int restore(Context& context, const SnapshotArguments& arguments);

// ---------------------------------------------------------------- config_commands.cpp

[[nodiscard]] int config_show(Context& context);
[[nodiscard]] int config_check(Context& context);
[[nodiscard]] int config_docs(Context& context);

// ---------------------------------------------------------------- performance.cpp

struct PerformanceArguments {
  std::size_t vectors = 5'000;
  std::size_t dim = 384;
};
[[nodiscard]] int performance(Context& context, const PerformanceArguments& arguments);

// ---------------------------------------------------------------- serve.cpp

struct ServeArguments {
  std::string address;
  std::optional<std::uint16_t> port;
  std::optional<std::uint16_t> grpc_port;
  bool no_grpc = false;
  bool insecure = false;
};
[[nodiscard]] int serve(Context& context, const ServeArguments& arguments);

// ---------------------------------------------------------------- shared

// What an option holds: itself, or all of the standard input for "-". At most `bytes_max` bytes.
[[nodiscard]] Result<std::string> read_argument(Context& context, const std::string& argument,
                                                std::size_t bytes_max);
// A filter as JSON, as read_argument(); "{}", which holds for all, for "".
[[nodiscard]] Result<std::string> read_filter(Context& context, const std::string& argument);
// A hit for people: its place in the ranking, score, id, and what it holds.
void print_hit(Context& context, std::size_t rank, const JsonView& hit);
// Where a hit stands, from an ingested chunk's payload: "ls(1), OPTIONS, line 42"; "" for others.
[[nodiscard]] std::string place_of(const JsonView& payload);

}  // namespace quipu::cli
