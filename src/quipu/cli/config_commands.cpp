#include <ostream>

#include "quipu/cli/commands.h"
#include "quipu/server/config.h"

namespace quipu::cli {

int config_show(Context& context) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  if (context.json()) {
    context.print_json(server::config_json(settings.value()->config));
  } else {
    context.out() << server::show_config(settings.value()->config);
  }
  return kExitOk;
}

int config_check(Context& context) {
  const Result<const Settings*> settings = context.settings();
  if (!settings.ok()) return context.fail(settings.error());
  const std::string& file = settings.value()->config.file;
  if (context.json()) {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .key("valid")
        .value(true)
        .key("file")
        .value(std::string_view(file))
        .end_object();
    context.print_json(text);
  } else {
    context.out() << "the configuration is valid; "
                  << (file.empty() ? "no file was read" : "read " + printable(file)) << '\n';
  }
  return kExitOk;
}

int config_docs(Context& context) {
  if (context.json()) {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .key("markdown")
        .value(std::string_view(server::config_docs()))
        .end_object();
    context.print_json(text);
  } else {
    context.out() << server::config_docs();
  }
  return kExitOk;
}

}  // namespace quipu::cli
