#include "quipu/query/filter/payload_path.h"

#include <charconv>
#include <optional>
#include <utility>

#include "quipu/base/limits.h"
#include "quipu/base/quote.h"

namespace quipu::query {
namespace {

using StepKind = PathStep::Kind;

// Qdrant asks whether a character is alphanumeric in Unicode's sense. Beyond ASCII this is more
// generous: what Qdrant accepts means the same here, and needs no table.
constexpr bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || static_cast<unsigned char>(c) >= 0x80;
}

bool needs_quotes(std::string_view name) {
  for (const char c : name) {
    if (!is_name_char(c)) return true;
  }
  return name.empty();
}

class PathReader {
 public:
  explicit PathReader(std::string_view text) : text_(text) {}

  Result<std::vector<PathStep>> run() {
    if (text_.size() > limits::kFilterStringBytesMax) {
      return bad("has " + std::to_string(text_.size()) + " bytes, the limit is " +
                 std::to_string(limits::kFilterStringBytesMax));
    }
    QUIPU_TRY_OK(read_name());
    while (at_ < text_.size()) {
      if (steps_.size() >= limits::kJsonDepthMax) {
        return bad("has more than " + std::to_string(limits::kJsonDepthMax) + " steps");
      }
      const char c = text_[at_];
      if (c == '.') {
        ++at_;
        QUIPU_TRY_OK(read_name());
      } else if (c == '[') {
        QUIPU_TRY_OK(read_brackets());
      } else {
        return bad("at byte " + std::to_string(at_) +
                   ": expected '.', '[' or the end (put a name with other characters in double "
                   "quotes)");
      }
    }
    return std::move(steps_);
  }

 private:
  Error bad(const std::string& why) const {
    return Error{.code = ErrorCode::kInvalidArgument,
                 .message = "path " + in_quotes(text_) + " " + why,
                 .reason = "invalid_path"};
  }

  Status read_name() {
    if (at_ < text_.size() && text_[at_] == '"') return read_quoted();
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    if (at_ == begin) {
      return bad("at byte " + std::to_string(at_) +
                 ": expected a name (letters, digits, '_' and '-', or anything in double quotes)");
    }
    steps_.push_back({.name = std::string(text_.substr(begin, at_ - begin))});
    return ok_status();
  }

  Status read_quoted() {
    const std::size_t begin = at_ + 1;
    const std::size_t end = text_.find_first_of("\"\\", begin);
    if (end == std::string_view::npos) {
      return bad("at byte " + std::to_string(at_) + ": the quotes are not closed");
    }
    if (text_[end] == '\\') {
      return bad("at byte " + std::to_string(end) + ": a name cannot hold a backslash");
    }
    steps_.push_back({.name = std::string(text_.substr(begin, end - begin))});
    at_ = end + 1;
    return ok_status();
  }

  Status read_brackets() {
    const std::size_t end = text_.find(']', at_);
    if (end == std::string_view::npos) {
      return bad("at byte " + std::to_string(at_) + ": the bracket is not closed");
    }
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    if (inside.empty()) {
      steps_.push_back({.kind = StepKind::kEveryElement});
    } else {
      std::uint64_t index = 0;
      const char* const last = inside.data() + inside.size();
      const std::from_chars_result read = std::from_chars(inside.data(), last, index);
      if (read.ec != std::errc() || read.ptr != last) {
        return bad("at byte " + std::to_string(at_) +
                   ": expected [] or an index as in [3], at most 18446744073709551615");
      }
      steps_.push_back({.kind = StepKind::kElement, .index = index});
    }
    at_ = end + 1;
    return ok_status();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<PathStep> steps_;
};

std::optional<JsonView> element_at(JsonView array, std::uint64_t index) {
  if (index >= array.size()) return std::nullopt;
  struct Search {
    std::uint64_t left;
    std::optional<JsonView> found;
  } search{index, std::nullopt};
  array.for_each_element([&search](JsonView element) {
    if (search.left == 0) search.found = element;
    return search.left-- > 0;
  });
  return search.found;
}

// Two words, so that the std::function over it needs no allocation.
struct Walk {
  std::span<const PathStep> steps;
  const PayloadPath::Visit& visit;

  // Recursion is bounded by the number of "[]" in a path, so by kJsonDepthMax.
  bool from(std::size_t step, JsonView value) const {
    for (; step < steps.size(); ++step) {
      std::optional<JsonView> next;
      if (steps[step].kind == StepKind::kMember) {
        next = value.find(steps[step].name);
      } else if (steps[step].kind == StepKind::kElement) {
        next = element_at(value, steps[step].index);
      } else {
        return from_every_element(step + 1, value);
      }
      if (!next.has_value()) return true;
      value = *next;
    }
    return visit(value);
  }

  bool from_every_element(std::size_t step, JsonView array) const {
    struct Each {
      const Walk& walk;
      std::size_t step;
      bool go_on;
    } each{*this, step, true};
    array.for_each_element([&each](JsonView element) {
      each.go_on = each.walk.from(each.step, element);
      return each.go_on;
    });
    return each.go_on;
  }
};

}  // namespace

Result<PayloadPath> PayloadPath::parse(std::string_view text) {
  QUIPU_TRY(std::vector<PathStep> steps, PathReader(text).run());
  return PayloadPath(std::move(steps));
}

bool PayloadPath::visit(JsonView payload, const Visit& visit) const {
  return Walk{steps_, visit}.from(0, payload);
}

PayloadPath PayloadPath::of_elements() const {
  PayloadPath path = *this;
  if (path.steps_.back().kind != StepKind::kEveryElement) {
    path.steps_.push_back({.kind = StepKind::kEveryElement});
  }
  return path;
}

bool PayloadPath::visit_elements(JsonView payload, const Visit& visit) const {
  return this->visit(payload, [&visit](JsonView value) {
    if (!value.is_array()) return visit(value);
    bool more = true;
    value.for_each_element([&](JsonView element) { return more = visit(element); });
    return more;
  });
}

PayloadPath PayloadPath::joined(const PayloadPath& inner) const {
  PayloadPath path = *this;
  path.steps_.insert(path.steps_.end(), inner.steps_.begin(), inner.steps_.end());
  return path;
}

std::string PayloadPath::to_string() const {
  std::string text;
  for (const PathStep& step : steps_) {
    switch (step.kind) {
      case StepKind::kMember:
        if (!text.empty()) text += '.';
        if (needs_quotes(step.name)) {
          text += '"' + step.name + '"';
        } else {
          text += step.name;
        }
        break;
      case StepKind::kElement: text += '[' + std::to_string(step.index) + ']'; break;
      case StepKind::kEveryElement: text += "[]"; break;
    }
  }
  return text;
}

}  // namespace quipu::query
