// Other names of collections.
#include <ostream>

#include "quipu/base/format.h"
#include "quipu/base/quote.h"
#include "quipu/cli/commands.h"

namespace quipu::cli {
namespace {

int change(Context& context, const std::string& body, const std::string& done) {
  const Result<Answer> answer = context.call(Context::Need::kWriting, "POST", "/v1/aliases", body);
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
  } else {
    context.out() << done << '\n';
  }
  return kExitOk;
}

// {"changes": [{"action": ..., "alias": ..., member: value}]}; without the member for "".
std::string one_change(std::string_view action, std::string_view alias, std::string_view member,
                       std::string_view value) {
  std::string body;
  JsonWriter json(body);
  json.begin_object().key("changes").begin_array().begin_object();
  json.key("action").value(action).key("alias").value(alias);
  if (!member.empty()) json.key(member).value(value);
  json.end_object().end_array().end_object();
  return body;
}

}  // namespace

int alias_list(Context& context, const AliasArguments& arguments) {
  const std::string target = arguments.collection.empty()
                                 ? "/v1/aliases"
                                 : collection_path(arguments.collection) + "/aliases";
  const Result<Answer> answer = context.call(Context::Need::kReading, "GET", target);
  if (!answer.ok()) return context.fail(answer.error());
  if (context.json()) {
    context.print_json(answer.value().body);
    return kExitOk;
  }
  Table table({{"alias"}, {"collection"}});
  if (const auto aliases = answer.value().json().find("aliases")) {
    aliases->for_each_element([&table](JsonView alias) {
      table.add({text_of(alias, "name"), text_of(alias, "collection")});
      return true;
    });
  }
  if (table.empty()) {
    context.note("there are no aliases");
  } else {
    table.print(context.streams());
  }
  return kExitOk;
}

int alias_set(Context& context, const AliasArguments& arguments) {
  return change(context, one_change("put", arguments.name, "collection", arguments.collection),
                quipu::format("{} names {}", arguments.name, arguments.collection));
}

int alias_rename(Context& context, const AliasArguments& arguments) {
  return change(context, one_change("rename", arguments.name, "to", arguments.to),
                quipu::format("{} is called {}", arguments.name, arguments.to));
}

int alias_delete(Context& context, const AliasArguments& arguments) {
  return change(context, one_change("delete", arguments.name, "", ""),
                quipu::format("{} names nothing any more", arguments.name));
}

}  // namespace quipu::cli
