#include "quipu/api/uri.h"

#include <cstddef>
#include <cstdint>

#include "quipu/base/quote.h"

namespace quipu::api {
namespace {

constexpr std::size_t kSegmentsMax = 16;
constexpr std::size_t kParametersMax = 32;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Error malformed(std::string_view what, std::string_view text) {
  return {ErrorCode::kInvalidArgument, std::string(what) + " in " + in_quotes(text),
          "malformed_request"};
}

std::optional<std::string> decode_text(std::string_view text) {
  std::optional<std::string> decoded = percent_decode(text);
  if (decoded && !valid_utf8(*decoded)) decoded.reset();
  return decoded;
}

Status split_query(std::string_view query, Target& into) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (item.empty()) continue;
    if (into.query.size() == kParametersMax) {
      return malformed("more than 32 query parameters", item);
    }
    const std::size_t equals = std::min(item.find('='), item.size());
    auto name = decode_text(item.substr(0, equals));
    auto value = decode_text(item.substr(std::min(equals + 1, item.size())));
    if (!name || !value) return malformed("a bad escape", item);
    into.query.emplace_back(std::move(*name), std::move(*value));
  }
  return ok_status();
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0 || high + low == 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

bool valid_utf8(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto lead = static_cast<std::uint8_t>(text[i]);
    std::size_t more = 0;
    std::uint32_t code = lead;
    if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      code = lead & 0x07U;
    } else if (lead >= 0xe0 && lead < 0xf0) {
      more = 2;
      code = lead & 0x0fU;
    } else if (lead >= 0xc2 && lead < 0xe0) {
      more = 1;
      code = lead & 0x1fU;
    } else if (lead >= 0x80) {
      return false;
    }
    if (text.size() - i <= more) return false;
    for (std::size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<std::uint8_t>(text[i + k]);
      if ((next & 0xc0U) != 0x80U) return false;
      code = (code << 6) | (next & 0x3fU);
    }
    const bool overlong = (more == 2 && code < 0x800) || (more == 3 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
    i += more + 1;
  }
  return true;
}

Result<Target> parse_target(std::string_view target) {
  if (!target.starts_with('/')) return malformed("no leading slash", target);
  Target out;
  const std::size_t question = std::min(target.find('?'), target.size());
  std::string_view path = target.substr(1, question - 1);
  while (true) {
    if (out.segments.size() == kSegmentsMax) {
      return malformed("more than 16 segments", target);
    }
    const std::size_t end = path.find('/');
    auto segment = decode_text(path.substr(0, end));
    if (!segment) return malformed("a bad escape", path.substr(0, end));
    out.segments.push_back(std::move(*segment));
    if (end == std::string_view::npos) break;
    path.remove_prefix(end + 1);
  }
  QUIPU_TRY_OK(split_query(target.substr(std::min(question + 1, target.size())), out));
  return out;
}

}  // namespace quipu::api
