#include "quipu/server/http/host_check.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace quipu::server {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool host_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

bool bracket_character(char c) {
  return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9') || c == ':' || c == '.';
}

bool valid_port(std::string_view port) {
  std::uint16_t number = 0;
  const char* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data(), end, number);
  return error == std::errc() && stop == end;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority out;
  out.host.assign(text);
  std::ranges::transform(out.host, out.host.begin(), lower);
  std::size_t host_size = out.host.find(':');
  if (out.host.starts_with('[')) {
    const std::size_t close = out.host.find(']');
    if (close == std::string::npos || close < 3) return std::nullopt;
    const auto inside = std::string_view(out.host).substr(1, close - 1);
    if (!std::ranges::all_of(inside, bracket_character)) return std::nullopt;
    host_size = close + 1;
    if (host_size < out.host.size() && out.host[host_size] != ':') return std::nullopt;
  } else {
    const auto name = std::string_view(out.host).substr(0, host_size);
    if (name.empty() || !std::ranges::all_of(name, host_character)) return std::nullopt;
  }
  if (host_size < out.host.size()) {
    out.port = out.host.substr(host_size + 1);
    if (!valid_port(out.port)) return std::nullopt;
    out.host.resize(host_size);
  }
  return out;
}

HostCheck::HostCheck(const std::vector<std::string>& names) {
  for (const char* name : {"localhost", "127.0.0.1", "[::1]"}) names_.push_back({name, ""});
  for (const std::string& name : names) {
    if (name == "*") any_ = true;
    if (const auto authority = parse_authority(name)) names_.push_back(*authority);
  }
}

bool HostCheck::listed(const Authority& authority) const {
  return std::ranges::any_of(names_, [&](const Authority& name) {
    return name.host == authority.host && (name.port.empty() || name.port == authority.port);
  });
}

bool HostCheck::host_allowed(std::string_view host) const {
  const auto authority = parse_authority(host);
  return authority && (any_ || listed(*authority));
}

bool HostCheck::origin_allowed(std::string_view origin, std::string_view host) const {
  std::string_view rest = origin;
  std::string_view usual_port = "80";
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
    usual_port = "443";
  } else {
    return false;
  }
  const auto from = parse_authority(rest);
  const auto to = parse_authority(host);
  if (!from || !to) return false;
  if (any_) return true;
  const auto port_of = [&](const Authority& authority) {
    return authority.port.empty() ? usual_port : std::string_view(authority.port);
  };
  if (from->host == to->host && port_of(*from) == port_of(*to)) return listed(*from);
  // The three names of the machine itself are not enough here: another program's page on another
  // port is another origin. What the operator listed is.
  return std::ranges::any_of(
      std::next(names_.begin(), 3), names_.end(), [&](const Authority& name) {
        return name.host == from->host && (name.port.empty() || name.port == port_of(*from));
      });
}

}  // namespace quipu::server
