// A lean HTTP load client: keep-alive connections, each sending its next request when the last one
// is answered, all served by one thread with poll(). Bodies are made before the clock starts and
// answers are parsed after it has stopped, so that the client takes little from the server's cores.
//
//   quipu_load_client --port P --target /v1/collections/bench/search --queries Q.npy --count N
//                     --connections C --k K --ef EF
//
// Prints {"latency_ns": [...], "wall_ns", "cpu_ns", "ids": [[...]...], "status": {"200": N}}; `ids`
// in the order of the queries. Exits 1 when a connection breaks.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/common/measure.h"
#include "bench/common/npy.h"
#include "quipu/base/json.h"

namespace quipu::bench {
namespace {

struct Job {
  std::uint16_t port = 0;
  std::vector<std::string> requests;   // whole HTTP requests
  std::vector<std::string> responses;  // whole HTTP responses, filled in
  std::vector<std::int64_t> latency_ns;
};

Error broken(std::string_view what) {
  return {ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno)};
}

// One connection with at most one request under way.
class Connection {
 public:
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() {
    if (socket_ >= 0) ::close(socket_);
  }

  Status open(std::uint16_t port) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return broken("socket");
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      return broken("connect");
    }
    return ok_status();
  }

  // A request of some kilobytes fits the socket's buffer, so sending does not block.
  Status send(const Job& job, std::size_t number) {
    number_ = number;
    busy_ = true;
    received_.clear();
    message_bytes_ = 0;
    started_ns_ = wall_ns();
    std::string_view rest = job.requests[number];
    while (!rest.empty()) {
      const ssize_t sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) return broken("send");
      rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    return ok_status();
  }

  // Call when readable. Sets `done` when the whole response is there, and stores it.
  Status receive(Job& job, bool& done) {
    char block[1 << 16];
    const ssize_t count = ::recv(socket_, block, sizeof block, 0);
    if (count == 0) return Error{ErrorCode::kIo, "the server closed a connection"};
    if (count < 0) return broken("recv");
    received_.append(block, static_cast<std::size_t>(count));
    if (message_bytes_ == 0) QUIPU_TRY_OK(read_head());
    done = message_bytes_ != 0 && received_.size() >= message_bytes_;
    if (!done) return ok_status();
    job.latency_ns[number_] = wall_ns() - started_ns_;
    job.responses[number_] = std::move(received_);
    received_ = {};
    busy_ = false;
    return ok_status();
  }

  [[nodiscard]] int socket() const noexcept { return socket_; }
  [[nodiscard]] bool busy() const noexcept { return busy_; }

 private:
  Status read_head() {
    const std::size_t end = received_.find("\r\n\r\n");
    if (end == std::string::npos) return ok_status();
    std::string head = received_.substr(0, end + 2);
    std::transform(head.begin(), head.end(), head.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    constexpr std::string_view kField = "\r\ncontent-length:";
    const std::size_t at = head.find(kField);
    if (at == std::string::npos) return Error{ErrorCode::kIo, "a response without Content-Length"};
    const std::size_t digit = head.find_first_not_of(' ', at + kField.size());
    std::size_t body_bytes = 0;
    std::from_chars(head.data() + digit, head.data() + head.size(), body_bytes);
    message_bytes_ = end + 4 + body_bytes;
    return ok_status();
  }

  int socket_ = -1;
  bool busy_ = false;
  std::size_t number_ = 0;
  std::size_t message_bytes_ = 0;  // head and body; 0 until the head is there
  std::int64_t started_ns_ = 0;
  std::string received_;
};

