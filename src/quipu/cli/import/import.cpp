#include "quipu/cli/import/import.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <optional>
#include <ostream>
#include <utility>

#include "quipu/base/file_system.h"
#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/cli/import/progress.h"
#include "quipu/cli/import/qdrant_api.h"
#include "quipu/cli/interrupt.h"
#include "quipu/cli/output.h"

namespace quipu::cli {
namespace {

constexpr std::uint16_t kQdrantPort = 6333;
constexpr std::uint64_t kKeyBytesMax = 4'096;
constexpr const char* kKeyVariable = "QUIPU_QDRANT_API_KEY";
// A write is sent before it grows beyond this, well below what a request may have.
constexpr std::size_t kWriteBytes = 8U << 20;

struct CollectionReport {
  std::string name;
  std::string target;
  bool earlier = false;  // was copied before, by a run that the progress file knows
  std::uint64_t points = 0;
  std::uint64_t resumed = 0;  // of them, copied by earlier runs
  std::uint64_t at_source = 0;
  std::size_t indexes = 0;
  std::size_t aliases = 0;
  std::vector<std::string> notes;
  std::optional<Error> error;
};

// ---------------------------------------------------------------- arguments

Status check_key(const std::string& key, const std::string& from) {
  const bool well = std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; });
  if (well && !key.empty()) return ok_status();
  // What it holds is not said: it is a secret.
  return Error{ErrorCode::kInvalidArgument,
               quipu::format("{} holds no API key: one line of visible ASCII characters", from),
               "bad_api_key"};
}

Result<std::string> read_key(const ImportArguments& arguments) {
  std::string key;
  if (!arguments.api_key_file.empty()) {
    QUIPU_TRY(key, read_file(posix_file_system(), arguments.api_key_file, kKeyBytesMax));
    while (!key.empty() && (key.back() == '\n' || key.back() == '\r')) key.pop_back();
    QUIPU_TRY_OK(check_key(key, "the file " + in_quotes(arguments.api_key_file, 4096)));
    return key;
  }
  const char* const variable = std::getenv(kKeyVariable);
  if (variable == nullptr || *variable == '\0') return key;
  key = variable;
  QUIPU_TRY_OK(check_key(key, kKeyVariable));
  return key;
}

// "NAME=NEW" of the option --as.
Result<std::map<std::string, std::string>> read_names(const std::vector<std::string>& names) {
  std::map<std::string, std::string> read;
  for (const std::string& each : names) {
    const std::size_t equal = each.find('=');
    const bool well = equal != std::string::npos && equal > 0 && equal + 1 < each.size();
    if (!well || !read.emplace(each.substr(0, equal), each.substr(equal + 1)).second) {
      return Error{ErrorCode::kInvalidArgument,
                   quipu::format("--as {} is no NAME=NEW, or gives a name twice", in_quotes(each)),
                   "usage"};
    }
  }
  return read;
}

// ---------------------------------------------------------------- the copy

std::string qdrant_path(const std::string& collection, std::string_view rest = "") {
  return "/collections/" + path_segment(collection) + std::string(rest);
}

bool is_missing(const Error& error) { return error.code == ErrorCode::kNotFound; }

class CollectionCopy {
 public:
  CollectionCopy(Context& context, const ImportArguments& arguments, QdrantApi& source,
                 QdrantApi& here, ImportProgress& progress, CollectionReport& report)
      : context_(context),
        arguments_(arguments),
        source_(source),
        here_(here),
        progress_(progress),
        report_(report) {}

  Status run() {
    QUIPU_TRY(const QdrantApi::Answer info, source_.call("GET", qdrant_path(report_.name)));
    QUIPU_TRY(report_.at_source, count(source_, report_.name));
    if (const CopyProgress* known = find(); known != nullptr && known->state == CopyState::kDone) {
      report_.earlier = true;
      report_.points = known->points;
      return ok_status();
    }
    QUIPU_TRY_OK(prepare(info.result()));
    QUIPU_TRY_OK(copy_points());
    QUIPU_TRY_OK(compare());
    if (!existing_) QUIPU_TRY_OK(copy_aliases());
    find()->state = CopyState::kDone;
    return progress_.save();
  }

