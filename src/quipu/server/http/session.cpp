#include "quipu/server/http/session.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>
#include <vector>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>

#include "quipu/api/problem.h"
#include "quipu/api/status_map.h"
#include "quipu/base/clock.h"
#include "quipu/base/file_system.h"
#include "quipu/base/quote.h"
#include "quipu/telemetry/request_id.h"
#include "quipu/telemetry/time_text.h"

namespace quipu::server {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kBodyReadBytes = std::size_t{64} << 10;
constexpr std::size_t kFileBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kKeptBufferBytes = std::size_t{16} << 10;
constexpr std::size_t kLingerBytesMax = std::size_t{1} << 20;
constexpr std::chrono::milliseconds kLingerTimeout{2000};
constexpr std::uint64_t kSlowestBytesPerSecond = std::uint64_t{64} << 10;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string_view view(boost::beast::string_view text) { return {text.data(), text.size()}; }

Error bad_request(std::string message, std::string reason = "malformed_request") {
  return {ErrorCode::kInvalidArgument, std::move(message), std::move(reason)};
}

// What Beast says about bytes that are no request, as our errors.
Error parse_error(const error_code& code, const HttpOptions& options) {
  if (code == http::error::header_limit || code == http::error::buffer_overflow) {
    return bad_request(
        "the request's head has more than " + std::to_string(options.header_bytes_max) + " bytes",
        "header_too_large");
  }
  if (code == http::error::body_limit) {
    return bad_request(
        "the body has more than " + std::to_string(options.body_bytes_max) + " bytes",
        "body_too_large");
  }
  if (code == http::error::bad_version) {
    return bad_request("the version of HTTP must be 1.0 or 1.1", "http_version");
  }
  return bad_request("not an HTTP request: " + code.message());
}

}  // namespace

// ---------------------------------------------------------------- Shared

Shared::Shared(HttpOptions options_in, HttpHandler handler_in, MetricsRegistry& metrics)
    : options(std::move(options_in)),
      handler(std::move(handler_in)),
      hosts(options.allowed_hosts),
      connections_gauge(metrics.gauge("quipu_http_connections", "Open connections.", {})),
      refused(metrics.counter("quipu_http_connections_refused_total",
                              "Connections over the limit, answered with 503 or closed.", {})),
      timeouts(metrics.counter("quipu_http_timeouts_total",
                               "Connections closed because the peer was too slow.", {})) {}

void Shared::connection_opened() {
  connections_gauge.set(static_cast<double>(connections.fetch_add(1) + 1));
}

void Shared::connection_closed() {
  MutexLock lock(mutex);
  const std::size_t left = connections.fetch_sub(1) - 1;
  connections_gauge.set(static_cast<double>(left));
  if (left == 0) changed.notify_all();
}

void Shared::request_begun() {
  MutexLock lock(mutex);
  ++pending;
}

void Shared::request_answered() {
  MutexLock lock(mutex);
  if (--pending == 0) changed.notify_all();
}

// ---------------------------------------------------------------- Loop

void Loop::sweep() {
  now = std::chrono::steady_clock::now();
  date = telemetry::http_date(system_clock().now_us());
  // A session may end, and unregister itself, while it is looked at.
  const std::vector<Session*> all(sessions.begin(), sessions.end());
  for (Session* session : all) {
    if (sessions.contains(session)) session->check_time(now);
  }
  sweep_timer.expires_after(std::chrono::seconds(1));
  sweep_timer.async_wait([this](const error_code& error) {
    if (!error) sweep();
  });
}

// ---------------------------------------------------------------- Session

Session::Session(Loop& loop, Socket socket) : loop_(loop), socket_(std::move(socket)) {
  loop_.sessions.insert(this);
  loop_.shared.connection_opened();
}

Session::~Session() {
  release_body();
  loop_.sessions.erase(this);
  loop_.shared.connection_closed();
}

void Session::start() {
  error_code ignored;  // a socket without the option is only slower
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  error_code unknown;
  const auto endpoint = socket_.remote_endpoint(unknown);
  if (!unknown) peer_ = endpoint.address().to_string();
  next_request();
}

void Session::refuse() {
  loop_.shared.refused.add();
  refuse_request({ErrorCode::kUnavailable,
                  "the server has " + std::to_string(loop_.shared.options.connections_max) +
                      " connections, its limit",
                  "connection_limit"});
}

