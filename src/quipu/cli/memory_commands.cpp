#include <istream>
#include <iterator>
#include <ostream>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

constexpr std::size_t kTextIndent = 4;

// The payload in one line, without what place_of() says already.
std::string other_members(const JsonView& payload) {
  if (!place_of(payload).empty() || payload.size() == 0) return {};
  return payload.to_string();
}

}  // namespace

Result<std::string> read_argument(Context& context, const std::string& argument,
                                  std::size_t bytes_max) {
  if (argument != "-") return argument;
  std::string text;
  std::istream& in = context.streams().in;
  char buffer[65536];
  while (in.read(buffer, sizeof(buffer)) || in.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(in.gcount()));
    if (text.size() > bytes_max) {
      return Error{ErrorCode::kInvalidArgument,
                   quipu::format("the standard input has more than {} bytes", bytes_max),
                   "input_too_large"};
    }
  }
  return text;
}

Result<std::string> read_filter(Context& context, const std::string& argument) {
  if (argument.empty()) return std::string("{}");
  QUIPU_TRY(std::string filter, read_argument(context, argument, limits::kJsonBytesMax));
  const Result<JsonDocument> parsed = JsonDocument::parse(filter);
  if (parsed.ok() && parsed.value().root().is_object()) return filter;
  return Error{
      ErrorCode::kInvalidArgument,
      "--filter is no JSON object" + (parsed.ok() ? std::string() : ": " + parsed.error().message),
      "bad_filter"};
}

std::string place_of(const JsonView& payload) {
  const std::string source = text_of(payload, "source");
  if (source.empty() || !payload.find("line")) return {};
  const std::string title = text_of(payload, "title");
  std::string place = title.empty() ? source : title;
  const std::string section = text_of(payload, "section");
  if (!section.empty()) place += ", " + section;
  return place + quipu::format(", line {}", count_of(payload, "line"));
}

int remember(Context& context, const RememberArguments& arguments) {
  Result<std::string> text = read_argument(context, arguments.text, limits::kTextBytesMax);
  if (!text.ok()) return context.fail(text.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("text").value(std::string_view(text.value()));
  if (!arguments.id.empty()) {
    const Result<std::string> id = id_json(arguments.id);
    if (!id.ok()) return context.fail(id.error());
    json.key("id").raw(id.value());
  }
  if (!arguments.metadata.empty()) {
    const Result<JsonDocument> metadata = JsonDocument::parse(arguments.metadata);
    if (!metadata.ok()) {
      return context.fail({ErrorCode::kInvalidArgument,
                           "--metadata is no JSON: " + metadata.error().message, "bad_metadata"});
    }
    json.key("metadata").raw(arguments.metadata);
  }
  if (!arguments.collection.empty()) {
    json.key("collection").value(std::string_view(arguments.collection));
  }
  json.end_object();
  const Result<Answer> answer =
      context.call(Context::Need::kWriting, "POST", "/v1/memory/records", std::move(body));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  const JsonView record = answer.value().json();
  const auto chunks = record.find("chunks");
  context.out() << (flag_of(record, "created") ? "remembered " : "replaced ")
                << id_text(record.find("id"));
  if (chunks && chunks->size() > 1) context.out() << " in " << chunks->size() << " parts";
  context.out() << '\n';
  return kExitOk;
}

int recall(Context& context, const RecallArguments& arguments) {
  Result<std::string> query = read_argument(context, arguments.query, limits::kTextBytesMax);
  if (!query.ok()) return context.fail(query.error());
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("query").value(std::string_view(query.value()));
  json.key("k").value(static_cast<std::uint64_t>(arguments.k));
  if (!arguments.collection.empty()) {
    json.key("collection").value(std::string_view(arguments.collection));
  }
  if (arguments.score_threshold) json.key("score_threshold").value(*arguments.score_threshold);
  if (arguments.explain) json.key("explain").value(true);
  json.end_object();
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST", "/v1/memory/recall", std::move(body));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  const JsonView result = answer.value().json();
  const auto records = result.find("records");
  if (!records || records->size() == 0) context.note("nothing is remembered that comes near");
  std::size_t rank = 0;
  if (records) {
    records->for_each_element([&](JsonView record) {
      context.out() << quipu::format("{:>2}. {:.3f}  {}  {}\n", ++rank, real_of(record, "score"),
                                     id_text(record.find("id")), text_of(record, "updated_at"));
      if (const auto metadata = record.find("metadata")) {
        const std::string where = place_of(*metadata) + other_members(*metadata);
        if (!where.empty()) {
          context.out() << wrapped(where, context.streams().columns, kTextIndent);
        }
      }
      context.out() << wrapped(text_of(record, "text"), context.streams().columns, kTextIndent);
      return true;
    });
  }
  if (flag_of(result, "query_truncated")) {
    context.note("the query was longer than the model takes; its end was not looked at");
  }
  if (const auto explain = result.find("explain")) {
    context.out() << "explain " << explain->to_string() << '\n';
  }
  return kExitOk;
}

int forget(Context& context, const ForgetArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("ids").begin_array();
  for (const std::string& text : arguments.ids) {
    const Result<std::string> id = id_json(text);
    if (!id.ok()) return context.fail(id.error());
    json.raw(id.value());
  }
  json.end_array();
  if (!arguments.collection.empty()) {
    json.key("collection").value(std::string_view(arguments.collection));
  }
  json.end_object();
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST", "/v1/memory/records:forget", std::move(body));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) context.print_json(answer.value().body);
  int exit_code = kExitOk;
  const auto items = answer.value().json().find("items");
  if (!items) return exit_code;
  items->for_each_element([&](JsonView item) {
    const std::string outcome = text_of(item, "outcome");
    const std::string id = id_text(item.find("id"));
    if (outcome == "not_found" && exit_code == kExitOk) exit_code = kExitNotFound;
    if (outcome == "refused") exit_code = kExitUsage;
    if (context.json()) return true;
    if (outcome == "deleted") {
      context.out() << "forgot " << id << '\n';
    } else if (outcome == "not_found") {
      context.streams().err << "quipu: there is no record " << id << '\n';
    } else if (const auto error = item.find("error")) {
      context.streams().err << "quipu: " << printable(text_of(*error, "detail")) << '\n';
    }
    return true;
  });
  return exit_code;
}

}  // namespace quipu::cli