 private:
  [[nodiscard]] CopyProgress* find() { return progress_.find(report_.name, report_.target); }

  static Result<std::uint64_t> count(QdrantApi& api, const std::string& collection) {
    QUIPU_TRY(const QdrantApi::Answer counted,
              api.call("POST", qdrant_path(collection, "/points/count"), R"({"exact":true})"));
    return count_of(counted.result(), "count");
  }

  // Makes the collection with its indexes, or finds the one that an earlier run made.
  Status prepare(JsonView info) {
    const bool resumed = find() != nullptr;
    const auto there = here_.call("GET", qdrant_path(report_.target));
    if (!there.ok() && !is_missing(there.error())) return there.error();
    if (there.ok() && !resumed && !arguments_.existing) {
      return Error{ErrorCode::kAlreadyExists,
                   quipu::format("the collection {} is here already; copy to another name with "
                                 "--as {}=NEW, or add to it with --existing",
                                 in_quotes(report_.target), report_.name),
                   "collection_exists"};
    }
    if (there.ok() && !resumed) {
      existing_ = true;
      report_.notes.emplace_back("it was here already: its configuration and indexes stayed");
    }
    if (!resumed) {
      progress_.add(report_.name, report_.target);
      QUIPU_TRY_OK(progress_.save());
    }
    if (!there.ok()) {
      // What an earlier run had copied is gone with the collection.
      find()->offset.clear();
      find()->points = 0;
      QUIPU_TRY_OK(create(info));
    }
    report_.resumed = find()->points;
    report_.points = report_.resumed;
    // Also after a run that was cut off between the two: what is there is made again.
    if (!existing_ && report_.resumed == 0) QUIPU_TRY_OK(copy_indexes(info));
    return ok_status();
  }

  // First as the source has it; where an option of another engine is not known here, without those.
  Status create(JsonView info) {
    QUIPU_TRY(const std::string whole, create_body(info, false, arguments_.shards));
    auto made = here_.call("PUT", qdrant_path(report_.target), whole);
    const bool refused = !made.ok() && (made.error().code == ErrorCode::kInvalidArgument ||
                                        made.error().code == ErrorCode::kUnimplemented);
    if (refused) {
      const std::string why = made.error().message;
      QUIPU_TRY(const std::string reduced, create_body(info, true, arguments_.shards));
      made = here_.call("PUT", qdrant_path(report_.target), reduced);
      if (made.ok()) report_.notes.push_back("made without its options: " + why);
    }
    if (!made.ok()) return made.error();
    return ok_status();
  }

  Status copy_indexes(JsonView info) {
    const auto schema = info.find("payload_schema");
    if (!schema) return ok_status();
    Status status = ok_status();
    schema->for_each_member([&](std::string_view key, JsonView index) {
      status = copy_index(key, index);
      return status.ok();
    });
    return status;
  }

  Status copy_index(std::string_view key, JsonView index) {
    std::string body;
    JsonWriter out(body);
    out.begin_object().key("field_name").value(key).key("field_schema");
    const auto params = index.find("params");
    if (params && params->is_object()) {
      out.raw(params->to_string());
    } else {
      out.value(std::string_view(text_of(index, "data_type")));
    }
    out.end_object();
    const auto made =
        here_.call("PUT", qdrant_path(report_.target, "/index?wait=true"), std::move(body));
    if (made.ok()) {
      ++report_.indexes;
      return ok_status();
    }
    // Filters work without it, only slower.
    if (made.error().code == ErrorCode::kUnimplemented ||
        made.error().code == ErrorCode::kInvalidArgument) {
      report_.notes.push_back(
          quipu::format("the index of {} was left out: {}", in_quotes(key), made.error().message));
      return ok_status();
    }
    return made.error();
  }