Status drive(Job& job, std::vector<Connection>& connections) {
  std::size_t next = 0;
  std::size_t answered = 0;
  std::vector<pollfd> polls(connections.size());
  for (std::size_t i = 0; i < connections.size(); ++i) {
    polls[i] = {connections[i].socket(), POLLIN, 0};
    if (next < job.requests.size()) QUIPU_TRY_OK(connections[i].send(job, next++));
  }
  while (answered < job.requests.size()) {
    constexpr int kPatienceMs = 60'000;
    const int ready = ::poll(polls.data(), static_cast<nfds_t>(polls.size()), kPatienceMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Error{ErrorCode::kDeadlineExceeded, "no answer within a minute"};
    for (std::size_t i = 0; i < connections.size(); ++i) {
      if (polls[i].revents == 0 || !connections[i].busy()) continue;
      bool done = false;
      QUIPU_TRY_OK(connections[i].receive(job, done));
      if (!done) continue;
      ++answered;
      if (next < job.requests.size()) QUIPU_TRY_OK(connections[i].send(job, next++));
    }
  }
  return ok_status();
}

Status prepare(const Flags& flags, Job& job, std::size_t& connections) {
  QUIPU_TRY(const std::uint64_t port, flags.number("port"));
  QUIPU_TRY(const std::string target, flags.text("target"));
  QUIPU_TRY(const std::string queries_path, flags.text("queries"));
  QUIPU_TRY(const std::uint64_t count, flags.number("count"));
  QUIPU_TRY(connections, flags.number("connections"));
  QUIPU_TRY(const std::uint64_t k, flags.number("k"));
  QUIPU_TRY(const std::uint64_t ef, flags.number("ef"));
  QUIPU_TRY(const NpyMatrix queries, NpyMatrix::map(queries_path));
  if (port == 0 || port > 65'535 || count == 0 || connections == 0 || connections > 10'000) {
    return Error{ErrorCode::kInvalidArgument, "--port, --count or --connections out of range"};
  }
  job.port = static_cast<std::uint16_t>(port);
  for (std::size_t i = 0; i < count; ++i) {
    std::string body;
    JsonWriter writer(body);
    writer.begin_object();
    writer.key("vector").floats(queries.row(i % queries.rows()));
    writer.key("k").value(k);
    if (ef != 0) writer.key("ef").value(ef);
    writer.end_object();
    job.requests.push_back(
        "POST " + target + " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(port) +
        "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body);
  }
  job.responses.resize(count);
  job.latency_ns.resize(count);
  return ok_status();
}

Status report_ids(const std::string& response, JsonWriter& out) {
  const std::size_t body = response.find("\r\n\r\n") + 4;
  QUIPU_TRY(const JsonDocument document,
            JsonDocument::parse(std::string_view(response).substr(body)));
  const auto hits = document.root().find("hits");
  out.begin_array();
  if (hits) {
    hits->for_each_element([&](JsonView hit) {
      const auto id = hit.find("id");
      const auto number = id ? id->as_uint64() : std::nullopt;
      if (number) out.value(*number);
      return true;
    });
  }
  out.end_array();
  return ok_status();
}

Status run(std::span<const char* const> arguments, JsonWriter& out) {
  QUIPU_TRY(const Flags flags, Flags::parse(arguments));
  Job job;
  std::size_t connection_count = 0;
  QUIPU_TRY_OK(prepare(flags, job, connection_count));
  std::vector<Connection> connections(connection_count);
  for (Connection& connection : connections) QUIPU_TRY_OK(connection.open(job.port));
  const std::int64_t cpu = process_cpu_ns();
  const std::int64_t start = wall_ns();
  QUIPU_TRY_OK(drive(job, connections));
  out.key("wall_ns").value(wall_ns() - start);
  out.key("cpu_ns").value(process_cpu_ns() - cpu);
  out.key("latency_ns").begin_array();
  for (const std::int64_t each : job.latency_ns) out.value(each);
  out.end_array();
  std::map<std::string, std::uint64_t> statuses;
  for (const std::string& response : job.responses) ++statuses[response.substr(9, 3)];
  out.key("status").begin_object();
  for (const auto& [status, count] : statuses) out.key(status).value(count);
  out.end_object();
  out.key("ids").begin_array();
  for (const std::string& response : job.responses) QUIPU_TRY_OK(report_ids(response, out));
  out.end_array();
  return ok_status();
}

}  // namespace
}  // namespace quipu::bench

int main(int argc, char** argv) {
  const std::vector<const char*> arguments(argv + std::min(argc, 1), argv + argc);
  std::string text;
  quipu::JsonWriter out(text);
  out.begin_object();
  const quipu::Status status = quipu::bench::run(arguments, out);
  if (!status.ok()) {
    std::cerr << "quipu_load_client: " << status.error().message << '\n';
    return 1;
  }
  out.end_object();
  std::cout << text << '\n';
  return 0;
}
