#include "quipu/engine/payload_change.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "quipu/base/json.h"
#include "quipu/query/filter/payload_path.h"

namespace quipu::engine {
namespace {

using query::PathStep;
using Steps = std::span<const PathStep>;

bool is_at(const PathStep& step, std::uint64_t index) {
  return step.kind == PathStep::Kind::kEveryElement ||
         (step.kind == PathStep::Kind::kElement && step.index == index);
}

// Writes `value` (absent: nothing is there) with the members of `set` merged into what `steps`
// leads to.
class SetAtPath {
 public:
  SetAtPath(JsonWriter& out, JsonView set) : out_(out), set_(set) {}

  void write(std::optional<JsonView> value, Steps steps) {
    if (steps.empty()) return write_merged(value);
    if (steps.front().kind == PathStep::Kind::kMember) return write_member(value, steps);
    out_.begin_array();
    std::uint64_t index = 0;
    if (value) {
      value->for_each_element([&](JsonView element) {
        if (is_at(steps.front(), index++)) {
          write(element, steps.subspan(1));
        } else {
          out_.raw(element.to_string());
        }
        return true;
      });
    }
    out_.end_array();
  }

 private:
  void write_member(std::optional<JsonView> value, Steps steps) {
    const std::string& name = steps.front().name;
    bool there = false;
    out_.begin_object();
    if (value) {
      value->for_each_member([&](std::string_view key, JsonView member) {
        out_.key(key);
        if (key == name) {
          there = true;
          write(member, steps.subspan(1));
        } else {
          out_.raw(member.to_string());
        }
        return true;
      });
    }
    if (!there) {
      out_.key(name);
      write(std::nullopt, steps.subspan(1));
    }
    out_.end_object();
  }

  void write_merged(std::optional<JsonView> value) {
    out_.begin_object();
    if (value) {
      value->for_each_member([&](std::string_view key, JsonView member) {
        const std::optional<JsonView> replaced = set_.find(key);
        out_.key(key).raw((replaced ? *replaced : member).to_string());
        return true;
      });
    }
    set_.for_each_member([&](std::string_view key, JsonView member) {
      const bool there = value && value->find(key).has_value();
      if (!there) out_.key(key).raw(member.to_string());
      return true;
    });
    out_.end_object();
  }

  JsonWriter& out_;
  const JsonView set_;
};

// Writes `value` without what `steps`, which are not empty, lead to.
void write_without(JsonWriter& out, JsonView value, Steps steps) {
  const PathStep& step = steps.front();
  const bool last = steps.size() == 1;
  if (step.kind == PathStep::Kind::kMember && value.is_object()) {
    out.begin_object();
    value.for_each_member([&](std::string_view key, JsonView member) {
      if (key != step.name) {
        out.key(key).raw(member.to_string());
      } else if (!last) {
        write_without(out.key(key), member, steps.subspan(1));
      }
      return true;
    });
    out.end_object();
    return;
  }
  const bool whole_array = last && step.kind == PathStep::Kind::kEveryElement;
  if (step.kind == PathStep::Kind::kMember || !value.is_array() || (last && !whole_array)) {
    out.raw(value.to_string());
    return;
  }
  out.begin_array();
  std::uint64_t index = 0;
  if (!whole_array) {
    value.for_each_element([&](JsonView element) {
      if (is_at(step, index++)) {
        write_without(out, element, steps.subspan(1));
      } else {
        out.raw(element.to_string());
      }
      return true;
    });
  }
  out.end_array();
}

Result<JsonDocument> parse_payload(std::string_view json) {
  QUIPU_TRY(JsonDocument document, JsonDocument::parse(json));
  if (!document.root().is_object()) {
    return Error{ErrorCode::kCorruption, "a stored payload is not a JSON object", "damaged_record"};
  }
  return document;
}

}  // namespace

Result<std::string> change_payload(std::string_view current, const storage::PatchPoint& patch) {
  std::string payload(patch.replace_payload ? std::string_view("{}") : current);
  for (const std::string& text : patch.delete_paths) {
    QUIPU_TRY(const query::PayloadPath path, query::PayloadPath::parse(text));
    QUIPU_TRY(const JsonDocument before, parse_payload(payload));
    std::string after;
    JsonWriter out(after);
    write_without(out, before.root(), path.steps());
    payload = std::move(after);
  }
  const std::string_view set =
      patch.set_payload.empty() ? std::string_view("{}") : patch.set_payload;
  if (patch.set_key.empty()) return merge_payload(payload, patch.delete_payload, set);
  QUIPU_TRY(payload, merge_payload(payload, patch.delete_payload, "{}"));
  QUIPU_TRY(const query::PayloadPath path, query::PayloadPath::parse(patch.set_key));
  QUIPU_TRY(const JsonDocument before, parse_payload(payload));
  QUIPU_TRY(const JsonDocument change, parse_payload(set));
  std::string after;
  JsonWriter out(after);
  SetAtPath(out, change.root()).write(before.root(), path.steps());
  return after;
}

Result<std::string> merge_payload(std::string_view current, const std::vector<std::string>& erase,
                                  std::string_view set) {
  QUIPU_TRY(const JsonDocument before, parse_payload(current));
  QUIPU_TRY(const JsonDocument change, parse_payload(set));
  std::string merged;
  JsonWriter out(merged);
  out.begin_object();
  before.root().for_each_member([&](std::string_view key, JsonView value) {
    const bool erased = std::find(erase.begin(), erase.end(), key) != erase.end();
    const std::optional<JsonView> replaced = change.root().find(key);
    // A member that is erased and set is set: it goes to the end, as a new one.
    if (erased) return true;
    out.key(key).raw((replaced ? *replaced : value).to_string());
    return true;
  });
  change.root().for_each_member([&](std::string_view key, JsonView value) {
    const bool there = before.root().find(key).has_value() &&
                       std::find(erase.begin(), erase.end(), key) == erase.end();
    if (!there) out.key(key).raw(value.to_string());
    return true;
  });
  out.end_object();
  return merged;
}

}  // namespace quipu::engine