void Session::set_deadline(std::chrono::milliseconds limit, std::uint64_t bytes) {
  // The loop's clock is up to a second old, which only makes a limit that much shorter: add it
  // back.
  deadline_ = loop_.now + std::chrono::seconds(1) + limit +
              std::chrono::seconds(bytes / kSlowestBytesPerSecond);
}

void Session::check_time(SteadyTime now) {
  if (state_ == State::kIdle && buffer_.size() > 0) {
    // The head has begun since the last look.
    state_ = State::kHead;
    deadline_ = now + loop_.shared.options.header_timeout;
    return;
  }
  if (state_ == State::kHandling || state_ == State::kClosed || now < deadline_) return;
  if (state_ != State::kLingering) loop_.shared.timeouts.add();
  if (state_ == State::kHead || state_ == State::kBody) {
    timed_out_ = true;
    error_code ignored;  // a socket that cannot cancel is closed by the next sweep
    deadline_ = now + kLingerTimeout;
    socket_.cancel(ignored);
    return;
  }
  close();
}

void Session::stop_when_idle() {
  if (state_ == State::kIdle && buffer_.size() == 0) close();
}

void Session::close() {
  state_ = State::kClosed;
  error_code ignored;  // there is nobody to tell
  socket_.close(ignored);
}

void Session::next_request() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(loop_.shared.options.header_bytes_max));
  parser_->body_limit(boost::none);  // accept_body() sets it, by where the body goes
  head_accepted_ = false;
  head_request_ = false;
  http10_ = false;
  release_body();
  if (buffer_.size() == 0 && buffer_.capacity() > kKeptBufferBytes) buffer_.shrink_to_fit();
  state_ = State::kIdle;
  set_deadline(loop_.shared.options.idle_timeout, 0);
  if (buffer_.size() > 0) {
    parse();
  } else if (loop_.shared.stopping.load()) {
    close();
  } else {
    read_more();
  }
}

void Session::read_more() {
  const bool body = state_ == State::kBody;
  const auto space = buffer_.prepare(body ? kBodyReadBytes : kReadBytes);
  socket_.async_read_some(space,
                          [self = shared_from_this()](const error_code& error, std::size_t size) {
                            self->on_read(error, size);
                          });
}

void Session::on_read(const error_code& error, std::size_t size) {
  if (state_ == State::kClosed) return;
  if (state_ == State::kLingering) {
    discarded_bytes_ += size;
    if (error || discarded_bytes_ > kLingerBytesMax) return close();
    buffer_.clear();
    return read_more();
  }
  if (timed_out_) {
    const bool head = !head_accepted_;
    const auto limit =
        head ? loop_.shared.options.header_timeout : loop_.shared.options.body_timeout;
    return refuse_request(bad_request(std::string(head ? "the head" : "the body") +
                                          " of the request did not arrive within " +
                                          std::to_string(limit.count()) + " ms",
                                      "request_timeout"));
  }
  if (error) return close();
  buffer_.commit(size);
  parse();
}

// Feeds the parser what has arrived. Stops after the head to judge it before any body is kept.
void Session::parse() {
  while (true) {
    error_code error;
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    if (error == http::error::need_more) {
      const std::size_t head_bytes_max = loop_.shared.options.header_bytes_max;
      if (!parser_->is_header_done() && buffer_.size() > head_bytes_max) {
        return refuse_request(parse_error(http::error::header_limit, loop_.shared.options));
      }
      if (!account_body()) return;
      return read_more();
    }
    if (error && parser_->is_header_done()) {
      const auto& spool = parser_->get().body().spool;
      if (spool != nullptr && !spool->status.ok()) return refuse_request(spool->status.error());
    }
    if (error) return refuse_request(parse_error(error, loop_.shared.options));
    if (!head_accepted_ && parser_->is_header_done()) {
      if (!accept_head()) return;
      // The answer to Expect goes out first; reading goes on when it is written.
      if (state_ == State::kWriting) return;
    }
    if (!account_body()) return;
    if (parser_->is_done()) return hand_over();
    if (buffer_.size() == 0) return read_more();
  }
}