  Status copy_points() {
    ProgressBar bar(context_.streams(), "copying " + printable(report_.name),
                    context_.globals().quiet);
    std::size_t limit = arguments_.batch_points;
    while (true) {
      std::string body;
      JsonWriter out(body);
      out.begin_object().key("limit").value(std::uint64_t{limit});
      out.key("with_payload").value(true).key("with_vector").value(true);
      if (!find()->offset.empty()) out.key("offset").raw(find()->offset);
      out.end_object();
      const auto page =
          source_.call("POST", qdrant_path(report_.name, "/points/scroll"), std::move(body));
      if (!page.ok() && page.error().stable_reason() == "response_too_large" && limit > 1) {
        limit /= 2;
        continue;
      }
      if (!page.ok()) return page.error();
      const JsonView result = page.value().result();
      QUIPU_TRY(const std::uint64_t written, write_page(result));
      report_.points += written;
      const auto next = result.find("next_page_offset");
      const bool last = !next || next->is_null();
      find()->points = report_.points;
      find()->offset = last ? "" : next->to_string();
      if (!last) QUIPU_TRY_OK(progress_.save());
      bar.update({.done = report_.points,
                  .total = std::max(report_.at_source, report_.points),
                  .items = report_.points,
                  .unit = "points"});
      if (last) return ok_status();
    }
  }

  // How many points it had.
  Result<std::uint64_t> write_page(JsonView result) {
    const auto points = result.find("points");
    if (!points || !points->is_array()) {
      return Error{ErrorCode::kInternal, "a page of the source has no list of points",
                   "not_qdrant"};
    }
    std::uint64_t count = 0;
    std::string batch;
    Status status = ok_status();
    points->for_each_element([&](JsonView point) {
      append_point(batch, point);
      ++count;
      if (batch.size() >= kWriteBytes) status = write_batch(batch);
      return status.ok();
    });
    if (status.ok() && !batch.empty()) status = write_batch(batch);
    if (!status.ok()) return std::move(status).error();
    return count;
  }

  void append_point(std::string& batch, JsonView point) {
    if (!batch.empty()) batch += ',';
    JsonWriter out(batch);
    const auto id = point.find("id");
    const auto vector = point.find("vector");
    const auto payload = point.find("payload");
    const auto shard_key = point.find("shard_key");
    out.begin_object().key("id").raw(id ? id->to_string() : "null");
    out.key("vector").raw(vector && !vector->is_null() ? vector->to_string() : "{}");
    if (payload && !payload->is_null()) out.key("payload").raw(payload->to_string());
    out.end_object();
    if (shard_key && !shard_key->is_null() && !keyed_) {
      keyed_ = true;
      report_.notes.emplace_back("points lost their shard keys: here they go to shards by id");
    }
  }

  Status write_batch(std::string& batch) {
    std::string body = R"({"points":[)" + batch + "]}";
    batch.clear();
    const auto written =
        here_.call("PUT", qdrant_path(report_.target, "/points?wait=true"), std::move(body));
    if (!written.ok()) return written.error();
    return ok_status();
  }

  Status compare() {
    QUIPU_TRY(report_.at_source, count(source_, report_.name));
    QUIPU_TRY(const std::uint64_t here, count(here_, report_.target));
    const bool same = existing_ ? report_.points == report_.at_source && here >= report_.at_source
                                : here == report_.at_source;
    if (same) return ok_status();
    progress_.forget(report_.name, report_.target);
    QUIPU_TRY_OK(progress_.save());
    return Error{ErrorCode::kFailedPrecondition,
                 quipu::format("the counts differ: {} points at the source, {} copied, {} here; "
                               "was the source written to meanwhile? Copy again with --existing",
                               report_.at_source, report_.points, here),
                 "counts_differ"};
  }

