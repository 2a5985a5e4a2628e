#include <iostream>
#include <ostream>

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

// "384 cosine hnsw all-MiniLM-L6-v2" for each vector.
std::string vectors_text(const JsonView& collection) {
  std::string text;
  if (const auto vectors = collection.find("vectors")) {
    vectors->for_each_element([&](JsonView vector) {
      if (!text.empty()) text += ", ";
      const std::string name = text_of(vector, "name");
      if (!name.empty()) text += name + ": ";
      text += quipu::format("{} {} {}", count_of(vector, "dim"), text_of(vector, "metric"),
                            text_of(vector, "index"));
      const std::string model = text_of(vector, "model");
      if (!model.empty()) text += " " + model;
      return true;
    });
  }
  return text;
}

void print_collection(Context& context, const JsonView& collection) {
  std::ostream& out = context.out();
  out << "name           " << printable(text_of(collection, "name")) << '\n'
      << "points         " << human_count(count_of(collection, "points")) << '\n'
      << "vectors        " << vectors_text(collection) << '\n'
      << "shards         " << count_of(collection, "shard_count") << '\n'
      << "durability     " << text_of(collection, "durability") << '\n'
      << "created        " << text_of(collection, "created_at") << '\n'
      << "log operations " << human_count(count_of(collection, "log_operations")) << '\n'
      << "tail maximum   " << human_count(count_of(collection, "tail_vectors_max")) << '\n';
  Table table({{"vector"},
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
      table.add({name.empty() ? "(unnamed)" : name, text_of(part, "state"),
                 human_count(count_of(part, "live")), human_count(count_of(part, "linked")),
                 human_count(count_of(part, "tail")), human_count(count_of(part, "closed")),
                 human_bytes(count_of(part, "memory_bytes")),
                 human_bytes(count_of(part, "mapped_bytes"))});
      return true;
    });
  }
  if (!table.empty()) table.print(context.streams());
}

int show_answer(Context& context, const Result<Answer>& answer) {
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    print_collection(context, answer.value().json());
  }
  return kExitOk;
}

// The JSON of a new collection from the options, or as it was given.
Result<std::string> creation_body(Context& context, const CollectionArguments& arguments) {
  if (!arguments.json_config.empty()) {
    QUIPU_TRY(std::string given, read_argument(context, arguments.json_config, kConfigBytesMax));
    QUIPU_TRY_OK(JsonDocument::parse(given));
    return given;
  }
  std::string model = arguments.model;
  if (model.empty() && arguments.dim == 0) {
    QUIPU_TRY(const Settings* const settings, context.settings());
    model = settings->service.default_model;
  }
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("vectors").begin_array().begin_object();
  if (arguments.dim > 0) json.key("dim").value(arguments.dim);
  if (!model.empty()) json.key("model").value(std::string_view(model));
  if (!arguments.metric.empty()) json.key("metric").value(std::string_view(arguments.metric));
  if (!arguments.index.empty()) json.key("index").value(std::string_view(arguments.index));
  if (arguments.m > 0) json.key("m").value(arguments.m);
  if (arguments.ef_construction > 0) json.key("ef_construction").value(arguments.ef_construction);
  json.end_object().end_array();
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
  return show_answer(context,
                     context.call(Context::Need::kWriting, "PUT", collection_path(arguments.name),
                                  std::move(body).value()));
}

int collection_show(Context& context, const CollectionArguments& arguments) {
  return show_answer(context,
                     context.call(Context::Need::kReading, "GET", collection_path(arguments.name)));
}

int collection_update(Context& context, const CollectionArguments& arguments) {
  if (arguments.durability.empty() && arguments.tail_vectors_max == 0) {
    return context.fail({ErrorCode::kInvalidArgument,
                         "nothing to change: give --durability or --tail-max", "nothing_to_do"});
  }
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  if (!arguments.durability.empty()) {
    json.key("durability").value(std::string_view(arguments.durability));
  }
  if (arguments.tail_vectors_max > 0) {
    json.key("tail_vectors_max").value(arguments.tail_vectors_max);
  }
  json.end_object();
  return show_answer(context, context.call(Context::Need::kReading, "PATCH",
                                           collection_path(arguments.name), std::move(body)));
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
