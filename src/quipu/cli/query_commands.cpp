// The query language and facets.
#include <fstream>
#include <iterator>
#include <ostream>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/base/quote.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

// The query's JSON: itself, of the standard input, or of a file.
Result<std::string> read_body(Context& context, const std::string& argument) {
  const std::size_t first = argument.find_first_not_of(" \t\r\n");
  const bool json = first != std::string::npos && argument[first] == '{';
  if (json || argument == "-") return read_argument(context, argument, limits::kRequestBytesMax);
  std::ifstream file(argument, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::kNotFound,
                 quipu::format("there is no file {} to read the query from", in_quotes(argument)),
                 "file_not_found"};
  }
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (text.size() <= limits::kRequestBytesMax) return text;
  return Error{ErrorCode::kInvalidArgument,
               quipu::format("the file {} has {} bytes; the limit is {}", in_quotes(argument),
                             text.size(), limits::kRequestBytesMax),
               "too_long"};
}

void print_hits(Context& context, const JsonView& result) {
  const auto hits = result.find("hits");
  if (!hits || hits->size() == 0) context.note("no point comes near");
  std::size_t rank = 0;
  if (hits) {
    hits->for_each_element([&](JsonView hit) {
      print_hit(context, ++rank, hit);
      return true;
    });
  }
  if (const auto explain = result.find("explain")) {
    context.out() << "explain " << explain->to_string() << '\n';
  }
}

std::string value_text(const JsonView& item) {
  const auto value = item.find("value");
  if (!value) return "";
  return value->is_string() ? std::string(*value->as_string()) : value->to_string();
}

void print_groups(Context& context, const JsonView& groups) {
  groups.for_each_element([&](JsonView group) {
    context.out() << printable(value_text(group)) << '\n';
    print_hits(context, group);
    return true;
  });
}

void print_answer(Context& context, const JsonView& answer) {
  if (const auto groups = answer.find("groups")) return print_groups(context, *groups);
  const auto results = answer.find("results");
  if (!results) return print_hits(context, answer);
  std::size_t number = 0;
  results->for_each_element([&](JsonView result) {
    context.out() << "query " << number++ << '\n';
    print_hits(context, result);
    return true;
  });
}

}  // namespace

int query(Context& context, const QueryArguments& arguments) {
  Result<std::string> body = read_body(context, arguments.body);
  if (!body.ok()) return context.fail(body.error());
  const Result<JsonDocument> parsed = JsonDocument::parse(body.value());
  if (!parsed.ok()) return context.fail(parsed.error());
  const bool groups = parsed.value().root().find("group_by").has_value();
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST",
                   collection_path(arguments.collection) + (groups ? "/query/groups" : "/query"),
                   std::move(body).value());
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    print_answer(context, answer.value().json());
  }
  return kExitOk;
}

int facet(Context& context, const FacetArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("key").value(std::string_view(arguments.key));
  json.key("limit").value(static_cast<std::uint64_t>(arguments.limit));
  const Result<std::string> filter = read_filter(context, arguments.filter);
  if (!filter.ok()) return context.fail(filter.error());
  json.key("filter").raw(filter.value()).end_object();
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST",
                   collection_path(arguments.collection) + "/facet", std::move(body));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  Table table({{"count", Align::kRight}, {"value"}});
  if (const auto values = answer.value().json().find("values")) {
    values->for_each_element([&](JsonView item) {
      table.add({human_count(count_of(item, "count")), fit_line(value_text(item), 400)});
      return true;
    });
  }
  if (table.empty()) {
    context.note("no point has a value there");
  } else {
    table.print(context.streams());
  }
  return kExitOk;
}

}  // namespace quipu::cli
