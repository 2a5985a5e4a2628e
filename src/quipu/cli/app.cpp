#include "quipu/cli/app.h"

#include <CLI/CLI.hpp>

#include <functional>
#include <map>
#include <memory>
#include <ostream>
#include <sstream>
#include <utility>

#include "quipu/base/quote.h"
#include "quipu/cli/command_tree.h"
#include "quipu/cli/commands.h"
#include "quipu/cli/import/import.h"
#include "quipu/cli/ingest/ingest.h"

namespace quipu::cli {
namespace {

constexpr const char* kFilterHelp =
    "Only points for which this filter holds (docs/filters.md); - reads the input";

using Action = std::function<int(Context&)>;

constexpr const char* kAbout =
    "Quipu remembers: it stores texts and vectors durably and finds them again by meaning.";
constexpr const char* kFooter = R"(Examples:
  quipu remember "the spare key is with the neighbour on the left"
  quipu recall "where is the spare key?"
  quipu ingest ~/notes && quipu search documents "what did we decide about the roof?"
  quipu serve

A command goes to the server of --server; without that, to the folder of --data; without both, to
the configured server when it runs (usually http://127.0.0.1:7333), and else to the configured data
folder.

Exit codes: 0 well, 1 failure, 2 wrong usage or input, 3 not found, 4 unavailable, locked or over a
limit, 5 conflict, 6 not permitted, 130 interrupted.)";

// All options' values, the parser that fills them, and what each command does.
struct Program {
  GlobalOptions globals;
  CLI::App app{kAbout, "quipu"};
  std::map<const CLI::App*, Action> actions;
  std::map<const CLI::App*, bool> takes_paths;

