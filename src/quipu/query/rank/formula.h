// Formulas over scores and payload (include/quipu/query.h, FormulaQuery), made ready for many
// points.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "quipu/base/json.h"
#include "quipu/query.h"
#include "quipu/query/filter/evaluate.h"
#include "quipu/query/filter/filter_check.h"
#include "quipu/query/filter/payload_path.h"
#include "quipu/result.h"

namespace quipu::query {

// What a variable's name means: a payload key, or the score of a prefetch.
struct FormulaVariable {
  std::optional<PayloadPath> path;  // absent: the score
  std::size_t prefetch = 0;
  friend bool operator==(const FormulaVariable&, const FormulaVariable&) = default;
};
// "$score" is "$score[0]". Errors: kInvalidArgument ("invalid_query") for other names with '$' at
// their beginning, and for what is no path.
[[nodiscard]] Result<FormulaVariable> parse_formula_variable(std::string_view name);

// Checks names, numbers of operands, constants, decays, conditions, defaults and limits; `at` is
// the place of the query that has `formula` and `defaults`. Errors: kInvalidArgument,
// "invalid_query", "query_too_large" or those of check_filter().
[[nodiscard]] Status check_formula(const FormulaQuery& query, const Place& at);

struct FormulaOptions {
  // What messages call the query that has the formula.
  std::string_view field = "query";
  // Of the conditions, as in CompileOptions.
  std::function<const TextMatcher*(std::string_view key)> text_matcher;
  const TextMatcher* unindexed_text = nullptr;
};

// Threads: immutable.
class CompiledFormula {
 public:
  // Errors: those of check_formula(), and of the text matchers, which must outlive the result.
  [[nodiscard]] static Result<CompiledFormula> compile(const FormulaQuery& query,
                                                       const FormulaOptions& options = {});

  // The formula's value for a point.
  //
  // scores   of each prefetch in order, NaN for one that did not find the point; a prefetch beyond
  //          their end found nothing
  //
  // A factor of 0 ends a product and a dividend of 0 a division: what comes after is not looked at.
  // Errors: kInvalidArgument ("formula_value"), with the place in the formula, the point and the
  // variable: a payload key has no value or several, or one of another kind, and no default; or a
  // division, root, power, exponential or logarithm, or the whole as a float, is no finite number.
  // Cost: no allocation unless it fails; each variable looks its key up in the payload.
  [[nodiscard]] Result<float> score(const Record& record, std::span<const float> scores) const;

  // Payload keys that variables and conditions look at, canonical, ascending, distinct.
  [[nodiscard]] std::span<const std::string> keys() const noexcept { return keys_; }

 private:
  enum class Op : std::uint8_t {
    kConstant,
    kScore,
    kPayload,
    kCondition,
    kGeoDistance,
    kDatetimeKey,
    kSum,
    kProduct,
    kMax,
    kMin,
    kNegate,
    kAbs,
    kSqrt,
    kExp,
    kLn,
    kLog10,
    kAcosh,
    kDivide,
    kPower,
    kLinearDecay,
    kGaussDecay,
    kExpDecay,
  };
  // A part of the formula; its operands lie together.
  struct Node {
    Op op = Op::kConstant;
    bool has_default = false;         // kDivide: `a` is used where the divisor is 0
    std::uint32_t first_operand = 0;  // in nodes_
    std::uint32_t operand_count = 0;
    std::uint32_t index = 0;  // of the prefetch, in variables_ or in conditions_
    double a = 0;             // the constant, the default, the decay's rate
    GeoPoint origin;
  };
  // A default, as each kind of value that it can be.
  struct Default {
    std::optional<double> number;
    std::optional<GeoPoint> place;
    std::optional<std::int64_t> time_us;
    std::string json;
  };
  struct Variable {
    PayloadPath path;
    std::string key;
    bool takes_elements = false;  // an array that the path reaches stands for its elements
    std::optional<Default> otherwise;
  };
  struct Evaluation;
  struct Compiler;

  CompiledFormula() = default;
  bool evaluate(std::uint32_t node, double& value, Evaluation& evaluation) const;
  bool fold(const Node& node, double& value, Evaluation& evaluation) const;
  bool unary(std::uint32_t node, double& value, Evaluation& evaluation) const;
  bool binary(std::uint32_t node, double& value, Evaluation& evaluation) const;
  bool decay(const Node& node, double& value, Evaluation& evaluation) const;
  bool leaf(std::uint32_t node, double& value, Evaluation& evaluation) const;
  std::optional<JsonView> find(const Variable& variable, std::uint32_t node,
                               Evaluation& evaluation) const;
  template <typename Value, typename Read>
  bool payload_value(std::uint32_t node, std::string_view wanted,
                     std::optional<Value> Default::*otherwise, Read read, Value& value,
                     Evaluation& evaluation) const;
  bool finite(std::uint32_t node, std::string_view name, double value,
              Evaluation& evaluation) const;

  std::vector<Node> nodes_;  // the whole formula is the first
  std::vector<std::string> places_;
  std::vector<Variable> variables_;
  std::vector<CompiledFilter> conditions_;
  std::vector<std::string> keys_;
  std::string place_;
};

}  // namespace quipu::query
