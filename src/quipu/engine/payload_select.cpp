#include "quipu/engine/payload_select.h"

#include <optional>
#include <span>
#include <utility>

#include "quipu/base/format.h"
#include "quipu/base/json.h"

namespace quipu::engine {
namespace {

using query::PathStep;
using Steps = std::span<const PathStep>;

// What is left of the paths that go on into a value.
struct Ways {
  bool ends = false;  // one of them ends here
  std::vector<Steps> on;
};

Ways into_member(const std::vector<Steps>& paths, std::string_view name) {
  Ways ways;
  for (const Steps& steps : paths) {
    if (steps.front().kind != PathStep::Kind::kMember || steps.front().name != name) continue;
    ways.ends = ways.ends || steps.size() == 1;
    if (steps.size() > 1) ways.on.push_back(steps.subspan(1));
  }
  return ways;
}

Ways into_element(const std::vector<Steps>& paths, std::uint64_t index) {
  Ways ways;
  for (const Steps& steps : paths) {
    const bool every = steps.front().kind == PathStep::Kind::kEveryElement;
    const bool this_one =
        steps.front().kind == PathStep::Kind::kElement && steps.front().index == index;
    if (!every && !this_one) continue;
    ways.ends = ways.ends || steps.size() == 1;
    if (steps.size() > 1) ways.on.push_back(steps.subspan(1));
  }
  return ways;
}

// Writes one value with only what the paths reach, or without it.
class Writer {
 public:
  Writer(JsonWriter& out, bool include) : out_(out), include_(include) {}

  void write(JsonView value, const std::vector<Steps>& paths) {
    if (value.is_object()) {
      out_.begin_object();
      value.for_each_member([&](std::string_view key, JsonView member) {
        const Ways ways = into_member(paths, key);
        if (!wanted(ways)) return true;
        out_.key(key);
        write_part(member, ways);
        return true;
      });
      out_.end_object();
    } else {
      std::uint64_t index = 0;
      out_.begin_array();
      value.for_each_element([&](JsonView element) {
        const Ways ways = into_element(paths, index++);
        if (wanted(ways)) write_part(element, ways);
        return true;
      });
      out_.end_array();
    }
  }

 private:
  [[nodiscard]] bool wanted(const Ways& ways) const {
    if (!include_) return !ways.ends;
    // What has no parts is taken even if the path goes on in it, as Qdrant does.
    return ways.ends || !ways.on.empty();
  }
  void write_part(JsonView value, const Ways& ways) {
    const bool whole =
        ways.on.empty() || (include_ && ways.ends) || !(value.is_object() || value.is_array());
    if (whole) {
      out_.raw(value.to_string());
    } else {
      write(value, ways.on);
    }
  }
  JsonWriter& out_;
  const bool include_;
};

}  // namespace

Result<PayloadSelection> PayloadSelection::compile(const Select& select) {
  PayloadSelection made;
  if (!select.payload_include.empty() && !select.payload_exclude.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "a selection of the payload includes paths or excludes paths, not both",
                 "invalid_select"};
  }
  made.include_ = !select.payload_include.empty();
  const auto& texts = made.include_ ? select.payload_include : select.payload_exclude;
  for (const std::string& text : texts) {
    auto path = query::PayloadPath::parse(text);
    if (!path.ok()) {
      return Error{ErrorCode::kInvalidArgument,
                   format("the selection of the payload: {}", path.error().message),
                   "invalid_path"};
    }
    made.paths_.push_back(std::move(path).value());
  }
  return made;
}

Result<std::string> PayloadSelection::apply(std::string_view payload) const {
  if (!partial()) return std::string(payload);
  QUIPU_TRY(const JsonDocument json, JsonDocument::parse(payload));
  if (!json.root().is_object()) {
    return Error{ErrorCode::kCorruption, "a stored payload is not a JSON object", "damaged_record"};
  }
  std::vector<Steps> paths;
  for (const query::PayloadPath& path : paths_) paths.push_back(path.steps());
  std::string chosen;
  JsonWriter out(chosen);
  Writer(out, include_).write(json.root(), paths);
  return chosen;
}

}  // namespace quipu::engine
