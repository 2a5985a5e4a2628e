// SHA-256 of bytes that come in pieces; bytes.h has it for those that are there at once.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace quipu {

// Threads: one.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void update(std::string_view bytes);
  // Of all that came so far, in lower-case hexadecimal; more may come.
  [[nodiscard]] std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace quipu
