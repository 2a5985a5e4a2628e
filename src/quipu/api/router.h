// Finds the row of the route table that a path means.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/api/route.h"

namespace quipu::api {

// Threads: immutable once made. A literal segment is preferred to a parameter.
class Router {
 public:
  // Borrows the routes. Two rows of one method and path are a bug and end the process.
  explicit Router(std::span<const Route> routes);
  ~Router();

  struct Match {
    // The rows of the path by method, null where there is none; all null: no such path.
    std::array<const Route*, kMethodCount> by_method{};
    // The values of {parameters}, in the pattern's order.
    std::vector<std::string_view> parameters;
    [[nodiscard]] bool found() const noexcept;
    // "GET, HEAD, PUT, OPTIONS": what is built here.
    [[nodiscard]] std::string allowed() const;
  };
  // The match borrows `segments`.
  [[nodiscard]] Match match(std::span<const std::string> segments) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
};

}  // namespace quipu::api
