#include <ostream>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

constexpr std::size_t kVectorBytesMax = 8U << 20;

Status check_words(const SearchArguments& arguments) {
  const auto wrong = [](std::string message) {
    return Error{ErrorCode::kInvalidArgument, std::move(message), "usage"};
  };
  if (!arguments.hybrid && !arguments.words.empty() && !arguments.vector_name.empty()) {
    return wrong("--words and --vector-name both say what is searched; --hybrid fuses the two");
  }
  if (!arguments.hybrid && (!arguments.fusion.empty() || !arguments.weights.empty())) {
    return wrong("--fusion and --weights say how --hybrid fuses");
  }
  return ok_status();
}

void write_hybrid(JsonWriter& json, const SearchArguments& arguments) {
  json.key("hybrid").begin_object();
  if (!arguments.words.empty()) json.key("words").value(std::string_view(arguments.words));
  if (!arguments.fusion.empty()) json.key("fusion").value(std::string_view(arguments.fusion));
  if (!arguments.weights.empty()) {
    json.key("weights").begin_array();
    for (const double weight : arguments.weights) json.value(weight);
    json.end_array();
  }
  json.end_object();
}

// The first word is where to search, unless that is said by --collection: then it is the text.
Result<SearchArguments> sorted_out(const SearchArguments& given) {
  const auto wrong = [](std::string message) {
    return Error{ErrorCode::kInvalidArgument, std::move(message), "usage"};
  };
  SearchArguments arguments = given;
  if (given.collections.empty()) {
    if (given.collection.empty()) return wrong("search needs a COLLECTION, or --collection");
    return arguments;
  }
  arguments.collection.clear();
  if (!given.collection.empty() && !given.text.empty()) {
    return wrong("with --collection there is one text, and no other COLLECTION");
  }
  if (!given.collection.empty()) arguments.text = given.collection;
  return arguments;
}

Result<std::string> query_body(Context& context, const SearchArguments& arguments) {
  const int vectors = (arguments.vector.empty() ? 0 : 1) + (arguments.id.empty() ? 0 : 1);
  const int texts = arguments.text.empty() ? 0 : 1;
  const bool fits = arguments.hybrid ? texts == 1 && vectors <= 1 : texts + vectors == 1;
  if (!fits) {
    return Error{ErrorCode::kInvalidArgument,
                 arguments.hybrid ? "a hybrid search takes a text, and one of --vector and --id"
                                  : "search takes exactly one of a text, --vector and --id",
                 "one_query"};
  }
  QUIPU_TRY_OK(check_words(arguments));
  std::string body;
  JsonWriter json(body);
  json.begin_object();
  if (!arguments.collections.empty()) {
    json.key("collections").begin_array();
    for (const std::string& name : arguments.collections) json.value(std::string_view(name));
    json.end_array();
  }
  if (!arguments.text.empty()) {
    QUIPU_TRY(const std::string text,
              read_argument(context, arguments.text, limits::kTextBytesMax));
    json.key("text").value(std::string_view(text));
  }
  if (!arguments.vector.empty()) {
    QUIPU_TRY(const std::string vector, read_argument(context, arguments.vector, kVectorBytesMax));
    const Result<JsonDocument> parsed = JsonDocument::parse(vector);
    if (!parsed.ok() || !parsed.value().root().is_array()) {
      return Error{ErrorCode::kInvalidArgument,
                   "--vector is no JSON array of numbers" +
                       (parsed.ok() ? std::string() : ": " + parsed.error().message),
                   "bad_vector"};
    }
    json.key("vector").raw(vector);
  }
  if (!arguments.id.empty()) {
    QUIPU_TRY(const std::string id, id_json(arguments.id));
    json.key("id").raw(id);
  }
  const std::string& name =
      arguments.hybrid || arguments.words.empty() ? arguments.vector_name : arguments.words;
  if (!name.empty()) json.key("vector_name").value(std::string_view(name));
  if (arguments.hybrid) write_hybrid(json, arguments);
  if (!arguments.filter.empty()) {
    QUIPU_TRY(const std::string filter, read_filter(context, arguments.filter));
    json.key("filter").raw(filter);
  }
  json.key("k").value(static_cast<std::uint64_t>(arguments.k));
  if (arguments.offset > 0) json.key("offset").value(static_cast<std::uint64_t>(arguments.offset));
  if (arguments.ef > 0) json.key("ef").value(arguments.ef);
  if (arguments.exact) json.key("exact").value(true);
  if (arguments.score_threshold) json.key("score_threshold").value(*arguments.score_threshold);
  if (arguments.with_vector) json.key("with_vector").value(true);
  if (arguments.explain) json.key("explain").value(true);
  json.end_object();
  return body;
}

}  // namespace

