// Vectors that come and go, and snapshots of one collection.
#include <ostream>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

constexpr std::size_t kVectorJsonBytesMax = 1U << 20;

std::string snapshots_path(std::string_view collection) {
  return collection_path(collection) + "/snapshots";
}

// {"changes": [...]}: what is dropped first, then what is renamed, then what is added, so that a
// vector can take the name of another in one call.
Result<std::string> vector_changes(Context& context, const VectorArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("changes").begin_array();
  for (const std::string& name : arguments.drop) {
    json.begin_object().key("drop").value(std::string_view(name)).end_object();
  }
  for (const std::string& given : arguments.rename) {
    const std::size_t colon = given.find(':');
    if (colon == std::string::npos) {
      return Error{ErrorCode::kInvalidArgument,
                   quipu::format("--rename is {}; it must be FROM:TO", in_quotes(given)), "usage"};
    }
    json.begin_object().key("rename").begin_object();
    json.key("from").value(std::string_view(given).substr(0, colon));
    json.key("to").value(std::string_view(given).substr(colon + 1)).end_object().end_object();
  }
  for (const std::string& given : arguments.add) {
    QUIPU_TRY(const std::string vector, read_argument(context, given, kVectorJsonBytesMax));
    QUIPU_TRY(const JsonDocument parsed, JsonDocument::parse(vector));
    json.begin_object().key("add").raw(parsed.root().to_string()).end_object();
  }
  json.end_array().end_object();
  return body;
}

void print_snapshot(Table& table, JsonView snapshot) {
  table.add({text_of(snapshot, "name"), human_bytes(count_of(snapshot, "size_bytes")),
             text_of(snapshot, "created_at"), text_of(snapshot, "sha256")});
}

int show_snapshots(Context& context, const Result<Answer>& answer, bool several) {
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  Table table({{"snapshot"}, {"size", Align::kRight}, {"made"}, {"sha256"}});
  if (!several) {
    print_snapshot(table, answer.value().json());
  } else if (const auto list = answer.value().json().find("snapshots")) {
    list->for_each_element([&table](JsonView each) {
      print_snapshot(table, each);
      return true;
    });
  }
  if (table.empty()) {
    context.note("there are no snapshots; make one with 'quipu collection snapshot NAME'");
  } else {
    table.print(context.streams());
  }
  return kExitOk;
}

}  // namespace

int collection_vectors(Context& context, const VectorArguments& arguments) {
  Result<std::string> body = vector_changes(context, arguments);
  if (!body.ok()) return context.fail(body.error());
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST",
                   collection_path(arguments.collection) + "/vectors", std::move(body).value());
  return show_collection(context, answer);
}

int collection_snapshot(Context& context, const CollectionSnapshotArguments& arguments) {
  return show_snapshots(
      context, context.call(Context::Need::kReading, "POST", snapshots_path(arguments.collection)),
      false);
}

int collection_snapshots(Context& context, const CollectionSnapshotArguments& arguments) {
  return show_snapshots(
      context, context.call(Context::Need::kReading, "GET", snapshots_path(arguments.collection)),
      true);
}

int collection_recover(Context& context, const CollectionSnapshotArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("snapshot").value(std::string_view(arguments.snapshot));
  if (!arguments.from.empty()) json.key("from").value(std::string_view(arguments.from));
  if (arguments.shards > 0) json.key("shard_count").value(arguments.shards);
  json.end_object();
  return show_collection(
      context, context.call(Context::Need::kWriting, "POST",
                            snapshots_path(arguments.collection) + ":recover", std::move(body)));
}

}  // namespace quipu::cli