bool Session::accept_head() {
  head_accepted_ = true;
  const auto& request = parser_->get();
  http10_ = request.version() == 10;
  head_request_ = view(request.method_string()) == "HEAD";
  const auto fail = [&](const Error& error) {
    refuse_request(error);
    return false;
  };
  if (request.version() != 10 && request.version() != 11) {
    return fail(bad_request("the version of HTTP must be 1.0 or 1.1", "http_version"));
  }
  const std::size_t hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && !http10_)) {
    return fail(bad_request("a request must have one Host header, has " + std::to_string(hosts)));
  }
  const std::string_view host = view(request[http::field::host]);
  if (hosts == 1 && !loop_.shared.hosts.host_allowed(host)) {
    return fail(bad_request("this server does not answer to Host " + in_quotes(host) +
                                "; server.allowed_hosts lists further names",
                            "host_forbidden"));
  }
  const std::size_t origins = request.count(http::field::origin);
  const std::string_view origin = view(request[http::field::origin]);
  if (origins > 1 || (origins == 1 && !loop_.shared.hosts.origin_allowed(origin, host))) {
    return fail(bad_request("requests of web pages from " + in_quotes(origin) + " are not accepted",
                            "origin_forbidden"));
  }
  const std::uint64_t length = parser_->content_length().value_or(0);
  if (!accept_body(length)) return false;
  state_ = State::kBody;
  set_deadline(loop_.shared.options.body_timeout, length);
  const std::string_view expect = view(request[http::field::expect]);
  if (expect.empty() || http10_) return true;
  if (!boost::beast::iequals(request[http::field::expect], "100-continue")) {
    return fail(bad_request("Expect " + in_quotes(expect) + " is not known; 100-continue is",
                            "expectation_failed"));
  }
  if (parser_->is_done() || buffer_.size() > 0) return true;  // the body is on its way already
  state_ = State::kWriting;
  asio::async_write(socket_, asio::buffer(kContinue),
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      if (error || self->state_ == State::kClosed) return self->close();
                      self->state_ = State::kBody;
                      self->read_more();
                    });
  return true;
}

bool Session::accept_body(std::uint64_t length) {
  const HttpOptions& options = loop_.shared.options;
  const auto& request = parser_->get();
  std::optional<api::Service::UploadPlan> plan;
  const bool any = length > 0 || parser_->chunked();
  if (any && options.upload_plan) {
    plan = options.upload_plan(view(request.method_string()), view(request.target()));
  }
  const std::uint64_t limit = plan ? plan->bytes_max : options.body_bytes_max;
  if (length > limit) {
    refuse_request(bad_request(
        "the body has " + std::to_string(length) + " bytes; the limit is " + std::to_string(limit),
        "body_too_large"));
    return false;
  }
  parser_->body_limit(limit);
  if (!plan) return true;
  auto spool = std::make_unique<BodySpool>();
  spool->upload = std::make_shared<const api::Upload>(plan->path);
  auto file = posix_file_system().open_writable(plan->path, OpenMode::kTruncate);
  if (!file.ok()) {
    refuse_request(file.error());
    return false;
  }
  spool->file = std::move(file).value();
  parser_->get().body().spool = std::move(spool);
  return true;
}

// Counts what this body holds of the bytes that all bodies together may.
bool Session::account_body() {
  if (!head_accepted_) return true;
  const std::uint64_t size = parser_->get().body().text.size();
  if (size == accounted_bytes_) return true;
  const std::uint64_t more = size - accounted_bytes_;
  accounted_bytes_ = size;
  const std::uint64_t all = loop_.shared.buffered_bytes.fetch_add(more) + more;
  if (all <= loop_.shared.options.buffered_bytes_max) return true;
  refuse_request({ErrorCode::kUnavailable,
                  "the bodies of all requests together have more than " +
                      std::to_string(loop_.shared.options.buffered_bytes_max) + " bytes",
                  "buffers_full"});
  return false;
}

void Session::release_body() {
  loop_.shared.buffered_bytes.fetch_sub(accounted_bytes_);
  accounted_bytes_ = 0;
}

void Session::hand_over() {
  state_ = State::kHandling;
  auto& message = parser_->get();
  keep_alive_ = message.keep_alive();
  api::Request request;
  request.method = view(message.method_string());
  request.target = view(message.target());
  request.headers.reserve(static_cast<std::size_t>(std::distance(message.begin(), message.end())));
  for (const auto& field : message) {
    request.headers.emplace_back(view(field.name_string()), view(field.value()));
  }
  request.body = std::move(message.body().text);
  if (const auto& spool = message.body().spool; spool != nullptr) {
    if (const Status closed = spool->file->close(); !closed.ok()) {
      return refuse_request(closed.error());
    }
    request.upload = std::move(spool->upload);
  }
  request.peer = peer_;
  Shared& shared = loop_.shared;
  shared.request_begun();
  // A handler may keep copies of the callback for longer than it needs them, and on any thread:
  // they share this pointer, which the first call takes away, so that the session ends on its own
  // thread.
  const auto waiting = std::make_shared<std::shared_ptr<Session>>(shared_from_this());
  shared.handler(std::move(request), [waiting](api::Response response) {
    std::shared_ptr<Session> self = std::move(*waiting);
    QUIPU_ASSERT(self != nullptr);
    Shared& of = self->loop_.shared;
    const Executor executor = self->loop_.context.get_executor();
    // Runs here and now when the handler answered on this thread, later on the session's own if
    // not.
    asio::dispatch(executor, [self = std::move(self), response = std::move(response)]() mutable {
      self->on_answer(std::move(response));
    });
    of.request_answered();
  });
}

