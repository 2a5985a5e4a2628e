#include <map>
#include <ostream>

#include "quipu/base/format.h"
#include "quipu/base/limits.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

Result<std::string> ids_array(const std::vector<std::string>& ids) {
  std::string body;
  JsonWriter json(body);
  json.begin_array();
  for (const std::string& text : ids) {
    QUIPU_TRY(const std::string id, id_json(text));
    json.raw(id);
  }
  json.end_array();
  return body;
}

void print_points(Context& context, const JsonView& answer) {
  Table table({{"id"}, {"version", Align::kRight}, {"updated"}, {"text or payload"}});
  if (const auto points = answer.find("points")) {
    points->for_each_element([&](JsonView point) {
      std::string content = text_of(point, "text");
      const auto payload = point.find("payload");
      if (content.empty() && payload) content = payload->to_string();
      table.add({id_text(point.find("id")), std::to_string(count_of(point, "version")),
                 text_of(point, "updated_at"), fit_line(content, 400)});
      return true;
    });
  }
  if (!table.empty()) table.print(context.streams());
}

// "3 created, 1 updated", and each refusal with its reason.
int print_written(Context& context, const JsonView& answer) {
  std::map<std::string, std::size_t> outcomes;
  int exit_code = kExitOk;
  const auto items = answer.find("items");
  if (!items) return exit_code;
  items->for_each_element([&](JsonView item) {
    const std::string outcome = text_of(item, "outcome");
    ++outcomes[outcome];
    if (outcome == "not_found" && exit_code == kExitOk) exit_code = kExitNotFound;
    if (outcome != "refused") return true;
    exit_code = kExitConflict;
    if (const auto error = item.find("error"); error && !context.json()) {
      context.streams().err << "quipu: " << id_text(item.find("id")) << ": "
                            << printable(text_of(*error, "detail")) << '\n';
    }
    return true;
  });
  if (context.json()) return exit_code;
  std::string line;
  for (const auto& [outcome, count] : outcomes) {
    line += quipu::format("{}{} {}", line.empty() ? "" : ", ", human_count(count), outcome);
  }
  context.out() << line << '\n';
  return exit_code;
}

std::string points_path(const PointArguments& arguments) {
  return collection_path(arguments.collection) + "/points";
}

}  // namespace

int point_put(Context& context, const PointArguments& arguments) {
  Result<std::string> body = read_argument(context, arguments.body, limits::kRequestBytesMax);
  if (!body.ok()) return context.fail(body.error());
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "PUT", points_path(arguments), std::move(body).value());
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) context.print_json(answer.value().body);
  return print_written(context, answer.value().json());
}

int point_get(Context& context, const PointArguments& arguments) {
  const Result<std::string> ids = ids_array(arguments.ids);
  if (!ids.ok()) return context.fail(ids.error());
  std::string body = "{\"ids\":" + ids.value();
  if (arguments.with_vector) body += ",\"with_vector\":true";
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST", points_path(arguments) + ":get", body + "}");
  if (!answer.ok()) return context.fail(answer.error());
  const auto points = answer.value().json().find("points");
  if (context.json()) {
    context.print_json(answer.value().body);
  } else if (arguments.with_vector && points) {
    // A table has no room for vectors: one point a line, as JSON.
    points->for_each_element([&](JsonView point) {
      context.out() << point.to_string() << '\n';
      return true;
    });
  } else {
    print_points(context, answer.value().json());
  }
  const std::size_t found = points ? points->size() : 0;
  if (found == arguments.ids.size()) return kExitOk;
  context.note(
      quipu::format("{} of {} are not there", arguments.ids.size() - found, arguments.ids.size()));
  return kExitNotFound;
}

int point_scroll(Context& context, const PointArguments& arguments) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("limit").value(static_cast<std::uint64_t>(arguments.limit));
  if (!arguments.after.empty()) {
    const Result<std::string> after = id_json(arguments.after);
    if (!after.ok()) return context.fail(after.error());
    json.key("after").raw(after.value());
  }
  const Result<std::string> filter = read_filter(context, arguments.filter);
  if (!filter.ok()) return context.fail(filter.error());
  json.key("filter").raw(filter.value());
  if (arguments.with_vector) json.key("with_vector").value(true);
  json.end_object();
  const Result<Answer> answer = context.call(Context::Need::kReading, "POST",
                                             points_path(arguments) + ":scroll", std::move(body));
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  print_points(context, answer.value().json());
  const std::string next = id_text(answer.value().json().find("next"));
  if (!next.empty()) context.note("more: --after " + next);
  return kExitOk;
}

int point_count(Context& context, const PointArguments& arguments) {
  const Result<std::string> filter = read_filter(context, arguments.filter);
  if (!filter.ok()) return context.fail(filter.error());
  const Result<Answer> answer =
      context.call(Context::Need::kReading, "POST", points_path(arguments) + ":count",
                   "{\"filter\":" + filter.value() + "}");
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    context.out() << count_of(answer.value().json(), "count") << '\n';
  }
  return kExitOk;
}

namespace {

Result<std::string> delete_body(Context& context, const PointArguments& arguments) {
  if (arguments.ids.empty() == arguments.filter.empty()) {
    return Error{ErrorCode::kInvalidArgument, "point delete takes either ids or --filter", "usage"};
  }
  if (!arguments.ids.empty()) {
    QUIPU_TRY(const std::string ids, ids_array(arguments.ids));
    return "{\"ids\":" + ids + "}";
  }
  QUIPU_TRY(const std::string filter, read_filter(context, arguments.filter));
  return "{\"filter\":" + filter + "}";
}

}  // namespace

int point_delete(Context& context, const PointArguments& arguments) {
  Result<std::string> body = delete_body(context, arguments);
  if (!body.ok()) return context.fail(body.error());
  const Result<Answer> answer = context.call(
      Context::Need::kReading, "POST", points_path(arguments) + ":delete", std::move(body).value());
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) context.print_json(answer.value().body);
  if (arguments.filter.empty()) return print_written(context, answer.value().json());
  if (!context.json()) {
    context.out() << human_count(count_of(answer.value().json(), "matched")) << " deleted\n";
  }
  return kExitOk;
}

}  // namespace quipu::cli