  Status copy_aliases() {
    QUIPU_TRY(const QdrantApi::Answer there,
              source_.call("GET", qdrant_path(report_.name, "/aliases")));
    QUIPU_TRY(const QdrantApi::Answer known, here_.call("GET", "/aliases"));
    Status status = ok_status();
    for_each_alias(there.result(), [&](const std::string& alias, const std::string&) {
      status = copy_alias(alias, known.result());
      return status.ok();
    });
    return status;
  }

  template <typename Visit>
  static void for_each_alias(JsonView result, const Visit& visit) {
    const auto list = result.find("aliases");
    if (!list) return;
    list->for_each_element([&visit](JsonView each) {
      return visit(text_of(each, "alias_name"), text_of(each, "collection_name"));
    });
  }

  Status copy_alias(const std::string& alias, JsonView known) {
    std::string names;  // what it names here
    for_each_alias(known, [&](const std::string& name, const std::string& collection) {
      if (name == alias) names = collection;
      return names.empty();
    });
    if (!names.empty() && names != report_.target) {
      report_.notes.push_back(quipu::format("the alias {} was left out: it names {} here",
                                            in_quotes(alias), in_quotes(names)));
      return ok_status();
    }
    std::string body;
    JsonWriter out(body);
    out.begin_object().key("actions").begin_array().begin_object().key("create_alias");
    out.begin_object().key("alias_name").value(std::string_view(alias));
    out.key("collection_name").value(std::string_view(report_.target)).end_object();
    out.end_object().end_array().end_object();
    const auto made = here_.call("POST", "/collections/aliases", std::move(body));
    if (made.ok()) {
      ++report_.aliases;
      return ok_status();
    }
    if (made.error().code != ErrorCode::kAlreadyExists &&
        made.error().code != ErrorCode::kInvalidArgument) {
      return made.error();
    }
    report_.notes.push_back(
        quipu::format("the alias {} was left out: {}", in_quotes(alias), made.error().message));
    return ok_status();
  }

  Context& context_;
  const ImportArguments& arguments_;
  QdrantApi& source_;
  QdrantApi& here_;
  ImportProgress& progress_;
  CollectionReport& report_;
  bool existing_ = false;
  bool keyed_ = false;
};

// ---------------------------------------------------------------- all of it

// Errors that concern one collection, so that the others may still be copied.
bool is_of_one(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kAlreadyExists ||
         error.code == ErrorCode::kFailedPrecondition || error.code == ErrorCode::kUnimplemented ||
         is_missing(error);
}

Result<std::vector<std::string>> names_at(QdrantApi& source) {
  QUIPU_TRY(const QdrantApi::Answer listed, source.call("GET", "/collections"));
  std::vector<std::string> names;
  if (const auto list = listed.result().find("collections")) {
    list->for_each_element([&names](JsonView each) {
      names.push_back(text_of(each, "name"));
      return true;
    });
  }
  std::sort(names.begin(), names.end());
  return names;
}

struct Outcome {
  std::vector<CollectionReport> reports;
  std::optional<Error> error;  // what ended the run
  std::uint64_t retries = 0;
};

