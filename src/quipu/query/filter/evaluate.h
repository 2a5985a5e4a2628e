// Filters made ready to judge many points.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "quipu/base/json.h"
#include "quipu/filter.h"
#include "quipu/ids.h"
#include "quipu/query/filter/text_matcher.h"
#include "quipu/result.h"

namespace quipu::query {

// Which named vectors the point in question has.
class VectorPresence {
 public:
  [[nodiscard]] virtual bool has_vector(std::string_view name) const = 0;

 protected:
  ~VectorPresence() = default;
};

// A point, as a filter sees it. Borrowed for a call.
struct Record {
  PointId id;
  JsonView payload;                         // an object; of any other kind it has no fields
  const VectorPresence* vectors = nullptr;  // null: the point has no vectors
};

struct CompileOptions {
  // What messages call the filter.
  std::string_view field = "filter";
  // Says how the words of a field are compared; null: by `unindexed_text`. `key` is canonical and
  // begins at the payload's root ("items[].name" inside a nested filter). Called only while
  // compiling.
  std::function<const TextMatcher*(std::string_view key)> text_matcher;
  // Null: word_matcher().
  const TextMatcher* unindexed_text = nullptr;
};

// A field condition that every matching point satisfies.
struct RequiredField {
  std::string key;                            // canonical
  const FieldPredicate* predicate = nullptr;  // in the compiled filter's filter()
};

// Threads: immutable; copies share what they hold.
class CompiledFilter {
 public:
  // Errors: those of check_filter() (filter_check.h), and of the text matchers, with the place.
  // The text matchers must outlive the result.
  [[nodiscard]] static Result<CompiledFilter> compile(Filter filter,
                                                      const CompileOptions& options = {});

  // Whether the filter holds for the point. No errors: what a predicate cannot use does not satisfy
  // it. Cost: cheap conditions first, until the answer is known; each looks its key up in the
  // payload (a scan over the members). No allocation, but for what a text matcher of others may do.
  [[nodiscard]] bool matches(const Record& record) const;

  // For planners. The spans and pointers live as long as any copy of this.

  [[nodiscard]] const Filter& filter() const noexcept;
  // Whether it says nothing, and so holds for every point.
  [[nodiscard]] bool empty() const noexcept;
  // Every key that a condition looks at, canonical and from the payload's root, ascending,
  // distinct. Of a nested filter, the keys inside it ("items[].name"), not its own.
  [[nodiscard]] std::span<const std::string> keys() const noexcept;
  // The field conditions and id lists that must all hold: of `must`, of filters in `must`, of a
  // `should` with one condition. A superset of the matches may be found with any of them.
  [[nodiscard]] std::span<const RequiredField> required_fields() const noexcept;
  [[nodiscard]] std::span<const HasIdCondition* const> required_ids() const noexcept;

 private:
  struct State;
  explicit CompiledFilter(std::shared_ptr<const State> state);
  std::shared_ptr<const State> state_;
};

}  // namespace quipu::query
