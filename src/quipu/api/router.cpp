#include "quipu/api/router.h"

#include <algorithm>
#include <map>

namespace quipu::api {

std::string_view method_name(Method method) noexcept {
  switch (method) {
    case Method::kGet: return "GET";
    case Method::kPut: return "PUT";
    case Method::kPost: return "POST";
    case Method::kPatch: return "PATCH";
    case Method::kDelete: return "DELETE";
  }
  return "GET";
}

std::optional<Method> parse_method(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kMethodCount; ++i) {
    if (method_name(static_cast<Method>(i)) == name) return static_cast<Method>(i);
  }
  return std::nullopt;
}

struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::array<const Route*, kMethodCount> by_method{};

  [[nodiscard]] bool ends() const {
    return std::ranges::any_of(by_method, [](const Route* route) { return route != nullptr; });
  }
  // Depth-first, literals first: a dead end under a literal falls back to the parameter.
  const Node* find(std::span<const std::string> segments, Match& match) const {
    if (segments.empty()) return ends() ? this : nullptr;
    if (const auto literal = literals.find(segments.front()); literal != literals.end()) {
      if (const Node* node = literal->second->find(segments.subspan(1), match)) return node;
    }
    if (parameter == nullptr || segments.front().empty()) return nullptr;
    match.parameters.push_back(segments.front());
    if (const Node* node = parameter->find(segments.subspan(1), match)) return node;
    match.parameters.pop_back();
    return nullptr;
  }
};

Router::Router(std::span<const Route> routes) : root_(std::make_unique<Node>()) {
  for (const Route& route : routes) {
    Node* node = root_.get();
    std::string_view rest = route.pattern.substr(1);
    while (true) {
      const std::size_t end = rest.find('/');
      const std::string_view segment = rest.substr(0, end);
      auto& next =
          segment.starts_with('{') ? node->parameter : node->literals[std::string(segment)];
      if (next == nullptr) next = std::make_unique<Node>();
      node = next.get();
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    const Route*& place = node->by_method[static_cast<std::size_t>(route.method)];
    QUIPU_ASSERT(place == nullptr);
    place = &route;
  }
}

Router::~Router() = default;

bool Router::Match::found() const noexcept {
  return std::ranges::any_of(by_method, [](const Route* route) { return route != nullptr; });
}

std::string Router::Match::allowed() const {
  std::string out;
  for (std::size_t i = 0; i < kMethodCount; ++i) {
    if (by_method[i] == nullptr || !by_method[i]->built()) continue;
    out += std::string(method_name(static_cast<Method>(i))) + ", ";
    if (static_cast<Method>(i) == Method::kGet) out += "HEAD, ";
  }
  return out + "OPTIONS";
}

Router::Match Router::match(std::span<const std::string> segments) const {
  Match match;
  if (const Node* node = root_->find(segments, match)) match.by_method = node->by_method;
  return match;
}

}  // namespace quipu::api