Result<Outcome> run_import(Context& context, const ImportArguments& arguments) {
  QUIPU_TRY(ServerAddress address, parse_server_address(arguments.url, kQdrantPort));
  QUIPU_TRY(const std::string key, read_key(arguments));
  QUIPU_TRY(auto names, read_names(arguments.names));
  QUIPU_TRY(Backend* const backend, context.backend(Context::Need::kWriting));
  const std::string url = address.url();
  QUIPU_TRY(ImportProgress progress,
            ImportProgress::open(arguments.progress, url, arguments.restart));
  const auto timeout = std::chrono::milliseconds(
      static_cast<std::int64_t>(std::ceil(context.globals().timeout_s * 1000)));
  HttpClient client(std::move(address), {.timeout = timeout});
  const std::atomic<bool>& stop = InterruptGuard::requested();
  QdrantApi source([&client](const api::Request& request) { return client.send(request); },
                   {.who = "the source " + url, .api_key = key}, stop);
  QdrantApi here([backend](const api::Request& request) { return backend->call(request); },
                 {.who = backend->description(), .api_key = ""}, stop);
  std::vector<std::string> collections = arguments.collections;
  if (collections.empty()) {
    QUIPU_TRY(collections, names_at(source));
  }
  Outcome outcome;
  for (const std::string& name : collections) {
    CollectionReport& report = outcome.reports.emplace_back();
    report.name = name;
    const auto renamed = names.find(name);
    report.target = renamed == names.end() ? name : renamed->second;
    const Status copied = CollectionCopy(context, arguments, source, here, progress, report).run();
    if (copied.ok()) continue;
    report.error = copied.error();
    if (is_of_one(copied.error())) continue;
    outcome.error = copied.error();
    break;
  }
  outcome.retries = source.retries() + here.retries();
  const bool all = std::none_of(outcome.reports.begin(), outcome.reports.end(),
                                [](const auto& report) { return report.error.has_value(); });
  if (all && progress.all_done()) QUIPU_TRY_OK(progress.remove_file());
  return outcome;
}

void print_json(Context& context, const ImportArguments& arguments, const Outcome& outcome) {
  std::string text;
  JsonWriter out(text);
  out.begin_object().key("source").value(std::string_view(arguments.url));
  out.key("retries").value(outcome.retries).key("collections").begin_array();
  for (const CollectionReport& report : outcome.reports) {
    out.begin_object().key("name").value(std::string_view(report.name));
    out.key("target").value(std::string_view(report.target));
    out.key("points").value(report.points).key("resumed").value(report.resumed);
    out.key("at_source").value(report.at_source);
    out.key("earlier").value(report.earlier);
    out.key("indexes").value(std::uint64_t{report.indexes});
    out.key("aliases").value(std::uint64_t{report.aliases});
    out.key("notes").begin_array();
    for (const std::string& note : report.notes) out.value(std::string_view(note));
    out.end_array();
    if (report.error) {
      out.key("error").begin_object().key("code").value(report.error->stable_reason());
      out.key("detail").value(std::string_view(report.error->message)).end_object();
    }
    out.end_object();
  }
  out.end_array().end_object();
  context.print_json(text);
}

void print_table(Context& context, const Outcome& outcome) {
  Table table({{"collection"},
               {"here"},
               {"points", Align::kRight},
               {"at the source", Align::kRight},
               {"indexes", Align::kRight},
               {"aliases", Align::kRight},
               {"result"}});
  for (const CollectionReport& report : outcome.reports) {
    table.add({report.name, report.target, human_count(report.points),
               human_count(report.at_source), human_count(report.indexes),
               human_count(report.aliases),
               report.error     ? "failed"
               : report.earlier ? "was copied before"
                                : "copied, counts agree"});
  }
  if (!table.empty()) table.print(context.streams());
  for (const CollectionReport& report : outcome.reports) {
    for (const std::string& note : report.notes) {
      context.note(printable(report.name + ": " + note));
    }
  }
}

}  // namespace

int import_qdrant(Context& context, const ImportArguments& arguments) {
  const InterruptGuard guard;
  const Result<Outcome> ran = run_import(context, arguments);
  if (!ran.ok()) return context.fail(ran.error());
  const Outcome& outcome = ran.value();
  if (context.json()) {
    print_json(context, arguments, outcome);
  } else {
    print_table(context, outcome);
  }
  if (outcome.reports.empty()) context.note("the source has no collections");
  int exit_code = kExitOk;
  for (const CollectionReport& report : outcome.reports) {
    if (!report.error) continue;
    Error error = *report.error;
    error.message = report.name + ": " + error.message;
    if (outcome.error) {
      error.message += "\nrun the same command again to go on where it stopped";
    }
    const int code = context.json() ? static_cast<int>(exit_code_of(error)) : context.fail(error);
    if (exit_code == kExitOk) exit_code = code;
  }
  return exit_code;
}

}  // namespace quipu::cli
