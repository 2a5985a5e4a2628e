#include "quipu/api/grpc/connection_gate.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>
#include <unordered_set>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/log.h"
#include "quipu/base/quote.h"

namespace quipu::api::grpc {
namespace {

constexpr std::size_t kEventsAtOnce = 64;
constexpr int kAcceptsAtOnce = 64;
// After the process ran out of descriptors: trying again at once would only burn the processor.
constexpr int kAcceptAgainMs = 100;

std::string text_of_errno() { return std::generic_category().message(errno); }

// An address and its length, as the socket calls want them.
struct SocketAddress {
  sockaddr_storage bytes{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const noexcept {
    return reinterpret_cast<const sockaddr*>(&bytes);
  }
  [[nodiscard]] sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&bytes); }
};

Result<SocketAddress> socket_address(const ConnectionGate::Options& options) {
  const std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
  SocketAddress address;
  sockaddr_in v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(options.port);
    std::memcpy(&address.bytes, &v4, sizeof v4);
    address.size = sizeof v4;
    return address;
  }
  sockaddr_in6 v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(options.port);
    std::memcpy(&address.bytes, &v6, sizeof v6);
    address.size = sizeof v6;
    return address;
  }
  return Error{ErrorCode::kInvalidArgument,
               in_quotes(options.host) + " is neither an IP address nor localhost"};
}

Error cannot_listen(const ConnectionGate::Options& options) {
  const bool in_use = errno == EADDRINUSE;
  return {in_use ? ErrorCode::kUnavailable : ErrorCode::kIo,
          format("cannot listen on {} port {} for gRPC: {}", options.host, options.port,
                 text_of_errno()),
          in_use ? "address_in_use" : ""};
}

std::uint16_t port_of(const SocketAddress& address) {
  if (address.bytes.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &address.bytes, sizeof v4);
    return ntohs(v4.sin_port);
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &address.bytes, sizeof v6);
  return ntohs(v6.sin6_port);
}

}  // namespace

struct ConnectionGate::State {
  // Closes what it has.
  class Descriptor {
   public:
    explicit Descriptor(int fd = -1) noexcept : fd_(fd) {}
    ~Descriptor() { reset(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
      reset(std::exchange(other.fd_, -1));
      return *this;
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
    void reset(int fd = -1) noexcept {
      if (fd_ >= 0) ::close(fd_);
      fd_ = fd;
    }

   private:
    int fd_;
  };

  State(std::size_t connections_max_in, MetricsRegistry& metrics)
      : connections_max(connections_max_in),
        open_gauge(metrics.gauge("quipu_grpc_connections", "Open connections of gRPC.", {})),
        refused(metrics.counter("quipu_grpc_connections_refused_total",
                                "Connections over the limit, closed at once.", {})) {}

  Status listen(const Options& options);
  void run();
  void accept_some();
  void welcome(Descriptor socket);
  void forget(int copy);
  // Whether new connections are looked at.
  void watch_listener(bool watched);

  const std::size_t connections_max;
  Gauge& open_gauge;
  Counter& refused;
  HandOver hand_over;
  Descriptor epoll;
  Descriptor listener;
  Descriptor wake;
  std::unordered_set<int> copies;  // of the connections that are open; the thread's own
  bool paused = false;
  std::atomic<std::size_t> open{0};
  std::uint16_t port = 0;
  std::thread thread;
};

Status ConnectionGate::State::listen(const Options& options) {
  QUIPU_TRY(SocketAddress address, socket_address(options));
  listener.reset(
      ::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!listener.valid()) return cannot_listen(options);
  // A port whose last connections are only just closed may be had at once; one that somebody
  // listens on may not.
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(listener.get(), address.get(), address.size) != 0) return cannot_listen(options);
  if (::listen(listener.get(), SOMAXCONN) != 0) return cannot_listen(options);
  address.size = sizeof address.bytes;
  if (::getsockname(listener.get(), address.get(), &address.size) != 0) {
    return cannot_listen(options);
  }
  port = port_of(address);
  epoll.reset(::epoll_create1(EPOLL_CLOEXEC));
  wake.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll.valid() || !wake.valid()) return cannot_listen(options);
  for (const int fd : {listener.get(), wake.get()}) {
    epoll_event event{.events = EPOLLIN, .data = {.fd = fd}};
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return cannot_listen(options);
  }
  return ok_status();
}

void ConnectionGate::State::watch_listener(bool watched) {
  epoll_event event{.events = watched ? EPOLLIN : 0U, .data = {.fd = listener.get()}};
  ::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, listener.get(), &event);
  paused = !watched;
}

void ConnectionGate::State::run() {
  std::array<epoll_event, kEventsAtOnce> events{};
  while (true) {
    const int count = ::epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()),
                                   paused ? kAcceptAgainMs : -1);
    // Only a signal interrupts it; its other errors are misuse.
    QUIPU_ASSERT(count >= 0 || errno == EINTR);
    if (paused && count >= 0) watch_listener(true);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const int fd = event.data.fd;
      if (fd == wake.get()) return;
      if (fd == listener.get()) {
        accept_some();
      } else if ((event.events & EPOLLHUP) != 0) {
        forget(fd);
      }
    }
  }
}

void ConnectionGate::State::accept_some() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    Descriptor socket(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      welcome(std::move(socket));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log_warning("cannot accept a connection of gRPC", {{"error", text_of_errno()}});
      return watch_listener(false);
    }
    // Other errors are of a connection that is gone before it was accepted.
  }
}

void ConnectionGate::State::welcome(Descriptor socket) {
  if (open.load() >= connections_max) {
    refused.add();
    return;
  }
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Descriptor copy(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0));
  // Hang-ups are told without being asked for; edges, so that one that lasts is told once.
  epoll_event event{.events = EPOLLET, .data = {.fd = copy.get()}};
  if (!copy.valid() || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, copy.get(), &event) != 0) {
    log_warning("cannot watch a connection of gRPC", {{"error", text_of_errno()}});
    return;
  }
  copies.insert(copy.release());
  open_gauge.set(static_cast<double>(open.fetch_add(1) + 1));
  hand_over(listener.get(), socket.release());
}

void ConnectionGate::State::forget(int copy) {
  if (copies.erase(copy) == 0) return;
  const Descriptor closed(copy);
  open_gauge.set(static_cast<double>(open.fetch_sub(1) - 1));
}

ConnectionGate::ConnectionGate(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ConnectionGate>> ConnectionGate::listen(const Options& options,
                                                               MetricsRegistry& metrics) {
  auto state = std::make_unique<State>(options.connections_max, metrics);
  QUIPU_TRY_OK(state->listen(options));
  return std::unique_ptr<ConnectionGate>(new ConnectionGate(std::move(state)));
}

ConnectionGate::~ConnectionGate() { stop(); }

void ConnectionGate::start(HandOver hand_over) {
  state_->hand_over = std::move(hand_over);
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

void ConnectionGate::stop() {
  if (state_->thread.joinable()) {
    const std::uint64_t one = 1;
    // An event descriptor takes eight bytes whole, or its counter is full, which wakes as well.
    static_cast<void>(!::write(state_->wake.get(), &one, sizeof one));
    state_->thread.join();
  }
  for (const int copy : state_->copies) ::close(copy);
  state_->copies.clear();
  state_->open = 0;
  state_->open_gauge.set(0);
  state_->listener.reset();
}

std::uint16_t ConnectionGate::port() const noexcept { return state_->port; }

std::size_t ConnectionGate::open_connections() const noexcept { return state_->open.load(); }

}  // namespace quipu::api::grpc
