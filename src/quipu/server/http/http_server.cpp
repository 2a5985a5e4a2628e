#include "quipu/server/http/http_server.h"

#include <algorithm>
#include <optional>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "quipu/base/log.h"
#include "quipu/base/quote.h"
#include "quipu/server/http/session.h"

namespace quipu::server {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

// Connections over the limit that may be told so at once; those beyond are only closed.
constexpr std::size_t kRefusedAtOnceMax = 64;

Result<asio::ip::address> parse_address(const HttpOptions& options) {
  error_code error;
  const std::string text = options.host == "localhost" ? "127.0.0.1" : options.host;
  const auto address = asio::ip::make_address(text, error);
  if (error) {
    return Error{ErrorCode::kInvalidArgument, "server.host: " + in_quotes(options.host) +
                                                  " is neither an IP address nor localhost"};
  }
  if (!address.is_loopback() && !options.insecure) {
    return Error{ErrorCode::kFailedPrecondition,
                 "server.host: " + in_quotes(options.host) +
                     " can be reached from other machines, and nothing here asks who calls yet; "
                     "server.insecure = true (--insecure) allows it",
                 "not_loopback"};
  }
  return address;
}

Error listen_error(const HttpOptions& options, const error_code& error) {
  const bool in_use = error == asio::error::address_in_use;
  return {in_use ? ErrorCode::kUnavailable : ErrorCode::kIo,
          "cannot listen on " + options.host + " port " + std::to_string(options.port) + ": " +
              error.message(),
          in_use ? "address_in_use" : ""};
}

// The address that was asked for is a name that callers use, unless it is "any".
HttpOptions with_own_name(HttpOptions options) {
  error_code error;
  const auto address = asio::ip::make_address(options.host, error);
  if (!error && !address.is_unspecified()) {
    options.allowed_hosts.push_back(address.is_v6() ? "[" + options.host + "]" : options.host);
  }
  return options;
}

}  // namespace

Status check_address(const HttpOptions& options) {
  QUIPU_TRY_OK(parse_address(options));
  return ok_status();
}

struct HttpServer::Core {
  Core(HttpOptions options, HttpHandler handler, MetricsRegistry& metrics)
      : shared(with_own_name(std::move(options)), std::move(handler), metrics) {
    for (std::size_t i = 0; i < std::clamp<std::size_t>(shared.options.threads, 1, 256); ++i) {
      loops.push_back(std::make_unique<Loop>(shared));
    }
  }

  Status listen();
  void accept();
  void welcome(Loop& loop, Socket socket);
  void run();

  Shared shared;
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<asio::executor_work_guard<Executor>> work;
  // The acceptor belongs to the first loop's thread.
  std::optional<Acceptor> acceptor;
  std::optional<Timer> accept_again;
  std::size_t next_loop = 0;
  std::uint16_t port = 0;
  bool stopped = false;
};

Status HttpServer::Core::listen() {
  QUIPU_TRY(const asio::ip::address address, parse_address(shared.options));
  const tcp::endpoint endpoint(address, shared.options.port);
  acceptor.emplace(loops.front()->context);
  accept_again.emplace(loops.front()->context);
  error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(Acceptor::max_listen_connections, error);
  if (error) return listen_error(shared.options, error);
  port = acceptor->local_endpoint(error).port();
  if (error) return listen_error(shared.options, error);
  return ok_status();
}

void HttpServer::Core::accept() {
  Loop& loop = *loops[next_loop++ % loops.size()];
  acceptor->async_accept(loop.context, [this, &loop](const error_code& error, Socket socket) {
    if (shared.stopping.load() || error == asio::error::operation_aborted) return;
    if (error) {
      // Out of descriptors, as a rule: trying again at once would only burn the processor.
      log_warning("cannot accept a connection", {{"error", error.message()}});
      accept_again->expires_after(std::chrono::milliseconds(100));
      accept_again->async_wait([this](const error_code& cancelled) {
        if (!cancelled && !shared.stopping.load()) accept();
      });
      return;
    }
    asio::post(loop.context, [this, &loop, moved = std::move(socket)]() mutable {
      welcome(loop, std::move(moved));
    });
    accept();
  });
}

void HttpServer::Core::welcome(Loop& loop, Socket socket) {
  const std::size_t open = shared.connections.load();
  if (open >= shared.options.connections_max + kRefusedAtOnceMax) {
    shared.refused.add();
    return;  // the socket closes itself
  }
  const auto session = std::make_shared<Session>(loop, std::move(socket));
  if (open >= shared.options.connections_max) {
    session->refuse();
  } else {
    session->start();
  }
}

void HttpServer::Core::run() {
  for (const auto& loop : loops) {
    work.emplace_back(loop->context.get_executor());
    asio::post(loop->context, [each = loop.get()] { each->sweep(); });
  }
  asio::post(loops.front()->context, [this] { accept(); });
  for (const auto& loop : loops) {
    loop->thread = std::thread([each = loop.get()] { each->context.run(); });
  }
}

HttpServer::HttpServer(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpOptions options, HttpHandler handler,
                                                      MetricsRegistry& metrics) {
  auto core = std::make_unique<Core>(std::move(options), std::move(handler), metrics);
  QUIPU_TRY_OK(core->listen());
  core->run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(core)));
}

HttpServer::~HttpServer() {
  stop(std::chrono::milliseconds(0));
  MutexLock lock(core_->shared.mutex);
  while (core_->shared.pending > 0) core_->shared.changed.wait(lock.native());
}

std::uint16_t HttpServer::port() const noexcept { return core_->port; }

std::size_t HttpServer::connections() const noexcept { return core_->shared.connections.load(); }

bool HttpServer::stop(std::chrono::milliseconds deadline) {
  if (core_->stopped) return true;
  core_->stopped = true;
  Shared& shared = core_->shared;
  const auto end = std::chrono::steady_clock::now() + deadline;
  shared.stopping.store(true);
  asio::post(core_->loops.front()->context, [core = core_.get()] {
    error_code ignored;  // it stops listening either way
    core->acceptor->close(ignored);
    core->accept_again->cancel();
  });
  for (const auto& loop : core_->loops) {
    asio::post(loop->context, [each = loop.get()] {
      const std::vector<Session*> all(each->sessions.begin(), each->sessions.end());
      for (Session* session : all) {
        if (each->sessions.contains(session)) session->stop_when_idle();
      }
    });
  }
  bool finished = true;
  {
    MutexLock lock(shared.mutex);
    while (shared.connections.load() > 0 && finished) {
      finished = shared.changed.wait_until(lock.native(), end) == std::cv_status::no_timeout;
    }
    finished = shared.connections.load() == 0;
  }
  for (const auto& loop : core_->loops) {
    asio::post(loop->context, [each = loop.get()] {
      const std::vector<Session*> all(each->sessions.begin(), each->sessions.end());
      for (Session* session : all) {
        if (each->sessions.contains(session)) session->close();
      }
      each->sweep_timer.cancel();
      each->context.stop();
    });
  }
  core_->work.clear();
  for (const auto& loop : core_->loops) loop->thread.join();
  return finished;
}

}  // namespace quipu::server
