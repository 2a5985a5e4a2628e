#include <charconv>
#include <iostream>
#include <ostream>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

constexpr std::size_t kConfigBytesMax = 1U << 20;

// A part of every named vector's status, summed.
std::uint64_t status_sum(const JsonView& collection, std::string_view member) {
  std::uint64_t sum = 0;
  if (const auto parts = collection.find("status")) {
    parts->for_each_element([&](JsonView part) {
      sum += count_of(part, member);
      return true;
    });
  }
  return sum;
}

// "384 cosine hnsw all-MiniLM-L6-v2", "4 cosine multi", "sparse" for each vector.
std::string vectors_text(const JsonView& collection) {
  std::string text;
  const auto add = [&text](const std::string& word) {
    if (!word.empty()) text += (text.empty() || text.back() == ' ' ? "" : " ") + word;
  };
  if (const auto vectors = collection.find("vectors")) {
    vectors->for_each_element([&](JsonView vector) {
      if (!text.empty()) text += ", ";
      const std::string name = text_of(vector, "name");
      if (!name.empty()) text += name + ": ";
      const std::string kind = text_of(vector, "kind");
      if (count_of(vector, "dim") > 0) add(std::to_string(count_of(vector, "dim")));
      add(text_of(vector, "metric"));
      add(kind == "dense" ? text_of(vector, "index") : kind);
      if (flag_of(vector, "idf")) add("idf");
      add(text_of(vector, "model"));
      return true;
    });
  }
  return text;
}

// "title (english), body" for words; "year integer" for payload indexes.
std::string words_text(const JsonView& collection) {
  std::string text;
  if (const auto words = collection.find("words")) {
    words->for_each_element([&](JsonView each) {
      text += (text.empty() ? "" : ", ") + text_of(each, "name");
      const std::string source = text_of(each, "source");
      if (!source.empty()) text += " of " + source;
      const auto analyzer = each.find("analyzer");
      const auto stemmer = analyzer ? analyzer->find("stemmer") : std::nullopt;
      const std::string language = stemmer ? text_of(*stemmer, "language") : std::string();
      if (!language.empty()) text += " (" + language + ")";
      return true;
    });
  }
  return text;
}

std::string indexes_text(const JsonView& collection) {
  std::string text;
  if (const auto indexes = collection.find("payload_indexes")) {
    indexes->for_each_element([&](JsonView each) {
      text += (text.empty() ? "" : ", ") + text_of(each, "key") + " " + text_of(each, "kind");
      return true;
    });
  }
  return text;
}

void print_collection(Context& context, const JsonView& collection) {
  std::ostream& out = context.out();
  out << "name           " << printable(text_of(collection, "name")) << '\n'
      << "points         " << human_count(count_of(collection, "points")) << '\n'
      << "vectors        " << printable(vectors_text(collection)) << '\n'
      << "words          " << printable(words_text(collection)) << '\n'
      << "indexed keys   " << printable(indexes_text(collection)) << '\n'
      << "shards         " << count_of(collection, "shard_count") << '\n'
      << "durability     " << text_of(collection, "durability") << '\n'
      << "created        " << text_of(collection, "created_at") << '\n'
      << "log operations " << human_count(count_of(collection, "log_operations")) << '\n'
      << "tail maximum   " << human_count(count_of(collection, "tail_vectors_max")) << '\n';
  Table table({{"view"},
               {"kind"},
               {"state"},
               {"live", Align::kRight},
               {"linked", Align::kRight},
               {"tail", Align::kRight},
               {"closed", Align::kRight},
               {"memory", Align::kRight},
               {"mapped", Align::kRight}});
  if (const auto parts = collection.find("status")) {
    parts->for_each_element([&](JsonView part) {
      const std::string name = text_of(part, "name");
      table.add({name.empty() ? "(unnamed)" : name, text_of(part, "kind"), text_of(part, "state"),
                 human_count(count_of(part, "live")), human_count(count_of(part, "linked")),
                 human_count(count_of(part, "tail")), human_count(count_of(part, "closed")),
                 human_bytes(count_of(part, "memory_bytes")),
                 human_bytes(count_of(part, "mapped_bytes"))});
      return true;
    });
  }
  if (!table.empty()) table.print(context.streams());
}

// ---------------------------------------------------------------- options with parts

Error bad_option(std::string_view option, std::string_view given, std::string_view wanted) {
  return Error{ErrorCode::kInvalidArgument,
               quipu::format("{} is {}; it must be {}", option, in_quotes(given), wanted), "usage"};
}

