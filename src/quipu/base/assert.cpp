#include "quipu/assert.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace quipu {
namespace {

// Writes straight to the descriptor: the heap and the streams may be what is broken.
void write_all(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // Nowhere left to complain to; the abort follows.
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  char digits[16];
  const std::to_chars_result end = std::to_chars(digits, digits + sizeof(digits), line);
  write_all("quipu: assertion failed: ");
  write_all(condition);
  write_all(" at ");
  write_all(file);
  write_all(":");
  write_all(std::string_view(digits, static_cast<std::size_t>(end.ptr - digits)));
  write_all("\n");
  std::abort();
}

}  // namespace quipu
