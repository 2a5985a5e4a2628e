// One connection, and the thread that serves it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_set>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>

#include "quipu/base/thread_annotations.h"
#include "quipu/server/http/host_check.h"
#include "quipu/server/http/http_server.h"
#include "quipu/server/http/spooled_body.h"

namespace quipu::server {

// The concrete executor: any_io_executor costs a virtual call and an allocation for each operation.
using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;
using Timer = boost::asio::basic_waitable_timer<
    std::chrono::steady_clock, boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;
using SteadyTime = std::chrono::steady_clock::time_point;

class Session;

// What all connections of a server share. Threads: any.
struct Shared {
  Shared(HttpOptions options_in, HttpHandler handler_in, MetricsRegistry& metrics);

  const HttpOptions options;
  const HttpHandler handler;
  const HostCheck hosts;
  Gauge& connections_gauge;
  Counter& refused;
  Counter& timeouts;

  std::atomic<bool> stopping{false};
  std::atomic<std::uint64_t> buffered_bytes{0};

  Mutex mutex;
  std::condition_variable changed;
  // Connections that are open, and requests that the handler has not answered.
  std::atomic<std::size_t> connections{0};
  std::size_t pending GUARDED_BY(mutex) = 0;

  void connection_opened();
  void connection_closed();
  void request_begun();
  void request_answered();
};

// One thread with its connections; nothing here is touched by another thread.
struct Loop {
  explicit Loop(Shared& shared_in) : shared(shared_in), sweep_timer(context) {}
  // Schedules the next look at all connections' limits in time.
  void sweep();

  Shared& shared;
  // Registered by themselves, alive while they are here. Declared before the context, whose end
  // destroys the handlers that keep sessions.
  std::unordered_set<Session*> sessions;
  SteadyTime now = std::chrono::steady_clock::now();  // as of the last sweep
  std::string date;                                   // the Date header, as of the last sweep
  boost::asio::io_context context{1};
  Timer sweep_timer;
  std::thread thread;
};

// Threads: its loop's, destruction included.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Loop& loop, Socket socket);
  ~Session();

  void start();
  // Answers that there are too many connections, and closes.
  void refuse();
  // Acts on what took too long.
  void check_time(SteadyTime now);
  // For the end of the server: closes what waits for a request; the rest closes after its answer.
  void stop_when_idle();
  void close();

 private:
  enum class State : std::uint8_t { kIdle, kHead, kBody, kHandling, kWriting, kLingering, kClosed };

  void next_request();
  void read_more();
  void on_read(const boost::system::error_code& error, std::size_t size);
  void parse();
  // Judges the head. False: it was refused and answered.
  bool accept_head();
  // Decides where the body goes and how long it may be. False: as above.
  bool accept_body(std::uint64_t length);
  void hand_over();
  void on_answer(api::Response response);
  // Answers a request that the handler never saw, and closes.
  void refuse_request(const Error& error);
  void write(api::Response response);
  void write_head(const api::Response& response, bool with_body);
  void on_written(const boost::system::error_code& error);
  // Sends the next block of the file that the answer is.
  void write_block();
  void linger();
  bool account_body();
  void release_body();
  void set_deadline(std::chrono::milliseconds limit, std::uint64_t bytes);

  Loop& loop_;
  Socket socket_;
  State state_ = State::kIdle;
  SteadyTime deadline_;
  boost::beast::flat_buffer buffer_;
  using Parser = boost::beast::http::request_parser<SpooledBody>;
  std::optional<Parser> parser_;
  bool head_accepted_ = false;
  bool timed_out_ = false;
  bool keep_alive_ = false;
  bool head_request_ = false;  // HEAD: the answer has no body
  bool http10_ = false;
  std::uint64_t accounted_bytes_ = 0;
  std::size_t discarded_bytes_ = 0;
  std::string peer_;
  std::string head_;
  std::string body_;
  std::unique_ptr<RandomAccessFile> file_;  // the answer's body, beside what was sent of it
  std::uint64_t file_sent_ = 0;
};

}  // namespace quipu::server