// "NAME[:LANGUAGE[:KEY]]"
Status write_words(JsonWriter& json, std::string_view given) {
  const std::size_t first = given.find(':');
  const std::string_view name = given.substr(0, first);
  const std::string_view rest =
      first == std::string_view::npos ? std::string_view() : given.substr(first + 1);
  const std::size_t second = rest.find(':');
  const std::string_view language = rest.substr(0, second);
  if (name.empty()) return bad_option("--words", given, "NAME, NAME:LANGUAGE or NAME:LANGUAGE:KEY");
  json.begin_object().key("name").value(name);
  if (!language.empty()) {
    json.key("analyzer").begin_object().key("language").value(language).end_object();
  }
  if (second != std::string_view::npos) json.key("source").value(rest.substr(second + 1));
  json.end_object();
  return ok_status();
}

// "NAME[:idf]"
Status write_sparse(JsonWriter& json, std::string_view given) {
  const std::size_t colon = given.find(':');
  const bool idf = colon != std::string_view::npos;
  if (idf && given.substr(colon + 1) != "idf") {
    return bad_option("--sparse", given, "NAME or NAME:idf");
  }
  json.begin_object().key("name").value(given.substr(0, colon)).key("kind").value("sparse");
  if (idf) json.key("idf").value(true);
  json.end_object();
  return ok_status();
}

// "NAME:DIM"
Status write_multi(JsonWriter& json, std::string_view given, const std::string& metric) {
  const std::size_t colon = given.rfind(':');
  std::uint32_t dim = 0;
  const char* const end = given.data() + given.size();
  if (colon != std::string_view::npos) {
    const auto [stop, error] = std::from_chars(given.data() + colon + 1, end, dim);
    if (error != std::errc() || stop != end) dim = 0;
  }
  if (dim == 0) return bad_option("--multi", given, "NAME:DIM, such as tokens:128");
  json.begin_object().key("name").value(given.substr(0, colon)).key("kind").value("multi");
  json.key("dim").value(dim);
  if (!metric.empty()) json.key("metric").value(std::string_view(metric));
  json.end_object();
  return ok_status();
}

// "KEY:KIND"; keys may have colons.
Status write_payload_index(JsonWriter& json, std::string_view given) {
  const std::size_t colon = given.rfind(':');
  if (colon == std::string_view::npos || colon == 0) {
    return bad_option("--payload-index", given, "KEY:KIND, such as year:integer");
  }
  json.begin_object().key("key").value(given.substr(0, colon));
  json.key("kind").value(given.substr(colon + 1)).end_object();
  return ok_status();
}

Status write_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& given,
                  Status (*write)(JsonWriter&, std::string_view)) {
  if (given.empty()) return ok_status();
  json.key(name).begin_array();
  for (const std::string& each : given) QUIPU_TRY_OK(write(json, each));
  json.end_array();
  return ok_status();
}

void write_names(JsonWriter& json, std::string_view name, const std::vector<std::string>& given) {
  if (given.empty()) return;
  json.key(name).begin_array();
  for (const std::string& each : given) json.value(std::string_view(each));
  json.end_array();
}

// The unnamed vector: of --dim or --model, or else of the usual model.
Status write_dense(Context& context, JsonWriter& json, const CollectionArguments& arguments) {
  std::string model = arguments.model;
  if (model.empty() && arguments.dim == 0) {
    QUIPU_TRY(const Settings* const settings, context.settings());
    model = settings->service.default_model;
  }
  json.begin_object();
  if (arguments.dim > 0) json.key("dim").value(arguments.dim);
  if (!model.empty()) json.key("model").value(std::string_view(model));
  if (!arguments.metric.empty()) json.key("metric").value(std::string_view(arguments.metric));
  if (!arguments.index.empty()) json.key("index").value(std::string_view(arguments.index));
  if (arguments.m > 0) json.key("m").value(arguments.m);
  if (arguments.ef_construction > 0) json.key("ef_construction").value(arguments.ef_construction);
  json.end_object();
  return ok_status();
}

Status write_vectors(Context& context, JsonWriter& json, const CollectionArguments& arguments) {
  if (arguments.no_vector && (arguments.dim > 0 || !arguments.model.empty())) {
    return Error{ErrorCode::kInvalidArgument,
                 "--no-vector leaves out the vector that --dim and --model are about", "usage"};
  }
  json.key("vectors").begin_array();
  if (!arguments.no_vector) QUIPU_TRY_OK(write_dense(context, json, arguments));
  for (const std::string& each : arguments.sparse) QUIPU_TRY_OK(write_sparse(json, each));
  for (const std::string& each : arguments.multi) {
    QUIPU_TRY_OK(write_multi(json, each, arguments.metric));
  }
  json.end_array();
  return ok_status();
}