void Session::on_answer(api::Response response) {
  if (state_ == State::kClosed) return;
  if (loop_.shared.stopping.load()) keep_alive_ = false;
  write(std::move(response));
}

void Session::refuse_request(const Error& error) {
  keep_alive_ = false;
  write(api::problem_response(error, telemetry::make_request_id()));
}

void Session::write(api::Response response) {
  release_body();
  state_ = State::kWriting;
  const bool with_body = !head_request_ && response.status != 204 && response.status != 304;
  file_ = nullptr;
  if (!response.file_path.empty()) {
    auto opened = posix_file_system().open_random_access(response.file_path);
    if (!opened.ok()) {
      // It was deleted since its answer was made.
      response = api::problem_response(
          {ErrorCode::kNotFound, "the file was deleted meanwhile", "snapshot_not_found"},
          telemetry::make_request_id());
    } else {
      file_ = std::move(opened).value();
      file_sent_ = 0;
    }
  }
  write_head(response, with_body);
  if (!with_body) file_ = nullptr;
  body_ = with_body ? std::move(response.body) : std::string();
  set_deadline(loop_.shared.options.write_timeout, body_.size());
  const std::array<asio::const_buffer, 2> parts = {asio::buffer(head_), asio::buffer(body_)};
  asio::async_write(socket_, parts,
                    [self = shared_from_this()](const error_code& error, std::size_t) {
                      self->on_written(error);
                    });
}

void Session::write_head(const api::Response& response, bool with_body) {
  const auto number = [&](std::size_t value) {
    char digits[24];
    const auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
    head_.append(digits, static_cast<std::size_t>(end - digits));
  };
  head_.clear();
  head_ += "HTTP/1.1 ";
  number(static_cast<std::size_t>(response.status));
  head_ += ' ';
  head_ += api::http_reason(response.status);
  head_ += "\r\nDate: ";
  head_ += loop_.date;
  if (with_body || head_request_) {
    head_ += "\r\nContent-Type: ";
    head_ += response.content_type;
    head_ += "\r\nContent-Length: ";
    number(file_ != nullptr ? static_cast<std::size_t>(file_->size()) : response.body.size());
  }
  for (const auto& [name, value] : response.headers) {
    ((head_ += "\r\n") += name) += ": ";
    head_ += value;
  }
  if (!keep_alive_) {
    head_ += "\r\nConnection: close";
  } else if (http10_) {
    head_ += "\r\nConnection: keep-alive";
  }
  head_ += "\r\n\r\n";
}

void Session::on_written(const error_code& error) {
  if (state_ == State::kClosed) return;
  if (error) return close();
  if (file_ != nullptr) return write_block();
  std::string().swap(body_);
  if (keep_alive_) return next_request();
  linger();
}

void Session::write_block() {
  const std::uint64_t left = file_->size() - file_sent_;
  if (left == 0) {
    file_ = nullptr;
    return on_written({});
  }
  body_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, kFileBlockBytes)));
  const auto got =
      file_->read(file_sent_, std::as_writable_bytes(std::span(body_.data(), body_.size())));
  // The length was promised: who reads must see that it was not kept.
  if (!got.ok() || got.value() != body_.size()) return close();
  file_sent_ += body_.size();
  set_deadline(loop_.shared.options.write_timeout, body_.size());
  asio::async_write(socket_, asio::buffer(body_),
                    [self = shared_from_this()](const error_code& failed, std::size_t) {
                      self->on_written(failed);
                    });
}

// Closing while the peer still sends would make its system throw away our answer: say that we are
// done, and read what comes for a while.
void Session::linger() {
  state_ = State::kLingering;
  set_deadline(kLingerTimeout, 0);
  error_code failed;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, failed);
  if (failed) return close();
  buffer_.clear();
  read_more();
}

}  // namespace quipu::server
