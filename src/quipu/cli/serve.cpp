#include <ostream>

#include "quipu/cli/commands.h"
#include "quipu/server/server.h"

namespace quipu::cli {
namespace {

void print_ready(Context& context, const server::Server& server, const std::string& data_dir) {
  if (context.json()) {
    std::string text;
    JsonWriter(text)
        .begin_object()
        .key("url")
        .value(std::string_view(server.url()))
        .key("grpc")
        .value(std::string_view(server.grpc_address()))
        .key("data_dir")
        .value(std::string_view(data_dir))
        .key("version")
        .value(QUIPU_VERSION)
        .end_object();
    context.print_json(text);
  } else {
    context.out() << "quipu " << QUIPU_VERSION << " is ready at " << server.url();
    if (server.grpc_port() != 0) context.out() << ", gRPC at " << server.grpc_address();
    context.out() << ", data folder " << printable(data_dir) << '\n';
  }
  // Whoever started this waits for the line.
  context.out().flush();
}

}  // namespace

int serve(Context& context, const ServeArguments& arguments) {
  server::Overrides overrides;
  if (!arguments.address.empty()) overrides.emplace_back("server.host", arguments.address);
  if (arguments.port) overrides.emplace_back("server.port", std::to_string(*arguments.port));
  if (arguments.grpc_port) {
    overrides.emplace_back("server.grpc_port", std::to_string(*arguments.grpc_port));
  }
  if (arguments.no_grpc) overrides.emplace_back("server.grpc", "false");
  if (arguments.insecure) overrides.emplace_back("server.insecure", "true");
  const auto load = [&] { return load_server_config(context.globals(), overrides); };
  Result<server::ServerConfig> config = load();
  if (!config.ok()) return context.fail(config.error());
  const std::string data_dir = config.value().engine.data_dir;
  const Status ran = server::run_server(
      std::move(config).value(), load,
      [&](const server::Server& server) { print_ready(context, server, data_dir); });
  return ran.ok() ? static_cast<int>(kExitOk) : context.fail(ran.error());
}

}  // namespace quipu::cli
