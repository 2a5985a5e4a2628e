// A path into a payload, read once: which values does a filter's key mean?
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/result.h"

namespace quipu::query {

struct PathStep {
  enum class Kind : std::uint8_t {
    kMember,        // .name, of an object
    kElement,       // [3], of an array
    kEveryElement,  // [], of an array
  };
  Kind kind = Kind::kMember;
  std::string name;         // kMember
  std::uint64_t index = 0;  // kElement
  friend bool operator==(const PathStep&, const PathStep&) = default;
};

// Begins with a member. Threads: immutable.
class PayloadPath {
 public:
  // Reads `text`: names joined by '.', brackets after a name. A name is one or more letters,
  // digits,
  // '_' and '-' (any character beyond ASCII counts as a letter), or anything but '"' and '\' in
  // double quotes.
  // Errors: kInvalidArgument ("invalid_path") with the offset; over kFilterStringBytesMax bytes or
  // kJsonDepthMax steps, which no payload has.
  [[nodiscard]] static Result<PayloadPath> parse(std::string_view text);

  using Visit = std::function<bool(JsonView)>;
  // Calls `visit` for each value that the path reaches in `payload`, in the document's order, until
  // it returns false. A step that does not fit the value (a name on an array, an index beyond the
  // end) reaches nothing. Returns whether it went to the end.
  // Cost: no allocation of its own.
  bool visit(JsonView payload, const Visit& visit) const;
  // The same, but an array at the end of the path stands for its elements (of one level only).
  bool visit_elements(JsonView payload, const Visit& visit) const;

  // The path with "[]" at its end, unless it has it.
  [[nodiscard]] PayloadPath of_elements() const;
  // `inner`, which begins where this path ends, from where this path begins.
  [[nodiscard]] PayloadPath joined(const PayloadPath& inner) const;
  // One spelling for each path; reads back to an equal path.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::span<const PathStep> steps() const noexcept { return steps_; }
  friend bool operator==(const PayloadPath&, const PayloadPath&) = default;

 private:
  explicit PayloadPath(std::vector<PathStep> steps) : steps_(std::move(steps)) {}
  std::vector<PathStep> steps_;
};

}  // namespace quipu::query
