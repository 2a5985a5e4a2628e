// gzip for answers.
#pragma once

#include <string>
#include <string_view>

namespace quipu::api {

// Whether an Accept-Encoding header asks for gzip (RFC 9110, section 12.5.3): named, or "*", with a
// weight that is not zero.
[[nodiscard]] bool accepts_gzip(std::string_view accept_encoding);

// The gzip form of `text`, at the level that is quickest; empty when it would not be smaller.
[[nodiscard]] std::string gzip(std::string_view text);

}  // namespace quipu::api