// The JSON of a new collection from the options, or as it was given.
Result<std::string> creation_body(Context& context, const CollectionArguments& arguments) {
  if (!arguments.json_config.empty()) {
    QUIPU_TRY(std::string given, read_argument(context, arguments.json_config, kConfigBytesMax));
    QUIPU_TRY_OK(JsonDocument::parse(given));
    return given;
  }
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  QUIPU_TRY_OK(write_vectors(context, json, arguments));
  QUIPU_TRY_OK(write_list(json, "words", arguments.words, write_words));
  QUIPU_TRY_OK(write_list(json, "payload_indexes", arguments.payload_indexes, write_payload_index));
  if (arguments.shards > 0) json.key("shard_count").value(arguments.shards);
  if (!arguments.durability.empty()) {
    json.key("durability").value(std::string_view(arguments.durability));
  }
  if (arguments.tail_vectors_max > 0) {
    json.key("tail_vectors_max").value(arguments.tail_vectors_max);
  }
  json.end_object();
  return body;
}

Result<std::string> change_body(const CollectionArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  if (!arguments.durability.empty()) {
    json.key("durability").value(std::string_view(arguments.durability));
  }
  if (arguments.tail_vectors_max > 0) {
    json.key("tail_vectors_max").value(arguments.tail_vectors_max);
  }
  QUIPU_TRY_OK(write_list(json, "add_words", arguments.words, write_words));
  write_names(json, "drop_words", arguments.drop_words);
  QUIPU_TRY_OK(
      write_list(json, "add_payload_indexes", arguments.payload_indexes, write_payload_index));
  write_names(json, "drop_payload_indexes", arguments.drop_payload_indexes);
  json.end_object();
  return body;
}

// Asks on a terminal; elsewhere --yes is needed, so that no script drops by accident.
Status confirm_drop(Context& context, const CollectionArguments& arguments) {
  if (arguments.yes) return ok_status();
  const Streams& streams = context.streams();
  const Error refused{ErrorCode::kInvalidArgument,
                      quipu::format("dropping {} deletes all its points; add --yes to do so",
                                    in_quotes(arguments.name)),
                      "not_confirmed"};
  if (!streams.err_is_terminal || context.json()) return refused;
  streams.err << "Drop the collection " << in_quotes(arguments.name)
              << " and all its points? Type its name: " << std::flush;
  std::string typed;
  std::getline(streams.in, typed);
  if (typed == arguments.name) return ok_status();
  return refused;
}

}  // namespace

int show_collection(Context& context, const Result<Answer>& answer) {
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    print_collection(context, answer.value().json());
  }
  return kExitOk;
}

int collection_list(Context& context) {
  const Result<Answer> answer = context.call(Context::Need::kReading, "GET", "/v1/collections");
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  Table table({{"name"},
               {"points", Align::kRight},
               {"tail", Align::kRight},
               {"memory", Align::kRight},
               {"durability"},
               {"vectors"}});
  if (const auto list = answer.value().json().find("collections")) {
    list->for_each_element([&](JsonView collection) {
      table.add({text_of(collection, "name"), human_count(count_of(collection, "points")),
                 human_count(status_sum(collection, "tail")),
                 human_bytes(status_sum(collection, "memory_bytes")),
                 text_of(collection, "durability"), vectors_text(collection)});
      return true;
    });
  }
  if (table.empty()) {
    context.note("there are no collections; make one with 'quipu collection create NAME'");
  } else {
    table.print(context.streams());
  }
  return kExitOk;
}

int collection_create(Context& context, const CollectionArguments& arguments) {
  Result<std::string> body = creation_body(context, arguments);
  if (!body.ok()) return context.fail(body.error());
  return show_collection(
      context, context.call(Context::Need::kWriting, "PUT", collection_path(arguments.name),
                            std::move(body).value()));
}

int collection_show(Context& context, const CollectionArguments& arguments) {
  return show_collection(
      context, context.call(Context::Need::kReading, "GET", collection_path(arguments.name)));
}

int collection_update(Context& context, const CollectionArguments& arguments) {
  Result<std::string> body = change_body(arguments);
  if (!body.ok()) return context.fail(body.error());
  return show_collection(
      context, context.call(Context::Need::kReading, "PATCH", collection_path(arguments.name),
                            std::move(body).value()));
}

int collection_drop(Context& context, const CollectionArguments& arguments) {
  if (const Status confirmed = confirm_drop(context, arguments); !confirmed.ok()) {
    return context.fail(confirmed.error());
  }
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "DELETE", collection_path(arguments.name));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    context.out() << "dropped " << printable(arguments.name) << '\n';
  }
  return kExitOk;
}

}  // namespace quipu::cli
