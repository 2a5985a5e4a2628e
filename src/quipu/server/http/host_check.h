// Whether a request was really meant for this server (invariants.md, rule 22).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace quipu::server {

// "example.org:80" or "[::1]:80" taken apart; the port may be absent ("").
struct Authority {
  std::string host;  // lower case, brackets kept
  std::string port;
};
// Empty when the text is no authority: bad characters, an unclosed bracket, a port that is no
// number below 65,536.
[[nodiscard]] std::optional<Authority> parse_authority(std::string_view text);

// Threads: immutable.
class HostCheck {
 public:
  // Allows localhost, 127.0.0.1, [::1] and `names`; "*" among them allows every name. A name may
  // have a port, which then must match.
  explicit HostCheck(const std::vector<std::string>& names);

  [[nodiscard]] bool host_allowed(std::string_view host) const;
  // An origin is allowed when it is the server itself as the caller addressed it (scheme apart), or
  // one of the configured names. "null" never is.
  [[nodiscard]] bool origin_allowed(std::string_view origin, std::string_view host) const;

 private:
  [[nodiscard]] bool listed(const Authority& authority) const;
  std::vector<Authority> names_;
  bool any_ = false;
};

}  // namespace quipu::server