void print_hit(Context& context, std::size_t rank, const JsonView& hit) {
  // What points were ordered by says more than the score that they have not.
  const auto order = hit.find("order_value");
  const std::string head =
      order ? order->to_string() : quipu::format("{:.4f}", real_of(hit, "score"));
  const std::string collection = text_of(hit, "collection");
  context.out() << quipu::format("{:>2}. {}  {}{}{}\n", rank, head, printable(collection),
                                 collection.empty() ? "" : " ", id_text(hit.find("id")));
  constexpr std::size_t kIndent = 4;
  const std::size_t columns = context.streams().columns;
  if (const auto parts = hit.find("parts")) {
    std::string line;
    parts->for_each_element([&line](JsonView part) {
      line += quipu::format("{}{} {:.4f} (rank {}, score {:.4f})", line.empty() ? "" : " + ",
                            text_of(part, "source"), real_of(part, "share"), count_of(part, "rank"),
                            real_of(part, "score"));
      return true;
    });
    context.out() << wrapped(line, columns, kIndent);
  }
  const auto payload = hit.find("payload");
  const std::string place = payload ? place_of(*payload) : std::string();
  if (!place.empty()) {
    context.out() << wrapped(place, columns, kIndent);
  } else if (payload && payload->size() > 0) {
    context.out() << wrapped(payload->to_string(), columns, kIndent);
  }
  const std::string text = text_of(hit, "text");
  if (!text.empty()) context.out() << wrapped(text, columns, kIndent);
}

int search(Context& context, const SearchArguments& given) {
  const Result<SearchArguments> sorted = sorted_out(given);
  if (!sorted.ok()) return context.fail(sorted.error());
  const SearchArguments& arguments = sorted.value();
  Result<std::string> body = query_body(context, arguments);
  if (!body.ok()) return context.fail(body.error());
  const std::string target = arguments.collections.empty()
                                 ? collection_path(arguments.collection) + "/search"
                                 : "/v1/search";
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST", target, std::move(body).value());
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  const JsonView result = answer.value().json();
  const auto hits = result.find("hits");
  if (!hits || hits->size() == 0) context.note("no point comes near");
  std::size_t rank = arguments.offset;
  if (hits) {
    hits->for_each_element([&](JsonView hit) {
      print_hit(context, ++rank, hit);
      return true;
    });
  }
  int exit_code = kExitOk;
  if (const auto searched = result.find("collections")) {
    searched->for_each_element([&](JsonView part) {
      const auto error = part.find("error");
      if (error) {
        context.streams().err << "quipu: " << printable(text_of(part, "collection")) << ": "
                              << printable(text_of(*error, "detail")) << '\n';
        exit_code = kExitFailure;
      }
      if (const auto explain = part.find("explain")) {
        context.out() << "explain " << printable(text_of(part, "collection")) << ' '
                      << explain->to_string() << '\n';
      }
      return true;
    });
  }
  if (flag_of(result, "query_truncated")) {
    context.note("the query was longer than the model takes; its end was not looked at");
  }
  if (const auto explain = result.find("explain")) {
    context.out() << "explain " << explain->to_string() << '\n';
  }
  return exit_code;
}

}  // namespace quipu::cli