  // A command below `parent` with a struct of arguments of its own.
  template <typename Arguments>
  std::pair<CLI::App*, std::shared_ptr<Arguments>> add(CLI::App* parent, const std::string& name,
                                                       const std::string& description,
                                                       int (*function)(Context&,
                                                                       const Arguments&)) {
    auto arguments = std::make_shared<Arguments>();
    CLI::App* command = parent->add_subcommand(name, description);
    command->fallthrough();
    actions[command] = [arguments, function](Context& context) {
      return function(context, *arguments);
    };
    return {command, arguments};
  }
  CLI::App* add(CLI::App* parent, const std::string& name, const std::string& description,
                int (*function)(Context&)) {
    CLI::App* command = parent->add_subcommand(name, description);
    command->fallthrough();
    actions[command] = function;
    return command;
  }
  CLI::App* group(const std::string& name, const std::string& description) {
    CLI::App* command = app.add_subcommand(name, description);
    command->fallthrough();
    command->require_subcommand(1);
    return command;
  }
};

void add_global_options(Program& program) {
  GlobalOptions& globals = program.globals;
  CLI::App& app = program.app;
  app.footer(kFooter);
  app.fallthrough();
  app.require_subcommand(1);
  app.set_help_flag("--help,-h", "Say what there is and end");
  app.set_version_flag("--version", std::string("quipu ") + QUIPU_VERSION, "Print the version");
  app.add_option("--server", globals.server, "Talk to the server at this address")
      ->envname("QUIPU_SERVER")
      ->type_name("URL");
  app.add_option("--data", globals.data, "Work on this data folder, in this process")
      ->type_name("DIR");
  app.add_option("--config", globals.config, "Read this configuration file")
      ->envname("QUIPU_CONFIG")
      ->type_name("FILE");
  app.add_option("--set", globals.set, "Set a configuration key (key=value), over everything else")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  app.add_option("--timeout", globals.timeout_s, "Wait this long for an answer of the server")
      ->check(CLI::Range(0.001, 86'400.0))
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_flag("--json", globals.json, "Print one JSON document, for programs");
  app.add_flag("--quiet,-q", globals.quiet, "No progress and no remarks");
}

void add_memory_commands(Program& program) {
  {
    auto [command, arguments] =
        program.add<RememberArguments>(&program.app, "remember", "Remember a text", remember);
    command->add_option("text", arguments->text, "What to remember; - reads the standard input")
        ->required()
        ->type_name("TEXT");
    command->add_option("--id", arguments->id, "A number or UUID; what it named is replaced")
        ->type_name("ID");
    command->add_option("--metadata", arguments->metadata, "A JSON object kept with the text")
        ->type_name("JSON");
    command->add_option("--collection", arguments->collection, "Another one than the usual")
        ->type_name("NAME");
    command->footer(R"(Examples:
  quipu remember "the boiler was serviced in March"
  quipu remember - --metadata '{"topic":"house"}' < notes.txt
  quipu remember "the meeting is at four" --id 42)");
  }
  {
    auto [command, arguments] = program.add<RecallArguments>(
        &program.app, "recall", "Find what was remembered, by meaning", recall);
    command->add_option("query", arguments->query, "A question in plain words; - reads the input")
        ->required()
        ->type_name("QUERY");
    command->add_option("-k,--count", arguments->k, "How many at most")
        ->check(CLI::Range(1, 1000))
        ->type_name("COUNT")
        ->capture_default_str();
    command->add_option("--collection", arguments->collection, "Another one than the usual")
        ->type_name("NAME");
    command->add_option("--min-score", arguments->score_threshold, "Leave out what scores worse")
        ->type_name("SCORE");
    command->add_flag("--explain", arguments->explain, "Say how it was found");
    command->footer("Example:\n  quipu recall \"when was the boiler serviced?\" -k 3");
  }
  {
    auto [command, arguments] = program.add<ForgetArguments>(
        &program.app, "forget", "Forget records, with all their parts", forget);
    command->add_option("ids", arguments->ids, "As remember and recall print them")
        ->required()
        ->type_name("ID");
    command->add_option("--collection", arguments->collection, "Another one than the usual")
        ->type_name("NAME");
    command->footer("Example:\n  quipu forget 0193a5e2-7c1f-7d35-9c54-5b2f1c2f9a10");
  }
}

void add_ingest_command(Program& program) {
  auto [command, arguments] = program.add<IngestArguments>(
      &program.app, "ingest", "Read files and folders into a collection", ingest);
  program.takes_paths[command] = true;
  command->add_option("paths", arguments->paths, "Files, and folders with all that is in them")
      ->required()
      ->type_name("PATH");
  command->add_option("--collection", arguments->collection, "Made when it is not there")
      ->type_name("NAME")
      ->capture_default_str();
  command->add_option("--chunk-tokens", arguments->chunks.tokens_max, "The longest chunk")
      ->check(CLI::Range(16, 8'192))
      ->type_name("TOKENS")
      ->capture_default_str();
  command->add_option("--overlap", arguments->chunks.overlap_tokens, "Shared with the next chunk")
      ->check(CLI::Range(0, 4'096))
      ->type_name("TOKENS")
      ->capture_default_str();
  command
      ->add_option("--leave-out", arguments->chunks.sections_left_out,
                   "Leave sections with this heading out; may be given several times")
      ->type_name("HEADING")
      ->expected(1)
      ->take_all();
  command->add_flag("!--no-context", arguments->chunks.context,
                    "Do not put title and heading before each chunk");
  command->add_option("--base", arguments->base, "Name files relative to this folder")
      ->type_name("DIR");
  command
      ->add_option("--receipts", arguments->receipts,
                   "Append a JSON line to this file for each acknowledged chunk")
      ->type_name("FILE");
  command->add_option("--batch", arguments->batch_chunks, "Chunks in one request")
      ->check(CLI::Range(1, 1'000))
      ->type_name("COUNT")
      ->capture_default_str();
  command->add_option("--parallel", arguments->parallel, "Requests under way at once")
      ->check(CLI::Range(1, 32))
      ->type_name("COUNT")
      ->capture_default_str();
  command->add_flag("--verbose,-v", arguments->verbose, "List every file that was skipped");
  command->footer(
      R"(Read are text, Markdown, HTML and manual pages (by mandoc), each also gzipped.
Hidden files are skipped; what is not text is skipped and listed. A file that is ingested again
replaces what it was. Ctrl-C stops after the batches that are under way.

Examples:
  quipu ingest notes/ README.md
  quipu ingest /usr/share/man/man1 --collection manuals --leave-out AUTHOR --leave-out COPYRIGHT)");
}

void add_search_command(Program& program) {
  auto [command, arguments] = program.add<SearchArguments>(
      &program.app, "search", "Search a collection by text, vector or point", search);
  command->add_option("where", arguments->collection, "Where to search; not with --collection")
      ->type_name("COLLECTION");
  command
      ->add_option("--collection", arguments->collections,
                   "Search this one; given again, all of them as one")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command->add_option("text,--text", arguments->text, "In plain words; - reads the input")
      ->type_name("TEXT");
  command->add_option("--vector", arguments->vector, "A JSON array of numbers; - reads the input")
      ->type_name("JSON");
  command->add_option("--id", arguments->id, "What is near this point")->type_name("ID");
  command->add_option("--vector-name", arguments->vector_name, "Which vector of the points")
      ->type_name("NAME");
  command->add_option("--filter", arguments->filter, kFilterHelp)->type_name("JSON");
  command->add_option("--words", arguments->words, "Search these words (BM25); with --hybrid, too")
      ->type_name("NAME");
  command->add_flag("--hybrid", arguments->hybrid, "Search by meaning and by words, and fuse both");
  command->add_option("--fusion", arguments->fusion, "How --hybrid fuses; rrf unless given")
      ->check(CLI::IsMember({"rrf", "dbsf", "weighted"}));
  command->add_option("--weights", arguments->weights, "Of the vector and of the words")
      ->delimiter(',')
      ->expected(2)
      ->type_name("A,B");
  command->add_option("-k,--count", arguments->k, "How many at most")
      ->check(CLI::Range(1, 10'000))
      ->type_name("COUNT")
      ->capture_default_str();
  command->add_option("--offset", arguments->offset, "Leave out the best ones")
      ->check(CLI::Range(0, 10'000))
      ->type_name("COUNT");
  command->add_option("--ef", arguments->ef, "Effort of the search; 0 lets the engine choose")
      ->type_name("EF");
  command->add_flag("--exact", arguments->exact, "Compare with every point");
  command->add_option("--min-score", arguments->score_threshold, "Leave out what scores worse")
      ->type_name("SCORE");
  command->add_flag("--with-vector", arguments->with_vector, "Give the vectors too (with --json)");
  command->add_flag("--explain", arguments->explain, "Say how it was found");
  command->footer(R"(Examples:
  quipu search documents "how do I see which process uses the most memory"
  quipu search images --vector "[0.1, 0.7, 0.2]" -k 5
  quipu search notes "the roof" --filter '{"must": [{"key": "year", "range": {"gte": 2024}}]}'
  quipu search manuals "list open files" --hybrid --explain
  quipu search manuals lsof --words text
  quipu search --collection notes --collection documents "the roof"
  quipu search documents --id 0193a5e2-7c1f-7d35-9c54-5b2f1c2f9a10)");
}

void add_query_commands(Program& program) {
  {
    auto [command, arguments] = program.add<QueryArguments>(
        &program.app, "query", "Ask in the query language: stages, fusions, formulas", query);
    program.takes_paths[command] = true;
    command->add_option("collection", arguments->collection, "Where to search")
        ->required()
        ->type_name("COLLECTION");
    command
        ->add_option("query", arguments->body,
                     "A file of JSON (docs/query.md), the JSON itself, or - for the input")
        ->required()
        ->type_name("FILE");
    command->footer(R"(A query with "group_by" answers groups; {"queries": [...]} asks several.

Examples:
  quipu query notes '{"query": {"text": "roof"}, "using": "body", "limit": 3}'
  quipu query notes hybrid.json)");
  }
  {
    auto [command, arguments] = program.add<FacetArguments>(
        &program.app, "facet", "Count the values of a payload key", facet);
    command->add_option("collection", arguments->collection, "Whose points")
        ->required()
        ->type_name("COLLECTION");
    command->add_option("key", arguments->key, "A path into the payload")
        ->required()
        ->type_name("KEY");
    command->add_option("--filter", arguments->filter, kFilterHelp)->type_name("JSON");
    command->add_option("--limit", arguments->limit, "How many values")
        ->check(CLI::Range(1, 10'000))
        ->type_name("COUNT")
        ->capture_default_str();
    command->footer("Example:\n  quipu facet documents source --limit 5");
  }
}

void add_collection_options(CLI::App* command, CollectionArguments& arguments) {
  command->add_option("--dim", arguments.dim, "How many numbers a vector has")
      ->check(CLI::Range(1, 65'536))
      ->type_name("COUNT");
  command->add_option("--model", arguments.model, "Embeds texts; the usual one without --dim")
      ->type_name("NAME");
  command->add_option("--metric", arguments.metric, "How vectors are compared")
      ->check(CLI::IsMember({"cosine", "dot", "euclidean", "manhattan"}));
  command->add_option("--index", arguments.index, "flat is exact and scans")
      ->check(CLI::IsMember({"hnsw", "flat"}));
  command->add_option("--m", arguments.m, "Links of a node")->check(CLI::Range(2, 128));
  command->add_option("--ef-construction", arguments.ef_construction, "Effort of building")
      ->check(CLI::Range(2, 10'000));
  command->add_option("--shards", arguments.shards, "Fixed for its life")->check(CLI::Range(1, 64));
  command->add_flag("--no-vector", arguments.no_vector, "Without the usual vector");
  command
      ->add_option("--sparse", arguments.sparse,
                   "A sparse vector; with :idf its queries are weighted; may be given again")
      ->type_name("NAME[:idf]")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--multi", arguments.multi,
                   "A multivector with rows of this length; may be given again")
      ->type_name("NAME:DIM")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--from-json", arguments.json_config,
                   "The whole configuration, with several vectors; - reads the input")
      ->type_name("JSON");
}

void add_change_options(CLI::App* command, CollectionArguments& arguments) {
  command
      ->add_option("--words", arguments.words,
                   "Make the words of the text, or of a payload key, searchable; may be given "
                   "again")
      ->type_name("NAME[:LANGUAGE[:KEY]]")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--payload-index", arguments.payload_indexes,
                   "Index a payload key; may be given again")
      ->type_name("KEY:KIND")
      ->expected(1)
      ->take_all();
  command->add_option("--durability", arguments.durability, "When a write is acknowledged")
      ->check(CLI::IsMember({"sync", "async"}));
  command
      ->add_option("--tail-max", arguments.tail_vectors_max,
                   "Unlinked vectors of a shard before writes wait")
      ->check(CLI::Range(1, 100'000'000))
      ->type_name("COUNT");
}

void add_collection_commands(Program& program) {
  CLI::App* group = program.group("collection", "List, make, change and drop collections");
  program.add(group, "list", "List the collections", collection_list);
  {
    auto [command, arguments] =
        program.add<CollectionArguments>(group, "create", "Make a collection", collection_create);
    command->add_option("name", arguments->name, "Its name")->required()->type_name("NAME");
    add_collection_options(command, *arguments);
    add_change_options(command, *arguments);
    command->footer(R"(Examples:
  quipu collection create notes
  quipu collection create images --dim 512 --metric dot
  quipu collection create manuals --words text:english --payload-index page:integer
  quipu collection create terms --no-vector --sparse splade --multi tokens:128
  quipu collection create two --from-json '{"vectors":[{"name":"a","dim":64},{"name":"b","dim":8}]}'
)");
  }
  struct Entry {
    const char* name;
    const char* description;
    int (*function)(Context&, const CollectionArguments&);
  };
  const Entry entries[] = {{"show", "Show one and how it stands", collection_show},
                           {"update", "Change what may change", collection_update},
                           {"drop", "Delete one with all its points", collection_drop}};
  for (const Entry& entry : entries) {
    auto [command, arguments] =
        program.add<CollectionArguments>(group, entry.name, entry.description, entry.function);
    command->add_option("name", arguments->name, "Its name")->required()->type_name("NAME");
    if (entry.function == collection_update) {
      add_change_options(command, *arguments);
      command->add_option("--drop-words", arguments->drop_words, "By name; may be given again")
          ->type_name("NAME")
          ->expected(1)
          ->take_all();
      command
          ->add_option("--drop-payload-index", arguments->drop_payload_indexes,
                       "By key; may be given again")
          ->type_name("KEY")
          ->expected(1)
          ->take_all();
    }
    if (entry.function == collection_drop) {
      command->add_flag("--yes,-y", arguments->yes, "Do not ask");
    }
  }
}

void add_collection_changes(Program& program) {
  CLI::App* group = program.app.get_subcommand("collection");
  {
    auto [command, arguments] = program.add<VectorArguments>(
        group, "vectors", "Add, drop and rename vectors, all or none", collection_vectors);
    command->add_option("name", arguments->collection, "Of this collection")
        ->required()
        ->type_name("NAME");
    const auto several = [command = command](const char* option, std::vector<std::string>& into,
                                             const char* help, const char* type) {
      command->add_option(option, into, help)->type_name(type)->expected(1)->take_all();
    };
    several("--drop", arguments->drop, "By name; may be given again", "NAME");
    several("--rename", arguments->rename, "After drops; may be given again", "FROM:TO");
    several("--add", arguments->add, "After both; may be given again; - reads the input", "JSON");
    command->footer(R"(Examples:
  quipu collection vectors notes --add '{"name": "next", "model": "bge-small-en-v1.5"}'
  quipu collection vectors notes --drop old --rename next:old)");
  }
  struct Entry {
    const char* name;
    const char* description;
    int (*function)(Context&, const CollectionSnapshotArguments&);
  };
  const Entry entries[] = {
      {"snapshot", "Write one into a file that travels", collection_snapshot},
      {"snapshots", "List the snapshots of one", collection_snapshots},
      {"recover", "Make one of a snapshot, or put it in its place", collection_recover}};
  for (const Entry& entry : entries) {
    auto [command, arguments] = program.add<CollectionSnapshotArguments>(
        group, entry.name, entry.description, entry.function);
    command->add_option("name", arguments->collection, "Which")->required()->type_name("NAME");
    if (entry.function != collection_recover) continue;
    command->add_option("snapshot", arguments->snapshot, "As 'collection snapshots' lists it")
        ->required()
        ->type_name("SNAPSHOT");
    command->add_option("--from", arguments->from, "It is of this collection")->type_name("NAME");
    command->add_option("--shards", arguments->shards, "The snapshot's unless given")
        ->check(CLI::Range(1, 64));
  }
}

void add_alias_commands(Program& program) {
  CLI::App* group = program.group("alias", "Other names of collections");
  struct Entry {
    const char* name;
    const char* description;
    int (*function)(Context&, const AliasArguments&);
  };
  const Entry entries[] = {
      {"list", "List them", alias_list},
      {"set", "Make one, or point it at another collection", alias_set},
      {"rename", "Give one another name; what has that name is replaced", alias_rename},
      {"delete", "Delete one; its collection stays", alias_delete}};
  for (const Entry& entry : entries) {
    auto [command, arguments] =
        program.add<AliasArguments>(group, entry.name, entry.description, entry.function);
    if (entry.function == alias_list) {
      command->add_option("--collection", arguments->collection, "Of this collection")
          ->type_name("NAME");
      continue;
    }
    command->add_option("alias", arguments->name, "Which")->required()->type_name("ALIAS");
    if (entry.function == alias_set) {
      command->add_option("collection", arguments->collection, "What it names")
          ->required()
          ->type_name("COLLECTION");
      command->footer("Example:\n  quipu alias set live notes-2026");
    }
    if (entry.function == alias_rename) {
      command->add_option("new", arguments->to, "Its new name")->required()->type_name("NEW");
    }
  }
}

void add_import_commands(Program& program) {
  CLI::App* group = program.group("import", "Copy collections from another engine");
  auto [command, arguments] = program.add<ImportArguments>(
      group, "qdrant", "Copy collections from a running Qdrant server", import_qdrant);
  command->add_option("url", arguments->url, "Its REST address; port 6333 unless given")
      ->required()
      ->type_name("URL");
  command->add_option("--collection", arguments->collections, "This one; all unless given")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command->add_option("--as", arguments->names, "The copy of NAME is called NEW")
      ->type_name("NAME=NEW")
      ->expected(1)
      ->take_all();
  command->add_option("--batch", arguments->batch_points, "Points in one request")
      ->check(CLI::Range(1, 10'000))
      ->type_name("COUNT")
      ->capture_default_str();
  command->add_option("--shards", arguments->shards, "Of the copies; as there unless given")
      ->check(CLI::Range(1, 64))
      ->type_name("COUNT");
  command
      ->add_option("--api-key-file", arguments->api_key_file,
                   "A file with the source's API key; $QUIPU_QDRANT_API_KEY unless given")
      ->type_name("FILE");
  command->add_option("--progress", arguments->progress, "Keeps the place to go on from")
      ->type_name("FILE")
      ->capture_default_str();
  command->add_flag("--restart", arguments->restart, "Forget the progress file");
  command->add_flag("--existing", arguments->existing,
                    "Add the points to collections that are here already");
  command->footer(
      R"(Copied are the configuration, payload indexes, points with all their vectors and
payloads, and aliases. The counts are compared at the end. A copy that was cut off goes on when the
command is given again; Ctrl-C stops after the batch that is under way.

Examples:
  quipu import qdrant http://127.0.0.1:6333
  quipu import qdrant db.example:6333 --collection notes --as notes=notes-copy)");
}

void add_point_commands(Program& program) {
  CLI::App* group = program.group("point", "Write, read and delete points");
  const auto add = [&](const char* name, const char* description,
                       int (*function)(Context&, const PointArguments&)) {
    auto [command, arguments] = program.add<PointArguments>(group, name, description, function);
    command->add_option("collection", arguments->collection, "Whose points")
        ->required()
        ->type_name("COLLECTION");
    return std::pair(command, arguments);
  };
  {
    auto [command, arguments] = add("put", "Write points", point_put);
    command
        ->add_option("json", arguments->body, "A point, or {\"points\": [...]}; - reads the input")
        ->required()
        ->type_name("JSON");
    command->footer(
        "Example:\n  quipu point put images '{\"id\": 7, \"vector\": [0.1, 0.7], "
        "\"payload\": {\"file\": \"a.png\"}}'");
  }
  {
    auto [command, arguments] = add("get", "Read points", point_get);
    command->add_option("ids", arguments->ids, "Which")->required()->type_name("ID");
    command->add_flag("--with-vector", arguments->with_vector, "With their vectors");
  }
  {
    auto [command, arguments] = add("scroll", "Read a page of all points", point_scroll);
    command->add_option("--after", arguments->after, "The last id of the page before")
        ->type_name("ID");
    command->add_option("--filter", arguments->filter, kFilterHelp)->type_name("JSON");
    command->add_option("--limit", arguments->limit, "How many")
        ->check(CLI::Range(1, 10'000))
        ->type_name("COUNT")
        ->capture_default_str();
    command->add_flag("--with-vector", arguments->with_vector, "With their vectors (with --json)");
  }
  {
    auto [command, arguments] = add("count", "Count the points", point_count);
    command->add_option("--filter", arguments->filter, kFilterHelp)->type_name("JSON");
  }
  {
    auto [command, arguments] = add("delete", "Delete points", point_delete);
    command->add_option("ids", arguments->ids, "Which")->type_name("ID");
    command
        ->add_option("--filter", arguments->filter,
                     "All points for which this filter holds (docs/filters.md); - reads the input")
        ->type_name("JSON");
  }
}

void add_model_commands(Program& program) {
  CLI::App* group = program.group("model", "The embedding models on this machine");
  program.add(group, "list", "List the models that are there", model_list);
  const auto add = [&](const char* name, const char* description,
                       int (*function)(Context&, const ModelArguments&)) {
    auto [command, arguments] = program.add<ModelArguments>(group, name, description, function);
    command->add_option("name", arguments->name, "The usual one without")->type_name("NAME");
  };
  add("show", "Show what a model is", model_show);
  add("check", "Load a model and look at what it gives", model_check);
}

void add_machine_commands(Program& program) {
  program.add(&program.app, "status", "How the engine stands", status);
  program.add(&program.app, "health", "Whether it is well: exit code 0 when it is", health);
  program.add(&program.app, "gpu", "Which GPUs are there, and what is used", gpu);
  {
    auto [command, arguments] = program.add<PerformanceArguments>(
        &program.app, "performance", "Measure this machine, in some seconds", performance);
    command->add_option("--vectors", arguments->vectors, "How many to insert")
        ->check(CLI::Range(100, 200'000))
        ->type_name("COUNT")
        ->capture_default_str();
    command->add_option("--dim", arguments->dim, "Numbers in each")
        ->check(CLI::Range(2, 4'096))
        ->type_name("COUNT")
        ->capture_default_str();
  }
  CLI::App* group = program.group("config", "The configuration");
  program.add(group, "show", "Show every key, its value and where it comes from", config_show);
  program.add(group, "check", "Check the configuration and say where it is wrong", config_check);
  program.add(group, "docs", "Describe every key", config_docs);
  {
    auto [command, arguments] = program.add<SnapshotArguments>(
        &program.app, "snapshot", "Copy everything, consistently, into a folder", snapshot);
    command->add_option("name", arguments->name, "Its folder below the data folder's snapshots/")
        ->required()
        ->type_name("NAME");
  }
  {
    auto [command, arguments] = program.add<SnapshotArguments>(
        &program.app, "restore", "Make a data folder from a snapshot", restore);
    program.takes_paths[command] = true;
    command->add_option("directory", arguments->directory, "The snapshot")
        ->required()
        ->type_name("DIR");
    command->footer("Example:\n  quipu --data /srv/quipu-new restore /srv/quipu/snapshots/monday");
  }
  {
    auto [command, arguments] =
        program.add<ServeArguments>(&program.app, "serve", "Run the server", serve);
    command->add_option("--address", arguments->address, "Listen on this address")
        ->type_name("ADDRESS");
    command->add_option("--port", arguments->port, "Listen on this port; 0 takes a free one")
        ->type_name("PORT");
    command
        ->add_option("--grpc-port", arguments->grpc_port,
                     "Serve gRPC on this port; 0 takes a free one (default: the port after --port)")
        ->type_name("PORT");
    command->add_flag("--no-grpc", arguments->no_grpc, "Serve no gRPC");
    command->add_flag("--insecure", arguments->insecure,
                      "Allow an address that is not this machine's own: anybody who reaches it may "
                      "read and write");
    command->footer("Example:\n  quipu --data ~/quipu serve --port 7333");
  }
  program.add(&program.app, "version", "Print the version", version);
}

OptionNode option_node(const CLI::Option& option) {
  OptionNode node;
  for (const std::string& name : option.get_snames()) node.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) node.names.push_back("--" + name);
  node.description = option.get_description();
  node.takes_value = option.get_items_expected_max() > 0;
  const std::string type = option.get_type_name();
  node.is_path = type == "DIR" || type == "FILE";
  // A list of values comes as "TEXT:{sync,async}".
  const std::size_t open = type.find('{');
  if (open != std::string::npos && type.back() == '}') {
    std::stringstream values(type.substr(open + 1, type.size() - open - 2));
    for (std::string value; std::getline(values, value, ',');) node.values.push_back(value);
  }
  return node;
}

CommandNode command_node(const Program& program, const CLI::App& app) {
  CommandNode node;
  node.name = app.get_name();
  node.description = app.get_description();
  const auto paths = program.takes_paths.find(&app);
  node.takes_paths = paths != program.takes_paths.end() && paths->second;
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) node.options.push_back(option_node(*option));
  }
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    node.commands.push_back(command_node(program, *child));
  }
  return node;
}

struct CompletionArguments {
  std::string shell;
};

void add_completion_command(Program& program, std::ostream& out) {
  auto arguments = std::make_shared<CompletionArguments>();
  CLI::App* command =
      program.app.add_subcommand("completion", "Print a completion script for a shell");
  command->fallthrough();
  command->add_option("shell", arguments->shell, "Which")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("SHELL");
  command->footer("Example:\n  source <(quipu completion bash)");
  program.actions[command] = [&program, &out, arguments](Context&) {
    out << completion_script(command_node(program, program.app), arguments->shell);
    return static_cast<int>(kExitOk);
  };
}

void build(Program& program, std::ostream& out) {
  add_global_options(program);
  add_memory_commands(program);
  add_ingest_command(program);
  add_search_command(program);
  add_query_commands(program);
  add_collection_commands(program);
  add_collection_changes(program);
  add_alias_commands(program);
  add_point_commands(program);
  add_import_commands(program);
  add_model_commands(program);
  add_machine_commands(program);
  add_completion_command(program, out);
}

int usage_error(const Program& program, const std::vector<std::string>& arguments,
                const std::string& message, const Streams& streams) {
  std::string line = message.substr(0, message.find('\n'));
  line += suggestion(command_node(program, program.app), arguments);
  if (program.globals.json) {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .key("code")
        .value("usage")
        .key("detail")
        .value(std::string_view(line))
        .key("exit_code")
        .value(static_cast<int>(kExitUsage))
        .end_object();
    streams.err << text << '\n';
  } else {
    streams.err << "quipu: " << printable(line) << "\nTry 'quipu --help'.\n";
  }
  return kExitUsage;
}

// The command that was named last: the leaf of what was given.
const CLI::App* chosen_command(const CLI::App& app) {
  const CLI::App* command = &app;
  while (true) {
    const auto given = command->get_subcommands();
    if (given.empty()) return command;
    command = given.back();
  }
}

}  // namespace

int run(const std::vector<std::string>& arguments, const Streams& streams,
        embed::Embedder* embedder) {
  Program program;
  build(program, streams.out);
  // CLI11 reports by exceptions: they end here.
  try {
    // It takes arguments from the back.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    program.app.parse(std::move(reversed));
  } catch (const CLI::CallForHelp&) {
    streams.out << chosen_command(program.app)->help("", CLI::AppFormatMode::Normal);
    return kExitOk;
  } catch (const CLI::CallForVersion&) {
    streams.out << "quipu " << QUIPU_VERSION << '\n';
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    return usage_error(program, arguments, error.what(), streams);
  }
  const auto action = program.actions.find(chosen_command(program.app));
  if (action == program.actions.end()) {
    return usage_error(program, arguments, "a command is missing", streams);
  }
  Context context(program.globals, streams, embedder);
  return context.finish(action->second(context));
}

}  // namespace quipu::cli
