#include "quipu/text/documents/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "quipu/base/format.h"
#include "quipu/base/log.h"

namespace quipu::text {
namespace {

using SteadyClock = std::chrono::steady_clock;

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() { reset(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void set(int fd) {
    reset();
    fd_ = fd;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

Error system_error(std::string_view what) {
  return {ErrorCode::kIo, std::string(what) + ": " + std::strerror(errno)};
}

// Kills and reaps the child when it goes out of scope, unless wait() came first.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    (void)wait();
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  // The status as waitpid() gives it.
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
  }

 private:
  pid_t pid_;
};

// Everything that posix_spawn wants, freed on every path.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
};

Result<pid_t> spawn(const std::vector<std::string>& arguments, int child_end) {
  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.actions, child_end, 0);
  posix_spawn_file_actions_adddup2(&plan.actions, child_end, 1);
  posix_spawn_file_actions_addopen(&plan.actions, 2, "/dev/null", O_WRONLY, 0);
  // A page may include files by relative path (roff's .so): here there is nothing worth reading.
  posix_spawn_file_actions_addchdir_np(&plan.actions, "/proc/self/fdinfo");
  sigset_t none;
  sigemptyset(&none);
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setsigdefault(&plan.attributes, &pipe);
  // Its own group, so that Ctrl-C on the terminal ends the caller's batch and not a page of it.
  posix_spawnattr_setpgroup(&plan.attributes, 0);
  posix_spawnattr_setflags(&plan.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const char* const path = std::getenv("PATH");
  std::string path_entry = std::string("PATH=") + (path == nullptr ? "/usr/bin:/bin" : path);
  std::string locale_entry = "LC_ALL=C.UTF-8";
  std::array<char*, 3> environment = {path_entry.data(), locale_entry.data(), nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, argv[0], &plan.actions, &plan.attributes, argv.data(),
                                    environment.data());
  if (failed == ENOENT) {
    return Error{ErrorCode::kUnavailable,
                 quipu::format("the program '{}' is not installed", arguments[0]),
                 "reader_missing"};
  }
  if (failed != 0) {
    errno = failed;
    return system_error(quipu::format("cannot start '{}'", arguments[0]));
  }
  return pid;
}

void limit_child(pid_t pid, const ChildLimits& limits) {
  const auto seconds = static_cast<rlim_t>(limits.time_max.count() / 1000 + 1);
  const rlimit cpu{seconds, seconds};
  const rlimit memory{limits.memory_bytes_max, limits.memory_bytes_max};
  const rlimit none{0, 0};
  // A limit that cannot be set leaves the others, the time on the wall among them.
  if (::prlimit(pid, RLIMIT_CPU, &cpu, nullptr) != 0 ||
      ::prlimit(pid, RLIMIT_AS, &memory, nullptr) != 0 ||
      ::prlimit(pid, RLIMIT_CORE, &none, nullptr) != 0) {
    log_debug("child process limits not set", {{"reason", std::strerror(errno)}});
  }
}

// Feeds and reads at once, so that neither side waits for the other with a full buffer.
Result<std::string> exchange(Descriptor& socket, std::string_view input,
                             const ChildLimits& limits) {
  const auto deadline = SteadyClock::now() + limits.time_max;
  std::string output;
  std::array<char, 65536> buffer;
  if (input.empty()) ::shutdown(socket.get(), SHUT_WR);
  while (true) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd poller{socket.get(), static_cast<short>(input.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    const int ready =
        left.count() <= 0 ? 0 : ::poll(&poller, 1, static_cast<int>(left.count()) + 1);
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return system_error("waiting for a child process");
    if (ready == 0) {
      return Error{ErrorCode::kResourceExhausted,
                   quipu::format("reading took longer than {} ms", limits.time_max.count()),
                   "document_time"};
    }
    if ((poller.revents & POLLOUT) != 0) {
      const ssize_t sent = ::send(socket.get(), input.data(), std::min(input.size(), buffer.size()),
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      // A child that stopped reading has its reasons; its output and status say which.
      if (sent < 0 && errno != EAGAIN && errno != EINTR) input = {};
      if (sent > 0) input.remove_prefix(static_cast<std::size_t>(sent));
      if (input.empty()) ::shutdown(socket.get(), SHUT_WR);
    }
    if ((poller.revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
    const ssize_t got = ::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno == ECONNRESET)) return output;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (got < 0) return system_error("reading from a child process");
    output.append(buffer.data(), static_cast<std::size_t>(got));
    if (output.size() > limits.output_bytes_max) {
      return Error{ErrorCode::kResourceExhausted,
                   quipu::format("its text is over the limit of {} bytes", limits.output_bytes_max),
                   "document_too_large"};
    }
  }
}

}  // namespace

Result<std::string> run_child(const std::vector<std::string>& arguments, std::string_view input,
                              const ChildLimits& limits) {
  std::array<int, 2> pair{};
  // A socket and not two pipes: send() can be told not to raise SIGPIPE in the calling process.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_error("cannot make a socket pair");
  }
  Descriptor ours(pair[0]);
  Descriptor theirs(pair[1]);
  QUIPU_TRY(const pid_t pid, spawn(arguments, theirs.get()));
  theirs.reset();
  Child child(pid);
  // It waits for its input, which comes after this.
  limit_child(pid, limits);
  QUIPU_TRY(std::string output, exchange(ours, input, limits));
  ours.reset();
  const int status = child.wait();
  if (WIFSIGNALED(status)) {
    return Error{ErrorCode::kInvalidArgument,
                 quipu::format("'{}' was stopped by signal {}", arguments[0], WTERMSIG(status)),
                 "document_malformed"};
  }
  // posix_spawnp of some systems reports a missing program only through status 127.
  if (WEXITSTATUS(status) == 127 && output.empty()) {
    return Error{ErrorCode::kUnavailable,
                 quipu::format("the program '{}' is not installed", arguments[0]),
                 "reader_missing"};
  }
  return output;
}

}  // namespace quipu::text
