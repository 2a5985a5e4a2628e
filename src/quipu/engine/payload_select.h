// Parts of a payload, chosen by paths. Pure functions over JSON texts.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "quipu/engine.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/result.h"

namespace quipu::engine {

// The payload part of a Select, made ready. Threads: immutable.
class PayloadSelection {
 public:
  // Errors: kInvalidArgument for a path that cannot be read, and for including and excluding both.
  [[nodiscard]] static Result<PayloadSelection> compile(const Select& select);
  // Whether it leaves anything out.
  [[nodiscard]] bool partial() const noexcept { return !paths_.empty(); }
  // What is chosen of a payload, in its order; objects and arrays on the way are kept.
  // Errors: kCorruption.
  [[nodiscard]] Result<std::string> apply(std::string_view payload) const;

 private:
  std::vector<query::PayloadPath> paths_;
  bool include_ = true;
};

}  // namespace quipu::engine
